package extproc_test

import (
	"strings"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	extprocfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// leaks are configurations in which the processor does all that it should, and still
// something gets out.
var leaks = map[string]leak{
	"a header mutation before the processor copies the token": {
		code: "token_copied", leaked: tokenAtClient,
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.insert(t, "envoy.filters.http.ext_proc", "copy", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{
				ResponseMutations: []*mutationv3.HeaderMutation{appendHeader("x-copy", "%REQ(authorization)%")},
			}})
		},
	},
	"a header mutation of a virtual host copies the token": {
		code: "token_copied", leaked: tokenAtClient,
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.host().TypedPerFilterConfig = map[string]*anypb.Any{"entrance": packed(t, &headersv3.HeaderMutationPerRoute{Mutations: &headersv3.Mutations{
				ResponseMutations: []*mutationv3.HeaderMutation{appendHeader("x-copy", "%REQ(authorization)%")},
			}})}
		},
	},
	"the revealed path is copied into an answer": {
		code: "path_copied", path: "person",
		leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.header.Get("X-Copy"), "revealed") },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.insert(t, "envoy.filters.http.ext_proc", "copy", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{
				ResponseMutations: []*mutationv3.HeaderMutation{appendHeader("x-copy", "%REQ(:path)%")},
			}})
		},
	},
	"the router's own log has the token": {
		code: "access_log_secret", leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.log, graphToken) },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			log := &streamlogv3.StdoutAccessLog{AccessLogFormat: &streamlogv3.StdoutAccessLog_LogFormat{LogFormat: inline("{\"upstream\":\"%REQ(AUTHORIZATION)%\"}\n")}}
			s.set(t, "envoy.filters.http.router", &routerv3.Router{UpstreamLog: []*accesslogv3.AccessLog{{
				Name: "upstream", ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: packed(t, log)},
			}}})
		},
	},
	"the path is rewritten behind the processor": {
		code:   "request_changed",
		leaked: func(_ *leakRig, s leakSeen) bool { return s.graph != nil && s.graph.URL.Path == "/beta/things" },
		change: func(_ *testing.T, _ *leakRig, s *spoiled) {
			s.route().Match = &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/v1.0/"}}
			s.route().GetRoute().PrefixRewrite = "/beta/"
		},
	},
	"a query option is added behind the processor": {
		code: "request_changed",
		leaked: func(_ *leakRig, s leakSeen) bool {
			return s.graph != nil && s.graph.URL.Query().Get("$expand") == "all"
		},
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.insert(t, "exit", "expand", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{
				QueryParameterMutations: []*corev3.KeyValueMutation{{Append: &corev3.KeyValueAppend{
					Record: &corev3.KeyValuePair{Key: "$expand", Value: structpb.NewStringValue("all")}, Action: corev3.KeyValueAppend_OVERWRITE_IF_EXISTS_OR_ADD,
				}}},
			}})
		},
	},
	"one of the weighted clusters is somebody else": {
		code: "token_elsewhere", leaked: tokenElsewhere,
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, "")
			s.route().GetRoute().HostRewriteSpecifier = nil
			s.route().GetRoute().ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{
				Clusters: []*routev3.WeightedCluster_ClusterWeight{{Name: "graph", Weight: wrapperspb.UInt32(0)}, {Name: "other", Weight: wrapperspb.UInt32(100)}},
			}}
		},
	},
	"the cluster proves another name": {
		code: "upstream_other_name", leaked: tokenElsewhere,
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, "other.example")
			s.route().GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "other"}
		},
	},
	"any name ending so is accepted": {
		code: "upstream_other_name", leaked: tokenElsewhere,
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, upstream)
			c := s.bootstrap.StaticResources.Clusters[len(s.bootstrap.StaticResources.Clusters)-1]
			context := &tlsv3.UpstreamTlsContext{}
			if err := c.GetTransportSocket().GetTypedConfig().UnmarshalTo(context); err != nil {
				t.Fatal(err)
			}
			context.CommonTlsContext.GetValidationContext().MatchTypedSubjectAltNames[0].Matcher = &matcherv3.StringMatcher{
				MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: ".example"},
			}
			c.GetTransportSocket().GetTypedConfig().Value = packed(t, context).Value
			s.route().GetRoute().ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "other"}
		},
	},
	"callers choose the Host": {
		code: "host_of_caller",
		leaked: func(_ *leakRig, s leakSeen) bool {
			return s.graph != nil && s.graph.Host == "host-of-the-caller.example"
		},
		change: func(_ *testing.T, _ *leakRig, s *spoiled) { s.route().GetRoute().HostRewriteSpecifier = nil },
	},
	"the cluster copies requests": {
		code: "mirror", leaked: tokenElsewhere,
		change: func(t *testing.T, r *leakRig, s *spoiled) {
			r.addOther(t, s, "other.example")
			s.options(t, "graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
				o.RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "other"}}
			})
		},
	},
	"another filter says that the request was allowed": {
		code: "guard_forged", noProcessor: true,
		leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.body, canary) },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.extProc(t, func(p *extprocfilterv3.ExternalProcessor) { p.FailureModeAllow = true })
			s.insert(t, "envoy.filters.http.rbac", "forge", &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{
				Header: ":method", OnHeaderPresent: &headertometadatav3.Config_KeyValuePair{MetadataNamespace: "graphveil", Key: "decision", Value: "allow"},
			}}})
		},
	},
	"a matcher stands over the guard's rules": {
		code: "guard_missing", noProcessor: true,
		leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.body, canary) },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.extProc(t, func(p *extprocfilterv3.ExternalProcessor) { p.FailureModeAllow = true })
			rbac, over := &rbacv3.RBAC{}, &rbacv3.RBAC{}
			if err := s.filter(t, "envoy.filters.http.rbac").GetTypedConfig().UnmarshalTo(rbac); err != nil {
				t.Fatal(err)
			}
			if err := protojson.Unmarshal([]byte(`{"matcher": {"on_no_match": {"action": {"name": "all", "typed_config": {
				"@type": "type.googleapis.com/envoy.config.rbac.v3.Action", "name": "all", "action": "ALLOW"}}}}}`), over); err != nil {
				t.Fatal(err)
			}
			rbac.Matcher = over.Matcher
			s.set(t, "envoy.filters.http.rbac", rbac)
		},
	},
	"a script before the processor says that the request was allowed": {
		code: "filter_before", noProcessor: true,
		leaked: func(_ *leakRig, s leakSeen) bool { return strings.Contains(s.body, canary) },
		change: func(t *testing.T, _ *leakRig, s *spoiled) {
			s.extProc(t, func(p *extprocfilterv3.ExternalProcessor) { p.FailureModeAllow = true })
			s.insert(t, "envoy.filters.http.ext_proc", "script", &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: `
				function envoy_on_request(handle) handle:streamInfo():dynamicMetadata():set("graphveil", "decision", "allow") end`}}})
		},
	},
	"an answer of Envoy's own has the token": {
		code: "token_copied", leaked: tokenAtClient,
		change: func(_ *testing.T, _ *leakRig, s *spoiled) {
			direct := proto.CloneOf(s.route())
			direct.Name, direct.Match = "direct", &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/v1.0/things"}}
			direct.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 503}}
			// A header of those that the processor lets through.
			direct.ResponseHeadersToAdd = []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "request-id", Value: "%REQ(authorization)%"}}}
			s.host().Routes = append([]*routev3.Route{direct}, s.host().Routes...)
		},
	},
}
