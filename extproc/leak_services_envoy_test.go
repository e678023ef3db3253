package extproc_test

import (
	"strings"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	ratelimitconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	otelv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/open_telemetry/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	extprocfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

func tokenToService(_ *leakRig, s leakSeen) bool { return strings.Contains(s.otherBody, graphToken) }

// leaksToServices are configurations in which services beside the processor are told
// what nobody but Graph and the caller may know, or are taken for Graph.
var leaksToServices = map[string]leak{
	"a route tells the rate limit service the token": {
		code: "token_copied", toService: true, leaked: tokenToService,
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, "")
			s.insert(t, "exit", "limit", rateLimits())
			s.route().TypedPerFilterConfig = map[string]*anypb.Any{"limit": packed(t, &ratelimitv3.RateLimitPerRoute{
				RateLimits: []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{{ActionSpecifier: &routev3.RateLimit_Action_RequestHeaders_{
					RequestHeaders: &routev3.RateLimit_Action_RequestHeaders{HeaderName: "authorization", DescriptorKey: "x"},
				}}}}},
			})}
		},
	},
	"a tag of a log has the token": {
		code: "access_log_secret", toService: true, leaked: tokenToService,
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, "")
			s.hcm.AccessLog = append(s.hcm.AccessLog, &accesslogv3.AccessLog{Name: "otel", ConfigType: &accesslogv3.AccessLog_TypedConfig{
				TypedConfig: packed(t, &otelv3.OpenTelemetryAccessLogConfig{
					LogName: "log", GrpcService: toOther(), BufferFlushInterval: durationpb.New(time.Millisecond),
					CustomTags: []*tracingv3.CustomTag{{Tag: "x", Type: &tracingv3.CustomTag_RequestHeader{
						RequestHeader: &tracingv3.CustomTag_Header{Name: "authorization"},
					}}},
				}),
			}})
		},
	},
	"what goes to the processor is copied": {
		code: "mirror", toService: true, leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.otherBody, canary) },
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, "")
			s.options(t, "processor", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "other"}}
			})
		},
	},
	"a header that nobody has hides another one in a log": {
		code: "access_log_secret", leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.log, graphToken) },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			log := &streamlogv3.StdoutAccessLog{AccessLogFormat: &streamlogv3.StdoutAccessLog_LogFormat{LogFormat: inline("{\"x\":\"%REQ(x%?authorization)%\"}\n")}}
			s.hcm.AccessLog = append(s.hcm.AccessLog, &accesslogv3.AccessLog{Name: "x", ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: packed(t, log)}})
		},
	},
	"a header that nobody has hides another one in an answer": {
		code: "token_copied", leaked: tokenAtClient,
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.insert(t, "envoy.filters.http.ext_proc", "copy", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{
				ResponseMutations: []*mutationv3.HeaderMutation{appendHeader("x-copy", "%REQ(x%?authorization)%")},
			}})
		},
	},
	"a percent sign hides the operator behind it": {
		code: "token_copied", leaked: tokenAtClient,
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.insert(t, "envoy.filters.http.ext_proc", "copy", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{
				ResponseMutations: []*mutationv3.HeaderMutation{appendHeader("x-copy", "%%PROTOCOL%REQ(authorization)%")},
			}})
		},
	},
	"the rate limit service is told the path in a text": {
		code: "path_copied", path: "person", toService: true, leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.otherBody, "revealed") },
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, "")
			limits := rateLimits()
			limits.RateLimits = []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{{ActionSpecifier: &routev3.RateLimit_Action_GenericKey_{
				GenericKey: &routev3.RateLimit_Action_GenericKey{DescriptorValue: "%REQ(:path)%"},
			}}}}}
			s.insert(t, "exit", "limit", limits)
			s.bootstrap.LayeredRuntime = &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{Name: "x", LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{
				StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{"envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value": structpb.NewBoolValue(true)}},
			}}}}
		},
	},
	"the filter is off by its own settings, and on by Envoy's": {
		code: "ext_proc_disabled", leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.body, canary) },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			const name = "envoy.filters.http.ext_proc"
			guard := s.at(t, "envoy.filters.http.rbac")
			s.hcm.HttpFilters = append(s.hcm.HttpFilters[:guard:guard], s.hcm.HttpFilters[guard+1:]...)
			s.host().TypedPerFilterConfig = map[string]*anypb.Any{name: packed(t, &extprocfilterv3.ExtProcPerRoute{
				Override: &extprocfilterv3.ExtProcPerRoute_Disabled{Disabled: true},
			})}
			s.route().TypedPerFilterConfig = map[string]*anypb.Any{name: packed(t, &routev3.FilterConfig{Config: &anypb.Any{}})}
		},
	},
	"a route to somebody else is led to Graph by a header": {
		code: "cluster_chosen_late", leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.body, canary) },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			other := proto.CloneOf(s.route())
			other.Name = "other"
			other.Match.Headers = []*routev3.HeaderMatcher{{Name: "x-to", HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}}
			other.GetRoute().ClusterSpecifier = &routev3.RouteAction_ClusterHeader{ClusterHeader: "x-to"}
			other.GetRoute().HostRewriteSpecifier = nil
			other.TypedPerFilterConfig = map[string]*anypb.Any{
				"envoy.filters.http.ext_proc": packed(t, &routev3.FilterConfig{Disabled: true}),
				"envoy.filters.http.rbac":     packed(t, &routev3.FilterConfig{Disabled: true}),
			}
			s.host().Routes = append([]*routev3.Route{other}, s.host().Routes...)
		},
	},
}

// toOther leads to the cluster of somebody else.
func toOther() *corev3.GrpcService {
	return &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: "other"}}}
}

// rateLimits asks somebody else, and goes on without an answer.
func rateLimits() *ratelimitv3.RateLimit {
	return &ratelimitv3.RateLimit{Domain: "x", RateLimitService: &ratelimitconfigv3.RateLimitServiceConfig{
		TransportApiVersion: corev3.ApiVersion_V3, GrpcService: toOther(),
	}}
}

func inline(text string) *corev3.SubstitutionFormatString {
	return &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
		TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}},
	}}
}
