package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/policy"
)

func newPolicyCheck() *cobra.Command {
	var o offlineFlags
	c := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Check that a policy loads, and how it is written",
		Long: `Load the policy as 'serve' does and report everything that is wrong with it, each
with file, line and the path into the shape: what does not parse, references
that lead nowhere (a typo in Rego is silently undefined otherwise), shapes and
endpoints that make no sense. Then look at the style: 'opa fmt', METADATA,
permissions that no endpoint needs.

PATH is a folder, a bundle file, or "builtin"; default builtin.`,
		Example: `  graphveil policy check ./my-policy builtin`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			config, err := o.readPaths(paths)
			if err != nil {
				return err
			}
			if err := policy.Check(cmd.Context(), config.policy()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(os.Stdout, "ok")
			return err
		},
	}
	o.register(c)
	return c
}

func newPolicyTest() *cobra.Command {
	var o offlineFlags
	var verbose bool
	c := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run the Rego tests of a policy, with coverage",
		Long: `Run every rule test_… of the policy's folders (and of the library), report those
that fail and the lines that no test evaluates.

PATH is a folder, a bundle file, or "builtin"; default builtin.`,
		Example: `  graphveil policy test ./my-policy --verbose`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			config, err := o.readPaths(paths)
			if err != nil {
				return err
			}
			report, err := policy.Test(cmd.Context(), config.policy())
			if err != nil {
				return err
			}
			return writeReport(report, verbose)
		},
	}
	o.register(c)
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "list the tests that passed too")
	return c
}

// readPaths takes paths from arguments as well as from --policy.
func (o *offlineFlags) readPaths(paths []string) (*Config, error) {
	o.policies = append(o.policies, paths...)
	config, err := o.read()
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return config, nil
}

func writeReport(report *policy.TestReport, verbose bool) error {
	failed := 0
	for _, r := range report.Results {
		switch {
		case r.Failed:
			failed++
			fmt.Printf("FAIL  %s.%s (%s:%d) %s\n", r.Package, r.Name, r.File, r.Line, r.Message)
		case verbose:
			fmt.Printf("ok    %s.%s\n", r.Package, r.Name)
		}
	}
	for _, f := range report.Files {
		if len(f.NotCovered) > 0 {
			fmt.Printf("not covered: %s lines %v\n", f.File, f.NotCovered)
		}
	}
	fmt.Printf("%d tests, %d failed, %.1f %% of lines covered\n", len(report.Results), failed, report.Coverage)
	if !report.OK() {
		return &exitError{exitFailed, fmt.Errorf("the tests of the policy do not pass")}
	}
	return nil
}
