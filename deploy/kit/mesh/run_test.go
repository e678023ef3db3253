package mesh

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// What graphveil envoy check says of what the control planes made of the manifests.
func TestTranslatedIsChecked(t *testing.T) {
	want := map[string][]string{
		"envoy-gateway": nil,
		// Nobody is asked; the guard then refuses everything.
		"envoy-gateway-bare":   {"ext_proc_missing", "idle_timeout", "path_not_normalized"},
		"envoy-gateway-shared": nil,
		// The mode in it makes the processor refuse everything, for there is no guard.
		"envoy-gateway-unpatched": {"response_body_mode", "response_trailer_mode", "guard_missing", "mutation_rules", "entrance_missing", "upgrade", "local_replies"},
		"istio-sidecar":           {"upgrade"}, // Istio's own; the entrance takes the header away
		"istio-egress":            {"upgrade"},
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		text, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		c, err := check.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, f := range c.Check(check.Options{Hosts: []string{envoy.DefaultHost}, RequestTimeout: 4 * time.Second}) {
			found = append(found, f.Code)
		}
		if fmt.Sprint(found) != fmt.Sprint(want[name]) {
			t.Errorf("%s: found %v, want %v", name, found, want[name])
		}
	}
}

// graph is the API: it remembers what it was asked, and answers what a test says.
type graph struct {
	*httptest.Server
	mu   sync.Mutex
	last *http.Request
	asks int
}

func (g *graph) asked() (int, *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asks, g.last
}

// rig is the real Envoy with a translated listener.
type rig struct {
	process   *envoy.Process
	client    *http.Client
	url       string
	graph     *graph
	socket    string
	authority *envoytest.Authority
}

func small(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Raw", canary)
	io.WriteString(w, `{"value":[{"size":1,"secret":"`+canary+`"}],"new":"`+canary+`"}`)
}

