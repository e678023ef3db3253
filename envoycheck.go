package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
)

// newEnvoyCheck is `graphveil envoy check`.
func newEnvoyCheck() *cobra.Command {
	options := check.Options{Hosts: []string{envoy.DefaultHost}, RequestTimeout: 4 * time.Second}
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say where an Envoy configuration would fail open",
		Long: `Read an Envoy configuration, and say where it would let something pass that the
processor did not decide: failure_mode_allow, modes, routes past the filter,
filters that see tokens or raw responses, logs that write them down. FILE is a
bootstrap (YAML or JSON) or what Envoy's admin interface answers to /config_dump?include_eds;
- reads standard input.

Nothing found: exit status 0. Warnings alone: 0. An error: 1. FILE cannot be
read, or has keys that are not known: 2. docs/envoy-check.md lists what is found.`,
		Example: `  graphveil envoy check envoy.yaml
  curl -s 'localhost:15000/config_dump?include_eds' | graphveil envoy check -`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := readFileOrStdin(args[0])
			if err != nil {
				return &exitError{exitUsage, err}
			}
			config, err := check.Read(data)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			findings := config.Check(options)
			for _, f := range findings {
				fmt.Println(f)
			}
			if check.Failed(findings) {
				return &exitError{code: exitFailed}
			}
			if len(findings) == 0 {
				fmt.Println("nothing found: what leads to the API passes the processor, and fails closed")
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&options.Hosts, "host", options.Hosts, "`name` of the API; repeat it for more than one")
	c.Flags().DurationVar(&options.RequestTimeout, "request-timeout", options.RequestTimeout, "processor.request_timeout, which Envoy has to wait for")
	return c
}

// readFileOrStdin reads a file, or standard input where its name is -.
func readFileOrStdin(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}
