package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
)

func options() check.Options {
	return check.Options{Hosts: []string{envoy.DefaultHost}, RequestTimeout: 4 * time.Second}
}

// parts are the bootstrap of `graphveil envoy config`, taken apart.
type parts struct {
	t         *testing.T
	bootstrap *bootstrapv3.Bootstrap
	hcm       *hcmv3.HttpConnectionManager
	extProc   *extprocv3.ExternalProcessor
	host      *routev3.VirtualHost
	route     *routev3.Route
}

func newParts(t *testing.T) *parts {
	t.Helper()
	b, err := envoy.Render(envoy.Config{TLS: envoy.TLS{CertFile: "a.crt", KeyFile: "a.key"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{t: t, bootstrap: b}
	p.take()
	return p
}

func (p *parts) take() {
	p.t.Helper()
	p.hcm, p.extProc = &hcmv3.HttpConnectionManager{}, &extprocv3.ExternalProcessor{}
	p.unpack(p.connectionManager(), p.hcm)
	p.unpack(p.filter("envoy.filters.http.ext_proc").GetTypedConfig(), p.extProc)
	p.host = p.hcm.GetRouteConfig().VirtualHosts[0]
	p.route = p.host.Routes[0]
}

func (p *parts) connectionManager() *anypb.Any {
	return p.bootstrap.StaticResources.Listeners[0].FilterChains[0].Filters[0].GetTypedConfig()
}

func (p *parts) unpack(a *anypb.Any, m proto.Message) {
	p.t.Helper()
	if err := a.UnmarshalTo(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *parts) pack(m proto.Message) *anypb.Any {
	p.t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *parts) at(name string) int {
	i := slices.IndexFunc(p.hcm.HttpFilters, func(f *hcmv3.HttpFilter) bool { return f.Name == name })
	if i < 0 {
		p.t.Fatal("no filter " + name)
	}
	return i
}

func (p *parts) filter(name string) *hcmv3.HttpFilter { return p.hcm.HttpFilters[p.at(name)] }

func (p *parts) remove(name string) {
	p.hcm.HttpFilters = slices.Delete(p.hcm.HttpFilters, p.at(name), p.at(name)+1)
}

func (p *parts) insert(before string, f *hcmv3.HttpFilter) {
	p.hcm.HttpFilters = slices.Insert(p.hcm.HttpFilters, p.at(before), f)
}

// perRoute is what a route says about the ext_proc filter.
func (p *parts) perRoute(o *extprocv3.ExtProcPerRoute) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(o)}
}

func (p *parts) overrides(o *extprocv3.ExtProcOverrides) {
	p.route.TypedPerFilterConfig = p.perRoute(&extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: o}})
}

// json is the whole of it again.
func (p *parts) json() []byte {
	p.t.Helper()
	for _, f := range p.hcm.HttpFilters {
		if f.Name == "envoy.filters.http.ext_proc" && f.GetTypedConfig().MessageIs(p.extProc) {
			f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(p.extProc)}
		}
	}
	if len(p.bootstrap.StaticResources.Listeners) > 0 && p.connectionManager().MessageIs(p.hcm) {
		p.connectionManager().Value = p.pack(p.hcm).Value
	}
	out, err := envoy.JSON(p.bootstrap)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *parts) cluster(name string) int {
	for i, c := range p.bootstrap.StaticResources.Clusters {
		if c.Name == name {
			return i
		}
	}
	p.t.Fatal("no cluster " + name)
	return 0
}

// foreign is a filter of a type that the table of filters does not have.
func foreign(p *parts) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: "foreign", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(&corev3.Node{})}}
}

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

func (p *parts) logFormat(format string) {
	log := &filelogv3.FileAccessLog{Path: "/dev/stdout", AccessLogFormat: &filelogv3.FileAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: format}}},
	}}}
	p.hcm.AccessLog[0] = &accesslogv3.AccessLog{Name: "file", ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: p.pack(log)}}
}

// anybody matches every caller.
func anybody() *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Any{Any: true}}
}

func codes(findings []check.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Code)
	}
	return out
}

// Each way to spoil it is found, and every code can be found.
func TestEachFinding(t *testing.T) {
	for code := range check.Codes {
		if len(spoiled[code])+len(spoiledBeside[code]) == 0 && code != "filter_keeps" { // see TestClosedExtensions
			t.Errorf("no change leads to %s", code)
		}
		for i, change := range append(slices.Clone(spoiled[code]), spoiledBeside[code]...) {
			p := newParts(t)
			change(p)
			c, err := check.Read(p.json())
			if err != nil {
				t.Errorf("%s, change %d: %v", code, i, err)
				continue
			}
			found := c.Check(options())
			if !slices.Contains(codes(found), code) {
				t.Errorf("%s, change %d: found %v", code, i, codes(found))
			}
			if check.Codes[code].Error && !check.Failed(found) {
				t.Errorf("%s, change %d: did not fail", code, i)
			}
			for _, f := range found {
				if !strings.Contains(f.String(), "hint: ") || f.Where == "" {
					t.Errorf("%s, change %d: %v", code, i, f)
				}
			}
		}
	}
	for code := range spoiledBeside {
		if _, ok := check.Codes[code]; !ok {
			t.Errorf("no code %s", code)
		}
	}
}

