package check_test

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/graphveil/graphveil/envoy"
)

// spoiledBeside are more changes, to what stands around the filter. extproc's
// TestLeaksAreFound shows of many that the real Envoy leaks with them.
var spoiledBeside = map[string][]func(*parts){
	"rate_limit_adds": { // TestRateLimitsAreGuarded has the rest
		func(p *parts) { p.insert("exit", p.httpFilter("limits", &ratelimitv3.RateLimit{Domain: "x"})) },
	},
	"request_changed": {
		func(p *parts) { p.route.GetRoute().RegexRewrite = &matcherv3.RegexMatchAndSubstitute{} },
		func(p *parts) { p.route.GetRoute().PathRewrite = "/x" },
		func(p *parts) { p.route.GetRoute().PathRewritePolicy = &corev3.TypedExtensionConfig{Name: "x"} },
		func(p *parts) { p.route.GetRoute().PrefixRewrite = "/beta/" },
		// A filter that does nothing until a route gives it something to do.
		func(p *parts) {
			p.route.TypedPerFilterConfig = map[string]*anypb.Any{"exit": p.pack(&headersv3.HeaderMutationPerRoute{Mutations: expanding()})}
		},
		// Between the router and the API.
		func(p *parts) {
			p.options("graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.HttpFilters = []*hcmv3.HttpFilter{p.httpFilter("expand", &headersv3.HeaderMutation{Mutations: expanding()})}
			})
		},
	},
	"filter_after": {
		func(p *parts) { p.insert("exit", p.httpFilter("keep", keeping("graphveil.x", "%REQ(authorization)%"))) },
		func(p *parts) {
			p.insert("exit", p.httpFilter("keep", keeping("envoy.network.upstream_server_name", envoy.SizeFormat)))
		},
		func(p *parts) {
			p.insert("exit", p.httpFilter("keep", keeping("graphveil.x", envoy.SizeFormat)))
			p.route.TypedPerFilterConfig = map[string]*anypb.Any{"keep": p.pack(keeping("graphveil.x", "%REQ(:path)%"))}
		},
		func(p *parts) {
			p.filter("envoy.filters.http.router").ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(&routerv3.Router{UpstreamHttpFilters: []*hcmv3.HttpFilter{foreign(p)}})}
		},
		func(p *parts) {
			p.options("graph", func(o *upstreamhttpv3.HttpProtocolOptions) { o.HttpFilters = []*hcmv3.HttpFilter{foreign(p)} })
		},
		func(p *parts) {
			p.options("processor", func(o *upstreamhttpv3.HttpProtocolOptions) { o.HttpFilters = []*hcmv3.HttpFilter{foreign(p)} })
		},
		func(p *parts) {
			p.graph().Filters = []*clusterv3.Filter{{Name: "x", TypedConfig: p.pack(&corev3.Node{})}}
		},
		func(p *parts) {
			p.graph().UpstreamConfig = &corev3.TypedExtensionConfig{Name: "x", TypedConfig: p.pack(&corev3.Node{})}
		},
		func(p *parts) {
			p.graph().UpstreamConfig = &corev3.TypedExtensionConfig{Name: "x", TypedConfig: p.closed("envoy.extensions.upstreams.http.dynamic_modules.v3.Config")}
		},
	},
	"filter_before": {func(p *parts) {
		p.hcm.EarlyHeaderMutationExtensions = []*corev3.TypedExtensionConfig{{Name: "x", TypedConfig: p.pack(&corev3.Node{})}}
	}},
	"metadata_frames": {
		func(p *parts) { p.hcm.Http2ProtocolOptions.AllowMetadata = true },
		func(p *parts) { p.hcm.Http3ProtocolOptions = &corev3.Http3ProtocolOptions{AllowMetadata: true} },
		func(p *parts) {
			p.options("graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.UpstreamProtocolOptions = &upstreamhttpv3.HttpProtocolOptions_AutoConfig{AutoConfig: &upstreamhttpv3.HttpProtocolOptions_AutoHttpConfig{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{AllowMetadata: true},
				}}
			})
		},
		func(p *parts) {
			p.options("graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.UpstreamProtocolOptions = &upstreamhttpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{UseDownstreamProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
					Http3ProtocolOptions: &corev3.Http3ProtocolOptions{AllowMetadata: true},
				}}
			})
		},
	},
	"guard_forged": {func(p *parts) {
		p.insert("envoy.filters.http.rbac", p.httpFilter("forge", &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{
			Header: "x", OnHeaderPresent: &headertometadatav3.Config_KeyValuePair{MetadataNamespace: "graphveil", Key: "decision"},
		}}}))
	}},
	"claims_forged": {func(p *parts) {
		p.insert("envoy.filters.http.ext_proc", p.httpFilter("forge", &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{
			Header: "x", OnHeaderPresent: &headertometadatav3.Config_KeyValuePair{MetadataNamespace: "envoy.filters.http.jwt_authn", Key: "payload"},
		}}}))
	}},
	"processor_unsafe": {
		func(p *parts) { // one address is on this machine, and the next is not
			e := p.bootstrap.StaticResources.Clusters[p.cluster("processor")].LoadAssignment.Endpoints[0].LbEndpoints[0].GetEndpoint()
			e.AdditionalAddresses = []*endpointv3.Endpoint_AdditionalAddress{{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
				SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1"},
			}}}}
		},
		func(p *parts) { p.extProc.HttpService = &extprocv3.ExtProcHttpService{} },
		func(p *parts) {
			p.overrides(&extprocv3.ExtProcOverrides{GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_GoogleGrpc_{GoogleGrpc: &corev3.GrpcService_GoogleGrpc{}}}})
		},
	},
	"ext_proc_hook": {
		func(p *parts) { p.extProc.ProcessingRequestModifier = &corev3.TypedExtensionConfig{Name: "x"} },
		func(p *parts) {
			p.overrides(&extprocv3.ExtProcOverrides{ProcessingRequestModifier: &corev3.TypedExtensionConfig{Name: "x"}})
		},
	},
	"metadata_not_received": {func(p *parts) {
		p.overrides(&extprocv3.ExtProcOverrides{MetadataOptions: &extprocv3.MetadataOptions{}})
	}},
	"caller_address": {
		func(p *parts) { p.hcm.UseRemoteAddress = nil },
		func(p *parts) { p.hcm.XffNumTrustedHops = 1 },
		func(p *parts) { p.hcm.OriginalIpDetectionExtensions = []*corev3.TypedExtensionConfig{{Name: "x"}} },
	},
	"guard_missing": {
		func(p *parts) {
			p.route.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.rbac": p.pack(&routev3.FilterConfig{Disabled: true})}
		},
		// Envoy does not look at rules beside a matcher.
		func(p *parts) {
			p.rbac(func(rbac *rbacv3.RBAC) {
				over := &rbacv3.RBAC{}
				if err := protojson.Unmarshal([]byte(`{"matcher": {}}`), over); err != nil {
					p.t.Fatal(err)
				}
				rbac.Matcher = over.Matcher
			})
		},
		func(p *parts) { p.rbac(func(rbac *rbacv3.RBAC) { rbac.Rules.Action = rbacconfigv3.RBAC_LOG }) },
		func(p *parts) { p.decided(func(policy *rbacconfigv3.Policy) { policy.Principals = nil }) },
		func(p *parts) {
			p.decided(func(policy *rbacconfigv3.Policy) {
				policy.Principals[0].GetSourcedMetadata().MetadataSource = rbacconfigv3.MetadataSource_ROUTE
			})
		},
		func(p *parts) {
			p.decided(func(policy *rbacconfigv3.Policy) {
				policy.Principals[0].GetSourcedMetadata().MetadataMatcher.Invert = true
			})
		},
	},
	"admin_reachable": {
		func(p *parts) { p.admin() },
		// Lists that let /logging pass.
		func(p *parts) {
			p.admin(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "/"}})
		},
		func(p *parts) {
			p.admin(&matcherv3.StringMatcher{IgnoreCase: true, MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "/LOGGING?level=debug"}})
		},
		func(p *parts) {
			p.admin(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Contains{Contains: "/stats"}})
		},
	},
	"incomplete": {
		func(p *parts) { p.hcm.GetRouteConfig().Vhds = &routev3.Vhds{} },
		func(p *parts) {
			p.bootstrap.StaticResources.Listeners[0].FcdsConfig = &listenerv3.Listener_FcdsConfig{}
		}},
	"ext_proc_disabled": {func(p *parts) { // a route in a tree of matchers
		p.route.TypedPerFilterConfig = p.perRoute(&extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Disabled{Disabled: true}})
		p.matched()
	}, func(p *parts) { // Envoy turns it on again, not what its own settings say
		p.host.TypedPerFilterConfig = p.perRoute(&extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Disabled{Disabled: true}})
		p.route.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(&routev3.FilterConfig{Config: &anypb.Any{}})}
	}},
}

