package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// TracingConfig says where spans go. They hold ids of the policy, codes and numbers,
// nothing of a request or a response.
type TracingConfig struct {
	// Endpoint, of Envoy's spans and the processor's, is host:port of an OpenTelemetry collector: OTLP over gRPC, without
	// TLS. Empty: no traces.
	Endpoint string `yaml:"endpoint"`
	// Sampling is the share, 0 to 1, of the exchanges whose client sent no
	// traceparent; one that did has decided. 0: none of them.
	Sampling float64 `yaml:"sampling"`
}

// traces is where spans are made, and sent from. Without an endpoint it is nil, and
// its methods do nothing.
type traces struct{ *sdktrace.TracerProvider }

// start connects to the collector, or will: it may come later.
func (c TracingConfig) start(ctx context.Context, log *slog.Logger) (*traces, error) {
	if c.Endpoint == "" {
		return nil, nil
	}
	if _, _, err := net.SplitHostPort(c.Endpoint); err != nil {
		return nil, fmt.Errorf("reading the configuration: tracing.endpoint is not host:port: %w", err)
	}
	if !(c.Sampling >= 0 && c.Sampling <= 1) {
		return nil, fmt.Errorf("reading the configuration: tracing.sampling is %g, must be from 0 to 1", c.Sampling)
	}
	forgetVariables()
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(c.Endpoint), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithDialOption(grpc.WithNoProxy())) // as Envoy's: what has no TLS stays near
	if err != nil {
		return nil, fmt.Errorf("starting traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("sending traces failed", "error", err) }))
	return &traces{sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Sampling))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "graphveil"),
			attribute.String("service.version", version()),
		)),
	)}, nil
}

// forgetVariables takes OTEL_* out of the environment. The libraries would send the
// headers that these name, secrets among them, to the collector without TLS, print
// those that they cannot read, and take other queues and resources from them; a
// platform may have put them there for the workload.
func forgetVariables() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name) // fails for no name that is there
		}
	}
}

// tracer makes the spans of exchanges, or is nil.
func (t *traces) tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.Tracer("github.com/graphveil/graphveil/extproc")
}

// stop sends what is left, for a few seconds at most.
func (t *traces) stop() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := t.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}
