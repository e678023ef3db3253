package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/plan"
)

func newPolicyDiff() *cobra.Command {
	var o offlineFlags
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what two versions of a policy let through differently",
		Long: `Load two policies and say, endpoint by endpoint, what one has and the other has not:
paths, query options and their properties, headers, permissions, limits, and what
becomes of each field of a response. Formatting, comments and how rules share shapes
make no difference.

OLD and NEW are each a folder, a bundle file, or "builtin"; several, separated by
commas, are one policy. Denials of graphveil.custom are decided by each request, and
cannot be compared: if the revisions differ and nothing else, look at the files.`,
		Example: `  git worktree add /tmp/before main
  graphveil policy diff /tmp/before/my-policy ./my-policy
  graphveil policy diff builtin builtin,./my-policy`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := o.load(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			after, err := o.load(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			return writeDiff(os.Stdout, before, after)
		},
	}
	configFlag(c, &o.config)
	c.Flags().StringToStringVar(&o.options, "set", nil, "set a policy `option=value` of both; repeatable")
	return c
}

// load loads the policy of an argument.
func (o *offlineFlags) load(ctx context.Context, paths string) (*policy.Snapshot, error) {
	o.policies = strings.Split(paths, ",")
	config, err := o.read()
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return policy.Load(ctx, config.policy())
}

func writeDiff(w io.Writer, before, after *policy.Snapshot) error {
	old, next := endpointsByName(before), endpointsByName(after)
	all := maps.Clone(old)
	maps.Copy(all, next)
	changed := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		had, has := facts(old[name]), facts(next[name])
		var lines []string
		for _, fact := range had {
			if !slices.Contains(has, fact) {
				lines = append(lines, "- "+fact)
			}
		}
		for _, fact := range has {
			if !slices.Contains(had, fact) {
				lines = append(lines, "+ "+fact)
			}
		}
		if len(lines) == 0 && !samePlans(old[name], next[name]) {
			lines = append(lines, "~ response: patterns, phrases or the like, which are not shown here")
		}
		if len(lines) > 0 {
			changed++
			fmt.Fprintf(w, "%s\n  %s\n\n", name, strings.Join(lines, "\n  "))
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d endpoints differ, policy %s before, %s after\n", changed, len(all), before.Revision(), after.Revision())
	return err
}

func endpointsByName(s *policy.Snapshot) map[string]policy.EndpointInfo {
	named := map[string]policy.EndpointInfo{}
	for _, e := range s.Endpoints() {
		named[e.Connector+"."+e.ID] = e
	}
	return named
}

func samePlans(a, b policy.EndpointInfo) bool {
	return reflect.DeepEqual(a.Plan, b.Plan) && reflect.DeepEqual(a.ErrorPlan, b.ErrorPlan)
}

// facts are what there is to say of an endpoint, a line each; none of an endpoint that
// there is not.
func facts(e policy.EndpointInfo) []string {
	if e.ID == "" {
		return nil
	}
	lines := []string{strings.Join(e.Methods, ",") + " " + e.Path}
	for _, name := range slices.Sorted(maps.Keys(e.Params)) {
		lines = append(lines, "{"+name+"} "+e.Params[name])
	}
	for _, q := range e.Query {
		lines = append(lines, strings.TrimSpace("query "+q.Name+" "+q.Rule))
		for _, property := range q.Properties {
			lines = append(lines, "query "+q.Name+" of "+property)
		}
	}
	for what, names := range map[string][]string{"header": e.Headers, "answers": e.Media, "needs": e.Permissions} {
		for _, name := range names {
			lines = append(lines, what+" "+name)
		}
	}
	slices.Sort(lines[1:])
	if e.Limit != (policy.Limit{}) {
		lines = append(lines, fmt.Sprintf("limit %s, with all of %s", e.Limit, e.Limit.Service))
	}
	if e.ServedBy != "" {
		lines = append(lines, "served by "+e.ServedBy)
	}
	return append(append(lines, planFacts("response", e.Plan)...), planFacts("error", e.ErrorPlan)...)
}

// planFacts are the lines of writePlan, each behind the conditions that it stands
// below.
func planFacts(of string, p *plan.Plan) []string {
	if p == nil {
		return nil
	}
	var text bytes.Buffer
	writePlan(&text, p)
	type condition struct {
		indent int
		text   string
	}
	var below []condition
	var lines []string
	for line := range strings.Lines(text.String()) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		for len(below) > 0 && below[len(below)-1].indent >= indent {
			below = below[:len(below)-1]
		}
		fact := strings.Join(strings.Fields(line), " ")
		if strings.HasSuffix(fact, ":") {
			below = append(below, condition{indent, fact})
			continue
		}
		for _, c := range slices.Backward(below) {
			fact = c.text + " " + fact
		}
		lines = append(lines, of+" "+fact)
	}
	return lines
}
