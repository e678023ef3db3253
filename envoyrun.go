package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/process"
)

func newEnvoyRun() *cobra.Command {
	var r envoyRun
	var file string
	c := &cobra.Command{
		Use:   "run",
		Short: "Run Envoy alone, beside a processor that is run elsewhere",
		Long: `Start an Envoy with the bootstrap that 'graphveil envoy config' prints, for a
'graphveil serve' beside it, as in two containers of one Pod: so what faces the
network has no salt, no key and no assertion.

SIGTERM takes readiness away and drains Envoy: for --drain-time it goes on accepting
connections, for balancers need a moment to notice, and asks clients to come again
on another one; then it waits until no request is in progress, for
processor.drain_timeout altogether. Stop the processor after it. An Envoy that ends
by itself ends this command with an error, for the cluster to start it again.

Envoy is found as by 'graphveil run'. Its access log goes to standard output, all
else to standard error.`,
		Example: `  graphveil envoy run --config /etc/graphveil/graphveil.yaml --probes 0.0.0.0:9465 --drain-time 10s
  curl http://localhost:9465/readyz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			process.KeepPrivate()
			config, err := readConfigFile(file)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if r.drainTime < time.Second || r.drainTime >= config.Processor.DrainTimeout {
				return &exitError{exitUsage, fmt.Errorf("--drain-time is %s, must be at least 1s and less than processor.drain_timeout, %s", r.drainTime, config.Processor.DrainTimeout)}
			}
			return r.run(cmd.Context(), config)
		},
	}
	configFlag(c, &file)
	c.Flags().StringVar(&r.probes, "probes", "", "`host:port` of /healthz, /readyz and /metrics of Envoy; empty: none")
	c.Flags().DurationVar(&r.drainTime, "drain-time", time.Second, "how long connections are accepted after SIGTERM")
	return c
}

// envoyRun is an Envoy without a processor in this process.
type envoyRun struct {
	probes    string
	drainTime time.Duration

	current  atomic.Pointer[envoy.Process]
	draining atomic.Bool
}

func (r *envoyRun) run(ctx context.Context, config *Config) error {
	log, err := config.Log.logger(os.Stderr)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	bootstrap, err := renderEnvoy(config.envoy())
	if err != nil {
		return &exitError{exitUsage, err}
	}
	warn(log, config.envoyWarnings())
	binary, err := envoy.Find(ctx)
	if ctx.Err() != nil {
		log.Info("stopped before Envoy had started")
		return nil
	}
	if err != nil {
		return err
	}
	probes, err := r.serveProbes()
	if err != nil {
		return err
	}
	if probes != nil {
		defer probes.Close()
	}
	if err := config.Envoy.JWT.CheckKeys(); err != nil {
		return err
	}
	proxy, err := envoy.Start(ctx, binary, bootstrap, envoy.Options{Workers: config.Envoy.Workers, AccessLog: os.Stdout, Log: os.Stderr, DrainTime: r.drainTime})
	if err != nil && ctx.Err() != nil {
		log.Info("stopped before Envoy had started")
		return nil
	}
	if err != nil {
		return err
	}
	r.current.Store(proxy)
	address := ""
	if probes != nil {
		address = "http://" + probes.Addr
	}
	log.Info("Envoy listening", "url", "https://"+proxy.Address(), "admin", address)
	process.NotifyReady(log)
	select {
	case <-proxy.Done():
		return errors.Join(errors.New("running Envoy: it ended by itself"), proxy.Wait())
	case <-ctx.Done():
	}
	r.draining.Store(true)
	log.Info("draining")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.Processor.DrainTimeout)
	defer cancel()
	if err := proxy.Drain(ctx); err != nil {
		log.Warn("draining Envoy did not end in time", "error", err)
	}
	if err := proxy.Stop(ctx); err != nil {
		log.Warn("stopping Envoy", "error", err)
	}
	log.Info("stopped")
	return nil
}

// serveProbes answers what a cluster asks, of this process and of Envoy's admin
// interface, which only this process can reach. It returns nil if nobody shall ask.
func (r *envoyRun) serveProbes() (*http.Server, error) {
	if r.probes == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", r.probes)
	if err != nil {
		return nil, fmt.Errorf("listening on --probes: %w", err)
	}
	reading := make(chan struct{}, scrapes)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, request *http.Request) {
		proxy := r.current.Load()
		switch {
		case r.draining.Load():
			http.Error(w, "not ready: draining", http.StatusServiceUnavailable)
		case proxy == nil || proxy.Ready(request.Context()) != nil:
			http.Error(w, "not ready: Envoy does not accept connections", http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(w, "ok")
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, request *http.Request) {
		proxy := r.current.Load()
		if proxy == nil {
			http.Error(w, "Envoy does not run yet", http.StatusServiceUnavailable)
			return
		}
		select {
		case reading <- struct{}{}:
			defer func() { <-reading }()
		default:
			http.Error(w, "others read the metrics", http.StatusServiceUnavailable)
			return
		}
		metrics, err := proxy.Metrics(request.Context())
		if err != nil {
			http.Error(w, "Envoy does not answer", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(metrics) // whoever asked is gone
	})
	server := probeServer(mux)
	server.Addr = listener.Addr().String()
	go server.Serve(listener) // until Close
	return server, nil
}
