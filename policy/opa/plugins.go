// Package opa runs OPA's own plugins beside the policy engine: bundles and discovery
// deliver policies to it, status says what became of them, and decision logs take
// one event of each exchange. The configuration is OPA's, unchanged; refused is what
// would let a bundle in that nobody has signed, a key that proves nothing, and a
// discovered service that could be sent files of the process.
//
// Read comes first, then New and Start. The package evaluates no policy, except the
// rules of the author that mask and drop decision logs.
package opa

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/hooks"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/plugins/bundle"
	"github.com/open-policy-agent/opa/v1/plugins/discovery"
	"github.com/open-policy-agent/opa/v1/tracing"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/policy"
)

// Plugins are OPA's plugins as a configuration has them.
type Plugins struct {
	config    *Config
	engine    *policy.Engine
	log       *slog.Logger
	store     *store
	manager   *plugins.Manager
	discovery *discovery.Discovery
	metrics   metrics.Metrics
	decisions decisions
	bounds    *bounds

	mu        sync.Mutex
	listening *bundle.Plugin
	// errors are what is wrong with each bundle, and with discovery.
	errors map[string]string
}

// New makes the plugins. The engine must be one that bundles are delivered to if the
// configuration has any.
func New(ctx context.Context, c *Config, engine *policy.Engine, log *slog.Logger, r prometheus.Registerer) (*Plugins, error) {
	p := &Plugins{config: c, engine: engine, log: log, metrics: metrics.New(), errors: map[string]string{}}
	for _, complaint := range c.unknown {
		log.Warn("policy.opa_config: " + complaint)
	}
	var err error
	p.store, err = newStore(ctx, engine, p.wanted)
	if err != nil {
		return nil, fmt.Errorf("making the store of bundles: %w", err)
	}
	own := &guard{boot: c.boot}
	p.bounds = &own.bounds
	transports()
	p.manager, err = plugins.New(c.raw, uuid.NewString(), p.store,
		plugins.Logger(logger{log, slog.LevelDebug, p.decisions.failed}), plugins.ConsoleLogger(logger{log, slog.LevelInfo, nil}),
		plugins.WithHooks(hooks.New(own)), plugins.WithPrometheusRegister(measured{r}),
		plugins.WithDistributedTracingOpts(tracing.NewOptions(&own.bounds)))
	if err != nil {
		return nil, c.wrong(err)
	}
	p.discovery, err = discovery.New(p.manager, discovery.Hooks(hooks.New(own)), discovery.Metrics(p.metrics), discovery.BootConfig(c.boot))
	if err != nil {
		return nil, c.wrong(err)
	}
	p.manager.Register(discovery.Name, p.discovery)
	if err := p.manager.Init(ctx); err != nil {
		return nil, c.wrong(err)
	}
	p.discovery.RegisterListener(p, func(s bundle.Status) {
		p.observe(s)
		p.listen()
	})
	p.decisions.init()
	r.MustRegister(&dropCollector{p}, bundleCollector{engine})
	return p, nil
}

func (c *Config) wrong(err error) error {
	return fmt.Errorf("policy.opa_config %s: %w", c.file, err)
}

// Start begins to fetch bundles and to report. The plugins run until Stop, or until
// ctx ends.
func (p *Plugins) Start(ctx context.Context) error {
	p.listen()
	files, err := p.files()
	for name, file := range files {
		if err == nil {
			err = p.checkFile(name, file)
		}
	}
	if err == nil {
		err = p.manager.Start(ctx)
	}
	if err != nil {
		return p.config.wrong(err)
	}
	p.listen()
	p.watchFiles(ctx, files)
	go p.decisions.run(p.manager)
	return nil
}

// Stop uploads the decisions that are waiting and ends the plugins, until ctx ends.
func (p *Plugins) Stop(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.decisions.stop()
		p.manager.Stop(ctx)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		p.log.Warn("stopping OPA's plugins did not end in time; decisions may not have been uploaded")
	}
}

// Ready says what keeps a policy from being in force, or nil.
func (p *Plugins) Ready() error {
	if p.engine.Current() != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := p.wanted()
	if len(wanted) == 0 {
		if e := p.errors[discovery.Name]; e != "" {
			return fmt.Errorf("no policy yet: discovery: %s", e)
		}
		return errors.New("no policy yet: neither policy.opa_config nor discovery has named a bundle")
	}
	var missing []string
	for _, name := range wanted {
		switch e, heard := p.errors[name]; {
		case !heard:
			missing = append(missing, fmt.Sprintf("bundle %q: waiting for the server", name))
		case e != "":
			missing = append(missing, fmt.Sprintf("bundle %q: %s", name, e))
		}
	}
	return fmt.Errorf("no policy yet: %s", strings.Join(missing, "; "))
}

// wanted are the names of the bundles that the configuration has, sorted.
func (p *Plugins) wanted() []string {
	if b := bundle.Lookup(p.manager); b != nil {
		return slices.Sorted(maps.Keys(b.Config().Bundles))
	}
	return nil
}

// listen hears what becomes of bundles, once the plugin is there.
func (p *Plugins) listen() {
	b := bundle.Lookup(p.manager)
	p.mu.Lock()
	known := b == nil || b == p.listening
	p.listening = b
	p.mu.Unlock()
	if !known {
		b.Register(p, func(s bundle.Status) {
			if p.observe(s) {
				p.engine.Reject(nil) // OPA has logged why
			}
		})
	}
}

// observe notes the status of a bundle. It tells whether a bundle came and was
// refused, for its signature or for what it holds; a server that does not answer
// refuses nothing, nor does a disk on which one that is in force cannot be kept.
func (p *Plugins) observe(s bundle.Status) (refused bool) {
	message := s.Message
	for _, err := range s.Errors {
		message += "; " + err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors[s.Name] = plain(message)
	_, taken := p.store.taken.LoadAndDelete(s.Name)
	return !taken && s.Code != "" && s.HTTPCode == "" && !strings.HasPrefix(s.Message, "request failed: ")
}
