package extproc_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/internal/testlog"
	"github.com/graphveil/graphveil/policy"
)

// thingsPolicy is a connector with one endpoint of each kind, so that these
// tests depend on no shipped one.
const thingsPolicy = `# METADATA
# title: Things
# description: Things, for tests.
package graphveil.connectors.things

import data.graphveil.errors
import data.graphveil.shape

permissions := {"Thing.Read.All"}

_thing := {
	"id": shape.reversible,
	"owner": shape.email,
	"size": shape.keep,
	"secret": shape.drop,
}

# METADATA
# title: list
# description: Lists things.
endpoints["list"] := {
	"methods": {"GET"},
	"path": "/v1.0/things",
	"query": {"$select": {}, "$top": {"max": 10}, "$filter": {"properties": {"size"}, "reversible": {"id"}}},
	"headers": {"Prefer": {"values": {"small"}}},
	"limit": {"service": "storage", "requests": 9, "per": "second"},
	"response": {"value": [_thing], "@odata.nextLink": shape.link},
}

# METADATA
# title: thing
# description: One thing.
endpoints["thing"] := {
	"methods": {"GET"},
	"path": "/v1.0/things/{thing}",
	"params": {"thing": shape.reversible},
	"response": _thing,
}

# METADATA
# title: delta
# description: Things that changed, with links into their parts.
endpoints["delta"] := {
	"methods": {"GET"},
	"path": "/v1.0/things/delta()",
	"query": {"$select": {}, "$deltatoken": {"values": {"latest"}}},
	"response": {
		"value": [{"id": shape.reversible, "parts@odata.nextLink": shape.link}],
		"@odata.nextLink": shape.link,
		"@odata.deltaLink": shape.link,
	},
}

# METADATA
# title: parts
# description: The parts of a thing of some kind.
endpoints["parts"] := {
	"methods": {"GET"},
	"path": "/v1.0/things/{thing}/parts/{kind}",
	"params": {"thing": shape.tokenize, "kind": {"values": {"Small", "large"}}},
	"response": {"value": [{"size": shape.keep}], "@odata.nextLink": shape.link},
}

# METADATA
# title: between
# description: Things of a time.
endpoints["between"] := {
	"methods": {"GET"},
	"path": "/v1.0/things/between(from={from},owner={owner})",
	"params": {"from": {"pattern": "[0-9-]+"}, "owner": shape.reversible},
	"response": {"value": [{"size": shape.keep}], "@odata.nextLink": shape.link},
}

# METADATA
# title: count
# description: How many things there are.
endpoints["count"] := {
	"methods": {"GET"},
	"path": "/v1.0/things/$count",
	"headers": {"ConsistencyLevel": {"values": {"eventual"}}},
	"media": {"text/plain"},
	"response": shape.keep,
}

# METADATA
# title: elsewhere
# description: Why there is no elsewhere.
refusals["elsewhere"] := errors.me
`

const (
	salt = "salt"
	key  = "secret"
	// canary is in every value that must not leave.
	canary = "CANARY"
	// graphToken is the access token.
	graphToken = "CANARYTOKEN"
	upstream   = "graph.example"
	origin     = "https://sidecar.example"
)

// things loads thingsPolicy once for all tests.
var things = sync.OnceValues(func() (*policy.Snapshot, error) {
	dir, err := os.MkdirTemp("", "things")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "things.rego"), []byte(thingsPolicy), 0o600); err != nil {
		return nil, err
	}
	return policy.Load(context.Background(), policy.Config{Paths: []string{dir}})
})

// world is a processor with everything around it.
type world struct {
	*extproctest.Envoy
	gateway *extproc.Gateway
	server  *extproc.Server
	codec   *pseudonym.Codec
	tokens  *tokens
	// policy is asked for each exchange.
	policy   func() *policy.Snapshot
	upstream *upstreamStub
	log      *lines
	registry *prometheus.Registry
}

