package opa_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/internal/testlog"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
	"github.com/graphveil/graphveil/policy/opa"
	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// things is a connector that serves /NAME. It calls a function of the library, which
// OPA itself does not know.
func things(name string) string {
	return `-- things.rego --
# METADATA
# title: Things
# description: Things, for tests.
package graphveil.connectors.things

import data.graphveil.shape

permissions := {"Thing.Read.All"}

endpoints["list"] := {
	"methods": {"GET"},
	"path": "/` + name + `",
	"response": {"value": [{"id": shape.keep, "kind": shape.phrases(["small"])}]},
}
`
}

// closed denies all, for the connector of things.
const closed = `-- custom.rego --
package graphveil.custom

deny contains "closed" if data.closed == true
-- data.json --
{"closed": true}
`

// broken has a reference that leads nowhere, which OPA does not mind.
var broken = strings.Replace(things("broken"), "shape.keep", "shape.kep", 1)

// rig is an engine with plugins and the server that they talk to.
type rig struct {
	*opatest.Server
	t       testing.TB
	key     *opatest.Key
	engine  *policy.Engine
	plugins *opa.Plugins
	log     *testlog.Buffer
	// registry is where the metrics are, stop ends the plugins.
	registry prometheus.Registerer
	stop     func()
	mu       sync.Mutex
	reloads  map[bool]int
}

func newRig(t testing.TB) *rig {
	return &rig{Server: opatest.Start(t), t: t, key: opatest.NewKey(t), log: &testlog.Buffer{}, reloads: map[bool]int{}}
}

func (r *rig) set(name, revision, archive string, roots ...string) {
	r.t.Helper()
	r.Set(name, opatest.Bundle(r.t, revision, archive, r.key, roots...))
}

// start starts the plugins with a configuration after the services and keys.
func (r *rig) start(rest string, paths ...string) {
	r.t.Helper()
	r.startWith(r.Config(r.key, rest), paths...)
}

// startWith starts the plugins with a whole configuration.
func (r *rig) startWith(text string, paths ...string) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "opa.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	config, err := opa.Read(file)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	served := policy.Config{Paths: paths, Delivered: config.Delivers(), Connectors: []string{"things"}}
	if len(paths) > 0 {
		served.Connectors = nil
	}
	r.engine, err = policy.NewEngine(ctx, served, log)
	if err != nil {
		r.t.Fatal(err)
	}
	r.engine.OnReload(func(ok bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reloads[ok]++
	})
	r.registry = prometheus.NewRegistry()
	r.plugins, err = opa.New(ctx, config, r.engine, log, r.registry)
	if err == nil {
		err = r.plugins.Start(ctx)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.stop = sync.OnceFunc(func() {
		stopping, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		r.plugins.Stop(stopping)
		cancel()
	})
	r.t.Cleanup(func() {
		r.stop()
		if strings.Contains(r.log.String(), opatest.Token) {
			r.t.Error("the token of the service is in the log")
		}
		if r.t.Failed() {
			r.t.Logf("log:\n%.8000s", r.log)
		}
	})
}

func (r *rig) rejected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reloads[false]
}

// serves tells whether the policy in force allows GET of a path.
func (r *rig) serves(path string) bool {
	r.t.Helper()
	s := r.engine.Current()
	if s == nil {
		return false
	}
	target, err := odata.ParseTarget(path)
	if err != nil {
		r.t.Fatal(err)
	}
	route, denial := s.Route("GET", target)
	if denial != nil {
		return false
	}
	return s.Decide(context.Background(), route, policy.Input{Method: "GET", Target: target}).Allow
}

// gathered are the values of a metric, each after those of its labels.
func (r *rig) gathered(name string) (lines []string) {
	r.t.Helper()
	families, err := r.registry.(prometheus.Gatherer).Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name {
				continue
			}
			var words []string
			for _, label := range m.GetLabel() {
				words = append(words, label.GetValue())
			}
			lines = append(lines, fmt.Sprint(strings.Join(words, " "), " ", m.GetCounter().GetValue()+m.GetGauge().GetValue()))
		}
	}
	return lines
}

func (r *rig) wait(what string, so func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ready := "ready"
			if err := r.plugins.Ready(); err != nil {
				ready = err.Error()
			}
			r.t.Fatalf("waiting for %s: in vain; %s; status %.1500s", what, ready, r.Status())
		}
	}
}

func (r *rig) loaded() {
	r.t.Helper()
	r.wait("a policy", func() bool {
		select {
		case <-r.engine.Loaded():
			return true
		default:
			return false
		}
	})
}

func (r *rig) status(part string) func() bool {
	return func() bool { return strings.Contains(r.Status(), part) }
}

const statusSection = "status: {service: control}\n"
