package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/policy"
)

func newPolicyExplain() *cobra.Command {
	var o offlineFlags
	var request, spiffeID, claims string
	var headers []string
	c := &cobra.Command{
		Use:   "explain --request 'GET URL'",
		Short: "Explain how a request is decided and what its response becomes",
		Long: `Decide a request and show each step: how its target is read, which endpoint it
leads to (or which come near), the rules that speak against it with file and
line, and for an allowed one what happens to each field of the response.

Exit code 3 if the request is denied.`,
		Example: `  graphveil policy explain --request 'GET /v1.0/users?$top=5&$search="x"'`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			method, url, ok := strings.Cut(request, " ")
			if !ok {
				return &exitError{exitUsage, errors.New("--request must be a method and a URL, as 'GET /v1.0/users'")}
			}
			sent := map[string]string{}
			for _, h := range headers {
				name, value, ok := strings.Cut(h, ":")
				if !ok {
					return &exitError{exitUsage, errors.New("--header must be 'Name: value'")}
				}
				sent[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
			}
			caller := policy.Caller{SPIFFEID: spiffeID}
			if claims != "" {
				if err := json.Unmarshal([]byte(claims), &caller.JWT); err != nil {
					return &exitError{exitUsage, errors.New("--claims must be a JSON object, as '{\"sub\": \"reader\"}'")}
				}
			}
			config, err := o.read()
			if err != nil {
				return &exitError{exitUsage, err}
			}
			s, err := policy.Load(cmd.Context(), config.policy())
			if err != nil {
				return err
			}
			e := s.Explain(cmd.Context(), method, requestHeadOf(method, url).Target, sent, caller)
			writeExplanation(os.Stdout, &e)
			if !e.Allowed() {
				return &exitError{code: exitDenied}
			}
			return nil
		},
	}
	o.register(c)
	c.Flags().StringVar(&request, "request", "", "the request, as `'METHOD URL'`")
	c.Flags().StringArrayVar(&headers, "header", nil, "a request header, as `'Name: value'`; repeatable")
	c.Flags().StringVar(&spiffeID, "caller", "", "the caller's SPIFFE `id`")
	c.Flags().StringVar(&claims, "claims", "", "the claims of the caller's token, as a `JSON` object")
	return c
}

func writeExplanation(w io.Writer, e *policy.Explanation) {
	if e.TargetError != nil {
		fmt.Fprintf(w, "denied: %v\n", e.TargetError)
		return
	}
	fmt.Fprintf(w, "path      %s\n", e.Target.Path())
	for _, o := range e.Target.Options {
		fmt.Fprintf(w, "option    %s = %q\n", o.Name, o.Value)
	}
	if e.Denial != nil {
		fmt.Fprintf(w, "denied: %s\n", e.Denial.Code)
		if e.Denial.Message != "" {
			fmt.Fprintf(w, "  %s\n", e.Denial.Message)
		}
		for _, near := range e.Denial.Near {
			fmt.Fprintf(w, "  near: %s %s (%s.%s)\n", strings.Join(near.Methods, ","), near.Path, near.Connector, near.ID)
		}
		return
	}
	fmt.Fprintf(w, "endpoint  %s.%s, %s (%s:%d)\n", e.Endpoint.Connector, e.Endpoint.ID, e.Endpoint.Path, e.Endpoint.File, e.Endpoint.Line)
	for _, p := range e.Route.Params {
		fmt.Fprintf(w, "param     %s\n", describeParam(p))
	}
	if !e.Decision.Allow {
		fmt.Fprintf(w, "denied: %s\n", strings.Join(e.Decision.Reasons, ", "))
		for _, rule := range e.Against {
			fmt.Fprintf(w, "  by %s (%s:%d)\n", rule.Rule, rule.File, rule.Line)
		}
		return
	}
	fmt.Fprintf(w, "allowed\n")
	for _, h := range e.Decision.Headers {
		fmt.Fprintf(w, "forwards  header %s\n", h.Name)
	}
	if e.Decision.Query != "" {
		fmt.Fprintf(w, "forwards  ?%s\n", e.Decision.Query)
	}
	fmt.Fprintln(w, "response")
	writePlan(w, e.Decision.Plan)
}

func describeParam(p policy.Param) string {
	if p.Reversible {
		return p.Name + ", a token that is revealed on the way upstream"
	}
	return fmt.Sprintf("%s = %q", p.Name, p.Value)
}
