package envoy

import (
	"net/netip"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	commondnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// idleUpstream is shorter than the few minutes after which load balancers in
// front of Graph forget a connection.
const idleUpstream = 90 * time.Second

const (
	// keepaliveInterval and keepaliveTimeout bound how long a processor that
	// stopped without closing its connection goes unnoticed. The gRPC server
	// must permit pings this often, with and without streams; by default it
	// closes connections that send more than one in five minutes.
	keepaliveInterval = 5 * time.Second
	keepaliveTimeout  = 3 * time.Second
)

// graph is Microsoft Graph over TLS, HTTP/2 if it offers that.
func (r *renderer) graph() *clusterv3.Cluster {
	c := r.config
	host, port, _ := c.Upstream.hostPort() // validated
	dialHost, dialPort := host, port
	if c.Upstream.Address != "" {
		dialHost, dialPort, _ = splitHostPort(c.Upstream.Address)
	}
	cluster := &clusterv3.Cluster{
		Name:                          graphCluster,
		ConnectTimeout:                lasting(c.Timeouts.Connect),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferBytes),
		LoadAssignment:                endpoint(graphCluster, socket(dialHost, dialPort)),
		CircuitBreakers:               r.breakers(),
		TransportSocket: &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.tls",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: r.pack(upstreamTLS(host, c.Upstream.CAFile))},
		},
		TypedExtensionProtocolOptions: r.protocolOptions(&upstreamhttpv3.HttpProtocolOptions{
			CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
				IdleTimeout:          lasting(idleUpstream),
				MaxHeadersCount:      count(c.Limits.Headers),
				MaxResponseHeadersKb: count(c.Limits.HeadersKB),
			},
			UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_AutoConfig{
				AutoConfig: &upstreamhttpv3.HttpProtocolOptions_AutoHttpConfig{
					HttpProtocolOptions:  &corev3.Http1ProtocolOptions{},
					Http2ProtocolOptions: http2(),
				},
			},
		}),
	}
	r.discover(cluster, dialHost)
	return cluster
}

// discover says how the addresses of a cluster's host are found: an IP address is
// its own.
func (r *renderer) discover(cluster *clusterv3.Cluster, host string) {
	if _, err := netip.ParseAddr(host); err == nil {
		cluster.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
		return
	}
	// A name with many addresses that change, of which one at a time is enough.
	// ALL tries IPv6 and IPv4 side by side (RFC 8305), so that a machine without
	// IPv6 works.
	cluster.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.cluster.dns",
		TypedConfig: r.pack(&dnsv3.DnsCluster{
			RespectDnsTtl:                true,
			DnsLookupFamily:              commondnsv3.DnsLookupFamily_ALL,
			AllAddressesInSingleEndpoint: true,
		}),
	}}
}

// upstreamTLS sends name and accepts only a certificate for it.
func upstreamTLS(name, caFile string) *tlsv3.UpstreamTlsContext {
	return &tlsv3.UpstreamTlsContext{
		Sni: name,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
				TrustedCa: file(caFile),
				MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
					SanType: tlsv3.SubjectAltNameMatcher_DNS,
					Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}},
				}},
			}},
		},
	}
}

// processor is the ext_proc server: one HTTP/2 connection for each worker
// thread, one stream on it for each exchange.
func (r *renderer) processor() *clusterv3.Cluster {
	h2 := http2()
	h2.ConnectionKeepalive = &corev3.KeepaliveSettings{
		Interval: lasting(keepaliveInterval),
		Timeout:  lasting(keepaliveTimeout),
	}
	return &clusterv3.Cluster{
		Name:                          processorCluster,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:                lasting(time.Second),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferBytes),
		LoadAssignment:                endpoint(processorCluster, local(r.config.Processor)),
		CircuitBreakers:               r.breakers(),
		TypedExtensionProtocolOptions: r.protocolOptions(&upstreamhttpv3.HttpProtocolOptions{
			UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
				ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
					ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
						Http2ProtocolOptions: h2,
					},
				},
			},
		}),
	}
}

// breakers are the same for both clusters, since each exchange takes a stream on
// either. Envoy's own default is 1024 requests and three concurrent retries.
func (r *renderer) breakers() *clusterv3.CircuitBreakers {
	n := count(r.config.Limits.Requests)
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     n,
		MaxPendingRequests: n,
		MaxRequests:        n,
		MaxRetries:         n,
	}}}
}

func (r *renderer) protocolOptions(o *upstreamhttpv3.HttpProtocolOptions) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": r.pack(o)}
}

func endpoint(cluster string, address *corev3.Address) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: cluster,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}},
		}}}},
	}
}

// grpcCluster is a service beside the API that is spoken to in gRPC, without TLS, at
// a validated host:port.
func (r *renderer) grpcCluster(name, address string) *clusterv3.Cluster {
	host, port, _ := splitHostPort(address)
	cluster := &clusterv3.Cluster{
		Name:                          name,
		ConnectTimeout:                lasting(time.Second),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferBytes),
		LoadAssignment:                endpoint(name, socket(host, port)),
		CircuitBreakers:               r.breakers(),
		TypedExtensionProtocolOptions: r.protocolOptions(&upstreamhttpv3.HttpProtocolOptions{
			UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
				ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
					ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
						Http2ProtocolOptions: http2(),
					},
				},
			},
		}),
	}
	r.discover(cluster, host)
	return cluster
}

// metadataKey finds what the processor said under a key of its namespace.
func metadataKey(key string) *metadatav3.MetadataKey {
	return &metadatav3.MetadataKey{
		Key:  MetadataNamespace,
		Path: []*metadatav3.MetadataKey_PathSegment{{Segment: &metadatav3.MetadataKey_PathSegment_Key{Key: key}}},
	}
}
