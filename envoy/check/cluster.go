package check

import (
	"net/netip"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// upstream judges a cluster that is the API.
func (k *checker) upstream(c *clusterv3.Cluster) {
	where := "cluster " + c.GetName()
	used := sockets(c)
	// With a matcher, any of them may be the one that is used.
	if endpoints := k.config.endpointsOf(c); len(endpoints) > 0 && c.GetTransportSocketMatcher() == nil {
		used = nil
		for _, e := range endpoints {
			used = append(used, socketOf(c, e))
		}
	}
	if len(used) == 0 {
		k.find("upstream_not_verified", where, "no transport_socket")
	}
	for _, s := range used {
		s := k.config.resolved(s)
		if why := verified(s); why != "" {
			k.find("upstream_not_verified", where, why)
		} else if other, named := k.otherName(c, s); named {
			k.find("upstream_other_name", where, other)
		}
	}
	k.between(where, c)
	if allowsMetadata(c) {
		k.find("metadata_frames", where, "allow_metadata true")
	}
	if policy := optionsOf(c).GetRetryPolicy(); policy != nil {
		k.retries(where, policy)
	}
}

// addressed are the types of clusters that connect to the endpoints that are written
// or discovered, with the names in their TLS settings.
var addressed = []clusterv3.Cluster_DiscoveryType{
	clusterv3.Cluster_STATIC, clusterv3.Cluster_STRICT_DNS, clusterv3.Cluster_LOGICAL_DNS, clusterv3.Cluster_EDS, clusterv3.Cluster_ORIGINAL_DST,
}

// between judges what sees the bytes of a cluster to which or over which access tokens
// go.
func (k *checker) between(where string, c *clusterv3.Cluster) {
	if custom := c.GetClusterType(); custom != nil {
		if kind := typeOf(custom.GetTypedConfig()); kind != "envoy.extensions.clusters.dns.v3.DnsCluster" {
			k.find("upstream_chosen_late", where, custom.GetName())
		}
	} else if !slices.Contains(addressed, c.GetType()) {
		k.find("upstream_chosen_late", where, c.GetType().String())
	}
	for _, p := range c.GetLoadBalancingPolicy().GetPolicies() { // they may look at requests
		if e := p.GetTypedExtensionConfig(); runsCode(typeOf(e.GetTypedConfig())) {
			k.find("upstream_chosen_late", where+", load_balancing_policy "+e.GetName(), typeOf(e.GetTypedConfig()))
		}
	}
	for _, f := range c.GetFilters() {
		if kind := typeOf(f.GetTypedConfig()); !quietNetwork[kind] || kind == "" {
			k.find("filter_after", where+", filter "+f.GetName(), kind)
		}
	}
	if kind := typeOf(c.GetUpstreamConfig().GetTypedConfig()); kind != "" && (!strings.HasPrefix(kind, "envoy.extensions.upstreams.http.") || runsCode(kind)) {
		k.find("filter_after", where+", upstream_config", kind)
	}
	for _, s := range sockets(c) {
		if tls := open[tlsv3.UpstreamTlsContext](s.GetTypedConfig()); tls.GetCommonTlsContext().GetKeyLog() != nil {
			k.find("tls_keys_logged", where, "key_log")
		}
	}
	if len(optionsOf(c).GetRequestMirrorPolicies()) > 0 {
		k.find("mirror", where, "request_mirror_policies")
	}
	k.upstreamHTTPFilters(where, optionsOf(c).GetHttpFilters())
}

func optionsOf(c *clusterv3.Cluster) *upstreamhttpv3.HttpProtocolOptions {
	return open[upstreamhttpv3.HttpProtocolOptions](c.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"])
}

// allowsMetadata says whether a cluster takes metadata frames, in one of the ways to write
// how it speaks HTTP/2 and HTTP/3.
func allowsMetadata(c *clusterv3.Cluster) bool {
	o := optionsOf(c)
	explicit, same, auto := o.GetExplicitHttpConfig(), o.GetUseDownstreamProtocolConfig(), o.GetAutoConfig()
	//lint:ignore SA1019 an Envoy that is asked to obey it does
	two := []*corev3.Http2ProtocolOptions{c.GetHttp2ProtocolOptions(), explicit.GetHttp2ProtocolOptions(), same.GetHttp2ProtocolOptions(), auto.GetHttp2ProtocolOptions()}
	three := []*corev3.Http3ProtocolOptions{explicit.GetHttp3ProtocolOptions(), same.GetHttp3ProtocolOptions(), auto.GetHttp3ProtocolOptions()}
	return slices.ContainsFunc(two, (*corev3.Http2ProtocolOptions).GetAllowMetadata) || slices.ContainsFunc(three, (*corev3.Http3ProtocolOptions).GetAllowMetadata)
}

// endpointsOf are the endpoints of a cluster, its own or those that it discovers.
func (c *Config) endpointsOf(cluster *clusterv3.Cluster) []*endpointv3.LbEndpoint {
	assignments := []*endpointv3.ClusterLoadAssignment{cluster.GetLoadAssignment()}
	if cluster.GetType() == clusterv3.Cluster_EDS && cluster.GetClusterType() == nil {
		name := cluster.GetEdsClusterConfig().GetServiceName()
		assignments = c.endpoints[nameOr(name, cluster.GetName())]
	}
	var out []*endpointv3.LbEndpoint
	for _, assignment := range assignments {
		for _, locality := range assignment.GetEndpoints() {
			out = append(out, locality.GetLbEndpoints()...)
		}
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
	for _, also := range e.GetEndpoint().GetAdditionalAddresses() {
		if !localAddress(also.GetAddress()) {
			return false
		}
	}
	return localAddress(e.GetEndpoint().GetAddress())
}

func localAddress(address *corev3.Address) bool {
	if address.GetPipe() != nil {
		return true
	}
	ip, err := netip.ParseAddr(address.GetSocketAddress().GetAddress())
	return err == nil && ip.Unmap().IsLoopback()
}

// validationOf is what a TLS socket asks of a certificate, and whether an authority
// comes from elsewhere.
func validationOf(common *tlsv3.CommonTlsContext) (v *tlsv3.CertificateValidationContext, discovered bool) {
	if combined := common.GetCombinedValidationContext(); combined != nil {
		return combined.GetDefaultValidationContext(), combined.GetValidationContextSdsSecretConfig() != nil
	}
	return common.GetValidationContext(), false
}

// resolved is a TLS socket with the secret in place of its name, as Envoy merges them.
func (c *Config) resolved(s *corev3.TransportSocket) *corev3.TransportSocket {
	tls := open[tlsv3.UpstreamTlsContext](s.GetTypedConfig())
	common := tls.GetCommonTlsContext()
	combined := common.GetCombinedValidationContext()
	name := nameOr(combined.GetValidationContextSdsSecretConfig().GetName(), common.GetValidationContextSdsSecretConfig().GetName())
	secret := c.validations[name]
	if secret == nil {
		return s
	}
	merged := &tlsv3.CertificateValidationContext{}
	if combined.GetDefaultValidationContext() != nil {
		merged = proto.CloneOf(combined.GetDefaultValidationContext())
	}
	proto.Merge(merged, secret)
	common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: merged}
	a, err := anypb.New(tls)
	if err != nil {
		return s // it was unpacked just now
	}
	return &corev3.TransportSocket{Name: s.GetName(), ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: a}}
}

// verified says why a socket does not ask for a certificate of an authority and for a
// name, or nothing if it does.
func verified(s *corev3.TransportSocket) string {
	tls := open[tlsv3.UpstreamTlsContext](s.GetTypedConfig())
	if tls == nil {
		return "transport socket " + nameOr(typeOf(s.GetTypedConfig()), "without TLS")
	}
	common := tls.GetCommonTlsContext()
	v, discovered := validationOf(common)
	//lint:ignore SA1019 Istio still writes it
	named := len(v.GetMatchTypedSubjectAltNames())+len(v.GetMatchSubjectAltNames()) > 0 || tls.GetAutoSniSanValidation()
	switch {
	case v == nil:
		return "no validation_context"
	case !discovered && v.GetTrustedCa() == nil && v.GetSystemRootCerts() == nil && v.GetCaCertificateProviderInstance() == nil:
		return "no trusted_ca"
	case !named:
		return "no match_typed_subject_alt_names"
	case v.GetTrustChainVerification() != tlsv3.CertificateValidationContext_VERIFY_TRUST_CHAIN:
		return "trust_chain_verification " + v.GetTrustChainVerification().String()
	case v.GetAllowExpiredCertificate():
		return "allow_expired_certificate true"
	case v.GetCustomValidatorConfig() != nil:
		return "custom_validator_config"
	case common.GetCustomHandshaker() != nil:
		return "custom_handshaker"
	}
	return ""
}

// otherName says which name besides the API's a verified socket accepts, if one.
func (k *checker) otherName(c *clusterv3.Cluster, s *corev3.TransportSocket) (string, bool) {
	tls := open[tlsv3.UpstreamTlsContext](s.GetTypedConfig())
	// Names that come from the Host, which the routes have fixed (host_of_caller).
	http := optionsOf(c).GetUpstreamHttpProtocolOptions()
	//lint:ignore SA1019 an Envoy that is asked to obey it does
	automatic := http.GetOverrideAutoSniHeader() == "" && (tls.GetAutoHostSni() || http.GetAutoSni() || c.GetUpstreamHttpProtocolOptions().GetAutoSni())
	if tls.GetAutoSniSanValidation() && !automatic && !k.isHost(tls.GetSni()) {
		return "sni " + tls.GetSni(), true
	}
	v, _ := validationOf(tls.GetCommonTlsContext())
	var names []*matcherv3.StringMatcher
	for _, m := range v.GetMatchTypedSubjectAltNames() {
		names = append(names, m.GetMatcher())
	}
	//lint:ignore SA1019 Istio still writes it
	names = append(names, v.GetMatchSubjectAltNames()...)
	for _, m := range names {
		if exact := m.GetExact(); exact == "" || !k.isHost(exact) && !slices.Contains(k.options.Hosts, strings.ToLower(exact)) {
			return "subject alternative name " + strings.TrimSpace(m.String()), true
		}
	}
	return "", false
}

// upstreamHTTPFilters looks for filters between the router and the API.
func (k *checker) upstreamHTTPFilters(where string, filters []*hcmv3.HttpFilter) {
	for _, f := range filters {
		at := where + ", filter " + f.GetName()
		if f, ok := k.discovered(at, f); ok {
			if kind := typeOf(f.GetTypedConfig()); !strings.HasSuffix(kind, ".UpstreamCodec") {
				k.filter(at, kind, []*anypb.Any{f.GetTypedConfig()}, true)
			}
		}
	}
}
