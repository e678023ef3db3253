package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// spans is a collector of traces on loopback that keeps all that it is sent.
type spans struct {
	collector.UnimplementedTraceServiceServer
	mu      sync.Mutex
	sent    []*collector.ExportTraceServiceRequest
	headers []string // of each request, as text
}

func (s *spans) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	headers, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, proto.CloneOf(r))
	s.headers = append(s.headers, fmt.Sprint(headers))
	return &collector.ExportTraceServiceResponse{}, nil
}

// startCollector returns a collector and where it listens.
func startCollector(t *testing.T) (*spans, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, server := &spans{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(server, s)
	go func() { _ = server.Serve(listener) }() // until it is stopped
	t.Cleanup(server.Stop)
	return s, listener.Addr().String()
}

// all are the spans so far, and everything that came as text.
func (s *spans) all() (list []*tracev1.Span, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.sent {
		text += protojson.Format(r)
		for _, resource := range r.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				list = append(list, scope.Spans...)
			}
		}
	}
	return list, text
}

func attributes(s *tracev1.Span) map[string]string {
	m := map[string]string{}
	for _, a := range s.Attributes {
		m[a.Key] = a.Value.GetStringValue()
	}
	return m
}

const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	clientSpan  = "b7ad6b7169203331"
	unsampledID = "1bf7651916cd43dd8448eb211c80319c"
	clientMark  = "CANARYclient"
)

// TestTracing asks, with marks wherever a client can write something, for an
// answer, for what is denied and without wanting a trace. The spans continue the
// client's trace, say what the record says, and hold none of the marks; Graph learns of
// no trace.
func TestTracing(t *testing.T) {
	l := newLab(t, nil)
	sent, endpoint := startCollector(t)
	l.config.Tracing = TracingConfig{Endpoint: endpoint}
	r := l.start()
	client := l.client("h2")
	ask := func(method, target, trace, flags string, want int) {
		t.Helper()
		request, err := http.NewRequest(method, "https://"+r.address+target, nil)
		l.check(err)
		request.Host = clientMark + ".example"
		request.Header = http.Header{
			"User-Agent": {clientMark}, "Tracestate": {"vendor=" + clientMark}, "Baggage": {"user=" + clientMark},
			"X-Request-Id": {clientMark}, "X-Client-Trace-Id": {clientMark},
			"X-Forwarded-For": {clientMark}, "X-Envoy-Downstream-Service-Cluster": {clientMark},
			"X-Envoy-Decorator-Operation": {clientMark}, "X-Envoy-Force-Trace": {clientMark}, "X-B3-Traceid": {clientMark}, "Uber-Trace-Id": {clientMark},
		}
		if want == 200 { // a refusal in gRPC is one, too
			request.Header.Set("Content-Type", "application/grpc+"+clientMark)
			request.Header.Set("Grpc-Timeout", clientMark)
		}
		if trace != "" {
			request.Header.Set("Traceparent", "00-"+trace+"-"+clientSpan+"-"+flags)
		}
		response, err := client.Do(request)
		l.check(err)
		response.Body.Close()
		if response.StatusCode != want {
			t.Fatalf("%s: %s", target, response.Status)
		}
	}
	served := l.userPath(1)
	ask("GET", served+"?$select=id,mail", traceID, "01", 200)
	ask("GET", served+"/"+clientMark+"?$filter="+clientMark, traceID, "01", 403)
	ask(clientMark, served, traceID, "01", 403)
	ask("GET", served, unsampledID, "00", 200)
	ask("GET", served, "", "", 200) // sampling is 0
	ask("GET", served, "CANARYclient", "01", 200)
	wait(t, "Envoy to send its spans", func() bool {
		_, text := sent.all()
		return strings.Count(text, "\"request\"") >= 3
	})
	r.stop() // sends what is left

	list, text := sent.all()
	leaked := leaks(text, append(l.canaries(), clientMark, strings.TrimPrefix(served, "/v1.0/users/"), "/v1.0", "$select", labSalt, labKey))
	if len(leaked) > 0 {
		t.Errorf("in the spans: %s", leaked)
	}
	names := map[string]int{}
	exchanges := map[string]map[string]string{}
	for _, s := range list {
		names[s.Name]++
		if got := hex.EncodeToString(s.TraceId); got != traceID {
			t.Errorf("%s is of trace %s", s.Name, got)
		}
		if s.TraceState != "" {
			t.Errorf("%s has a trace state", s.Name)
		}
		above := slices.IndexFunc(list, func(p *tracev1.Span) bool { return string(p.SpanId) == string(s.ParentSpanId) })
		switch {
		case s.Name == "request":
			if got := hex.EncodeToString(s.ParentSpanId); got != clientSpan {
				t.Errorf("Envoy's span is below %s", got)
			}
			if peer := attributes(s)["peer.address"]; peer != "-" { // by itself Envoy writes the caller's
				t.Errorf("Envoy's span has the address %q", peer)
			}
			continue
		case above < 0:
			t.Errorf("%s is below nothing", s.Name)
			continue
		}
		if list[above].StartTimeUnixNano > s.StartTimeUnixNano {
			t.Errorf("%s began before %s", s.Name, list[above].Name)
		}
		if a := attributes(s); a["graphveil.outcome"] != "" {
			exchanges[a["graphveil.outcome"]] = a
		}
	}
	if names["request"] != 3 || names["decision"] != 3 || names["token"] != 1 || names["upstream"] != 1 || names["response"] == 0 || len(exchanges) != 2 {
		t.Errorf("spans %v, of exchanges %v", names, exchanges)
	}
	if a := exchanges["sanitized"]; a["graphveil.connector"] != "entra_id" || a["graphveil.endpoint"] == "" || names["entra_id "+a["graphveil.endpoint"]] == 0 {
		t.Errorf("the exchange that was served: %v in %v", a, names)
	}
	if a := exchanges["denied"]; a["graphveil.code"] == "" {
		t.Errorf("the one that was denied: %v", a)
	}
	for _, request := range l.Graph.Requests() {
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if request.Header[name] != nil {
				t.Errorf("Graph got %s", name)
			}
		}
	}
}

