package check

import (
	"cmp"
	"slices"
	"strings"

	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
)

const filters = "envoy.extensions.filters.http."

const (
	typeExtProc = filters + "ext_proc.v3.ExternalProcessor"
	typeRouter  = filters + "router.v3.Router"
)

// quiet are the filters that neither read nor write bodies and keep no answers:
// they may stand anywhere. Those after ext_proc see the access token and the raw
// response's head.
var quiet = map[string]bool{
	filters + "cors.v3.Cors":                        true,
	filters + "fault.v3.HTTPFault":                  true,
	filters + "grpc_stats.v3.FilterConfig":          true,
	filters + "header_mutation.v3.HeaderMutation":   true,
	filters + "header_to_metadata.v3.Config":        true,
	filters + "health_check.v3.HealthCheck":         true,
	filters + "local_ratelimit.v3.LocalRateLimit":   true,
	filters + "ratelimit.v3.RateLimit":              true,
	filters + "rbac.v3.RBAC":                        true,
	filters + "set_metadata.v3.Config":              true,
	filters + "stateful_session.v3.StatefulSession": true,
	typeRouter:                           true,
	"io.istio.http.peer_metadata.Config": true,
	"istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig": true,
	"stats.PluginConfig": true,
}

// quietBefore may stand before ext_proc only: there they see the caller's request and
// what was released.
var quietBefore = map[string]bool{
	filters + "api_key_auth.v3.ApiKeyAuth":                  true,
	filters + "basic_auth.v3.BasicAuth":                     true,
	filters + "buffer.v3.Buffer":                            true,
	filters + "compressor.v3.Compressor":                    true,
	filters + "csrf.v3.CsrfPolicy":                          true,
	filters + "ext_authz.v3.ExtAuthz":                       true,
	filters + "jwt_authn.v3.JwtAuthentication":              true,
	filters + "oauth2.v3.OAuth2":                            true,
	filters + "adaptive_concurrency.v3.AdaptiveConcurrency": true,
	filters + "admission_control.v3.AdmissionControl":       true,
	filters + "bandwidth_limit.v3.BandwidthLimit":           true,
	"envoy.config.filter.http.alpn.v2alpha1.FilterConfig":   true,
}

// keepers store answers and give them to others, or hand them to third parties: they
// may stand nowhere.
var keepers = map[string]bool{
	filters + "cache.v3.CacheConfig":      true,
	filters + "cache_v2.v3.CacheV2Config": true,
	filters + "tap.v3.Tap":                true,
}

// chain judges the filters that the requests of one route pass. levels are the
// settings for filters, the most specific ones last.
func (k *checker) chain(where string, hcm *hcmv3.HttpConnectionManager, levels []map[string]*anypb.Any) {
	var processor, guard, entrance bool
	for _, f := range hcm.GetHttpFilters() {
		at := where + ", filter " + f.GetName()
		f, ok := k.discovered(at, f)
		if !ok {
			continue
		}
		own, on := effective(f, levels)
		kind := typeOf(f.GetTypedConfig())
		if !on {
			if kind == typeExtProc && k.ours(open[extprocv3.ExternalProcessor](f.GetTypedConfig())) {
				k.find("ext_proc_disabled", at, "")
			}
			continue
		}
		switch {
		case kind == typeExtProc && processor:
			k.find("ext_proc_twice", at, "")
		case kind == typeExtProc:
			processor = true
			k.extProc(at, f, own)
		default:
			k.filter(at, kind, append([]*anypb.Any{f.GetTypedConfig()}, own...), processor)
		}
		if rbac := open[rbacv3.RBAC](f.GetTypedConfig()); rbac != nil && processor {
			guard = guard || guards(rbac, own)
		}
		if m := open[headersv3.HeaderMutation](f.GetTypedConfig()); m != nil && !processor {
			entrance = entrance || cleans(m)
		}
	}
	if !processor {
		k.find("ext_proc_missing", where, "")
		return
	}
	if !guard {
		k.find("guard_missing", where, "")
	}
	if !entrance {
		k.find("entrance_missing", where, "")
	}
}

// discovered returns a filter with the settings that it got from a control plane, if
// this is a dump that has them.
func (k *checker) discovered(where string, f *hcmv3.HttpFilter) (*hcmv3.HttpFilter, bool) {
	source := f.GetConfigDiscovery()
	if source == nil {
		return f, true
	}
	config := k.config.extensions[f.GetName()]
	if config == nil {
		k.find("incomplete", where, "the filter is discovered")
		return nil, false
	}
	if first := source.GetDefaultConfig(); first != nil && !proto.Equal(first, config) {
		k.find("incomplete", where, "another default_config until the filter is discovered")
	}
	f = proto.CloneOf(f)
	f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}
	return f, true
}

// filter judges a filter other than ours by its type and its settings, those of routes
// among them. behind says that it is between the processor and the API.
func (k *checker) filter(where, kind string, settings []*anypb.Any, behind bool) {
	switch {
	case keepers[kind]:
		k.find("filter_keeps", where, kind)
	case behind && !quiet[kind]:
		k.find("filter_after", where, kind)
	case !behind && !quiet[kind] && !quietBefore[kind]:
		k.find("filter_before", where, kind)
	}
	for _, a := range settings {
		k.copies(where, false, a)
		k.forges(where, a)
		if m := open[headersv3.HeaderMutation](a); m != nil {
			k.mutations(where, m.GetMutations(), behind)
		}
		if m := open[headersv3.HeaderMutationPerRoute](a); m != nil {
			k.mutations(where, m.GetMutations(), behind)
		}
		if m := open[headertometadatav3.Config](a); m != nil {
			k.toMetadata(where, m, behind)
		}
		if m := open[ratelimitv3.RateLimit](a); m != nil {
			k.rateLimits(where, m.GetRateLimits())
		}
		if m := open[routerv3.Router](a); m != nil {
			k.router(where, m)
		}
	}
}

