package check

import (
	"strconv"

	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
)

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }

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
		own, on := effective(f, levels)
		kind := typeOf(f.GetTypedConfig())
		if f.GetConfigDiscovery() != nil {
			k.find("incomplete", at, "the filter is discovered")
			continue
		}
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
		case keepers[kind]:
			k.find("filter_keeps", at, kind)
		case processor && !quiet[kind]:
			k.find("filter_after", at, kind)
		case !processor && !quiet[kind] && !quietBefore[kind]:
			k.find("filter_before", at, kind)
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
	rules := filter.GetRules()
	for _, a := range own {
		route := open[rbacv3.RBACPerRoute](a)
		if route == nil {
			return false
		}
		rules = route.GetRbac().GetRules()
	}
	if rules == nil || rules.GetAction() != rbacconfigv3.RBAC_ALLOW || len(rules.GetPolicies()) == 0 {
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
