package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/opa"
)

// opaConfig reads policy.opa_config, and says how the policy comes: delivered in
// bundles or not. It returns nil if there is no such key.
func (c *Config) opaConfig(served *policy.Config) (*opa.Config, error) {
	if c.Policy.OPAConfig == "" {
		return nil, nil
	}
	read, err := opa.Read(c.Policy.OPAConfig)
	if err != nil {
		return nil, err
	}
	if read.Discovers() && (os.Getenv("GRAPHVEIL_SALT") != "" || os.Getenv("GRAPHVEIL_KEY") != "") {
		return nil, errors.New("reading the configuration: whoever signs the discovery bundle of policy.opa_config can read environment variables, and salt or key is in one\nhint: use pseudonyms.salt_file and key_file instead of GRAPHVEIL_SALT and GRAPHVEIL_KEY")
	}
	served.Delivered = read.Delivers()
	if !served.Delivered && len(served.Paths) == 0 {
		return nil, errors.New("reading the configuration: policy.opa_config has neither bundles nor discovery, so there is no policy\nhint: name one in policy.paths, such as builtin")
	}
	return read, nil
}

// startPlugins starts OPA's plugins, or returns nil if nothing configures any.
func startPlugins(ctx context.Context, c *opa.Config, engine *policy.Engine, log *slog.Logger, r prometheus.Registerer) (*opa.Plugins, error) {
	if c == nil {
		return nil, nil
	}
	warn(log, opaWarnings(c))
	p, err := opa.New(ctx, c, engine, log, r)
	if err == nil {
		err = p.Start(ctx)
	}
	return p, err
}

// decided gives the records of exchanges to OPA's decision logs, or is nil.
func decided(p *opa.Plugins) func(*extproc.Record) {
	if p == nil || !p.Records() {
		return nil
	}
	return func(r *extproc.Record) {
		p.Record(opa.Decision{
			Time: r.Start, Duration: r.Duration, Revision: r.Revision, Bundles: r.Bundles, Method: r.Method,
			Connector: r.Connector, Endpoint: r.Endpoint, Allowed: r.Outcome != extproc.OutcomeDenied,
			Outcome: r.Outcome, Code: r.Code, Reasons: r.Reasons, Status: r.Status, UpstreamStatus: r.UpstreamStatus,
			BytesIn: r.BytesIn, BytesOut: r.BytesOut,
		})
	}
}

// stopPlugins uploads the decisions that wait, by the end of the drain, but for a
// second at least.
func (p *processor) stopPlugins(end time.Time) {
	if p.plugins == nil {
		return
	}
	if soon := time.Now().Add(time.Second); end.Before(soon) {
		end = soon
	}
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	p.plugins.Stop(ctx)
}
