package check_test

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/graphveil/graphveil/envoy"
)

// spoiledUpstream change where requests go, and who may answer them.
var spoiledUpstream = map[string][]func(*parts){
	"retry_without_wait": {func(p *parts) {
		p.route.GetRoute().RetryPolicy = nil
		p.options("graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
			o.RetryPolicy = &routev3.RetryPolicy{RetryOn: "retriable-4xx"}
		})
	}},
	"tcp_bypass": {func(p *parts) {
		l := p.bootstrap.StaticResources.Listeners[0]
		l.DefaultFilterChain = &listenerv3.FilterChain{Filters: []*listenerv3.Filter{{Name: "tcp", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: p.pack(&tcpproxyv3.TcpProxy{
			ClusterSpecifier: &tcpproxyv3.TcpProxy_WeightedClusters{WeightedClusters: &tcpproxyv3.TcpProxy_WeightedCluster{
				Clusters: []*tcpproxyv3.TcpProxy_WeightedCluster_ClusterWeight{{Name: "graph", Weight: 1}},
			}},
		})}}}}
	}},
	"network_filter": {
		func(p *parts) {
			p.bootstrap.StaticResources.Listeners[0].ApiListener = &listenerv3.ApiListener{ApiListener: p.pack(&corev3.Node{})}
		},
		func(p *parts) {
			chain := p.bootstrap.StaticResources.Listeners[0].FilterChains[0]
			chain.Filters = append([]*listenerv3.Filter{p.networkFilter()}, chain.Filters...)
		},
		// The last one of its chain: nobody knows where that leads.
		func(p *parts) {
			l := p.bootstrap.StaticResources.Listeners[0]
			l.DefaultFilterChain = &listenerv3.FilterChain{Filters: []*listenerv3.Filter{p.networkFilter()}}
		},
		func(p *parts) {
			p.bootstrap.StaticResources.Listeners[0].ListenerFilters = []*listenerv3.ListenerFilter{{Name: "x", ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: p.pack(&corev3.Node{})}}}
		},
		func(p *parts) {
			p.bootstrap.StaticResources.Listeners[0].FilterChains[0].TransportSocket.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: p.pack(&corev3.Node{})}
		},
	},
	"upstream_chosen_late": {
		func(p *parts) {
			p.graph().LoadBalancingPolicy = &clusterv3.LoadBalancingPolicy{Policies: []*clusterv3.LoadBalancingPolicy_Policy{{
				TypedExtensionConfig: &corev3.TypedExtensionConfig{Name: "x", TypedConfig: p.closed("envoy.extensions.load_balancing_policies.dynamic_modules.v3.X")},
			}}}
		},
		func(p *parts) {
			p.graph().ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{Name: "x", TypedConfig: p.pack(&corev3.Node{})}}
		},
		func(p *parts) {
			c := p.bootstrap.StaticResources.Clusters[p.cluster("processor")]
			c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{Name: "x", TypedConfig: p.pack(&corev3.Node{})}}
		},
	},
	"upstream_not_verified": {
		func(p *parts) { // the matcher may choose any of them
			plain := &corev3.TransportSocket{Name: "plain"}
			p.graph().TransportSocketMatches = []*clusterv3.Cluster_TransportSocketMatch{{Name: "plain", TransportSocket: plain, Match: &structpb.Struct{
				Fields: map[string]*structpb.Value{"never": structpb.NewBoolValue(true)},
			}}}
			over := &clusterv3.Cluster{}
			if err := protojson.Unmarshal([]byte(`{"transport_socket_matcher": {}}`), over); err != nil {
				p.t.Fatal(err)
			}
			p.graph().TransportSocketMatcher = over.TransportSocketMatcher
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.GetValidationContext().AllowExpiredCertificate = true
			})
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.GetValidationContext().CustomValidatorConfig = &corev3.TypedExtensionConfig{Name: "x"}
			})
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.GetValidationContext().MatchTypedSubjectAltNames = nil
			})
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) { tls.CommonTlsContext.GetValidationContext().TrustedCa = nil })
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.CustomHandshaker = &corev3.TypedExtensionConfig{Name: "x"}
			})
		},
		// A secret takes back what the settings beside it ask for.
		func(p *parts) {
			p.bootstrap.StaticResources.Secrets = []*tlsv3.Secret{{Name: "all", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
				TrustChainVerification: tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED,
			}}}}
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
					DefaultValidationContext: tls.CommonTlsContext.GetValidationContext(), ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: "all"},
				}}
			})
		},
	},
	"upstream_other_name": {
		func(p *parts) { // the name is that of a header
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.GetValidationContext().MatchTypedSubjectAltNames = nil
				tls.AutoSniSanValidation, tls.Sni = true, ""
			})
			p.options("graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.UpstreamHttpProtocolOptions = &corev3.UpstreamHttpProtocolOptions{AutoSni: true, OverrideAutoSniHeader: "x-name"}
			})
		},
		func(p *parts) { // as older ones write it
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				v := tls.CommonTlsContext.GetValidationContext()
				v.MatchTypedSubjectAltNames = nil
				//lint:ignore SA1019 Istio still writes it
				v.MatchSubjectAltNames = []*matcherv3.StringMatcher{{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "other.example"}}}
			})
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				v := tls.CommonTlsContext.GetValidationContext()
				v.MatchTypedSubjectAltNames = append(v.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{
					Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "other.example"}},
				})
			})
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.GetValidationContext().MatchTypedSubjectAltNames[0].Matcher = &matcherv3.StringMatcher{
					MatchPattern: &matcherv3.StringMatcher_Contains{Contains: envoy.DefaultHost},
				}
			})
		},
		func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.GetValidationContext().MatchTypedSubjectAltNames = nil
				tls.AutoSniSanValidation, tls.Sni = true, "other.example"
			})
		},
		func(p *parts) {
			p.route.GetRoute().HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: "other.example"}
		},
	},
	"host_of_caller": {
		func(p *parts) { p.route.GetRoute().HostRewriteSpecifier = nil },
		func(p *parts) {
			p.route.GetRoute().HostRewriteSpecifier = &routev3.RouteAction_HostRewriteHeader{HostRewriteHeader: "x-host"}
		},
	},
	"mirror": {
		func(p *parts) {
			p.hcm.GetRouteConfig().RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "graph"}}
		},
		func(p *parts) {
			p.options("graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "graph"}}
			})
		},
		func(p *parts) { // all that the processor sees
			p.options("processor", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "graph"}}
			})
		}},
	"cluster_chosen_late": {
		func(p *parts) {
			p.hcm.GetRouteConfig().RouteSpecifiers = []*corev3.TypedExtensionConfig{{Name: "x"}}
		},
		func(p *parts) { // of another name, without the processor: it may lead to the API all the same
			other := proto.CloneOf(p.host)
			other.Name, other.Domains = "other", []string{"other.example"}
			other.Routes[0].GetRoute().ClusterSpecifier = &routev3.RouteAction_ClusterHeader{ClusterHeader: "x-where"}
			other.Routes[0].GetRoute().HostRewriteSpecifier = nil
			other.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(&routev3.FilterConfig{Disabled: true})}
			p.hcm.GetRouteConfig().VirtualHosts = append(p.hcm.GetRouteConfig().VirtualHosts, other)
		},
		func(p *parts) { p.route.RouteSpecifiers = []*corev3.TypedExtensionConfig{{Name: "x"}} },
		func(p *parts) { p.host.RouteSpecifiers = []*corev3.TypedExtensionConfig{{Name: "x"}} },
		func(p *parts) {
			p.route.GetRoute().ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{
				Clusters: []*routev3.WeightedCluster_ClusterWeight{{ClusterHeader: "x-where"}},
			}}
		},
	},
	"token_elsewhere": {
		// The mode comes from the route, so the filter itself does not look like ours.
		func(p *parts) {
			mode := p.extProc.ProcessingMode
			p.extProc.ProcessingMode, p.extProc.MetadataOptions = nil, nil
			other := proto.CloneOf(p.host)
			other.Name, other.Domains = "other", []string{"other.example"}
			other.Routes[0].GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "processor"}
			other.Routes[0].GetRoute().HostRewriteSpecifier = nil
			other.Routes[0].TypedPerFilterConfig = p.perRoute(&extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Overrides{
				Overrides: &extprocv3.ExtProcOverrides{ProcessingMode: mode},
			}})
			p.hcm.GetRouteConfig().VirtualHosts = append(p.hcm.GetRouteConfig().VirtualHosts, other)
		},
		func(p *parts) {
			p.route.GetRoute().HostRewriteSpecifier = nil
			p.route.GetRoute().ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{
				Clusters: []*routev3.WeightedCluster_ClusterWeight{{Name: "graph", Weight: wrapperspb.UInt32(1)}, {Name: "processor", Weight: wrapperspb.UInt32(1)}},
			}}
		},
	},
}
