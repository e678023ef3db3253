package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/policy"
)

func newPolicy() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Look at, check, test, explain, compare and import a policy",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newPolicyList(), newPolicyCheck(), newPolicyTest(), newPolicyExplain(), newPolicyDiff(), newPolicyImport())
	return c
}

func newPolicyList() *cobra.Command {
	var o offlineFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the endpoints that a policy serves",
		Long: `List every endpoint of the policy: method and path, the query options and request
headers that it lets through, and the application permissions that a request to it
needs. What is not listed is denied.`,
		Example: `  graphveil policy list
  graphveil policy list --set groups=off --json
  graphveil policy list --policy ./my-policy`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := o.read()
			if err != nil {
				return &exitError{exitUsage, err}
			}
			s, err := policy.Load(cmd.Context(), config.policy())
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(listing(s))
			}
			return writeList(os.Stdout, s)
		},
	}
	o.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// listedEndpoint is one endpoint in the JSON of `policy list`.
type listedEndpoint struct {
	Connector   string            `json:"connector"`
	ID          string            `json:"id"`
	Title       string            `json:"title,omitempty"`
	Methods     []string          `json:"methods"`
	Path        string            `json:"path"`
	Params      map[string]string `json:"params,omitempty"`
	Query       []listedOption    `json:"query,omitempty"`
	Headers     []string          `json:"headers,omitempty"`
	Media       []string          `json:"media,omitempty"`
	Permissions []string          `json:"permissions"`
	Limit       *listedLimit      `json:"limit,omitempty"`
	ServedBy    string            `json:"served_by,omitempty"`
}

// listedLimit is what Graph lets through of it, and of all that name the service.
type listedLimit struct {
	Service  string `json:"service"`
	Requests int    `json:"requests"`
	Per      string `json:"per"`
}

type listedOption struct {
	Name       string   `json:"name"`
	Rule       string   `json:"rule,omitempty"`
	Properties []string `json:"properties,omitempty"`
}

// listedConnector is one connector there: what its endpoints need together, and what
// else an administrator does.
type listedConnector struct {
	Name        string   `json:"name"`
	Title       string   `json:"title,omitempty"`
	Permissions []string `json:"permissions"`
	Setup       []string `json:"setup,omitempty"`
}

func listing(s *policy.Snapshot) any {
	var connectors []listedConnector
	for _, c := range s.Connectors() {
		connectors = append(connectors, listedConnector{c.Name, c.Title, c.Permissions, c.Setup})
	}
	var endpoints []listedEndpoint
	for _, e := range s.Endpoints() {
		l := listedEndpoint{e.Connector, e.ID, e.Title, e.Methods, e.Path, e.Params, nil, e.Headers, e.Media, e.Permissions, nil, e.ServedBy}
		if e.Limit != (policy.Limit{}) {
			l.Limit = &listedLimit{e.Limit.Service, e.Limit.Requests, e.Limit.Per}
		}
		for _, q := range e.Query {
			l.Query = append(l.Query, listedOption{q.Name, q.Rule, q.Properties})
		}
		endpoints = append(endpoints, l)
	}
	return map[string]any{"revision": s.Revision(), "connectors": connectors, "endpoints": endpoints}
}

func writeList(w io.Writer, s *policy.Snapshot) error {
	endpoints := s.Endpoints()
	for _, c := range s.Connectors() {
		fmt.Fprintf(w, "%s: %s\n", c.Name, c.Title)
		fmt.Fprintf(w, "  needs %s\n", strings.Join(c.Permissions, ", "))
		if len(c.Setup) > 0 {
			fmt.Fprintf(w, "  setup %s\n", strings.Join(c.Setup, ", "))
		}
		for _, e := range endpoints {
			if e.Connector != c.Name {
				continue
			}
			fmt.Fprintf(w, "\n  %s\n    %s %s\n", e.ID, strings.Join(e.Methods, ","), e.Path)
			for _, name := range slices.Sorted(maps.Keys(e.Params)) {
				fmt.Fprintf(w, "      {%s} %s\n", name, e.Params[name])
			}
			for _, q := range e.Query {
				fmt.Fprintf(w, "      %s\n", describeOption(q))
			}
			if len(e.Headers) > 0 {
				fmt.Fprintf(w, "      headers %s\n", strings.Join(e.Headers, ", "))
			}
			if len(e.Media) > 0 {
				fmt.Fprintf(w, "      answers %s\n", strings.Join(e.Media, ", "))
			}
			fmt.Fprintf(w, "      needs %s\n", strings.Join(e.Permissions, ", "))
			if e.Limit != (policy.Limit{}) {
				fmt.Fprintf(w, "      limit %s, with all of %s\n", e.Limit, e.Limit.Service)
			}
			if e.ServedBy != "" {
				fmt.Fprintf(w, "      served by %s, which has the same\n", e.ServedBy)
			}
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%d endpoints, policy %s\n", len(endpoints), s.Revision())
	return err
}

// describeOption keeps long lists of properties to their beginning; --json has
// them all.
func describeOption(q policy.QueryInfo) string {
	const few = 4
	text := strings.TrimSpace(q.Name + " " + q.Rule)
	switch {
	case len(q.Properties) > few:
		text += fmt.Sprintf(": %s, and %d more (--json)", strings.Join(q.Properties[:few], ", "), len(q.Properties)-few)
	case len(q.Properties) > 0:
		text += ": " + strings.Join(q.Properties, ", ")
	}
	return text
}
