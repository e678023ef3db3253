package extproc

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

// traced is the span of one exchange and, one after the other, those of its steps.
// Names and attributes are ids of the policy, codes and numbers. Without tracing it
// is nil, and all its methods do nothing.
type traced struct {
	tracer   trace.Tracer
	ctx      context.Context // of the exchange's span
	exchange trace.Span
	step     trace.Span
}

// Steps of an exchange.
const (
	stepDecision = "decision" // the policy decides the request
	stepToken    = "token"    // waiting for an access token
	stepUpstream = "upstream" // until the upstream's response headers
	stepResponse = "response" // until the last byte of the response has left
)

// parent gives the trace context of a request: traceparent alone, for tracestate and
// baggage hold whatever a client writes.
type parent []Header

func (p parent) Get(name string) string {
	found := ""
	if name != "traceparent" {
		return ""
	}
	for _, h := range p {
		if h.Name == name && found != "" {
			return "" // two are none
		}
		if h.Name == name {
			found = h.Value
		}
	}
	return found
}

func (parent) Set(string, string) {}
func (parent) Keys() []string     { return []string{"traceparent"} }

// trace starts the span of an exchange: below Envoy's, which comes with the stream, or
// else below the client's.
func (s *Server) trace(stream context.Context, headers []Header) *traced {
	if s.config.Tracer == nil {
		return nil
	}
	t := &traced{tracer: s.config.Tracer}
	if m, _ := metadata.FromIncomingContext(stream); len(m["traceparent"]) == 1 {
		headers = []Header{{Name: "traceparent", Value: m["traceparent"][0]}}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), parent(headers))
	t.ctx, t.exchange = t.tracer.Start(ctx, "exchange", trace.WithSpanKind(trace.SpanKindServer))
	return t
}

// next ends the step before and begins another.
func (t *traced) next(name string) {
	if t == nil {
		return
	}
	t.end()
	_, t.step = t.tracer.Start(t.ctx, name)
}

func (t *traced) end() {
	if t.step != nil {
		t.step.End()
	}
}

// finish ends the spans and says in the exchange's what its record says.
func (t *traced) finish(r *Record) {
	if t == nil {
		return
	}
	t.end()
	if r.Endpoint != "" {
		t.exchange.SetName(r.Connector + " " + r.Endpoint)
	}
	t.exchange.SetAttributes(
		attribute.String("graphveil.connector", r.Connector),
		attribute.String("graphveil.endpoint", r.Endpoint),
		attribute.String("graphveil.outcome", r.Outcome),
		attribute.String("graphveil.code", r.Code),
		attribute.String("graphveil.revision", r.Revision),
		attribute.Int("graphveil.upstream_status", r.UpstreamStatus),
		attribute.Int("http.response.status_code", r.Status),
	)
	if r.Code != "" || r.Outcome == OutcomeAborted {
		t.exchange.SetStatus(codes.Error, r.Code)
	}
	t.exchange.End()
}