// mutations judges headers that are set: on answers for what they copy, and behind the
// processor for what it has decided.
func (k *checker) mutations(where string, m *headersv3.Mutations, behind bool) {
	for _, response := range append(slices.Clone(m.GetResponseMutations()), m.GetResponseTrailersMutations()...) {
		k.copies(where, true, response)
	}
	if behind && len(m.GetQueryParameterMutations()) > 0 {
		k.find("request_changed", where, "query_parameter_mutations")
	}
}

// forges looks for a filter that writes into the processor's namespace.
func (k *checker) forges(where string, m proto.Message) {
	texts(m, func(key, text string) {
		if text == envoy.MetadataNamespace && strings.Contains(strings.ToLower(key), "namespace") {
			k.find("guard_forged", where, key)
		}
	})
}

// toMetadata judges what is kept of headers, for logs and other filters.
func (k *checker) toMetadata(where string, m *headertometadatav3.Config, behind bool) {
	for _, rule := range append(slices.Clone(m.GetRequestRules()), m.GetResponseRules()...) {
		switch header := cmp.Or(rule.GetHeader(), rule.GetCookie()); {
		case rule.GetCookie() != "" || named(header) == copiesSecret:
			k.find("token_copied", where, "header "+header)
		case named(header) == copiesPath && behind:
			k.find("path_copied", where, "header "+header)
		}
	}
}

// rateLimits judges what a rate limit service is told.
func (k *checker) rateLimits(where string, limits []*routev3.RateLimit) {
	for _, limit := range limits {
		for _, action := range limit.GetActions() {
			switch header := action.GetRequestHeaders().GetHeaderName(); named(header) {
			case copiesSecret:
				k.find("token_copied", where, "rate limit by header "+header)
			case copiesPath:
				k.find("path_copied", where, "rate limit by header "+header)
			}
			if action.GetQueryParameters() != nil {
				k.find("path_copied", where, "rate limit by query_parameters")
			}
			if e := action.GetExtension(); e != nil {
				k.find("unknown_copied", where, "rate limit by "+typeOf(e.GetTypedConfig()))
			}
		}
	}
}

// router judges what the router does besides leading requests to clusters.
func (k *checker) router(where string, m *routerv3.Router) {
	for _, log := range m.GetUpstreamLog() {
		k.accessLog(where+", upstream log "+log.GetName(), log)
	}
	k.upstreamHTTPFilters(where, m.GetUpstreamHttpFilters())
}

// effective returns a filter's own settings of each level, and whether requests pass
// the filter at all.
func effective(f *hcmv3.HttpFilter, levels []map[string]*anypb.Any) (own []*anypb.Any, on bool) {
	on = !f.GetDisabled()
	for _, level := range levels {
		a, there := level[f.GetName()]
		if !there {
			continue
		}
		on = true
		if c := open[routev3.FilterConfig](a); c != nil {
			on = !c.GetDisabled()
			a = c.GetConfig()
		}
		if c := open[extprocv3.ExtProcPerRoute](a); c.GetDisabled() {
			on = false
		}
		if a.GetTypeUrl() != "" { // an empty one only turns the filter on
			own = append(own, a)
		}
	}
	return own, on
}

// guards says whether a filter lets only those requests pass that the processor
// allowed.
func guards(filter *rbacv3.RBAC, own []*anypb.Any) bool {
	for _, a := range own {
		route := open[rbacv3.RBACPerRoute](a)
		if route == nil {
			return false
		}
		filter = route.GetRbac()
	}
	rules := filter.GetRules()
	// Where there is a matcher Envoy does not look at the rules.
	if filter.GetMatcher() != nil || rules == nil || rules.GetAction() != rbacconfigv3.RBAC_ALLOW || len(rules.GetPolicies()) == 0 {
		return false
	}
	for _, policy := range rules.GetPolicies() {
		if len(policy.GetPrincipals()) == 0 {
			return false
		}
		for _, p := range policy.GetPrincipals() {
			//lint:ignore SA1019 our own bootstrap writes it, and so may others
			if m := p.GetMetadata(); m != nil { // the older name of the same
				if m.GetFilter() != envoy.MetadataNamespace || len(m.GetPath()) != 1 || m.GetPath()[0].GetKey() != envoy.MetadataDecision ||
					m.GetValue().GetStringMatch().GetExact() != envoy.DecisionAllow || m.GetInvert() {
					return false
				}
				continue
			}
			m := p.GetSourcedMetadata()
			matcher := m.GetMetadataMatcher()
			if m == nil || m.GetMetadataSource() != rbacconfigv3.MetadataSource_DYNAMIC ||
				matcher.GetFilter() != envoy.MetadataNamespace || len(matcher.GetPath()) != 1 || matcher.GetPath()[0].GetKey() != envoy.MetadataDecision ||
				matcher.GetValue().GetStringMatch().GetExact() != envoy.DecisionAllow || matcher.GetInvert() {
				return false
			}
		}
	}
	return true
}

// cleans says whether a filter takes away the headers with which callers could give
// orders to Envoy's router.
func cleans(m *headersv3.HeaderMutation) bool {
	for _, mutation := range m.GetMutations().GetRequestMutations() {
		if mutation.GetRemoveOnMatch().GetKeyMatcher().GetPrefix() == "x-envoy-" {
			return true
		}
	}
	return false
}
