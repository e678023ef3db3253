package policy

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Engine holds the policy in force and replaces it when its files change.
type Engine struct {
	config   Config
	log      *slog.Logger
	current  atomic.Pointer[Snapshot]
	onReload atomic.Pointer[func(ok bool)]
}

// NewEngine loads the policy, which must be good: there is no engine without a
// policy.
func NewEngine(ctx context.Context, config Config, log *slog.Logger) (*Engine, error) {
	snapshot, err := Load(ctx, config)
	if err != nil {
		return nil, err
	}
	e := &Engine{config: config, log: log}
	e.current.Store(snapshot)
	return e, nil
}

// Current is the policy in force. An exchange takes it once and keeps it: its
// decision and its plan must be of the same revision.
func (e *Engine) Current() *Snapshot { return e.current.Load() }

// OnReload sets a function that is called after each reload, with false if the
// new policy was bad and the old one stays. A reload that finds nothing changed
// is none.
func (e *Engine) OnReload(f func(ok bool)) { e.onReload.Store(&f) }

// reload loads the policy anew and puts it in force if it is good.
func (e *Engine) reload(ctx context.Context) {
	start := time.Now()
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
		e.current.Store(snapshot)
		e.log.Info("policy reloaded", "revision", snapshot.revision, "previous", old.revision, "endpoints", len(snapshot.endpoints), "duration", time.Since(start))
	}
	if f := e.onReload.Load(); f != nil {
		(*f)(err == nil)
	}
}

// loadOther is Load, but for nil, without the work, where nothing differs from old.
func (e *Engine) loadOther(ctx context.Context, old *Snapshot) (*Snapshot, error) {
	s, err := readSources(e.config)
	if err != nil {
		return nil, err
	}
	if revision, err := s.revision(); err != nil || revision == old.revision {
		return nil, err
	}
	return s.activate(ctx)
}

// logBad logs each error of a policy on a line of its own.
func (e *Engine) logBad(err error, old *Snapshot) {
	errs, ok := err.(Errors)
	if !ok {
		e.log.Error("policy not reloaded, the old one stays in force", "revision", old.revision, "error", err)
		return
	}
	for _, one := range errs {
		e.log.Error("policy not reloaded, the old one stays in force", "revision", old.revision,
			"code", one.Code, "file", one.File, "line", one.Line, "path", one.Path, "error", one.Message, "hint", one.Hint)
	}
}
