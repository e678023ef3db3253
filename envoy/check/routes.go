package check

import (
	"slices"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// connectionManager finds the routes to the API and judges each with the filters that
// its requests pass. It says whether there is one.
func (k *checker) connectionManager(where string, hcm *hcmv3.HttpConnectionManager) bool {
	all := []*routev3.RouteConfiguration{hcm.GetRouteConfig()}
	switch {
	case hcm.GetRds() != nil:
		name := hcm.GetRds().GetRouteConfigName()
		if all = k.config.routes[name]; len(all) == 0 {
			k.find("incomplete", where, "route configuration "+name)
		}
	case hcm.GetScopedRoutes() != nil:
		k.find("incomplete", where, "scoped routes")
		return false
	}
	found := false
	for _, routes := range all {
		found = k.routeConfiguration(where, hcm, routes) || found
	}
	if found {
		k.routes++
		k.manager(where, hcm)
	}
	return found
}

func (k *checker) routeConfiguration(where string, hcm *hcmv3.HttpConnectionManager, routes *routev3.RouteConfiguration) bool {
	if routes.GetVhds() != nil {
		k.find("incomplete", where, "virtual hosts are discovered")
	}
	if len(routes.GetRouteSpecifiers()) > 0 {
		k.find("cluster_chosen_late", where, "route_specifiers")
	}
	found := false
	for _, host := range routes.GetVirtualHosts() {
		at := where + ", virtual host " + host.GetName()
		if len(host.GetRouteSpecifiers()) > 0 {
			k.find("cluster_chosen_late", at, "route_specifiers")
		}
		matched := routesOf(host.GetMatcher())
		if host.GetMatcher() != nil && len(matched) == 0 {
			k.find("incomplete", at, "matcher")
		}
		for i, route := range append(slices.Clone(host.GetRoutes()), matched...) {
			found = k.route(at+", route "+nameOr(route.GetName(), ordinal(i)), hcm, routes, host, route) || found
		}
	}
	return found
}

// routesOf are the routes in a tree of matchers.
func routesOf(tree proto.Message) []*routev3.Route {
	var out []*routev3.Route
	protorange.Range(tree.ProtoReflect(), func(at protopath.Values) error {
		m, ok := at.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok {
			return nil
		}
		route, ok := m.Interface().(*routev3.Route)
		if !ok {
			return nil
		}
		out = append(out, route)
		return protorange.Break
	})
	return out
}

func ordinal(i int) string { return "#" + strconv.Itoa(i+1) }

// route judges one route, if it leads to the API.
func (k *checker) route(where string, hcm *hcmv3.HttpConnectionManager, routes *routev3.RouteConfiguration, host *routev3.VirtualHost, route *routev3.Route) bool {
	levels := []map[string]*anypb.Any{routes.GetTypedPerFilterConfig(), host.GetTypedPerFilterConfig(), route.GetTypedPerFilterConfig()}
	action := route.GetRoute()
	if action == nil { // an answer of Envoy's own
		if k.processed(hcm, levels) {
			k.written(where, routes, host, route)
		}
		return false
	}
	named := slices.ContainsFunc(host.GetDomains(), k.isHost) || k.isHost(action.GetHostRewriteLiteral())
	found := false
	for _, to := range destinations(action) {
		of := append(slices.Clone(levels), to.levels...)
		if named || k.leads(to.cluster) {
			found = true
			k.lead(where, to.cluster)
			k.chain(where, hcm, of)
		} else if k.processed(hcm, of) {
			k.find("token_elsewhere", where, to.cluster)
		}
	}
	if !found {
		if k.late(action) {
			k.find("cluster_chosen_late", where, "")
		}
		return false
	}
	k.action(where, host, route.GetMatch().GetPrefix(), action)
	if len(route.GetRouteSpecifiers()) > 0 {
		k.find("cluster_chosen_late", where, "route_specifiers")
	}
	if len(action.GetRequestMirrorPolicies())+len(host.GetRequestMirrorPolicies())+len(routes.GetRequestMirrorPolicies()) > 0 {
		k.find("mirror", where, "")
	}
	if action.GetHedgePolicy() != nil || host.GetHedgePolicy() != nil {
		k.find("hedge", where, "")
	}
	k.retries(where, action.GetRetryPolicy(), host.GetRetryPolicy())
	k.rateLimits(where, append(slices.Clone(action.GetRateLimits()), host.GetRateLimits()...))
	k.written(where, routes, host, route)
	return true
}

// destination is a cluster that a route leads to, and what it says about filters.
type destination struct {
	cluster string
	levels  []map[string]*anypb.Any
}

func destinations(action *routev3.RouteAction) []destination {
	var out []destination
	for _, w := range action.GetWeightedClusters().GetClusters() {
		out = append(out, destination{w.GetName(), []map[string]*anypb.Any{w.GetTypedPerFilterConfig()}})
	}
	if len(out) == 0 {
		out = append(out, destination{cluster: action.GetCluster()})
	}
	return out
}

// action judges what a route to the API does with requests that are decided.
func (k *checker) action(where string, host *routev3.VirtualHost, prefix string, action *routev3.RouteAction) {
	if chosenLate(action) {
		k.find("cluster_chosen_late", where, "")
	}
	for _, s := range []struct {
		wrong  bool
		detail string
	}{
		{action.GetPrefixRewrite() != "" && action.GetPrefixRewrite() != prefix, "prefix_rewrite"},
		{action.GetRegexRewrite() != nil, "regex_rewrite"},
		{action.GetPathRewritePolicy() != nil, "path_rewrite_policy"},
		{action.GetPathRewrite() != "", "path_rewrite"},
	} {
		if s.wrong {
			k.find("request_changed", where, s.detail)
		}
	}
	switch action.GetHostRewriteSpecifier().(type) {
	case nil:
		if slices.ContainsFunc(host.GetDomains(), func(domain string) bool { return !k.isHost(strings.TrimSuffix(domain, ".")) }) {
			k.find("host_of_caller", where, "")
		}
	case *routev3.RouteAction_HostRewriteLiteral:
		if !k.isHost(action.GetHostRewriteLiteral()) {
			k.find("upstream_other_name", where, "host_rewrite_literal")
		}
	case *routev3.RouteAction_AutoHostRewrite: // the endpoint's own name
	default:
		k.find("host_of_caller", where, "host_rewrite of what callers write")
	}
	//lint:ignore SA1019 an Envoy that is asked to obey it does
	if action.GetInternalRedirectPolicy() != nil || action.GetInternalRedirectAction() != 0 {
		k.find("internal_redirect", where, "")
	}
	for _, u := range action.GetUpgradeConfigs() {
		if u.GetEnabled() == nil || u.GetEnabled().GetValue() {
			k.find("upgrade", where, "upgrade "+u.GetUpgradeType())
		}
	}
	if d := action.GetIdleTimeout(); d != nil && d.AsDuration() == 0 {
		k.find("idle_timeout", where, "idle_timeout 0s")
	}
}

// chosenLate says whether a route finds out which cluster it leads to while it runs.
func chosenLate(action *routev3.RouteAction) bool {
	return action.GetClusterHeader() != "" || action.GetClusterSpecifierPlugin() != "" || action.GetInlineClusterSpecifierPlugin() != nil ||
		slices.ContainsFunc(action.GetWeightedClusters().GetClusters(), func(w *routev3.WeightedCluster_ClusterWeight) bool { return w.GetClusterHeader() != "" })
}

// late says whether a route to somebody else may find out that it leads to the API.
func (k *checker) late(action *routev3.RouteAction) bool {
	return chosenLate(action) && slices.ContainsFunc(sortedKeys(k.config.clusters), k.leads)
}

// written judges what a route, with all above it, writes of requests into answers and
// traces.
func (k *checker) written(where string, routes *routev3.RouteConfiguration, host *routev3.VirtualHost, route *routev3.Route) {
	for _, m := range []proto.Message{route, headersOf(host), headersOf(routes)} {
		k.copies(where, false, m)
	}
	answers := [][]*corev3.HeaderValueOption{route.GetResponseHeadersToAdd(), host.GetResponseHeadersToAdd(), routes.GetResponseHeadersToAdd()}
	for _, w := range route.GetRoute().GetWeightedClusters().GetClusters() {
		answers = append(answers, w.GetResponseHeadersToAdd())
	}
	for _, header := range slices.Concat(answers...) {
		k.copies(where, true, header)
	}
	k.copies(where, true, route.GetDirectResponse())
	k.copies(where, true, route.GetRedirect())
	k.copies(where, true, route.GetTracing())
	k.tags(where+", tracing", route.GetTracing().GetCustomTags())
}

// processed says whether requests pass the processor, which gives them access tokens.
func (k *checker) processed(hcm *hcmv3.HttpConnectionManager, levels []map[string]*anypb.Any) bool {
	return slices.ContainsFunc(hcm.GetHttpFilters(), func(f *hcmv3.HttpFilter) bool {
		own, on := effective(f, levels)
		config := f.GetTypedConfig()
		if f.GetConfigDiscovery() != nil {
			config = k.config.extensions[f.GetName()]
		}
		return on && k.ours(open[extprocv3.ExternalProcessor](config), own...)
	})
}

// retries judges the policy that counts, the route's or else the host's.
func (k *checker) retries(where string, policies ...*routev3.RetryPolicy) {
	for _, p := range policies {
		if p == nil {
			continue
		}
		throttled := slices.Contains(p.GetRetriableStatusCodes(), 429) && strings.Contains(p.GetRetryOn(), "retriable-status-codes")
		if throttled && p.GetRateLimitedRetryBackOff() == nil || strings.Contains(p.GetRetryOn(), "retriable-4xx") {
			k.find("retry_without_wait", where, "retry_on "+p.GetRetryOn())
		}
		return
	}
}

// headersOf is the part of a virtual host or route configuration that adds headers.
func headersOf(m interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetResponseHeadersToAdd() []*corev3.HeaderValueOption
}) *routev3.VirtualHost {
	return &routev3.VirtualHost{RequestHeadersToAdd: m.GetRequestHeadersToAdd(), ResponseHeadersToAdd: m.GetResponseHeadersToAdd()}
}

