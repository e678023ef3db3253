package envoy

import (
	"errors"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	samplersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/tracers/opentelemetry/samplers/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Tracing says where Envoy's spans go. They hold ids of the policy, times, sizes
// and statuses, nothing of a request or a response.
type Tracing struct {
	// Endpoint is host:port of an OpenTelemetry collector: OTLP over gRPC, without
	// TLS. Zero: no traces.
	Endpoint string

	// Sampling is the share, 0 to 1, of the requests whose caller sent no
	// traceparent.
	Sampling float64
}

func (t Tracing) validate(check func(key string, err error)) {
	if t.Endpoint != "" {
		_, _, err := splitHostPort(t.Endpoint)
		check("tracing.endpoint", err)
	}
	if !(t.Sampling >= 0 && t.Sampling <= 1) {
		check("tracing.sampling", errors.New("want 0 to 1"))
	}
}

// tracesCluster is the collector.
const tracesCluster = "traces"

// spanValues are the tags that Envoy by itself gives a span with what a caller wrote,
// or with who the caller is. Envoy has no switch for them, but a tag of the
// configuration comes last and replaces one of the same name.
var spanValues = []string{
	"http.url", "http.method", "user_agent", "guid:x-request-id", "guid:x-client-trace-id", "peer.address", "downstream_cluster",
	"grpc.path", "grpc.authority", "grpc.content_type", "grpc.timeout",
}

// tracing is nil where there is no collector.
func (r *renderer) tracing() *hcmv3.HttpConnectionManager_Tracing {
	t := r.config.Tracing
	if t.Endpoint == "" {
		return nil
	}
	tags := []*tracingv3.CustomTag{idTag(MetadataConnector), idTag(MetadataEndpoint), idTag(MetadataCode)}
	for _, name := range spanValues {
		tags = append(tags, &tracingv3.CustomTag{Tag: name, Type: &tracingv3.CustomTag_Literal_{Literal: &tracingv3.CustomTag_Literal{Value: "-"}}})
	}
	return &hcmv3.HttpConnectionManager_Tracing{
		ClientSampling:   &typev3.Percent{}, // x-client-trace-id forces nothing
		Operation:        "request",
		MaxPathTagLength: wrapperspb.UInt32(0),
		CustomTags:       tags,
		// Graph has no use for the ids of other people's traces.
		NoContextPropagation: true,
		Provider: &tracev3.Tracing_Http{
			Name: "envoy.tracers.opentelemetry",
			ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: r.pack(&tracev3.OpenTelemetryConfig{
				GrpcService: &corev3.GrpcService{
					TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: tracesCluster}},
					Timeout:         lasting(time.Second),
				},
				ServiceName: "graphveil-envoy",
				Sampler:     r.sampler(),
			})},
		},
	}
}

// sampler lets a caller's traceparent decide, and samples those without one.
func (r *renderer) sampler() *corev3.TypedExtensionConfig {
	share := &typev3.FractionalPercent{
		Numerator:   uint32(1e6 * r.config.Tracing.Sampling),
		Denominator: typev3.FractionalPercent_MILLION,
	}
	return &corev3.TypedExtensionConfig{
		Name: "envoy.tracers.opentelemetry.samplers.parent_based",
		TypedConfig: r.pack(&samplersv3.ParentBasedSamplerConfig{WrappedSampler: &corev3.TypedExtensionConfig{
			Name:        "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
			TypedConfig: r.pack(&samplersv3.TraceIdRatioBasedSamplerConfig{SamplingPercentage: share}),
		}}),
	}
}

// untraced takes away, before the span begins, what callers may write anything into
// and what Envoy would write into spans as it is.
func (r *renderer) untraced() []*corev3.TypedExtensionConfig {
	if r.config.Tracing.Endpoint == "" {
		return nil
	}
	return []*corev3.TypedExtensionConfig{{
		Name:        "envoy.http.early_header_mutation.header_mutation",
		TypedConfig: r.pack(&earlyv3.HeaderMutation{Mutations: remove([]string{"tracestate", "baggage", "x-client-trace-id"})}),
	}}
}

// idTag is an id or a code that the processor gave.
func idTag(key string) *tracingv3.CustomTag {
	return &tracingv3.CustomTag{
		Tag: "graphveil." + key,
		Type: &tracingv3.CustomTag_Metadata_{Metadata: &tracingv3.CustomTag_Metadata{
			Kind:        &metadatav3.MetadataKind{Kind: &metadatav3.MetadataKind_Request_{Request: &metadatav3.MetadataKind_Request{}}},
			MetadataKey: metadataKey(key),
		}},
	}
}

// traces is the collector's cluster.
func (r *renderer) traces() *clusterv3.Cluster {
	return r.grpcCluster(tracesCluster, r.config.Tracing.Endpoint)
}
