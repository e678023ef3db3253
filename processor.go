package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/opa"
	"github.com/graphveil/graphveil/process"
)

// processor is a running external processor with all that it needs.
type processor struct {
	config *Config
	log    *slog.Logger
	engine *policy.Engine
	tokens *auth.Manager
	// plugins are OPA's, nil without policy.opa_config.
	plugins *opa.Plugins
	// listener is where Envoy connects to.
	listener *process.Listener
	grpc     *grpc.Server
	health   *health.Server
	admin    *http.Server
	// adminURL is where /healthz, /readyz and /metrics are.
	adminURL string
	// failed receives the error of the first part that stopped by itself.
	failed   chan error
	draining atomic.Bool
	cancel   context.CancelFunc
	traces   *traces // nil without tracing
}

// startProcessor starts listening once the policy is in force, or is to be delivered;
// ready comes later. To replace another processor it waits until it is ready, and
// takes the socket over then. The processor runs until drain, not until ctx ends.
func startProcessor(ctx context.Context, config *Config, replace bool, log *slog.Logger) (_ *processor, err error) {
	defer process.CollectForStart()()
	served := config.servedPolicy()
	delivery, err := config.opaConfig(&served)
	if err != nil {
		return nil, err
	}
	tokens, err := auth.New(config.Tokens, log)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	go tokens.Run(run) // the first ones come while the policy loads
	quotas, err := config.quotas()
	if err != nil {
		return nil, err
	}
	engine, gateway, keys, err := newEngine(ctx, config, served, log)
	if err != nil {
		return nil, err
	}
	warn(log, config.processorWarnings(keys.secrets))
	registry := prometheus.NewRegistry()
	reloader := newKeyReloader(config.Pseudonyms, keys, gateway.UseKeys, log, registry)
	reloads := newReloadMetrics(registry)
	engine.OnReload(func(ok bool) {
		reloads.observe(ok)
		process.SettleMemory()
	})
	plugins, err := startPlugins(run, delivery, engine, log, registry)
	if err != nil {
		return nil, err
	}
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newTokenCollector(tokens))
	traces, err := config.Tracing.start(ctx, log)
	if err != nil {
		return nil, err
	}
	server, err := extproc.NewServer(extproc.ServerConfig{
		Gateway: gateway, Tokens: tokens, Log: log, Metrics: extproc.NewMetrics(registry), Decided: decided(plugins), Tracer: traces.tracer(), Quotas: quotas,
		RequestTimeout: config.Processor.RequestTimeout, IdleTimeout: config.Processor.IdleTimeout,
	})
	if err != nil {
		return nil, err
	}
	if replace {
		log.Info("waiting for the policy and the first tokens before the running processor is replaced")
		if err := awaitFirst(ctx, tokens, engine); err != nil {
			return nil, err
		}
	}
	admin, err := listenAdmin(config.Processor.Admin, replace)
	if err != nil {
		return nil, err
	}
	listener, err := process.Listen(config.Processor.Listen, replace) // last, for from here on Envoy comes
	if err != nil {
		admin.close()
		return nil, err
	}

	p := &processor{
		config: config, log: log, engine: engine, tokens: tokens, plugins: plugins, traces: traces, cancel: cancel, listener: listener,
		grpc: server.NewGRPC(), health: health.NewServer(), failed: make(chan error, 1),
		adminURL: "http://" + admin.address,
	}
	healthpb.RegisterHealthServer(p.grpc, p.health)
	p.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	p.admin = newAdmin(p, registry)
	registerState(registry, p)

	go p.watch("watching the policy", func() error { return engine.Watch(run) })
	go p.watch("watching the keys", func() error { return reloader.watch(run) })
	go p.watch("serving ext_proc", func() error { return p.grpc.Serve(listener) })
	go p.watch("serving the admin endpoint", func() error { return admin.serve(run, p.admin) })
	go p.watch("keeping processor.listen", func() error { return listener.KeepPlace(run, log) })
	if admin.Listener == nil {
		log.Info("processor.admin is in use: it is served here when its process lets go of it", "admin", admin.address)
	}

	attrs := []any{"listen", config.Processor.Listen, "admin", p.adminURL, "salt_id", keys.ids.salt, "key_id", keys.ids.key}
	if s := engine.Current(); s != nil {
		attrs = append(attrs, "policy", s.Revision(), "endpoints", len(s.Endpoints()))
	}
	log.Info("processor listening", attrs...)
	go p.reportReady(run) // which says so, after that
	return p, nil
}

