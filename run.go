package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/process"
)

func newRun() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the processor and Envoy together: the sidecar on one machine",
		Long: `Start the processor as 'serve' does, and an Envoy with the bootstrap that
'graphveil envoy config' prints. An Envoy that ends by itself is started again.
SIGTERM drains Envoy first, then the processor.

Envoy is what the environment variable ENVOY names, or what 'make envoy'
installed, or an envoy 1.40 on PATH. Its access log goes to standard output, the
logs of both to standard error.`,
		Example: `  graphveil run --config /etc/graphveil/graphveil.yaml
  curl --cacert ca.pem 'https://localhost:8443/v1.0/users?$top=5'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), file) },
	}
	configFlag(c, &file)
	return c
}

func run(ctx context.Context, file string) error {
	process.KeepPrivate()
	config, err := readConfigFile(file)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	log, err := config.Log.logger(os.Stderr)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	s, err := startSidecar(ctx, config, log, os.Stdout, os.Stderr)
	if err != nil && ctx.Err() != nil {
		log.Info("stopped before Envoy had started")
		return nil
	}
	if err != nil {
		return fmt.Errorf("starting the sidecar: %w", err)
	}
	defer s.stop()
	log.Info("sidecar listening", "url", s.url())
	go s.notifyReady(ctx)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}
