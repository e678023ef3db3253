package check

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// connectionManager finds the routes to the API and judges each with the filters that
// its requests pass.
func (k *checker) connectionManager(where string, hcm *hcmv3.HttpConnectionManager) {
	routes := hcm.GetRouteConfig()
	switch {
	case hcm.GetRds() != nil:
		name := hcm.GetRds().GetRouteConfigName()
		if routes = k.config.routes[name]; routes == nil {
			k.find("incomplete", where, "route configuration "+name)
			return
		}
	case hcm.GetScopedRoutes() != nil:
		k.find("incomplete", where, "scoped routes")
		return
	}
	if routes.GetVhds() != nil {
		k.find("incomplete", where, "virtual hosts are discovered")
	}
	found := false
	for _, host := range routes.GetVirtualHosts() {
		for i, route := range host.GetRoutes() {
			at := where + ", virtual host " + host.GetName() + ", route " + nameOr(route.GetName(), ordinal(i))
			found = k.route(at, hcm, routes, host, route) || found
		}
	}
	if found {
		k.routes++
		k.manager(where, hcm)
	}
}

func ordinal(i int) string { return "#" + string(appendInt(nil, i+1)) }

// route judges one route, if it leads to the API.
func (k *checker) route(where string, hcm *hcmv3.HttpConnectionManager, routes *routev3.RouteConfiguration, host *routev3.VirtualHost, route *routev3.Route) bool {
	action := route.GetRoute()
	if action == nil { // an answer of Envoy's own
		return false
	}
	named := slices.ContainsFunc(host.GetDomains(), k.isHost) || k.isHost(action.GetHostRewriteLiteral())
	if cluster := action.GetCluster(); named || k.leads(cluster) {
		named = true
		k.lead(where, cluster)
	}
	levels := []map[string]*anypb.Any{routes.GetTypedPerFilterConfig(), host.GetTypedPerFilterConfig(), route.GetTypedPerFilterConfig()}
	weighted := false
	for _, w := range action.GetWeightedClusters().GetClusters() {
		if named || k.leads(w.GetName()) {
			weighted = true
			k.lead(where, w.GetName())
			k.chain(where, hcm, append(slices.Clone(levels), w.GetTypedPerFilterConfig()))
		}
	}
	if !named && !weighted {
		k.elsewhere(where, hcm, levels)
		return false
	}
	if !weighted {
		k.chain(where, hcm, levels)
	}
	if action.GetClusterHeader() != "" || action.GetClusterSpecifierPlugin() != "" || action.GetInlineClusterSpecifierPlugin() != nil {
		k.find("cluster_chosen_late", where, "")
	}
	//lint:ignore SA1019 an Envoy that is asked to obey it does
	if action.GetInternalRedirectPolicy() != nil || action.GetInternalRedirectAction() != 0 {
		k.find("internal_redirect", where, "")
	}
	if len(action.GetRequestMirrorPolicies())+len(host.GetRequestMirrorPolicies())+len(routes.GetRequestMirrorPolicies()) > 0 {
		k.find("mirror", where, "")
	}
	if action.GetHedgePolicy() != nil || host.GetHedgePolicy() != nil {
		k.find("hedge", where, "")
	}
	for _, u := range action.GetUpgradeConfigs() {
		if u.GetEnabled() == nil || u.GetEnabled().GetValue() {
			k.find("upgrade", where, "upgrade "+u.GetUpgradeType())
		}
	}
	k.retries(where, action.GetRetryPolicy(), host.GetRetryPolicy())
	k.texts(where, "token_copied", secretFormat, route, headersOf(host), headersOf(routes))
	if d := action.GetIdleTimeout(); d != nil && d.AsDuration() == 0 {
		k.find("idle_timeout", where, "idle_timeout 0s")
	}
	return true
}

// elsewhere looks for the processor on a route that leads to somebody else: it would
// give them an access token.
func (k *checker) elsewhere(where string, hcm *hcmv3.HttpConnectionManager, levels []map[string]*anypb.Any) {
	for _, f := range hcm.GetHttpFilters() {
		if _, on := effective(f, levels); on && k.ours(open[extprocv3.ExternalProcessor](f.GetTypedConfig())) {
			k.find("token_elsewhere", where, "")
		}
	}
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

// leads says whether a cluster is the API: by its name, the name in its TLS
// handshakes, or where it connects to.
func (k *checker) leads(name string) bool {
	for _, part := range strings.Split(name, "|") { // as Istio names them
		if k.isHost(part) {
			return true
		}
	}
	cluster := k.config.clusters[name]
	if cluster == nil {
		return false
	}
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
	if k.config.clusters[cluster] == nil {
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
