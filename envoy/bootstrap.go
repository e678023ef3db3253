package envoy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	listenerName     = "ingress"
	graphCluster     = "graph"
	processorCluster = "processor"

	// bufferBytes bounds what Envoy holds of one connection, and the HTTP/2
	// window of one stream, on all three hops. In FULL_DUPLEX_STREAMED the
	// window towards the processor is also Envoy's send buffer; the default of
	// 16 MiB for each stream lets a stalled processor cost 83 MB with four
	// streams where this costs 5 MB.
	bufferBytes = 256 << 10

	// connectionWindowBytes is the HTTP/2 window that the streams of one
	// connection share.
	connectionWindowBytes = 1 << 20
)

// Render returns the bootstrap for c, validated by the rules of Envoy's protos.
// Errors name the key of c that is wrong. Nothing is read from files.
func Render(c Config) (*bootstrapv3.Bootstrap, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := renderer{config: c.filled()}
	b := &bootstrapv3.Bootstrap{
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Listeners: []*listenerv3.Listener{r.listener()},
			Clusters:  []*clusterv3.Cluster{r.graph(), r.processor()},
		},
		// Without a layer of its own Envoy adds one that the admin interface
		// can change while it runs.
		LayeredRuntime: &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
			Name:           "fixed",
			LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{}},
		}}},
		OverloadManager: r.overload(),
	}
	if r.config.JWT.JWKSURI != "" {
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, r.jwks())
	}
	if r.config.RateLimit.Service != "" {
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, r.quota())
	}
	if r.config.Tracing.Endpoint != "" {
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, r.traces())
	}
	if r.config.Admin != "" {
		b.Admin = admin(r.config.Admin)
	}
	if err := errors.Join(r.err, b.ValidateAll()); err != nil {
		return nil, fmt.Errorf("rendering the bootstrap: %w", err)
	}
	return b, nil
}

// renderer builds the parts from a filled Config.
type renderer struct {
	config Config
	err    error // of packing typed extensions
}

// pack wraps an extension's configuration, the same one always in the same bytes.
// The validation of an outer message does not look into it, so it is validated
// here.
func (r *renderer) pack(m interface {
	proto.Message
	ValidateAll() error
}) *anypb.Any {
	packed := &anypb.Any{}
	err := anypb.MarshalFrom(packed, m, proto.MarshalOptions{Deterministic: true})
	r.err = errors.Join(r.err, err, m.ValidateAll())
	return packed
}

// overload caps caller connections, for the whole process.
func (r *renderer) overload() *overloadv3.OverloadManager {
	return &overloadv3.OverloadManager{ResourceMonitors: []*overloadv3.ResourceMonitor{{
		Name: "envoy.resource_monitors.global_downstream_max_connections",
		ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: r.pack(&connectionsv3.DownstreamConnectionsConfig{
			MaxActiveDownstreamConnections: int64(r.config.Limits.Connections),
		})},
	}}}
}

// admin serves readiness, statistics, and draining. Everything else is refused,
// above all /logging: at debug level Envoy prints request headers, the Graph
// token among them.
func admin(address string) *bootstrapv3.Admin {
	var allowed []*matcherv3.StringMatcher
	for _, path := range []string{adminReady, adminListeners, adminDrain, "/stats", "/stats/prometheus", "/server_info"} {
		allowed = append(allowed,
			&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: path}},
			&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: path + "?"}},
		)
	}
	at := local(address)
	if pipe := at.GetPipe(); pipe != nil {
		pipe.Mode = 0o600
	}
	return &bootstrapv3.Admin{
		Address:    at,
		AllowPaths: allowed,
		// Readiness is asked exactly when there are too many connections.
		IgnoreGlobalConnLimit: true,
	}
}

// local is an address that checkLocal accepted.
func local(address string) *corev3.Address {
	if strings.HasPrefix(address, "/") {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: address}}}
	}
	ap := netip.MustParseAddrPort(address)
	return socket(ap.Addr().String(), ap.Port())
}

func socket(host string, port uint16) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

func file(name string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}

// http2 is the part of the HTTP/2 settings that all hops share.
func http2() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		InitialStreamWindowSize:     wrapperspb.UInt32(bufferBytes),
		InitialConnectionWindowSize: wrapperspb.UInt32(connectionWindowBytes),
	}
}

func count(n int) *wrapperspb.UInt32Value { return wrapperspb.UInt32(uint32(n)) }

func lasting(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