// newWorld starts a processor; change adjusts its configuration.
func newWorld(t testing.TB, change ...func(*extproc.ServerConfig)) *world {
	t.Helper()
	snapshot, err := things()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		tokens:   &tokens{},
		policy:   func() *policy.Snapshot { return snapshot },
		upstream: &upstreamStub{status: 200, body: `{"value":[]}`, header: http.Header{"Content-Type": {"application/json"}}},
		log:      &lines{},
		registry: prometheus.NewRegistry(),
	}
	w.codec = codec()
	links, err := pseudonym.NewLinks(pseudonym.DeriveLinkKey(salt, key))
	if err != nil {
		t.Fatal(err)
	}
	w.gateway, err = extproc.NewGateway(extproc.GatewayConfig{
		Policy: func() *policy.Snapshot { return w.policy() },
		Codec:  w.codec, Links: links, Upstream: upstream, Origin: origin, UserAgent: "graphveil/test",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := extproc.ServerConfig{
		Gateway: w.gateway, Tokens: w.tokens, Metrics: extproc.NewMetrics(w.registry),
		Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&c)
	}
	if w.server, err = extproc.NewServer(c); err != nil {
		t.Fatal(err)
	}
	w.Envoy = extproctest.New(t, w.server, w.upstream)
	t.Cleanup(func() { w.checkCanaries(t) })
	return w
}

// codec derives the keys once: that takes tens of milliseconds.
var codec = sync.OnceValue(func() *pseudonym.Codec {
	c, err := pseudonym.New(pseudonym.Config{Salt: salt, Key: key})
	if err != nil {
		panic(err)
	}
	return c
})

// get sends a GET and fails the test on a breach of the protocol.
func (w *world) get(t testing.TB, target string, headers ...extproc.Header) *extproctest.Response {
	t.Helper()
	r, err := w.Do(t.Context(), extproctest.Request{Method: "GET", Target: target, Headers: headers})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(r.Body), canary) {
		t.Errorf("a canary in the response: %s", r.Body)
	}
	return r
}

// checkCanaries searches logs and metrics.
func (w *world) checkCanaries(t testing.TB) {
	if strings.Contains(w.log.String(), canary) {
		t.Errorf("a canary in the log: %s", w.log)
	}
	families, err := w.registry.Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if strings.Contains(f.String(), canary) {
			t.Errorf("a canary in the metrics: %s", f)
		}
	}
}

// counter sums a counter over the series whose labels contain those given.
func (w *world) counter(t testing.TB, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for name, value := range labels {
				if have[name] != value {
					continue series
				}
			}
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}

// tokens is a TokenSource that does what a test says.
type tokens struct {
	token    func(ctx context.Context, connector string) (string, error)
	rejected func(connector, token, claims string) (again bool, after time.Duration)
}

func (s *tokens) Rejected(connector, token, claims string) (again bool, after time.Duration) {
	if s.rejected != nil {
		return s.rejected(connector, token, claims)
	}
	return false, 0
}

func (s *tokens) Token(ctx context.Context, connector string) (string, error) {
	if s.token != nil {
		return s.token(ctx, connector)
	}
	return graphToken, nil
}

// upstreamStub answers every request alike and remembers the last one.
type upstreamStub struct {
	status  int
	header  http.Header
	body    string
	chunk   int // bytes per chunk; 0 is all at once
	trailer http.Header
	reset   bool

	last *http.Request
}

func (u *upstreamStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.last = r
	for name, values := range u.header {
		w.Header()[name] = values
	}
	w.WriteHeader(u.status)
	for body := u.body; body != ""; {
		n := len(body)
		if u.chunk > 0 {
			n = min(n, u.chunk)
		}
		io.WriteString(w, body[:n])
		w.(http.Flusher).Flush()
		body = body[n:]
	}
	for name, values := range u.trailer {
		w.Header()[http.TrailerPrefix+name] = values
	}
	if u.reset {
		panic(http.ErrAbortHandler)
	}
}

// lines is a log that can be waited for.
type lines struct{ testlog.Buffer }

// records waits until n exchanges are recorded and returns them.
func (l *lines) records(t testing.TB, n int) []map[string]any {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		var records []map[string]any
		for line := range strings.Lines(l.String()) {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("reading the log: %v", err)
			}
			if r["msg"] == "exchange" {
				records = append(records, r)
			}
		}
		if len(records) >= n {
			return records
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d records, want %d; log:\n%s", len(records), n, l)
		}
	}
}
