package envoy

import (
	"net/netip"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// idleConnection is how long a connection without a request is kept.
const idleConnection = 5 * time.Minute

// listener accepts TLS connections of callers and nothing else.
func (r *renderer) listener() *listenerv3.Listener {
	ap := netip.MustParseAddrPort(r.config.Listen)
	address := socket(ap.Addr().String(), ap.Port())
	// All addresses of IPv6 are all of IPv4, too, as of any other program.
	address.GetSocketAddress().Ipv4Compat = ap.Addr() == netip.IPv6Unspecified()
	return &listenerv3.Listener{
		Name:                          listenerName,
		Address:                       address,
		PerConnectionBufferLimitBytes: count(bufferBytes),
		FilterChains: []*listenerv3.FilterChain{{
			TransportSocket: &corev3.TransportSocket{
				Name:       "envoy.transport_sockets.tls",
				ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: r.pack(r.downstreamTLS())},
			},
			// A connection that never finishes its handshake is closed.
			TransportSocketConnectTimeout: lasting(r.config.Timeouts.Request),
			Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: r.pack(r.connectionManager())},
			}},
		}},
	}
}

func (r *renderer) downstreamTLS() *tlsv3.DownstreamTlsContext {
	tls := r.config.TLS
	context := &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		AlpnProtocols: []string{"h2", "http/1.1"},
		TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		TlsCertificates: []*tlsv3.TlsCertificate{{
			CertificateChain: file(tls.CertFile),
			PrivateKey:       file(tls.KeyFile),
		}},
	}}
	if tls.ClientCAFile != "" {
		context.RequireClientCertificate = wrapperspb.Bool(tls.ClientCertificate == clientCertificateRequired)
		context.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{
			ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: file(tls.ClientCAFile)},
		}
	}
	return context
}

// connectionManager turns bytes into requests. Whatever has two readings is
// refused here, so that the processor, which checks again, and Graph read the
// same target.
func (r *renderer) connectionManager() *hcmv3.HttpConnectionManager {
	c := r.config
	h2 := http2()
	h2.MaxConcurrentStreams = count(c.Limits.Streams)
	return &hcmv3.HttpConnectionManager{
		CodecType:      hcmv3.HttpConnectionManager_AUTO,
		StatPrefix:     listenerName,
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: r.routes()},
		HttpFilters:    r.httpFilters(),

		// Targets. %2F, %5C and their like: 400. Dot segments and doubled
		// slashes are resolved before the processor sees the path.
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_REJECT_REQUEST,
		// The listener speaks TLS only, whatever :scheme a caller writes.
		SchemeHeaderTransformation: &corev3.SchemeHeaderTransformation{
			Transformation: &corev3.SchemeHeaderTransformation_SchemeToOverwrite{SchemeToOverwrite: "https"},
		},

		// Identity of the caller: the connection, never a header. No address is
		// internal, so Envoy obeys no x-envoy-* header and makes a request id of
		// its own. By default loopback and private networks are internal, and no
		// ranges at all mean the default, so the range given is one that no
		// connection comes from.
		UseRemoteAddress: wrapperspb.Bool(true),
		SkipXffAppend:    true,
		InternalAddressConfig: &hcmv3.HttpConnectionManager_InternalAddressConfig{
			CidrRanges: []*corev3.CidrRange{{AddressPrefix: "255.255.255.255", PrefixLen: wrapperspb.UInt32(32)}},
		},
		ForwardClientCertDetails:   hcmv3.HttpConnectionManager_SANITIZE,
		ServerHeaderTransformation: hcmv3.HttpConnectionManager_PASS_THROUGH,

		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout:                  lasting(idleConnection),
			MaxStreamDuration:            lasting(c.Timeouts.Exchange),
			MaxHeadersCount:              count(c.Limits.Headers),
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
		},
		Http2ProtocolOptions:  h2,
		MaxRequestHeadersKb:   count(c.Limits.HeadersKB),
		RequestHeadersTimeout: lasting(c.Timeouts.Request),
		RequestTimeout:        lasting(c.Timeouts.Request),
		StreamIdleTimeout:     lasting(c.Timeouts.Idle),

		Tracing: r.tracing(),

		EarlyHeaderMutationExtensions: r.untraced(),

		AccessLog:        r.accessLog(),
		LocalReplyConfig: r.localReplies(),
	}
}
