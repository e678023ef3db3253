package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/deploy/setup/check"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/policy"
)

func newSetupCheck() *cobra.Command {
	var o checkFlags
	c := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Sign in and find out whether everything is granted and works",
		Long: `Sign in as the application of each connector, with the configured credential, and
report: the token, or why there is none; the roles that it has, those that are
missing, and those that nothing needs; and what Graph answers when each endpoint of
the policy is asked for one record, directly and not through Envoy.

Parameters of paths are taken from the first record of a list: --param says
otherwise, or what no list gives. Use the object id of somebody with a mailbox and
a license, who does not mind: nothing of an answer is kept but such an id, and
nothing of it is shown but the status and Graph's error code.

Exit codes: 0 everything that could be asked works; 1 something failed (no token,
Graph out of reach or busy, an answer that makes no sense); 5 something is not
granted; 6 more is granted than is needed, with --strict; 2 the command line or the
configuration is wrong.`,
		Example: `  graphveil setup check --config graphveil.yaml
  graphveil setup check --config graphveil.yaml --param user=48d31887-5fad-4d73-a9f5-3c356e68a038
  graphveil setup check --config graphveil.yaml --strict --format json > check.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := o.run(cmd.Context())
			if err != nil {
				return &exitError{exitUsage, err}
			}
			write := check.WriteTable
			if o.format == "json" {
				write = check.WriteJSON
			}
			if err := write(os.Stdout, report); err != nil {
				return err
			}
			switch {
			case report.Outcome == check.Failed:
				return &exitError{code: exitFailed}
			case report.Outcome == check.Missing:
				return &exitError{code: exitMissing}
			case report.Outcome == check.Excess && o.strict:
				return &exitError{code: exitExcess}
			}
			return nil
		},
	}
	o.register(c)
	return c
}

// checkFlags are the flags of setup check.
type checkFlags struct {
	offline offlineFlags
	params  map[string]string
	format  string
	strict  bool
}

func (o *checkFlags) register(c *cobra.Command) {
	o.offline.register(c)
	c.Flags().StringToStringVar(&o.params, "param", nil, "`name=value` of a parameter of paths; repeatable")
	c.Flags().StringVar(&o.format, "format", "table", "`form` of the output: table or json")
	c.Flags().BoolVar(&o.strict, "strict", false, "fail if more is granted than is needed")
}

// run checks. Its errors are about the command line or the configuration.
func (o *checkFlags) run(ctx context.Context) (*check.Report, error) {
	if o.format != "table" && o.format != "json" {
		return nil, fmt.Errorf("--format is %q, must be table or json", o.format)
	}
	config, err := o.offline.read()
	if err != nil {
		return nil, err
	}
	if len(config.Tokens.Connectors) == 0 {
		return nil, errors.New("no connector is configured, so there is nothing to sign in as\nhint: --config names a file with tokens.connectors; graphveil setup says what belongs there")
	}
	if s, err := config.Pseudonyms.read(); err == nil { // they need not be where somebody checks permissions
		printWarnings(os.Stderr, config.processorWarnings(s))
	}
	printWarnings(os.Stderr, config.envoyWarnings())
	snapshot, err := policy.Load(ctx, config.servedPolicy())
	if err != nil {
		return nil, err
	}
	var flags setupFlags
	plan, err := flags.deriveFrom(ctx, config, snapshot)
	if err != nil {
		return nil, err
	}
	return check.Run(ctx, check.Input{
		Tokens: config.Tokens, Policy: snapshot, Plan: plan, Graph: upstreamOf(config.Envoy.Upstream, config.upstream()), Params: o.params,
		Progress: func(line string) { fmt.Fprintln(os.Stderr, line) },
	})
}

// upstreamOf is Graph as Envoy reaches it.
func upstreamOf(u envoy.Upstream, host string) check.Upstream {
	return check.Upstream{Host: host, Address: u.Address, CAFile: u.CAFile}
}
