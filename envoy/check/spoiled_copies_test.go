package check_test

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	grpclogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	otellogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/open_telemetry/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// spoiledCopies write down, copy or show what nobody is to have.
var spoiledCopies = map[string][]func(*parts){
	"path_copied": {
		func(p *parts) { p.insert("entrance", p.mutating(answer("x", "%RESP(x?location)%"))) },
		func(p *parts) {
			p.route.GetRoute().RateLimits = []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{{ActionSpecifier: &routev3.RateLimit_Action_GenericKey_{
				GenericKey: &routev3.RateLimit_Action_GenericKey{DescriptorValue: "%REQ(:path)%"},
			}}}}}
		},
		func(p *parts) {
			p.host.Routes = append(p.host.Routes, &routev3.Route{Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
				Status: 200, BodyFormat: textFormat("%REQ(:path)%"),
			}}})
		},
		func(p *parts) {
			p.route.GetRoute().ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{
				Clusters: []*routev3.WeightedCluster_ClusterWeight{{Name: "graph", ResponseHeadersToAdd: []*corev3.HeaderValueOption{
					{Header: &corev3.HeaderValue{Key: "x", Value: "%RESP(location)%"}},
				}}},
			}}
		},
		func(p *parts) {
			p.insert("exit", p.httpFilter("copy", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{ResponseTrailersMutations: []*mutationv3.HeaderMutation{answer("x", "%PATH(WQ)%")}}}))
		},
		func(p *parts) { p.insert("entrance", p.mutating(answer("x", "%PATH(WQ)%"))) },
		func(p *parts) {
			p.route.ResponseHeadersToAdd = []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x", Value: "%QUERY_PARAM($filter)%"}}}
		},
		func(p *parts) {
			p.route.Tracing = &routev3.Tracing{CustomTags: []*tracingv3.CustomTag{headerTag(":path")}}
		},
		func(p *parts) { p.route.Tracing = &routev3.Tracing{Operation: "%REQ(:path)%"} },
		func(p *parts) {
			p.hcm.LocalReplyConfig.BodyFormat = textFormat("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%")
		},
		func(p *parts) {
			p.route.GetRoute().RateLimits = []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{byHeader(":path")}}}
		},
		func(p *parts) {
			p.insert("exit", p.httpFilter("limit", &ratelimitv3.RateLimit{RateLimits: []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{
				{ActionSpecifier: &routev3.RateLimit_Action_QueryParameters_{QueryParameters: &routev3.RateLimit_Action_QueryParameters{QueryParameterName: "$filter"}}},
			}}}}))
		},
		func(p *parts) {
			p.insert("exit", p.httpFilter("keep", &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{Header: ":path"}}}))
		},
	},
	"token_copied": {
		func(p *parts) { // a header whose name has a percent sign
			p.insert("entrance", p.mutating(answer("x", "%REQ(x%?authorization)%")))
		},
		func(p *parts) { p.insert("entrance", p.mutating(answer("x", "%%PROTOCOL%REQ(authorization)%"))) },
		func(p *parts) {
			p.insert("entrance", p.mutating(answer("x", "%START_TIME(%s)%PROTOCOL%REQ(authorization)%")))
		},
		func(p *parts) {
			p.insert("exit", p.httpFilter("limit", &ratelimitv3.RateLimit{}))
			p.route.TypedPerFilterConfig = map[string]*anypb.Any{"limit": p.pack(&ratelimitv3.RateLimitPerRoute{
				RateLimits: []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{byHeader("authorization")}}},
			})}
		},
		func(p *parts) {
			p.hcm.Tracing = &hcmv3.HttpConnectionManager_Tracing{CustomTags: []*tracingv3.CustomTag{headerTag("cookie")}}
		},
		func(p *parts) {
			p.hcm.GetRouteConfig().RequestHeadersToAdd = []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x", Value: "%REQ(authorization)%"}}}
		},
		func(p *parts) {
			p.route.Tracing = &routev3.Tracing{CustomTags: []*tracingv3.CustomTag{headerTag("Authorization")}}
		},
		func(p *parts) {
			p.hcm.Tracing = &hcmv3.HttpConnectionManager_Tracing{CustomTags: []*tracingv3.CustomTag{{Tag: "x", Type: &tracingv3.CustomTag_Value{Value: "%REQ(authorization)%"}}}}
		},
		func(p *parts) {
			p.insert("exit", p.httpFilter("keep", &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{Header: "authorization"}}}))
		},
		func(p *parts) {
			p.host.RateLimits = []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{byHeader("authorization")}}}
		},
		func(p *parts) {
			p.insert("exit", p.httpFilter("copy", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{ResponseTrailersMutations: []*mutationv3.HeaderMutation{answer("x", "%REQ(authorization)%")}}}))
		},
	},
	"unknown_copied": {
		func(p *parts) { // it decides what is logged, and sees it
			p.hcm.AccessLog[0].Filter = &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
				ExtensionFilter: &accesslogv3.ExtensionFilter{Name: "x", ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: p.closed("other.v1.Filter")}},
			}}
		},
		func(p *parts) {
			p.hcm.LocalReplyConfig.BodyFormat = textFormat("x")
			p.hcm.LocalReplyConfig.BodyFormat.Formatters = []*corev3.TypedExtensionConfig{{Name: "x", TypedConfig: p.closed("envoy.extensions.formatter.dynamic_modules.v3.X")}}
		},
		func(p *parts) { p.logFormat("%CEL(request.path)%") },
		func(p *parts) { p.logFormat("%START_TIME(%Y-%m-%dT%H:%M:%S%.3fZ)% %COALESCE(x)%") },
		func(p *parts) {
			p.hcm.LocalReplyConfig.BodyFormat = &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
				TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: "/elsewhere"}},
			}}
		},
		func(p *parts) {
			p.hcm.AccessLog[0] = &accesslogv3.AccessLog{Name: "x", ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: p.pack(&corev3.Node{})}}
		},
		func(p *parts) {
			p.hcm.Tracing = &hcmv3.HttpConnectionManager_Tracing{Provider: &tracev3.Tracing_Http{Name: "x", ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: p.pack(&corev3.Node{})}}}
		},
		func(p *parts) {
			p.route.GetRoute().RateLimits = []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{
				{ActionSpecifier: &routev3.RateLimit_Action_Extension{Extension: &corev3.TypedExtensionConfig{Name: "x", TypedConfig: p.pack(&corev3.Node{})}}},
			}}}
		},
	},
	"access_log_secret": {
		func(p *parts) {
			p.log(&otellogv3.OpenTelemetryAccessLogConfig{CustomTags: []*tracingv3.CustomTag{headerTag("authorization")}})
		},
		func(p *parts) {
			//lint:ignore SA1019 an Envoy that is asked to obey it does
			p.log(&otellogv3.OpenTelemetryAccessLogConfig{CommonConfig: &grpclogv3.CommonGrpcAccessLogConfig{CustomTags: []*tracingv3.CustomTag{headerTag("cookie")}}})
		},
		func(p *parts) {
			p.log(&grpclogv3.HttpGrpcAccessLogConfig{CommonConfig: &grpclogv3.CommonGrpcAccessLogConfig{CustomTags: []*tracingv3.CustomTag{headerTag("authorization")}}})
		},
		func(p *parts) {
			p.log(&grpclogv3.HttpGrpcAccessLogConfig{AdditionalRequestHeadersToLog: []string{"Authorization"}})
		},
		func(p *parts) {
			log := proto.CloneOf(p.hcm.AccessLog[0])
			p.logFormat("%DYNAMIC_METADATA(x:Authorization)%")
			log, p.hcm.AccessLog[0] = p.hcm.AccessLog[0], log
			p.filter("envoy.filters.http.router").ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(&routerv3.Router{UpstreamLog: []*accesslogv3.AccessLog{log}})}
		}},
	"access_log_path": {
		func(p *parts) {
			p.log(&otellogv3.OpenTelemetryAccessLogConfig{CustomTags: []*tracingv3.CustomTag{headerTag(":path")}})
		},
		func(p *parts) { p.log(&grpclogv3.HttpGrpcAccessLogConfig{}) },
		func(p *parts) { p.logFormat("") },
		func(p *parts) { p.logFormat("%REQ_WITHOUT_QUERY(:path):20%") },
	},
	"tls_keys_logged": {func(p *parts) {
		p.tls(func(tls *tlsv3.UpstreamTlsContext) {
			tls.CommonTlsContext.KeyLog = &tlsv3.TlsKeyLog{Path: "/tmp/keys"}
		})
	}, func(p *parts) { // those of callers
		tls := &tlsv3.DownstreamTlsContext{}
		a := p.bootstrap.StaticResources.Listeners[0].FilterChains[0].TransportSocket.GetTypedConfig()
		p.unpack(a, tls)
		tls.CommonTlsContext.KeyLog = &tlsv3.TlsKeyLog{Path: "/tmp/keys"}
		a.Value = p.pack(tls).Value
	}},
}
