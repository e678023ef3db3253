package main

import (
	"fmt"
	"os"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/policy"
)

func newPolicyCheck() *cobra.Command {
	var o offlineFlags
	var v verificationFlags
	c := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Check that a policy loads, and how it is written",
		Long: `Load the policy as 'serve' does and report everything that is wrong with it, each
with file, line and the path into the shape: what does not parse, references
that lead nowhere (a typo in Rego is silently undefined otherwise), shapes and
endpoints that make no sense. Then look at the style: 'opa fmt', METADATA,
permissions that no endpoint needs.

PATH is a folder, a bundle file, or "builtin"; default builtin. With a verification
key each must be a bundle file, and be signed with that key; the flags are those of
'opa build' and 'opa run'.`,
		Example: `  graphveil policy check ./my-policy builtin
  graphveil policy check bundle.tar.gz --verification-key release.pub.pem --verification-key-id release`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			config, err := o.readPaths(paths)
			if err != nil {
				return err
			}
			checked := config.policy()
			if checked.Verification, err = v.config(); err != nil {
				return &exitError{exitUsage, err}
			}
			if err := policy.Check(cmd.Context(), checked); err != nil {
				return err
			}
			_, err = fmt.Fprintln(os.Stdout, "ok")
			return err
		},
	}
	o.register(c)
	v.register(c)
	return c
}

// verificationFlags say what the signatures of bundle files are checked with, as
// OPA's own flags do. A key is always a file: arguments are no place for secrets.
type verificationFlags struct{ key, id, algorithm, scope string }

func (v *verificationFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&v.key, "verification-key", "", "check the signatures of bundle files with the key in this `file`: PEM of a public key or certificate, or the secret of HS256 and the like")
	c.Flags().StringVar(&v.id, "verification-key-id", "default", "`name` of the verification key")
	c.Flags().StringVar(&v.algorithm, "signing-alg", "RS256", "`algorithm` of the signature")
	c.Flags().StringVar(&v.scope, "scope", "", "`scope` that the signature must have")
}

// config returns nil if there is no key.
func (v *verificationFlags) config() (*bundle.VerificationConfig, error) {
	if v.key == "" {
		return nil, nil
	}
	if _, err := os.Stat(v.key); err != nil {
		return nil, fmt.Errorf("reading --verification-key: %w", err)
	}
	key, err := keys.NewKeyConfig(v.key, v.algorithm, v.scope)
	if err != nil {
		return nil, fmt.Errorf("reading --verification-key: %w", err)
	}
	return bundle.NewVerificationConfig(map[string]*keys.Config{v.id: key}, v.id, v.scope, nil), nil
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
