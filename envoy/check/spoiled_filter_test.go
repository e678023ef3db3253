package check_test

import (
	"slices"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// spoiled are changes to the bootstrap, by the code of what is then found.
var spoiled = map[string][]func(*parts){
	"incomplete": {
		func(p *parts) {
			p.bootstrap.DynamicResources = &bootstrapv3.Bootstrap_DynamicResources{LdsConfig: &corev3.ConfigSource{}}
		},
		func(p *parts) {
			p.hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "elsewhere"}}
		},
		func(p *parts) {
			p.hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_ScopedRoutes{ScopedRoutes: &hcmv3.ScopedRoutes{Name: "x"}}
		},
		func(p *parts) {
			p.filter("envoy.filters.http.rbac").ConfigType = &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{}}
		},
		func(p *parts) {
			i := p.cluster("processor")
			p.bootstrap.StaticResources.Clusters = slices.Delete(p.bootstrap.StaticResources.Clusters, i, i+1)
		},
		func(p *parts) {
			c := p.bootstrap.StaticResources.Clusters[p.cluster("processor")]
			c.LoadAssignment, c.ClusterDiscoveryType = nil, &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
			c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{}
		},
	},
	"no_route": {
		func(p *parts) { p.bootstrap.StaticResources.Listeners = nil },
	},
	"cluster_chosen_late": {func(p *parts) {
		p.route.GetRoute().ClusterSpecifier = &routev3.RouteAction_ClusterHeader{ClusterHeader: "x-where"}
	}},
	"ext_proc_missing": {
		func(p *parts) { p.remove("envoy.filters.http.ext_proc") },
		// A listener of its own, beside the right one.
		func(p *parts) {
			other := proto.CloneOf(p.bootstrap.StaticResources.Listeners[0])
			bare := proto.CloneOf(p.hcm)
			bare.HttpFilters = bare.HttpFilters[len(bare.HttpFilters)-1:]
			other.Name, other.FilterChains[0].Filters[0].GetTypedConfig().Value = "other", p.pack(bare).Value
			p.bootstrap.StaticResources.Listeners = append(p.bootstrap.StaticResources.Listeners, other)
		},
	},
	"ext_proc_disabled": {
		func(p *parts) {
			p.route.TypedPerFilterConfig = p.perRoute(&extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Disabled{Disabled: true}})
		},
		func(p *parts) {
			p.host.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(&routev3.FilterConfig{Disabled: true})}
		},
		func(p *parts) { p.filter("envoy.filters.http.ext_proc").Disabled = true },
		func(p *parts) {
			p.route.GetRoute().ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{
				Clusters: []*routev3.WeightedCluster_ClusterWeight{{
					Name: "graph", Weight: wrapperspb.UInt32(1),
					TypedPerFilterConfig: map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(&routev3.FilterConfig{Disabled: true})},
				}},
			}}
		},
	},
	"ext_proc_twice": {func(p *parts) {
		second := proto.CloneOf(p.filter("envoy.filters.http.ext_proc"))
		second.Name = "second"
		p.insert("exit", second)
	}},
	"ext_proc_optional": {func(p *parts) { p.filter("envoy.filters.http.ext_proc").IsOptional = true }},
	"ext_proc_unreadable": {func(p *parts) {
		p.route.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(&rbacv3.RBACPerRoute{})}
	}},
	"tcp_bypass": {func(p *parts) {
		p.bootstrap.StaticResources.Listeners[0].FilterChains = append(p.bootstrap.StaticResources.Listeners[0].FilterChains, &listenerv3.FilterChain{
			Filters: []*listenerv3.Filter{{Name: "tcp", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: p.pack(&tcpproxyv3.TcpProxy{
				StatPrefix: "tcp", ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: "graph"},
			})}}},
		})
	}},
	"guard_missing": {
		func(p *parts) { p.remove("envoy.filters.http.rbac") },
		func(p *parts) {
			guard := p.filter("envoy.filters.http.rbac")
			p.remove("envoy.filters.http.rbac")
			p.insert("envoy.filters.http.ext_proc", guard)
		},
		func(p *parts) {
			rbac := &rbacv3.RBAC{}
			p.unpack(p.filter("envoy.filters.http.rbac").GetTypedConfig(), rbac)
			rbac.ShadowRules, rbac.Rules = rbac.Rules, nil
			p.filter("envoy.filters.http.rbac").GetTypedConfig().Value = p.pack(rbac).Value
		},
		func(p *parts) {
			rbac := &rbacv3.RBAC{}
			p.unpack(p.filter("envoy.filters.http.rbac").GetTypedConfig(), rbac)
			for _, policy := range rbac.Rules.Policies {
				policy.Principals = append(policy.Principals, anybody())
			}
			p.filter("envoy.filters.http.rbac").GetTypedConfig().Value = p.pack(rbac).Value
		},
		func(p *parts) {
			p.route.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.rbac": p.pack(&rbacv3.RBACPerRoute{})}
		},
	},
	"failure_mode_allow": {
		func(p *parts) { p.extProc.FailureModeAllow = true },
		func(p *parts) { p.overrides(&extprocv3.ExtProcOverrides{FailureModeAllow: wrapperspb.Bool(true)}) },
	},
	"observability_mode":          {func(p *parts) { p.extProc.ObservabilityMode = true }},
	"disable_immediate_response":  {func(p *parts) { p.extProc.DisableImmediateResponse = true }},
	"allow_mode_override":         {func(p *parts) { p.extProc.AllowModeOverride = true }},
	"allow_content_length_header": {func(p *parts) { p.extProc.AllowContentLengthHeader = true }},
	"forward_rules":               {func(p *parts) { p.extProc.ForwardRules = &extprocv3.HeaderForwardingRules{} }},
	"response_body_mode": {
		func(p *parts) { p.extProc.ProcessingMode.ResponseBodyMode = extprocv3.ProcessingMode_STREAMED },
		func(p *parts) { p.extProc.ProcessingMode.ResponseBodyMode = extprocv3.ProcessingMode_NONE },
		func(p *parts) { p.extProc.ProcessingMode = nil },
		func(p *parts) {
			p.overrides(&extprocv3.ExtProcOverrides{ProcessingMode: &extprocv3.ProcessingMode{ResponseBodyMode: extprocv3.ProcessingMode_BUFFERED}})
		},
	},
	"request_body_mode":     {func(p *parts) { p.extProc.ProcessingMode.RequestBodyMode = extprocv3.ProcessingMode_BUFFERED }},
	"header_mode":           {func(p *parts) { p.extProc.ProcessingMode.ResponseHeaderMode = extprocv3.ProcessingMode_SKIP }, func(p *parts) { p.extProc.ProcessingMode.RequestHeaderMode = extprocv3.ProcessingMode_SKIP }},
	"response_trailer_mode": {func(p *parts) { p.extProc.ProcessingMode.ResponseTrailerMode = extprocv3.ProcessingMode_SKIP }},
	"request_trailer_mode":  {func(p *parts) { p.extProc.ProcessingMode.RequestTrailerMode = extprocv3.ProcessingMode_SEND }},
	"ext_proc_hook":         {func(p *parts) { p.extProc.OnProcessingResponse = &corev3.TypedExtensionConfig{Name: "x"} }},
	"route_cache":           {func(p *parts) { p.extProc.RouteCacheAction = extprocv3.ExternalProcessor_CLEAR }},
	"mutation_rules": {
		func(p *parts) { p.extProc.MutationRules = nil },
		func(p *parts) { p.extProc.MutationRules.AllowAllRouting = wrapperspb.Bool(true) },
		func(p *parts) { p.extProc.MutationRules.AllowEnvoy = wrapperspb.Bool(true) },
	},
	"metadata_not_received": {func(p *parts) { p.extProc.MetadataOptions = nil }},
	"message_timeout_short": {
		func(p *parts) { p.extProc.MessageTimeout = nil },
		func(p *parts) { p.extProc.MessageTimeout = durationpb.New(4 * time.Second) },
	},
	"message_timeout_long": {func(p *parts) { p.extProc.MessageTimeout = durationpb.New(time.Hour) }},
	"processor_unsafe": {
		func(p *parts) {
			c := p.bootstrap.StaticResources.Clusters[p.cluster("processor")]
			c.LoadAssignment = p.bootstrap.StaticResources.Clusters[p.cluster("graph")].LoadAssignment
		},
		func(p *parts) {
			p.extProc.GrpcService = &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_GoogleGrpc_{GoogleGrpc: &corev3.GrpcService_GoogleGrpc{TargetUri: "x", StatPrefix: "x"}}}
		},
	},
	"processor_streams": {func(p *parts) { p.bootstrap.StaticResources.Clusters[p.cluster("processor")].CircuitBreakers = nil }},
	"filter_after":      {func(p *parts) { p.insert("exit", foreign(p)) }},
	"filter_before":     {func(p *parts) { p.insert("envoy.filters.http.ext_proc", foreign(p)) }},
	"entrance_missing":  {func(p *parts) { p.remove("entrance") }},
	"upgrade_chain": {func(p *parts) {
		p.hcm.UpgradeConfigs = []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket", Filters: p.hcm.HttpFilters[len(p.hcm.HttpFilters)-1:]}}
	}},
	"upgrade": {func(p *parts) {
		p.hcm.UpgradeConfigs = []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}}
	}, func(p *parts) {
		p.route.GetRoute().UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{UpgradeType: "websocket"}}
	}},
	"internal_redirect": {func(p *parts) { p.route.GetRoute().InternalRedirectPolicy = &routev3.InternalRedirectPolicy{} }},
	"mirror": {
		func(p *parts) {
			p.route.GetRoute().RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "graph"}}
		},
		func(p *parts) {
			p.host.RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "graph"}}
		},
	},
	"token_elsewhere": {func(p *parts) {
		other := proto.CloneOf(p.host)
		other.Name, other.Domains = "other", []string{"other.example"}
		other.Routes[0].GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "processor"}
		other.Routes[0].GetRoute().HostRewriteSpecifier = nil
		p.hcm.GetRouteConfig().VirtualHosts = append(p.hcm.GetRouteConfig().VirtualHosts, other)
	}},
	"hedge": {func(p *parts) { p.host.HedgePolicy = &routev3.HedgePolicy{} }},
	"retry_without_wait": {func(p *parts) {
		p.route.GetRoute().RetryPolicy = &routev3.RetryPolicy{RetryOn: "retriable-status-codes", RetriableStatusCodes: []uint32{429}}
	}},
	"upstream_not_verified": {
		// Sockets that endpoints choose by their labels: those without get the first.
		func(p *parts) {
			c := p.bootstrap.StaticResources.Clusters[p.cluster("graph")]
			c.TransportSocketMatches = []*clusterv3.Cluster_TransportSocketMatch{{Name: "plain", TransportSocket: &corev3.TransportSocket{Name: "plain"}}}
		},
		func(p *parts) { p.bootstrap.StaticResources.Clusters[p.cluster("graph")].TransportSocket = nil },
	},
	"idle_timeout": {
		func(p *parts) { p.hcm.StreamIdleTimeout = durationpb.New(0) },
		func(p *parts) { p.hcm.StreamIdleTimeout = durationpb.New(time.Hour) },
		func(p *parts) { p.route.GetRoute().IdleTimeout = durationpb.New(0) },
	},
	"path_not_normalized": {func(p *parts) { p.hcm.NormalizePath = nil }},
	"informational":       {func(p *parts) { p.hcm.Proxy_100Continue = true }},
	"local_replies":       {func(p *parts) { p.hcm.LocalReplyConfig = nil }},
	"token_copied": {
		func(p *parts) {
			p.route.ResponseHeadersToAdd = []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-debug", Value: "%REQ(Authorization)%"}}}
		},
		func(p *parts) {
			p.host.RequestHeadersToAdd = []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-copy", Value: "a %REQ(:x?authorization):10% b"}}}
		},
	},
	"access_log_secret": {func(p *parts) { p.logFormat("%REQ(AUTHORIZATION)%") }},
	"access_log_path": {
		func(p *parts) { p.logFormat("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%") },
		func(p *parts) {
			p.hcm.AccessLog[0].ConfigType = &accesslogv3.AccessLog_TypedConfig{TypedConfig: p.pack(&filelogv3.FileAccessLog{Path: "/dev/stdout"})}
		},
	},
	"tracing_path": {func(p *parts) { p.hcm.Tracing = &hcmv3.HttpConnectionManager_Tracing{} }},
}