// newEngine loads the policy and, at the same time, derives the keys, which takes
// some 25 ms each.
func newEngine(ctx context.Context, config *Config, served policy.Config, log *slog.Logger) (engine *policy.Engine, gateway *extproc.Gateway, keys *derived, err error) {
	var deriving errgroup.Group
	deriving.Go(func() (err error) {
		if keys, err = config.Pseudonyms.keys(); err != nil {
			return err
		}
		keys.identify()
		gateway, err = newGatewayWith(config, keys, func() *policy.Snapshot { return engine.Current() })
		return err
	})
	engine, err = policy.NewEngine(ctx, served, log)
	if derived := deriving.Wait(); err == nil {
		err = derived
	}
	return engine, gateway, keys, err
}

// newGateway makes what exchanges share: the serve path and the offline commands use
// the same, except that offline there is no caller who could have a token.
func newGateway(config *Config, current func() *policy.Snapshot) (*extproc.Gateway, error) {
	keys, err := config.Pseudonyms.keys()
	if err != nil {
		return nil, err
	}
	offline := *config
	offline.Envoy.JWT = envoy.JWT{}
	return newGatewayWith(&offline, keys, current)
}

func newGatewayWith(config *Config, keys *derived, current func() *policy.Snapshot) (*extproc.Gateway, error) {
	return extproc.NewGateway(extproc.GatewayConfig{
		Policy: current, Codec: keys.codec, Links: keys.links,
		Upstream: config.upstream(), Origin: config.Processor.Origin, UserAgent: userAgent(), NeedClaims: config.Envoy.JWT.Issuer != "",
	})
}

func (c *Config) policy() policy.Config {
	return policy.Config{Paths: c.Policy.Paths, Settings: c.Policy.Options, Delivered: c.Policy.OPAConfig != ""}
}

// servedPolicy is the policy with the connectors that have an application:
// one without could get no token.
func (c *Config) servedPolicy() policy.Config {
	p := c.policy()
	p.Connectors = slices.Sorted(maps.Keys(c.Tokens.Connectors))
	return p
}

// watch runs a part and reports its unexpected end.
func (p *processor) watch(doing string, run func() error) {
	err := run()
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) || p.draining.Load() {
		return
	}
	select {
	case p.failed <- fmt.Errorf("%s: %w", doing, err):
	default: // another part stopped before it
	}
}

// ready says why the processor is not ready, or nil. A policy that is not delivered
// was compiled before anything listened.
func (p *processor) ready() error {
	if p.draining.Load() {
		return errors.New("draining")
	}
	if p.plugins != nil {
		if err := p.plugins.Ready(); err != nil {
			return err
		}
	}
	return p.tokens.Ready()
}

// awaitFirst waits for what there is for good once it is there: a policy, and a token
// of each connector.
func awaitFirst(ctx context.Context, tokens *auth.Manager, engine *policy.Engine) error {
	for _, first := range []<-chan struct{}{tokens.First(), engine.Loaded()} {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-first:
		}
	}
	return nil
}

// reportReady tells the gRPC health service when the processor is ready, which it
// stays until drain, and gives back the memory that starting took.
func (p *processor) reportReady(ctx context.Context) {
	if awaitFirst(ctx, p.tokens, p.engine) != nil {
		return
	}
	p.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING) // nothing after its Shutdown
	p.log.Info("processor ready")
	process.SettleMemory()
}

// notifyReady tells systemd once there is a policy, and a token of each connector.
func (p *processor) notifyReady(ctx context.Context) {
	if awaitFirst(ctx, p.tokens, p.engine) == nil {
		process.NotifyReady(p.log)
	}
}

// drain takes readiness away, lets exchanges end within processor.drain_timeout,
// and stops. Envoy may be draining too and still accept requests, which must
// find a processor: so for half of the time new exchanges are served, until
// Envoy closes its connections or another processor has the socket. The other half
// is for those in flight. An exchange that is still open then ends with an error,
// never cleanly.
func (p *processor) drain() {
	end := time.Now().Add(p.config.Processor.DrainTimeout)
	p.draining.Store(true)
	p.health.Shutdown()
	p.log.Info("draining")
	if p.listener.WaitIdle(p.config.Processor.DrainTimeout / 2) {
		p.log.Info("replaced by another processor")
		p.admin.Close() // the other one waits for its address
	}
	done := make(chan struct{})
	go func() {
		p.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Until(end)):
		p.log.Warn("ending exchanges that are still open after processor.drain_timeout")
		p.grpc.Stop()
	}
	if err := p.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // nobody did if grpc had not begun to serve
		p.log.Warn("closing processor.listen", "error", err)
	}
	p.stopPlugins(end)
	p.traces.stop()
	p.cancel()
	p.admin.Close()
	p.log.Info("stopped")
}