// isHost says whether a name, with or without a port, is one of the API's.
func (k *checker) isHost(name string) bool {
	name, _, _ = strings.Cut(strings.ToLower(name), ":")
	return name != "" && slices.Contains(k.options.Hosts, name)
}

// leads says whether a cluster of a name is the API, by that name or else.
func (k *checker) leads(name string) bool {
	for _, part := range strings.Split(name, "|") { // as Istio names them
		if k.isHost(part) {
			return true
		}
	}
	return slices.ContainsFunc(k.config.clusters[name], k.isAPI)
}

// isAPI says whether a cluster is the API: by the name in its TLS handshakes, or where
// it connects to.
func (k *checker) isAPI(cluster *clusterv3.Cluster) bool {
	for _, socket := range sockets(cluster) {
		if tls := open[tlsv3.UpstreamTlsContext](socket.GetTypedConfig()); tls != nil && k.isHost(tls.GetSni()) {
			return true
		}
	}
	for _, endpoint := range k.config.endpointsOf(cluster) {
		if k.isHost(endpoint.GetEndpoint().GetHostname()) || k.isHost(endpoint.GetEndpoint().GetAddress().GetSocketAddress().GetAddress()) {
			return true
		}
	}
	return false
}

func (k *checker) lead(where, cluster string) {
	if len(k.config.clusters[cluster]) == 0 {
		if cluster != "" {
			k.find("incomplete", where, "cluster "+cluster)
		}
		return
	}
	if k.upstreams == nil {
		k.upstreams = map[string]bool{}
	}
	k.upstreams[cluster] = true
}
