package main

import (
	"compress/gzip"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/internal/testlog"
	"github.com/graphveil/graphveil/policy"
)

// throughEnvoy drives scenarios through a real Envoy, over one version of HTTP on
// both sides. One Envoy and one processor serve all scenarios, one after the
// other; the policy is changed between them.
type throughEnvoy struct {
	*envoytest.Envoy
	authority *envoytest.Authority
	http2     bool
	script    *scenarioUpstream
	policy    atomic.Pointer[policy.Snapshot]
	records   chan map[string]any
	log       *testlog.Buffer
	registry  *prometheus.Registry
	clients   map[string]*http.Client
	seed      uint64
}

func newThroughEnvoy(t *testing.T, http2 bool, seed uint64) *throughEnvoy {
	d := &throughEnvoy{
		authority: envoytest.NewAuthority(t), http2: http2, script: &scenarioUpstream{}, records: make(chan map[string]any, 1),
		log: &testlog.Buffer{}, registry: prometheus.NewRegistry(), clients: map[string]*http.Client{}, seed: seed,
	}
	g := scenarioGateway(t, d.policy.Load)
	server, err := extproc.NewServer(extproc.ServerConfig{
		Gateway: g, Tokens: scenarioTokens{}, Metrics: extproc.NewMetrics(d.registry),
		Log: slog.New(slog.NewJSONHandler(io.MultiWriter(d.log, recordChannel(d.records)), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	socket := envoytest.Socket(t)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	grpc := server.NewGRPC()
	go grpc.Serve(listener)
	t.Cleanup(grpc.Stop)

	upstream := httptest.NewUnstartedServer(d.script)
	upstream.TLS = &tls.Config{Certificates: []tls.Certificate{d.authority.Issue(t, "graph.microsoft.com").TLS}}
	upstream.EnableHTTP2 = http2
	upstream.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	upstream.StartTLS()
	t.Cleanup(upstream.Close)

	d.Envoy = envoytest.Start(t, d.authority, envoy.Config{
		Processor: socket,
		Upstream:  envoy.Upstream{Host: "graph.microsoft.com", Address: upstream.Listener.Addr().String()},
		TLS:       envoy.TLS{ClientCAFile: d.authority.File, ClientCertificate: "optional"},
		Retry:     envoy.Retry{Count: -1},
	})
	return d
}

func (d *throughEnvoy) upstream() *scenarioUpstream { return d.script }

func (d *throughEnvoy) deliveries(int) []scenarioDelivery {
	return []scenarioDelivery{wholeDelivery, byteDelivery, randomDelivery(d.seed)}
}

func (d *throughEnvoy) send(t *testing.T, r scenarioRequest) scenarioResponse {
	t.Helper()
	request := &http.Request{Method: r.method, URL: d.target(r.target), Header: http.Header{}}
	for _, h := range r.headers {
		request.Header.Add(h.Name, h.Value)
	}
	if r.body != "" {
		request.Body, request.ContentLength = io.NopCloser(strings.NewReader(r.body)), int64(len(r.body))
	}
	var out scenarioResponse
	response, err := d.client(t, r.caller).Do(request.WithContext(t.Context()))
	if err == nil {
		out = scenarioResponse{status: response.StatusCode, header: response.Header}
		out.body, err = readDecoded(response)
		response.Body.Close()
		out.trailer = response.Trailer
	}
	out.cut = err != nil
	select {
	case out.record = <-d.records:
	case <-time.After(20 * time.Second):
		t.Fatalf("no decision record; got %d %s", out.status, out.body)
	}
	return out
}

// readDecoded reads a body as clients do that accept gzip: Envoy compresses what
// the processor has released.
func readDecoded(r *http.Response) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	r.Header.Del("Content-Encoding")
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// target makes a URL that is sent as it is written.
func (d *throughEnvoy) target(target string) *url.URL {
	u := &url.URL{Scheme: "https", Host: d.Address()}
	path, query, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		u.Opaque = target
		return u
	}
	u.Path, u.RawPath, u.RawQuery = decoded, path, query
	u.ForceQuery = strings.HasSuffix(target, "?")
	return u
}

// client is the one of a caller, with a certificate that says who it is.
func (d *throughEnvoy) client(t *testing.T, caller string) *http.Client {
	if d.clients[caller] == nil {
		var certificates []tls.Certificate
		if caller != "" {
			certificates = append(certificates, d.authority.Issue(t, caller).TLS)
		}
		d.clients[caller] = d.Client(t, d.http2, certificates...)
	}
	return d.clients[caller]
}

// recordChannel passes decision records of a log on.
type recordChannel chan map[string]any

func (c recordChannel) Write(line []byte) (int, error) {
	if record := readRecord(string(line)); record != nil {
		c <- record
	}
	return len(line), nil
}
