package check

import (
	"net/netip"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// upstream judges a cluster that is the API.
func (k *checker) upstream(c *clusterv3.Cluster) {
	where := "cluster " + c.GetName()
	endpoints := k.config.endpointsOf(c)
	unverified := func(e *endpointv3.LbEndpoint) bool { return !verified(socketOf(c, e)) }
	if slices.ContainsFunc(endpoints, unverified) || len(endpoints) == 0 && slices.ContainsFunc(sockets(c), func(s *corev3.TransportSocket) bool { return !verified(s) }) ||
		len(sockets(c)) == 0 {
		k.find("upstream_not_verified", where, "")
	}
	k.upstreamFilters(where, c)
}

// endpointsOf are the endpoints of a cluster, its own or those that it discovers.
func (c *Config) endpointsOf(cluster *clusterv3.Cluster) []*endpointv3.LbEndpoint {
	assignment := cluster.GetLoadAssignment()
	if cluster.GetType() == clusterv3.Cluster_EDS && cluster.GetClusterType() == nil {
		name := cluster.GetEdsClusterConfig().GetServiceName()
		assignment = c.endpoints[nameOr(name, cluster.GetName())]
	}
	var out []*endpointv3.LbEndpoint
	for _, locality := range assignment.GetEndpoints() {
		out = append(out, locality.GetLbEndpoints()...)
	}
	return out
}

// socketOf is the transport socket that connections to an endpoint use: the first one
// whose labels the endpoint has, or else the cluster's.
func socketOf(c *clusterv3.Cluster, e *endpointv3.LbEndpoint) *corev3.TransportSocket {
	labels := e.GetMetadata().GetFilterMetadata()["envoy.transport_socket_match"].GetFields()
	for _, m := range c.GetTransportSocketMatches() {
		all := true
		for key, value := range m.GetMatch().GetFields() {
			all = all && proto.Equal(labels[key], value)
		}
		if all {
			return m.GetTransportSocket()
		}
	}
	return c.GetTransportSocket()
}

func sockets(c *clusterv3.Cluster) []*corev3.TransportSocket {
	var out []*corev3.TransportSocket
	if c.GetTransportSocket() != nil {
		out = append(out, c.GetTransportSocket())
	}
	for _, match := range c.GetTransportSocketMatches() {
		out = append(out, match.GetTransportSocket())
	}
	return out
}

// local says whether an endpoint is on this machine, or in this pod.
func local(e *endpointv3.LbEndpoint) bool {
	address := e.GetEndpoint().GetAddress()
	if address.GetPipe() != nil {
		return true
	}
	ip, err := netip.ParseAddr(address.GetSocketAddress().GetAddress())
	return err == nil && ip.IsLoopback()
}

// verified says whether a socket speaks TLS with a certificate that must be of an
// authority and for a name.
func verified(s *corev3.TransportSocket) bool {
	tls := open[tlsv3.UpstreamTlsContext](s.GetTypedConfig())
	if tls == nil {
		return false
	}
	common := tls.GetCommonTlsContext()
	v := common.GetValidationContext()
	if combined := common.GetCombinedValidationContext(); combined != nil {
		v = combined.GetDefaultValidationContext()
	}
	authority := v.GetTrustedCa() != nil || v.GetSystemRootCerts() != nil || v.GetCaCertificateProviderInstance() != nil ||
		common.GetCombinedValidationContext().GetValidationContextSdsSecretConfig() != nil
	//lint:ignore SA1019 Istio still writes it
	named := len(v.GetMatchTypedSubjectAltNames())+len(v.GetMatchSubjectAltNames()) > 0 || tls.GetAutoSniSanValidation()
	return authority && named && v.GetTrustChainVerification() == tlsv3.CertificateValidationContext_VERIFY_TRUST_CHAIN
}
