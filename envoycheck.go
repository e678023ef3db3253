package main

import (
	"encoding/json"
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
	var asJSON bool
	options := check.Options{Hosts: []string{envoy.DefaultHost}, RequestTimeout: 4 * time.Second}
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say where an Envoy configuration would fail open",
		Long: `Read an Envoy configuration, and say where it would let something pass that the
processor did not decide: failure_mode_allow, modes, routes past the filter,
filters that see tokens or raw responses, logs that write them down. FILE is a
bootstrap (YAML or JSON) or what Envoy's admin interface answers to /config_dump?include_eds;
- reads standard input.

--json prints a list of what is found, empty if it is nothing.

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
			if asJSON {
				if err := writeFindings(os.Stdout, findings); err != nil {
					return err
				}
			}
			for _, f := range findings {
				if !asJSON {
					fmt.Println(f)
				}
			}
			if check.Failed(findings) {
				return &exitError{code: exitFailed}
			}
			if len(findings) == 0 && !asJSON {
				fmt.Println("nothing found: what leads to the API passes the processor, and fails closed")
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&options.Hosts, "host", options.Hosts, "`name` of the API; repeat it for more than one")
	c.Flags().DurationVar(&options.RequestTimeout, "request-timeout", options.RequestTimeout, "processor.request_timeout, which Envoy has to wait for")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// foundInEnvoy is one finding in the JSON of `envoy check`.
type foundInEnvoy struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Where    string `json:"where"`
	Detail   string `json:"detail,omitempty"`
	Says     string `json:"says"`
	Do       string `json:"do"`
}

// writeFindings writes a list, which is empty if there is nothing.
func writeFindings(w io.Writer, findings []check.Finding) error {
	out := []foundInEnvoy{}
	for _, f := range findings {
		code := check.Codes[f.Code]
		out = append(out, foundInEnvoy{f.Code, code.Severity(), f.Where, f.Detail, code.Says, code.Do})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// maxEnvoyConfig is more than the dump of any mesh.
const maxEnvoyConfig = 512 << 20

// readFileOrStdin reads a file, or standard input where its name is -.
func readFileOrStdin(name string) ([]byte, error) {
	from := os.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	data, err := io.ReadAll(io.LimitReader(from, maxEnvoyConfig+1))
	if err == nil && len(data) > maxEnvoyConfig {
		err = fmt.Errorf("reading %s: it has more than %d MiB; is it a configuration of Envoy?", name, maxEnvoyConfig>>20)
	}
	return data, err
}
