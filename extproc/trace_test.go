package extproc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/graphveil/graphveil/extproc"
)

const (
	clientTrace = "0af7651916cd43dd8448eb211c80319c"
	clientSpan  = "b7ad6b7169203331"
	traceparent = "00-" + clientTrace + "-" + clientSpan + "-01"
)

// traced is a world that keeps its spans.
func traced(t *testing.T) (*world, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	return newWorld(t, func(c *extproc.ServerConfig) { c.Tracer = provider.Tracer("test") }), spans
}

// TestSpansBehindAnotherEnvoy: where Envoy makes no spans, those of the processor continue the
// client's trace, by ids alone, and say what the record says. All of them end.
func TestSpansBehindAnotherEnvoy(t *testing.T) {
	for name, test := range map[string]struct {
		target  string
		headers []extproc.Header
		steps   []string
		name    string
		remote  string // the span above, if it is the client's
		status  codes.Code
	}{
		"served":      {"/v1.0/things?$top=7", []extproc.Header{{Name: "traceparent", Value: traceparent}}, []string{"decision", "token", "upstream", "response"}, "things list", clientSpan, codes.Unset},
		"denied":      {"/v1.0/things?$search=CANARY", []extproc.Header{{Name: "traceparent", Value: traceparent}}, []string{"decision"}, "things list", clientSpan, codes.Error},
		"no endpoint": {"/v1.0/CANARY", nil, []string{"decision"}, "exchange", "", codes.Error},
		"no trace":    {"/v1.0/things", nil, []string{"decision", "token", "upstream", "response"}, "things list", "", codes.Unset},
		"two traces":  {"/v1.0/things", []extproc.Header{{Name: "traceparent", Value: traceparent}, {Name: "traceparent", Value: traceparent}}, []string{"decision", "token", "upstream", "response"}, "things list", "", codes.Unset},
		"no id":       {"/v1.0/things", []extproc.Header{{Name: "traceparent", Value: "00-CANARY-" + clientSpan + "-01"}}, []string{"decision", "token", "upstream", "response"}, "things list", "", codes.Unset},
		"more than ids": {"/v1.0/things", []extproc.Header{{Name: "traceparent", Value: "cc-" + clientTrace + "-" + clientSpan + "-01-CANARY"}},
			[]string{"decision", "token", "upstream", "response"}, "things list", clientSpan, codes.Unset},
	} {
		w, spans := traced(t)
		w.get(t, test.target, append(test.headers, extproc.Header{Name: "tracestate", Value: "vendor=CANARY"}, extproc.Header{Name: "baggage", Value: "user=CANARY"})...)
		w.log.records(t, 1)
		ended := spans.Ended()
		if len(ended) != len(spans.Started()) || len(ended) != len(test.steps)+1 {
			t.Errorf("%s: %d spans began, %d ended, want %d", name, len(spans.Started()), len(ended), len(test.steps)+1)
			continue
		}
		exchange := ended[len(ended)-1]
		if exchange.Name() != test.name || exchange.Status().Code != test.status {
			t.Errorf("%s: the exchange is %q, %v", name, exchange.Name(), exchange.Status())
		}
		if parent := exchange.Parent(); parent.IsValid() != (test.remote != "") || parent.IsValid() && (parent.SpanID().String() != test.remote || parent.TraceID().String() != clientTrace) {
			t.Errorf("%s: it is below %v", name, parent)
		}
		var steps []string
		for _, s := range ended[:len(ended)-1] {
			steps = append(steps, s.Name())
			if s.Parent().SpanID() != exchange.SpanContext().SpanID() {
				t.Errorf("%s: %s is not below the exchange", name, s.Name())
			}
		}
		if !slices.Equal(steps, test.steps) {
			t.Errorf("%s: steps %v, want %v", name, steps, test.steps)
		}
		for _, s := range ended {
			text := fmt.Sprint(s.Name(), s.Attributes(), s.Events(), s.Links(), s.Status(), s.SpanContext().TraceState())
			if strings.Contains(text, "CANARY") || strings.Contains(text, "/v1.0") || s.SpanContext().TraceState().Len() != 0 {
				t.Errorf("%s: a span holds %s", name, text)
			}
		}
	}
}

// TestSpansOfBrokenExchanges: spans end, with an error, however an exchange does.
func TestSpansOfBrokenExchanges(t *testing.T) {
	w, spans := traced(t)
	if _, err := w.Play(t.Context(), getThings()); err != nil { // and no response
		t.Fatal(err)
	}
	w.log.records(t, 1)
	ended := spans.Ended()
	if len(ended) != 4 || len(ended) != len(spans.Started()) {
		t.Fatalf("%d spans began, %d ended", len(spans.Started()), len(ended))
	}
	if s := ended[3].Status(); s.Code != codes.Error {
		t.Errorf("the exchange is %v", s)
	}
}