// newRig starts a translated listener; more are clusters that lead to Graph by another
// name.
func newRig(t *testing.T, name string, handler http.HandlerFunc, change func(*hcmv3.HttpConnectionManager), more ...string) *rig {
	t.Helper()
	a := envoytest.NewAuthority(t)
	g := &graph{}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asks, g.last = g.asks+1, r.Clone(context.Background())
		g.mu.Unlock()
		handler(w, r)
	}))
	g.TLS = &tls.Config{Certificates: []tls.Certificate{a.Issue(t, "graph.microsoft.com").TLS}}
	g.EnableHTTP2 = true
	g.StartTLS()
	t.Cleanup(g.Close)
	r := &rig{graph: g, socket: envoytest.Socket(t), authority: a}
	// The first name is that of the gateway in the mesh.
	b := static(t, name, place{
		processor: r.socket, caFile: a.File, own: a.Issue(t, gatewayID, "graph.microsoft.com"),
		upstream: loopback(uint32(g.Listener.Addr().(*net.TCPAddr).Port)).GetSocketAddress(),
	}, change)
	for _, cluster := range more { // that lead to the same place
		for _, c := range b.StaticResources.Clusters {
			if strings.HasSuffix(c.GetName(), "graph.microsoft.com") {
				c = proto.CloneOf(c)
				c.Name = cluster
				b.StaticResources.Clusters = append(b.StaticResources.Clusters, c)
				break
			}
		}
	}
	r.process = start(t, b, canary, graphToken, "/v1.0/")
	if name == "istio-egress" {
		// What the policy says of callers is read with the rest of its folder.
		if err := os.WriteFile(filepath.Join(filepath.Dir(r.socket), "custom.rego"), []byte(callerPolicy), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	scheme := "http"
	if b.StaticResources.Listeners[0].FilterChains[0].TransportSocket != nil {
		scheme = "https"
	}
	r.url = scheme + "://" + r.process.Address()
	r.client = r.as(t, appID)
	return r
}

const (
	gatewayID = "spiffe://cluster.local/ns/graphveil/sa/graphveil-egress"
	appID     = "spiffe://cluster.local/ns/my-app/sa/my-app"
)

// as is a client that shows a certificate with the names, or none.
func (r *rig) as(t *testing.T, names ...string) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	config := &tls.Config{RootCAs: r.authority.Pool(), ServerName: "graph.microsoft.com"}
	if len(names) > 0 {
		config.Certificates = []tls.Certificate{r.authority.Issue(t, names...).TLS}
	}
	transport := &http.Transport{TLSClientConfig: config, Protocols: protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// start runs Envoy until the test ends, and reads its logs for what they must not have.
func start(t *testing.T, b *bootstrapv3.Bootstrap, forbidden ...string) *envoy.Process {
	t.Helper()
	validate(t, b)
	var log bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	process, err := envoy.Start(ctx, envoytest.Binary(t), b, envoy.Options{Workers: 1, Log: &log, AccessLog: &log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		process.Stop(ctx)
		text := log.String()
		if t.Failed() || slices.ContainsFunc(forbidden, func(f string) bool { return strings.Contains(text, f) }) {
			t.Errorf("envoy's logs:\n%s", text)
		}
	})
	return process
}

// validate loads a bootstrap with --mode validate.
func validate(t *testing.T, b *bootstrapv3.Bootstrap) {
	t.Helper()
	text, err := envoy.JSON(b)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(envoytest.Binary(t), "--mode", "validate", "--log-level", "error", "-c", name).CombinedOutput(); err != nil {
		t.Fatalf("envoy --mode validate: %v\n%s", err, out)
	}
}

// get asks as an application does, with headers that must not get through.
func (r *rig) get(t *testing.T, path string) (*http.Response, []byte, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "graph.microsoft.com"
	request.Header.Set("Authorization", "Bearer of-the-caller")
	request.Header.Set("X-Envoy-Retry-On", "5xx")
	request.Header.Set("X-Unknown", "of-the-caller")
	request.Header.Set("X-Forwarded-For", "192.0.2.1")
	request.Header.Set("X-Forwarded-Client-Cert", "By="+gatewayID+";URI="+appID)
	response, err := r.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

// refused says that a request ended with an error, and without a byte of Graph.
func (r *rig) refused(t *testing.T, path string, status int, code string) {
	t.Helper()
	response, body, err := r.get(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status || !strings.Contains(string(body), `"code":"`+code+`"`) {
		t.Errorf("got %d %s, want %d %s", response.StatusCode, body, status, code)
	}
	if text := fmt.Sprint(response.Header, string(body)); strings.Contains(text, canary) || strings.Contains(text, graphToken) {
		t.Errorf("got %s", text)
	}
}

func unchanged(*hcmv3.HttpConnectionManager) {}

// extProcAt changes the ext_proc filter.
func extProcAt(t *testing.T, change func(*extprocv3.ExternalProcessor)) func(*hcmv3.HttpConnectionManager) {
	return func(hcm *hcmv3.HttpConnectionManager) {
		for _, f := range hcm.HttpFilters {
			p := &extprocv3.ExternalProcessor{}
			if f.GetTypedConfig().UnmarshalTo(p) == nil {
				change(p)
				f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(t, p)}
				return
			}
		}
		t.Fatal("no ext_proc filter")
	}
}

func TestTranslated(t *testing.T) {
	for _, name := range guarded {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("sanitizes", func(t *testing.T) {
				r := newRig(t, name, small, unchanged)
				startProcessor(t, r.socket)
				response, body, err := r.get(t, "/v1.0/things")
				if err != nil || response.StatusCode != 200 || string(body) != `{"value":[{"size":1}]}` || response.Header.Get("X-Raw") != "" {
					t.Fatalf("got %v %s (%v)", response, body, err)
				}
				_, seen := r.graph.asked()
				if seen.Host != "graph.microsoft.com" || seen.Header.Get("Authorization") != "Bearer "+graphToken {
					t.Errorf("Graph was asked as %s with %v", seen.Host, seen.Header)
				}
				for header := range seen.Header {
					if strings.HasPrefix(header, "X-") {
						t.Errorf("Graph was told %s", header)
					}
				}
			})
			t.Run("denies", func(t *testing.T) {
				r := newRig(t, name, small, unchanged)
				startProcessor(t, r.socket)
				r.refused(t, "/v1.0/others", 403, "path_not_allowed")
				// Envoy refuses it before there is a route: the processor is told of that
				// where its filter does not depend on one.
				ambiguous := map[string]string{"envoy-gateway": "badRequest", "istio-sidecar": "request_refused", "istio-egress": "request_refused"}[name]
				r.refused(t, "/v1.0/things%2f..", 400, ambiguous)
				if n, _ := r.graph.asked(); n != 0 {
					t.Errorf("Graph was asked %d times", n)
				}
			})
			t.Run("processor absent", func(t *testing.T) {
				r := newRig(t, name, small, unchanged)
				r.refused(t, "/v1.0/things", 502, "badGateway")
				if n, _ := r.graph.asked(); n != 0 {
					t.Errorf("Graph was asked %d times", n)
				}
				startProcessor(t, r.socket)
				for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
					if response, _, err := r.get(t, "/v1.0/things"); err == nil && response.StatusCode == 200 {
						break
					} else if time.Now().After(deadline) {
						t.Fatal("not healthy after the processor came")
					}
				}
			})
			t.Run("processor killed", func(t *testing.T) {
				for when, start := range map[string]int{"before the response": 0, "in the middle of the body": 20_000} {
					t.Run(when, func(t *testing.T) { killed(t, name, start) })
				}
			})
			t.Run("wrong mode", func(t *testing.T) {
				for _, mode := range []extprocv3.ProcessingMode_BodySendMode{
					extprocv3.ProcessingMode_NONE, extprocv3.ProcessingMode_STREAMED, extprocv3.ProcessingMode_BUFFERED, extprocv3.ProcessingMode_BUFFERED_PARTIAL,
				} {
					r := newRig(t, name, small, extProcAt(t, func(p *extprocv3.ExternalProcessor) { p.ProcessingMode.ResponseBodyMode = mode }))
					startProcessor(t, r.socket)
					r.refused(t, "/v1.0/things", 500, "envoy_mode_refused")
					if n, _ := r.graph.asked(); n != 0 {
						t.Errorf("%v: Graph was asked %d times", mode, n)
					}
				}
			})
		})
	}
}

