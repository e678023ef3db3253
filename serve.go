package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/process"
)

func newServe() *cobra.Command {
	var file string
	var replace bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the processor beside an Envoy that is run elsewhere",
		Long: `Run the external processor: gRPC on processor.listen (a Unix socket by default)
for Envoy, and /healthz, /readyz and /metrics on processor.admin.

It is ready once the policy is compiled, or the first verified bundles of
policy.opa_config are there, and the first access token of every connector is
held. A changed policy folder is loaded within a second; one that does not load leaves
the old one in force. So are changed files of keys, but not another salt
(docs/rotation.md). SIGTERM takes readiness away. New exchanges are still served
until Envoy closes its connections, for Envoy may be draining too, but for no
longer than half of processor.drain_timeout; the rest of it is for exchanges in
flight. A second signal ends at once.

With --replace it takes the place of a running processor without a failed
request: once it is ready it takes processor.listen over, and the other one, sent
SIGTERM, hands its exchanges on (docs/upgrade.md).

Memory is collected when garbage is twice of what is in use. GOGC and GOMEMLIMIT
in the environment change that, as for every Go program. Debuggers of the same user
cannot attach, for memory holds keys and tokens; GRAPHVEIL_DEBUGGABLE=1 lets them.

The Envoy side of the configuration comes from 'graphveil envoy config'.
'graphveil run' starts both.`,
		Example: `  graphveil serve --config /etc/graphveil/graphveil.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), file, replace)
		},
	}
	configFlag(c, &file)
	c.Flags().BoolVar(&replace, "replace", false, "take the place of the processor that serves processor.listen, once this one is ready")
	return c
}

func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", "configuration `file` (YAML); deploy/graphveil.yaml documents every key")
}

func serve(ctx context.Context, file string, replace bool) error {
	process.KeepPrivate()
	config, err := readConfigFile(file)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	log, err := config.Log.logger(os.Stderr)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	p, err := startProcessor(ctx, config, replace, log)
	if err != nil {
		return fmt.Errorf("starting the processor: %w", err)
	}
	go p.notifyReady(ctx)
	select {
	case <-ctx.Done():
		p.drain()
		return nil
	case err := <-p.failed:
		p.drain()
		return err
	}
}
