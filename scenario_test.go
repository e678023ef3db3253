package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
)

var scenarioSeed = flag.Uint64("scenario-seed", 0, "`seed` of random deliveries in scenarios; 0 takes a new one")

// TestScenarios carries out testdata/scenarios three times: in process, with the
// bodies delivered in every way, and through a real Envoy over HTTP/1.1 and
// HTTP/2. All must come to the same, and nobody may see a canary.
func TestScenarios(t *testing.T) {
	t.Setenv("GRAPHVEIL_SALT", "salt")
	t.Setenv("GRAPHVEIL_KEY", "secret")
	scenarios, err := findScenarios()
	if err != nil {
		t.Fatal(err)
	}
	seed := *scenarioSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	policies := newScenarioPolicies()
	outcomes, served := make([][]string, len(scenarios)), make([][]string, len(scenarios))

	t.Run("in process", func(t *testing.T) {
		for i, s := range scenarios {
			t.Run(s.title(), func(t *testing.T) {
				t.Parallel()
				d := newInProcess(t, policies.gateway(t, s), seed)
				r := s.run(t, d)
				outcomes[i], served[i] = r.outcomes, r.served
				if err := r.checkSeen(); err != nil {
					t.Error(err)
				}
				if found := leaks(d.log.String()+metricsText(t, d.registry), []string{canary, alice}); len(found) > 0 {
					t.Errorf("log and metrics tell %v", found)
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	if !slices.ContainsFunc(outcomes, func(o []string) bool { return o == nil }) { // else -run left some out
		checkServed(t, slices.Concat(served...))
	}
	for name, http2 := range map[string]bool{"Envoy HTTP 1": false, "Envoy HTTP 2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newThroughEnvoy(t, http2, seed)
			for i, s := range scenarios {
				t.Run(s.title(), func(t *testing.T) {
					d.policy.Store(policies.load(t, s))
					r := s.run(t, d)
					if got, want := strings.Join(r.outcomes, "\n"), strings.Join(outcomes[i], "\n"); got != want && !t.Failed() {
						t.Errorf("it came to something else than in process\ngot  %s\nwant %s", got, want)
					}
					if err := r.checkSeen(); err != nil {
						t.Error(err)
					}
				})
			}
			access := fmt.Sprint(d.AccessLog(t))
			if found := leaks(d.log.String()+metricsText(t, d.registry)+d.Log()+access, []string{canary, alice}); len(found) > 0 {
				t.Errorf("logs and metrics tell %v", found)
			}
		})
	}
}

// checkServed wants a scenario for each endpoint of the shipped policy.
func checkServed(t *testing.T, served []string) {
	t.Helper()
	s, err := policy.Load(t.Context(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Endpoints() {
		if id := e.Connector + "/" + e.ID; !slices.Contains(served, id) {
			t.Errorf("in no scenario anything is read from %s", id)
		}
	}
}

// TestScenarioFiles is about the runner: what it does not understand must fail.
func TestScenarioFiles(t *testing.T) {
	for name, text := range map[string]string{
		"unknown command":   "connector entra_id\nsend a\nfrobnicate\n-- a --\nGET /\n",
		"negated":           "connector entra_id\n! send a\n-- a --\nGET /\n",
		"too few arguments": "connector entra_id\nsend a\nstatus\n-- a --\nGET /\n",
		"too many":          "connector entra_id\nsend a b\n-- a --\nGET /\n-- b --\n",
		"unused section":    "connector entra_id\nsend a\n-- a --\nGET /\n-- b --\n",
		"section twice":     "connector entra_id\nsend a\n-- a --\nGET /\n-- a --\nGET /\n",
		"nothing sent":      "connector entra_id\n",
		"late option":       "connector entra_id\nsend a\noption ids clear\n-- a --\nGET /\n",
		"open quote":        "connector entra_id\nsend 'a\n-- a --\nGET /\n",
		"empty":             "",
	} {
		path := filepath.Join(t.TempDir(), "x.txtar")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readScenario(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestScenariosDeny: each connector has scenarios in which a method, a path, a
// query option and a header are denied.
func TestScenariosDeny(t *testing.T) {
	scenarios, err := findScenarios()
	if err != nil {
		t.Fatal(err)
	}
	s, err := policy.Load(t.Context(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	denied := map[string]bool{}
	for _, s := range scenarios {
		for _, step := range s.steps {
			if step.name == "status" && len(step.args) == 2 {
				denied[s.connectors[0]+" "+step.args[1]] = true
			}
		}
	}
	for _, c := range s.Connectors() {
		for _, code := range []string{"method_not_allowed", "path_not_allowed", "query_not_allowed", "header_value_not_allowed"} {
			if !denied[c.Name+" "+code] {
				t.Errorf("no scenario of %s ends with %s", c.Name, code)
			}
		}
	}
}

func (s *scenario) title() string {
	return strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(s.path), "testdata/scenarios/"), ".txtar")
}

// scenarioPolicies loads each policy that scenarios run under once, and makes
// one gateway for each.
type scenarioPolicies struct {
	mu        sync.Mutex
	snapshots map[string]*policy.Snapshot
	gateways  map[string]*extproc.Gateway
}

func newScenarioPolicies() *scenarioPolicies {
	return &scenarioPolicies{snapshots: map[string]*policy.Snapshot{}, gateways: map[string]*extproc.Gateway{}}
}

func (p *scenarioPolicies) load(t *testing.T, s *scenario) *policy.Snapshot {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	key := s.policyKey()
	if p.snapshots[key] == nil {
		snapshot, err := policy.Load(t.Context(), policy.Config{Connectors: s.connectors, Settings: s.options})
		if err != nil {
			t.Fatal(err)
		}
		p.snapshots[key] = snapshot
	}
	return p.snapshots[key]
}

func (p *scenarioPolicies) gateway(t *testing.T, s *scenario) *extproc.Gateway {
	t.Helper()
	snapshot := p.load(t, s)
	p.mu.Lock()
	defer p.mu.Unlock()
	key := s.policyKey()
	if p.gateways[key] == nil {
		p.gateways[key] = scenarioGateway(t, func() *policy.Snapshot { return snapshot })
	}
	return p.gateways[key]
}

// scenarioGateway is the one that the program itself would make.
func scenarioGateway(t *testing.T, current func() *policy.Snapshot) *extproc.Gateway {
	t.Helper()
	g, err := newGateway(&Config{Processor: ProcessorConfig{Origin: scenarioOrigin}}, current)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// scenarioTokens gives each connector an access token of its own, which is a
// canary.
type scenarioTokens struct{}

func (scenarioTokens) Token(_ context.Context, connector string) (string, error) {
	return canary + "-token-of-" + connector, nil
}

// Rejected: there is no other token.
func (scenarioTokens) Rejected(string, string, string) (bool, time.Duration) { return false, 0 }