// What is left when policies of Envoy Gateway are not accepted, or gone, lets nothing
// through: the guard stands there without the processor.
func TestGatewayWithoutPolicies(t *testing.T) {
	r := newRig(t, "envoy-gateway-bare", small, unchanged)
	startProcessor(t, r.socket)
	r.refused(t, "/v1.0/things", 403, "notAllowed")
	if n, _ := r.graph.asked(); n != 0 {
		t.Errorf("Graph was asked %d times", n)
	}
}

// Where Envoy Gateway does not apply the patch, there is no guard: the processor refuses.
func TestGatewayWithoutPatch(t *testing.T) {
	r := newRig(t, "envoy-gateway-unpatched", small, unchanged)
	startProcessor(t, r.socket)
	r.refused(t, "/v1.0/things", 500, "envoy_mode_refused")
	if n, _ := r.graph.asked(); n != 0 {
		t.Errorf("Graph was asked %d times", n)
	}
}

// What others attach to the same listener and route leaves the guard where it is: their
// rules are not in its place, and their routes have no processor and lead nowhere.
func TestGatewayWithNeighbours(t *testing.T) {
	r := newRig(t, "envoy-gateway-shared", small, unchanged)
	r.refused(t, "/v1.0/things", 502, "badGateway")
	startProcessor(t, r.socket)
	r.refused(t, "/other/things", 403, "notAllowed")
	r.refused(t, "/v1.0/others", 403, "path_not_allowed")
	response, body, err := r.get(t, "/v1.0/things")
	for deadline := time.Now().Add(20 * time.Second); err == nil && response.StatusCode != 200 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		response, body, err = r.get(t, "/v1.0/things")
	}
	if err != nil || response.StatusCode != 200 || string(body) != `{"value":[{"size":1}]}` {
		t.Errorf("got %v %s (%v)", response, body, err)
	}
	// The rules of both stand, each for itself.
	guards := 0
	for _, f := range managerOf(t, listenerOf(t, "envoy-gateway-shared")).HttpFilters {
		if f.Name == "envoy.filters.http.rbac" || f.Name == "graphveil.guard" {
			guards++
		}
	}
	if guards != 2 {
		t.Errorf("%d filters with rules", guards)
	}
}