// admin opens Envoy's admin interface to other machines, for paths.
func (p *parts) admin(paths ...*matcherv3.StringMatcher) {
	p.bootstrap.Admin = &bootstrapv3.Admin{AllowPaths: paths, Address: &corev3.Address{
		Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "0.0.0.0"}},
	}}
}

// rbac changes the guard.
func (p *parts) rbac(change func(*rbacv3.RBAC)) {
	p.t.Helper()
	rbac := &rbacv3.RBAC{}
	a := p.filter("envoy.filters.http.rbac").GetTypedConfig()
	p.unpack(a, rbac)
	change(rbac)
	a.Value = p.pack(rbac).Value
}

// decided changes the guard's policy.
func (p *parts) decided(change func(*rbacconfigv3.Policy)) {
	p.t.Helper()
	p.rbac(func(rbac *rbacv3.RBAC) { change(rbac.Rules.Policies["decided"]) })
}

// closed is an extension of a type that is unknown here, as reading it leaves it.
func (p *parts) closed(kind string) *anypb.Any {
	return p.pack(wrapperspb.String("type unknown to graphveil: " + kind + "\n" + `{"@type":"type.googleapis.com/` + kind + `"}`))
}

// log replaces the log by another one.
func (p *parts) log(m proto.Message) {
	p.hcm.AccessLog[0] = &accesslogv3.AccessLog{Name: "log", ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: p.pack(m)}}
}

