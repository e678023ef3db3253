package policy

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Engine holds the policy in force and replaces it when its files change, or when
// bundles are delivered.
type Engine struct {
	config   Config
	log      *slog.Logger
	current  atomic.Pointer[Snapshot]
	onReload atomic.Pointer[func(ok bool)]
	// loaded is closed once there is a policy.
	loaded chan struct{}
	first  sync.Once

	mu sync.Mutex // held by whoever replaces the policy
	// delivery is in force, nil if there is none.
	delivery *Delivery
	// reloads counts the policies that changed files made.
	reloads int
}

// NewEngine loads the policy, which must be good: there is no engine without a
// policy. Only one that bundles are delivered to has none until the first.
func NewEngine(ctx context.Context, config Config, log *slog.Logger) (*Engine, error) {
	e := &Engine{config: config, log: log, loaded: make(chan struct{})}
	if config.Delivered {
		return e, nil
	}
	snapshot, err := Load(ctx, config)
	if err != nil {
		return nil, err
	}
	e.current.Store(snapshot)
	e.first.Do(func() { close(e.loaded) })
	return e, nil
}

// Current is the policy in force. An exchange takes it once and keeps it: its
// decision and its plan must be of the same revision. It is nil, which allows
// nothing, before the first bundles of an engine that they are delivered to.
func (e *Engine) Current() *Snapshot { return e.current.Load() }

// Loaded is closed once a policy is in force, which there is from then on.
func (e *Engine) Loaded() <-chan struct{} { return e.loaded }

// OnReload sets a function that is called after each reload, with false if the
// new policy was bad and the old one stays. A reload that finds nothing changed
// is none, nor is the first policy.
func (e *Engine) OnReload(f func(ok bool)) { e.onReload.Store(&f) }

func (e *Engine) reloaded(ok bool) {
	if f := e.onReload.Load(); f != nil {
		(*f)(ok)
	}
}

// reload loads the policy anew and puts it in force if it is good.
func (e *Engine) reload(ctx context.Context) {
	start := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.config.Delivered && e.delivery == nil {
		return // the first delivery loads the files too
	}
	old := e.Current()
	snapshot, err := e.loadOther(ctx, old)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		e.logBad(err, old)
	case snapshot == nil:
		return
	default:
		e.reloads++
		e.current.Store(snapshot)
		e.log.Info("policy reloaded", "revision", snapshot.revision, "previous", old.revision, "endpoints", len(snapshot.endpoints), "duration", time.Since(start))
	}
	e.reloaded(err == nil)
}

// loadOther is Load, but for nil, without the work, where nothing differs from old.
func (e *Engine) loadOther(ctx context.Context, old *Snapshot) (*Snapshot, error) {
	s, err := readDelivered(e.config, e.delivery)
	if err != nil {
		return nil, err
	}
	if revision, err := s.revision(); err != nil || revision == old.revision {
		return nil, err
	}
	snapshot, err := s.activate(ctx)
	if err == nil {
		snapshot.bundles = old.bundles
	}
	return snapshot, err
}

// logBad logs each error of a policy on a line of its own.
func (e *Engine) logBad(err error, old *Snapshot) {
	message, revision := "policy not loaded, nothing is allowed", ""
	if old != nil {
		message, revision = "policy not reloaded, the old one stays in force", old.revision
	}
	errs, ok := err.(Errors)
	if !ok {
		e.log.Error(message, "revision", revision, "error", err)
		return
	}
	for _, one := range errs {
		e.log.Error(message, "revision", revision,
			"code", one.Code, "file", one.File, "line", one.Line, "path", one.Path, "error", one.Message, "hint", one.Hint)
	}
}
