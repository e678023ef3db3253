package opa

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/graphveil/graphveil/policy"
)

// store is OPA's, with what we put between a bundle that OPA has verified and the
// engine. OPA keeps the data, the manifests and the modules of package system, which
// mask decision logs. The modules of the policy stay out of it: they need our
// library to compile, and only the engine evaluates them.
//
// A bundle is activated within a write transaction. If the engine refuses it the
// transaction is aborted, and OPA reports the error as the status of the bundle. If
// not, it is put in force when the transaction commits.
//
// The fields below are used within write transactions only, which the inner store
// lets run one after the other.
type store struct {
	storage.Store
	engine *policy.Engine
	// wanted are the names of the bundles that the configuration has.
	wanted func() []string
	// modules are the policy's, by bundle.
	modules map[string][]policy.File
	pending *pending
	// taken are the names of bundles that were put in force, or wait for others, since
	// their last status.
	taken sync.Map
}

// pending is what a transaction has activated.
type pending struct {
	txn     uint64
	bundles []string
	modules map[string][]policy.File
	staged  *policy.Staged // nil as long as bundles are missing
}

func newStore(ctx context.Context, engine *policy.Engine, wanted func() []string) (*store, error) {
	register()
	s := &store{Store: inmem.New(), engine: engine, wanted: wanted, modules: map[string][]policy.File{}}
	err := storage.Txn(ctx, s.Store, storage.WriteParams, func(txn storage.Transaction) error {
		_, err := s.Register(ctx, txn, storage.TriggerConfig{OnCommit: s.onCommit})
		return err
	})
	return s, err
}

// register makes OPA activate bundles by ours, once. It is how OPA is extended, for
// the whole process; stores that are not ours are activated as ever.
var register = sync.OnceFunc(func() {
	const name = "graphveil"
	bundle.RegisterActivator(name, activator{})
	bundle.RegisterDefaultBundleActivator(name)
})

type activator struct{}

// Activate implements bundle.Activator.
func (activator) Activate(opts *bundle.ActivateOpts) error {
	if s, ok := opts.Store.(*store); ok {
		return s.activate(opts)
	}
	return new(bundle.DefaultActivator).Activate(opts)
}

func (s *store) activate(opts *bundle.ActivateOpts) error {
	modules := maps.Clone(s.modules)
	bundles := map[string]*bundle.Bundle{}
	for name, b := range opts.Bundles {
		bundles[name] = b
		if b.Type() == bundle.DeltaBundleType {
			continue
		}
		if len(b.WasmModules) > 0 {
			return errors.New("the bundle has a policy that is compiled to Wasm, which is not evaluated here\nhint: build it for the target rego")
		}
		bundles[name], modules[name] = split(b)
	}
	opts.Bundles = bundles
	opts.Compiler.WithCapabilities(policy.Capabilities())
	if err := new(bundle.DefaultActivator).Activate(opts); err != nil || len(bundles) == 0 {
		return err
	}
	staged, err := s.stage(opts.Ctx, opts.Txn, modules)
	if err != nil {
		return err
	}
	s.pending = &pending{opts.Txn.ID(), slices.Collect(maps.Keys(bundles)), modules, staged}
	return nil
}

// split takes the modules of the policy out of a bundle.
func split(b *bundle.Bundle) (*bundle.Bundle, []policy.File) {
	rest := *b
	rest.Modules, rest.Raw = nil, nil
	var files []policy.File
	taken := map[*byte]bool{} // by where their text begins, for it has two names
	for _, m := range b.Modules {
		if isSystem(m.Parsed) {
			rest.Modules = append(rest.Modules, m)
			continue
		}
		files = append(files, policy.File{Name: m.Path, Text: m.Raw})
		taken[&m.Raw[0]] = true // not empty: it was parsed
	}
	for _, raw := range b.Raw {
		if len(raw.Value) == 0 || !taken[&raw.Value[0]] {
			rest.Raw = append(rest.Raw, raw)
		}
	}
	return &rest, files
}

// isSystem tells whether a module is for OPA itself: package system, or below it.
func isSystem(m *ast.Module) bool {
	path := m.Package.Path // data.system…
	return len(path) > 1 && path[1].Value.Compare(ast.String("system")) == 0
}

// stage loads what all bundles make together. It returns nil as long as one of them
// is missing: its rules may be those that deny.
func (s *store) stage(ctx context.Context, txn storage.Transaction, modules map[string][]policy.File) (*policy.Staged, error) {
	for _, name := range s.wanted() {
		if _, there := modules[name]; !there {
			return nil, nil
		}
	}
	var d policy.Delivery
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		revision, err := bundle.ReadBundleRevisionFromStore(ctx, s, txn, name)
		if err != nil && !storage.IsNotFound(err) {
			return nil, err
		}
		d.Bundles = append(d.Bundles, policy.Bundle{Name: name, Revision: revision, Files: modules[name]})
	}
	data, err := s.Read(ctx, txn, storage.RootPath)
	if err != nil {
		return nil, fmt.Errorf("reading the data of the bundles: %w", err)
	}
	d.Data, _ = data.(map[string]any)
	return s.engine.Stage(ctx, d)
}

// onCommit puts in force what the transaction has activated. One that activated
// nothing may have removed bundles, as discovery does.
func (s *store) onCommit(ctx context.Context, txn storage.Transaction, _ storage.TriggerEvent) {
	done := s.pending
	s.pending = nil
	if done != nil && done.txn == txn.ID() {
		s.modules = done.modules
		for _, name := range done.bundles {
			s.taken.Store(name, true)
		}
		if done.staged != nil {
			s.engine.Commit(done.staged)
		}
		return
	}
	names, err := bundle.ReadBundleNamesFromStore(ctx, s, txn)
	if err != nil && !storage.IsNotFound(err) {
		return
	}
	before := len(s.modules)
	maps.DeleteFunc(s.modules, func(name string, _ []policy.File) bool { return !slices.Contains(names, name) })
	if len(s.modules) == before {
		return
	}
	switch staged, err := s.stage(ctx, txn, s.modules); {
	case err != nil:
		s.engine.Reject(err)
	case staged != nil:
		s.engine.Commit(staged)
	}
}
