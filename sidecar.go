package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"

	"github.com/graphveil/graphveil/envoy"
)

// sidecar is a processor and the Envoy in front of it, on one machine.
type sidecar struct {
	*processor
	binary  string
	options envoy.Options
	config  envoy.Config
	current atomic.Pointer[envoy.Process]
}

// startSidecar starts the processor, then Envoy, and keeps Envoy running: one
// that ends by itself is started again. Envoy's own log goes to logs, its access
// log to access. The sidecar runs until stop, not until ctx ends.
func startSidecar(ctx context.Context, config *Config, log *slog.Logger, access, logs io.Writer) (*sidecar, error) {
	binary, err := envoy.Find(ctx)
	if err != nil {
		return nil, err
	}
	warn(log, config.envoyWarnings())
	p, err := startProcessor(ctx, config, false, log)
	if err != nil {
		return nil, err
	}
	s := &sidecar{
		processor: p,
		binary:    binary,
		config:    config.envoy(),
		options:   envoy.Options{Workers: config.Envoy.Workers, AccessLog: access, Log: logs, DrainTime: time.Second},
	}
	if err := s.startEnvoy(ctx); err != nil {
		p.drain()
		return nil, err
	}
	s.config.Listen = s.current.Load().Address() // a free port stays the same after a restart
	go s.supervise()
	return s, nil
}

// envoy is the Envoy side of the configuration.
func (c *Config) envoy() envoy.Config {
	e := c.Envoy
	e.Processor = c.Processor.Listen
	e.Tracing = envoy.Tracing(c.Tracing)
	return e
}

// renderEnvoy is envoy.Render with the place of its keys in the configuration.
func renderEnvoy(c envoy.Config) (*bootstrapv3.Bootstrap, error) {
	bootstrap, err := envoy.Render(c)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration, below envoy: %w", err)
	}
	return bootstrap, nil
}

func (s *sidecar) startEnvoy(ctx context.Context) error {
	bootstrap, err := renderEnvoy(s.config)
	if err != nil {
		return err
	}
	if err := s.config.JWT.CheckKeys(); err != nil {
		return err
	}
	process, err := envoy.Start(ctx, s.binary, bootstrap, s.options)
	if err != nil {
		return err
	}
	s.current.Store(process)
	return nil
}

// supervise restarts an Envoy that ended by itself, with growing pauses.
func (s *sidecar) supervise() {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 10*time.Second
	for {
		process := s.current.Load()
		started := time.Now()
		err := process.Wait()
		if s.draining.Load() {
			return
		}
		s.log.Error("Envoy ended by itself; starting it again", "error", err)
		if time.Since(started) > time.Minute {
			pause.Reset()
		}
		for {
			time.Sleep(pause.NextBackOff())
			if s.draining.Load() {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			err := s.startEnvoy(ctx)
			cancel()
			if err == nil {
				break
			}
			s.log.Error("starting Envoy failed", "error", err)
		}
	}
}

// url is where clients connect to, by the address that Envoy listens on.
func (s *sidecar) url() string { return "https://" + s.config.Listen }

// stop takes readiness away, drains Envoy, and only then the processor, so that
// every accepted request finds one.
func (s *sidecar) stop() {
	s.draining.Store(true)
	process := s.current.Load()
	ctx, cancel := context.WithTimeout(context.Background(), s.processor.config.Processor.DrainTimeout)
	defer cancel()
	if err := process.Drain(ctx); err != nil {
		s.log.Warn("draining Envoy did not end in time", "error", err)
	}
	if err := process.Stop(ctx); err != nil {
		s.log.Warn("stopping Envoy", "error", err)
	}
	s.drain()
}
