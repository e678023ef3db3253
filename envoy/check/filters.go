package check

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const filters = "envoy.extensions.filters.http."

const (
	typeExtProc = filters + "ext_proc.v3.ExternalProcessor"
	typeRouter  = filters + "router.v3.Router"

	typeFilterState = filters + "set_filter_state.v3.Config"

	typeIstioStats = "stats.PluginConfig"
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
	filters + "rbac.v3.RBAC":                        true,
	filters + "set_metadata.v3.Config":              true,
	filters + "stateful_session.v3.StatefulSession": true,
	typeRateLimit:                        true,
	typeRouter:                           true,
	"io.istio.http.peer_metadata.Config": true,
	"istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig": true,
	typeIstioStats: true,
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
	var limits limits
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
			settings := append([]*anypb.Any{f.GetTypedConfig()}, own...)
			k.filter(at, kind, settings, processor)
			if processor {
				limits.pass(at, kind, settings)
			}
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
	if limits.asked != "" {
		k.find("rate_limit_adds", limits.asked, "")
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

// effective returns a filter's own settings of each level, and whether requests pass
// the filter at all.
func effective(f *hcmv3.HttpFilter, levels []map[string]*anypb.Any) (own []*anypb.Any, on bool) {
	on = !f.GetDisabled()
	asked := true // by the filter's own settings, which another level's leave alone
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
		if c := open[extprocv3.ExtProcPerRoute](a); c != nil {
			asked = !c.GetDisabled()
		}
		if a.GetTypeUrl() != "" { // an empty one only turns the filter on
			own = append(own, a)
		}
	}
	return own, on && asked
}