// killed lets Graph begin an answer with so many records, kills the processor, and
// goes on: what had left is decided, and nobody takes it for the whole.
func killed(t *testing.T, name string, records int) {
	reached, gone := make(chan struct{}), make(chan struct{})
	record := `{"size":1,"secret":"` + canary + `"},`
	r := newRig(t, name, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if records > 0 {
			io.WriteString(w, `{"value":[`+strings.Repeat(record, records))
			w.(http.Flusher).Flush()
		}
		close(reached)
		<-gone
		io.WriteString(w, strings.Repeat(record, 1000)+`{"size":1}]}`)
	}, unchanged)
	processor := startProcessor(t, r.socket)
	type result struct {
		status int
		body   []byte
		err    error
	}
	done, arrived := make(chan result, 1), make(chan struct{})
	go func() {
		request, _ := http.NewRequest("GET", r.url+"/v1.0/things", nil)
		request.Host = "graph.microsoft.com"
		response, err := r.client.Do(request)
		if err != nil {
			done <- result{err: err}
			return
		}
		defer response.Body.Close()
		first := make([]byte, 1000)
		n, err := io.ReadFull(response.Body, first)
		if err == nil {
			close(arrived)
		}
		rest, err := io.ReadAll(response.Body)
		done <- result{response.StatusCode, append(first[:n], rest...), err}
	}()
	<-reached
	if records > 0 {
		<-arrived
	}
	processor.Process.Kill()
	processor.Wait()
	close(gone)
	got := <-done
	if strings.Contains(string(got.body), canary) || strings.Contains(string(got.body), "secret") {
		t.Error("undecided bytes arrived")
	}
	switch {
	case records == 0:
		if got.status != 502 {
			t.Errorf("got %d %s (%v)", got.status, got.body, got.err)
		}
	case got.err == nil || !strings.HasPrefix(string(got.body), `{"value":[{"size":1},`):
		t.Errorf("got %d with %d bytes: %v", got.status, len(got.body), got.err)
	}
}

// Responses before the response pass no filter, so Envoy has to swallow them.
func TestInformational(t *testing.T) {
	t.Parallel()
	for _, name := range guarded {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name, func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("X-Raw", canary)
				w.WriteHeader(http.StatusProcessing)
				w.WriteHeader(http.StatusEarlyHints)
				small(w, q)
			}, unchanged)
			startProcessor(t, r.socket)
			for _, expect := range []string{"", "100-continue"} {
				trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
					if len(header) > 0 {
						t.Errorf("got %d with %v", code, header)
					}
					return nil
				}}
				request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", r.url+"/v1.0/things", nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Host = "graph.microsoft.com"
				request.Header.Set("Expect", expect)
				response, err := r.client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != 200 || string(body) != `{"value":[{"size":1}]}` {
					t.Errorf("got %d %s (%v)", response.StatusCode, body, err)
				}
			}
		})
	}
}