func answer(name, value string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}}}}
}

func expanding() *headersv3.Mutations {
	return &headersv3.Mutations{QueryParameterMutations: []*corev3.KeyValueMutation{{Remove: "$select"}}}
}

func headerTag(name string) *tracingv3.CustomTag {
	return &tracingv3.CustomTag{Tag: "x", Type: &tracingv3.CustomTag_RequestHeader{RequestHeader: &tracingv3.CustomTag_Header{Name: name}}}
}

func byHeader(name string) *routev3.RateLimit_Action {
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RequestHeaders_{RequestHeaders: &routev3.RateLimit_Action_RequestHeaders{HeaderName: name}}}
}

func textFormat(text string) *corev3.SubstitutionFormatString {
	return &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
		TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}},
	}}
}

func (p *parts) httpFilter(name string, m proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(m)}}
}

// mutating is a filter that changes answers.
func (p *parts) mutating(mutations ...*mutationv3.HeaderMutation) *hcmv3.HttpFilter {
	return p.httpFilter("copy", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{ResponseMutations: mutations}})
}

func (p *parts) networkFilter() *listenerv3.Filter {
	return &listenerv3.Filter{Name: "x", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: p.pack(&corev3.Node{})}}
}

func (p *parts) graph() *clusterv3.Cluster {
	return p.bootstrap.StaticResources.Clusters[p.cluster("graph")]
}

func (p *parts) options(cluster string, change func(*upstreamhttpv3.HttpProtocolOptions)) {
	p.t.Helper()
	a := p.bootstrap.StaticResources.Clusters[p.cluster(cluster)].TypedExtensionProtocolOptions["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
	o := &upstreamhttpv3.HttpProtocolOptions{}
	p.unpack(a, o)
	change(o)
	a.Value = p.pack(o).Value
}

// tls changes how the API's cluster speaks TLS.
func (p *parts) tls(change func(*tlsv3.UpstreamTlsContext)) {
	p.t.Helper()
	tls := &tlsv3.UpstreamTlsContext{}
	p.unpack(p.graph().TransportSocket.GetTypedConfig(), tls)
	change(tls)
	p.graph().TransportSocket.GetTypedConfig().Value = p.pack(tls).Value
}

// matched puts the route into a tree of matchers.
func (p *parts) matched() {
	p.t.Helper()
	raw, err := protojson.Marshal(p.pack(p.route))
	if err != nil {
		p.t.Fatal(err)
	}
	host := &routev3.VirtualHost{}
	if err := protojson.Unmarshal([]byte(`{"matcher": {"on_no_match": {"action": {"name": "route", "typed_config": `+string(raw)+`}}}}`), host); err != nil {
		p.t.Fatal(err)
	}
	p.host.Routes, p.host.Matcher = nil, host.Matcher
}

// keeping keeps something of a request for later.
func keeping(key, format string) *setstatev3.Config {
	return &setstatev3.Config{OnRequestHeaders: []*statev3.FilterStateValue{{
		Key: &statev3.FilterStateValue_ObjectKey{ObjectKey: key}, FactoryKey: "envoy.string",
		Value: &statev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: format}}},
		}},
	}}}
}