// TestTracingConfiguration refuses what cannot be, and needs no collector to start.
func TestTracingConfiguration(t *testing.T) {
	for _, bad := range []TracingConfig{{Endpoint: "collector"}, {Endpoint: "127.0.0.1:1", Sampling: 1.5}, {Endpoint: "127.0.0.1:1", Sampling: -1}} {
		if _, err := bad.start(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "tracing.") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	l := newLab(t, nil)
	l.config.Tracing = TracingConfig{Endpoint: "127.0.0.1:1", Sampling: 1}
	r := l.start()
	if answer := call(t, r.address, l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=2"}); answer.String() != "200" {
		t.Errorf("without a collector: %s", &answer)
	}
}

// TestTracingVariables: OTEL_* in the environment, which may be there for others, changes
// nothing and is told to nobody.
func TestTracingVariables(t *testing.T) {
	const secret = "SECRETofTheEnvironment"
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS": "api-key=" + secret, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": secret, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/" + secret, "OTEL_EXPORTER_OTLP_TIMEOUT": secret, "OTEL_RESOURCE_ATTRIBUTES": "who=" + secret, "OTEL_SERVICE_NAME": secret,
		"OTEL_BSP_MAX_QUEUE_SIZE": "-1", "OTEL_TRACES_SAMPLER": "always_off", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0", "OTEL_SDK_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	sent, endpoint := startCollector(t)
	traces, err := TracingConfig{Endpoint: endpoint, Sampling: 1}.start(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := traces.tracer().Start(t.Context(), "one")
	span.End()
	traces.stop()
	list, text := sent.all()
	if len(list) != 1 || list[0].Name != "one" {
		t.Fatalf("the collector got %s", text)
	}
	for where, text := range map[string]string{"the spans": text, "the headers": fmt.Sprint(sent.headers)} {
		if strings.Contains(text, secret) || strings.Contains(text, "api-key") {
			t.Errorf("in %s: %s", where, text)
		}
	}
	if n := len(sent.sent[0].ResourceSpans[0].Resource.Attributes); n != 2 {
		t.Errorf("the resource has %d attributes: %s", n, text)
	}
}

// TestTracingCollectorHangs: a collector that takes connections and never answers neither
// holds exchanges up nor fills memory, and the end waits for it for a few seconds only.
func TestTracingCollectorHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	traces, err := TracingConfig{Endpoint: listener.Addr().String(), Sampling: 1}.start(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tracer := traces.tracer()
	spend := func(n int) {
		for range n {
			_, span := tracer.Start(context.Background(), "one")
			span.End()
		}
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	spend(10_000) // more than wait in the queue
	before, began := heap(), time.Now()
	spend(100_000)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("100,000 spans took %s", took)
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("they hold %d bytes", grown)
	}
	began = time.Now()
	traces.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end took %s", took)
	}
}
