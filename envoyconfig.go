package main

import (
	"fmt"
	"os"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/envoy"
)

func newEnvoy() *cobra.Command {
	c := &cobra.Command{
		Use:   "envoy",
		Short: "What Envoy needs, and Envoy alone",
		Args:  cobra.NoArgs,
	}
	var file, format, secrets string
	config := &cobra.Command{
		Use:   "config",
		Short: "Print Envoy's bootstrap",
		Long: `Print the bootstrap of the Envoy that runs in front of 'graphveil serve', made from
the keys envoy and processor of the configuration. It fails closed: keep the
ext_proc filter, the RBAC guard behind it and their order when you merge it into
a configuration of your own.

It names the PEM files of certificates, which Envoy then reads once. With --secrets it
refers to files in that folder instead, which are written, and Envoy reads
certificates again when their files are replaced ('graphveil run' and 'graphveil envoy
run' do so by themselves; docs/rotation.md).`,
		Example: `  graphveil envoy config --config graphveil.yaml > envoy.yaml
  envoy --mode validate -c envoy.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			write, ok := map[string]func(*bootstrapv3.Bootstrap) ([]byte, error){"yaml": envoy.YAML, "json": envoy.JSON}[format]
			if !ok {
				return &exitError{exitUsage, fmt.Errorf("--format is %q, must be yaml or json", format)}
			}
			c, err := readConfigFile(file)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			bootstrap, err := renderEnvoy(c.envoy())
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if secrets != "" {
				if bootstrap, err = envoy.WatchFiles(bootstrap, secrets); err != nil {
					return err
				}
			}
			printWarnings(os.Stderr, c.envoyWarnings())
			text, err := write(bootstrap)
			if err != nil {
				return err
			}
			_, err = os.Stdout.Write(text)
			return err
		},
	}
	configFlag(config, &file)
	config.Flags().StringVar(&format, "format", "yaml", "`yaml` or json")
	config.Flags().StringVar(&secrets, "secrets", "", "existing `folder`, as Envoy will see it, for files by which it reloads certificates")
	c.AddCommand(config, newEnvoyRun(), newEnvoyCheck(), newEnvoyRateLimits())
	return c
}
