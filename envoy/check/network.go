package check

import (
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

const (
	networkFilters  = "envoy.extensions.filters.network."
	listenerFilters = "envoy.extensions.filters.listener."
	socketTypes     = "envoy.extensions.transport_sockets."
)

// quietNetwork are the filters and sockets that neither hand bytes on nor lead
// anywhere with HTTP.
var quietNetwork = map[string]bool{
	networkFilters + "connection_limit.v3.ConnectionLimit": true,
	networkFilters + "direct_response.v3.Config":           true,
	networkFilters + "dubbo_proxy.v3.DubboProxy":           true,
	networkFilters + "echo.v3.Echo":                        true,
	networkFilters + "local_ratelimit.v3.LocalRateLimit":   true,
	networkFilters + "mongo_proxy.v3.MongoProxy":           true,
	networkFilters + "ratelimit.v3.RateLimit":              true,
	networkFilters + "rbac.v3.RBAC":                        true,
	networkFilters + "redis_proxy.v3.RedisProxy":           true,
	networkFilters + "set_filter_state.v3.Config":          true,
	networkFilters + "sni_cluster.v3.SniCluster":           true,
	networkFilters + "thrift_proxy.v3.ThriftProxy":         true,
	"envoy.tcp.metadataexchange.config.MetadataExchange":   true,
	"io.istio.http.peer_metadata.Config":                   true,
	"stats.PluginConfig":                                   true,
	listenerFilters + "http_inspector.v3.HttpInspector":    true,
	listenerFilters + "local_ratelimit.v3.LocalRateLimit":  true,
	listenerFilters + "original_dst.v3.OriginalDst":        true,
	listenerFilters + "original_src.v3.OriginalSrc":        true,
	listenerFilters + "proxy_protocol.v3.ProxyProtocol":    true,
	listenerFilters + "tls_inspector.v3.TlsInspector":      true,
	socketTypes + "alts.v3.Alts":                           true,
	socketTypes + "quic.v3.QuicDownstreamTransport":        true,
	socketTypes + "raw_buffer.v3.RawBuffer":                true,
	socketTypes + "tls.v3.DownstreamTlsContext":            true,
	"": true, // none
}

// listener judges the filters of a listener, and what its connections lead to.
func (k *checker) listener(l *listenerv3.Listener) {
	where := "listener " + nameOr(l.GetName(), "without a name")
	chains := l.GetFilterChains()
	if l.GetDefaultFilterChain() != nil {
		chains = append(slices.Clone(chains), l.GetDefaultFilterChain())
	}
	if l.GetFcdsConfig() != nil {
		k.find("incomplete", where, "filter chains are discovered")
	}
	found := false
	for _, chain := range chains {
		found = k.filterChain(where, chain) || found
	}
	if a := l.GetApiListener().GetApiListener(); a != nil {
		if hcm := open[hcmv3.HttpConnectionManager](a); hcm != nil {
			found = k.connectionManager(where, hcm) || found
		} else {
			k.find("network_filter", where+", api_listener", typeOf(a))
		}
	}
	for _, f := range l.GetListenerFilters() {
		if kind := typeOf(f.GetTypedConfig()); found && !quietNetwork[kind] {
			k.find("network_filter", where+", listener filter "+f.GetName(), kind)
		}
	}
}

// filterChain says whether a chain leads to the API over HTTP. What is not known is
// found where it does, and where nobody can tell whether it does.
func (k *checker) filterChain(where string, chain *listenerv3.FilterChain) bool {
	found, ends := false, false
	unknown := map[string]string{}
	for _, f := range chain.GetFilters() {
		kind := typeOf(f.GetTypedConfig())
		if hcm := open[hcmv3.HttpConnectionManager](f.GetTypedConfig()); hcm != nil {
			found, ends = k.connectionManager(where, hcm) || found, true
		} else if tcp := open[tcpproxyv3.TcpProxy](f.GetTypedConfig()); tcp != nil {
			ends = true
			k.tcp(where, tcp)
		} else if f.GetConfigDiscovery() != nil {
			k.find("incomplete", where, "filter "+f.GetName()+" is discovered")
		} else if !quietNetwork[kind] {
			unknown[f.GetName()] = kind
		}
	}
	for _, name := range sortedKeys(unknown) {
		if found || !ends {
			k.find("network_filter", where+", filter "+name, unknown[name])
		}
	}
	if kind := typeOf(chain.GetTransportSocket().GetTypedConfig()); found && !quietNetwork[kind] {
		k.find("network_filter", where+", transport socket", kind)
	}
	if tls := open[tlsv3.DownstreamTlsContext](chain.GetTransportSocket().GetTypedConfig()); found && tls.GetCommonTlsContext().GetKeyLog() != nil {
		k.find("tls_keys_logged", where, "key_log")
	}
	return found
}

// tcp looks for a way to the API past all HTTP filters.
func (k *checker) tcp(where string, p *tcpproxyv3.TcpProxy) {
	names := []string{p.GetCluster()}
	for _, w := range p.GetWeightedClusters().GetClusters() {
		names = append(names, w.GetName())
	}
	for _, name := range names {
		if k.leads(name) {
			k.find("tcp_bypass", where, "cluster "+name)
		}
	}
}