// Where the filter is off for all and on for the route, as Envoy Gateway writes it,
// requests pass it.
func TestFilterOfARoute(t *testing.T) {
	p := newParts(t)
	p.filter("envoy.filters.http.ext_proc").Disabled = true
	p.route.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(&routev3.FilterConfig{Config: &anypb.Any{}})}
	c, err := check.Read(p.json())
	if err != nil {
		t.Fatal(err)
	}
	if found := codes(c.Check(options())); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// Extensions of types that are unknown here are judged by name, place and text, also
// where they are written as TypedStruct; the configuration is YAML here.
func TestClosedExtensions(t *testing.T) {
	const marker = "- name: envoy.filters.http.ext_proc\n"
	for _, test := range []struct{ yaml, code string }{
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua", "filter_before"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.cache.v3.CacheConfig", "filter_keeps"},
		{"'@type': type.googleapis.com/udpa.type.v1.TypedStruct\n type_url: type.googleapis.com/envoy.extensions.filters.http.tap.v3.Tap", "filter_keeps"},
		{"'@type': type.googleapis.com/xds.type.v3.TypedStruct\n typeUrl: type.googleapis.com/" +
			"envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor\n value: {failure_mode_allow: true}", "failure_mode_allow"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors", ""},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors\n expose_headers: '%REQ(authorization)%'", "token_copied"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config\n metadata: [{metadata_namespace: graphveil}]", "guard_forged"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config\n metadata: [{metadata_namespace: envoy.filters.http.jwt_authn}]", "claims_forged"},
		{"'@type': type.googleapis.com/stats.PluginConfig\n metrics: [{dimensions: {a: request.url_path}}]", "path_copied"},
		{"'@type': type.googleapis.com/stats.PluginConfig\n metrics: [{dimensions: {a: request.method}}]", ""},
	} {
		p := newParts(t)
		var b bootstrapv3.Bootstrap
		if err := protojson.Unmarshal(p.json(), &b); err != nil {
			t.Fatal(err)
		}
		text, err := envoy.YAML(&b)
		if err != nil {
			t.Fatal(err)
		}
		before, after, ok := strings.Cut(string(text), marker)
		if !ok {
			t.Fatal("no ext_proc filter in the YAML")
		}
		indent := before[strings.LastIndexByte(before, '\n')+1:]
		inserted := "- name: inserted\n" + indent + "  typed_config:\n" + indent + "    " + strings.ReplaceAll(test.yaml, "\n ", "\n"+indent+"    ") + "\n" + indent
		c, err := check.Read([]byte(before + inserted + marker + after))
		if err != nil {
			t.Errorf("%s: %v", test.yaml, err)
			continue
		}
		found := codes(c.Check(options()))
		if test.code == "" && len(found) > 0 || test.code != "" && !slices.Contains(found, test.code) {
			t.Errorf("%s: found %v", test.yaml, found)
		}
	}
}

// What cannot be read is refused, without a word of what it says, and with a word of
// where that is.
func TestReadIsStrict(t *testing.T) {
	const secret = `{"static_resources": {"secrets": [{"name": "x", "generic_secret": {"secret": {"inline_bytes": "CANARY!!"}}}]}}`
	for name, test := range map[string]struct{ text, says string }{
		"empty":             {"", "is empty"},
		"no object":         {"[]", "is no object"},
		"not YAML":          {"a: b\nc: [CANARY", "neither JSON nor valid YAML, in line 2"},
		"a list in YAML":    {"- CANARY", "is no object"},
		"cut off":           {`{"node": {"id": "CANARY`, "at byte 23"},
		"unknown key":       {`{"static_resources": {}, "extra": "CANARY"}`, "not known at /extra;"},
		"unknown key below": {`{"static_resources": {"listeners": [{"name": "x", "extra": "CANARY"}]}}`, "not known at /static_resources/listeners/0/extra;"},
		"a secret":          {secret, "not of its type at /static_resources/secrets/0/generic_secret/secret/inline_bytes;"},
		"a type":            {`{"static_resources": {"clusters": [{"type": "CANARY"}]}}`, "not of its type at /static_resources/clusters/0/type;"},
		"in an extension": {`{"static_resources": {"clusters": [{"transport_socket": {"name": "x", "typed_config":
			{"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", "sni": ["CANARY"]}}}]}}`, "/clusters/0/transport_socket/typed_config/sni;"},
		"a name twice":      {`{"admin": {}, "admin": {}, "node": {"id": "CANARY"}}`, "has a name twice"},
		"no listeners":      {`{"configs": []}`, "has no listeners"},
		"unknown in a dump": {`{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "extra": "CANARY"}]}`, "not known at /configs/0/extra;"},
		"another in a dump": {`{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "static_listeners": [
			{"listener": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "CANARY"}}]}]}`, "take the whole of /config_dump?include_eds"},
	} {
		_, err := check.Read([]byte(test.text))
		if err == nil {
			t.Errorf("%s: read", name)
		} else if strings.Contains(err.Error(), "CANARY") || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
