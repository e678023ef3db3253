package mesh

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_stats/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/round_robin/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/input_matchers/ip/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy/envoytest"
)

// listenerNames are the listeners for Graph.
var listenerNames = map[string]string{
	"envoy-gateway": "graphveil/graph/https", "envoy-gateway-bare": "graphveil/graph/https", "envoy-gateway-shared": "graphveil/graph/https",
	"envoy-gateway-unpatched": "graphveil/graph/https",
	"istio-sidecar":           "0.0.0.0_8480", "istio-egress": "0.0.0.0_8443", "istio-egress-client": "0.0.0.0_8480",
}

// guarded are those with the processor: all but the one from which applications call
// Istio's egress gateway.
var guarded = []string{"envoy-gateway", "istio-egress", "istio-sidecar"}

// readDump is what a control plane made of the manifests, as typed protos. Extensions
// that only Istio's build of Envoy has are left out: the one here would refuse them.
func readDump(t *testing.T, name string) *adminv3.ConfigDump {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(withoutIstio(tree)); err != nil {
		t.Fatal(err)
	}
	dump := &adminv3.ConfigDump{}
	if err := protojson.Unmarshal(text, dump); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return dump
}

func withoutIstio(v any) any {
	switch v := v.(type) {
	case []any:
		out := slices.DeleteFunc(v, func(e any) bool {
			m, _ := e.(map[string]any)
			name, _ := m["name"].(string)
			return strings.HasPrefix(name, "istio.")
		})
		for i := range out {
			out[i] = withoutIstio(out[i])
		}
		return out
	case map[string]any:
		for key := range v {
			v[key] = withoutIstio(v[key])
		}
	}
	return v
}

// part is the dump's part that is a T.
func part[T any, P interface {
	*T
	proto.Message
}](t *testing.T, dump *adminv3.ConfigDump) P {
	t.Helper()
	for _, c := range dump.GetConfigs() {
		m := P(new(T))
		if c.UnmarshalTo(m) == nil {
			return m
		}
	}
	return P(new(T)) // Istio's has no endpoints
}

func unpack[T any, P interface {
	*T
	proto.Message
}](t *testing.T, a *anypb.Any) P {
	t.Helper()
	m := P(new(T))
	if err := a.UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func listenerOf(t *testing.T, name string) *listenerv3.Listener {
	t.Helper()
	for _, l := range part[adminv3.ListenersConfigDump](t, readDump(t, name)).GetDynamicListeners() {
		listener := unpack[listenerv3.Listener](t, l.GetActiveState().GetListener())
		if listener.GetName() == listenerNames[name] {
			return listener
		}
	}
	t.Fatalf("%s: no listener %s", name, listenerNames[name])
	return nil
}

// chainOf is the filter chain for Graph: a neighbour may have one of its own.
func chainOf(t *testing.T, l *listenerv3.Listener) *listenerv3.FilterChain {
	t.Helper()
	for _, chain := range l.GetFilterChains() {
		if names := chain.GetFilterChainMatch().GetServerNames(); len(names) == 0 || slices.Contains(names, "graph.microsoft.com") {
			return chain
		}
	}
	t.Fatal("no filter chain")
	return nil
}

// managerAt is where the connection manager is in a listener.
func managerAt(t *testing.T, l *listenerv3.Listener) *listenerv3.Filter {
	t.Helper()
	for _, f := range chainOf(t, l).GetFilters() {
		if f.GetTypedConfig().MessageIs(&hcmv3.HttpConnectionManager{}) {
			return f
		}
	}
	t.Fatal("no connection manager")
	return nil
}

func managerOf(t *testing.T, l *listenerv3.Listener) *hcmv3.HttpConnectionManager {
	t.Helper()
	return unpack[hcmv3.HttpConnectionManager](t, managerAt(t, l).GetTypedConfig())
}

// place is what differs between a cluster and this machine.
type place struct {
	processor string // socket
	// upstream is Graph, or for who calls it the egress gateway.
	upstream *corev3.SocketAddress
	caFile   string
	// own is the certificate that a mesh would give to this Envoy.
	own envoytest.Pair
}

// static makes a bootstrap of a dump: what Envoy would ask its control plane for is
// written into it, the listener gets a free port of loopback, and Graph, the processor
// and the certificates are those of this machine. Nothing else is changed; change is
// for what a test breaks.
func static(t *testing.T, name string, p place, change func(*hcmv3.HttpConnectionManager)) *bootstrapv3.Bootstrap {
	t.Helper()
	dump := readDump(t, name)
	listener := listenerOf(t, name)
	at, hcm := managerAt(t, listener), managerOf(t, listener)
	for _, r := range part[adminv3.RoutesConfigDump](t, dump).GetDynamicRouteConfigs() {
		routes := unpack[routev3.RouteConfiguration](t, r.GetRouteConfig())
		if routes.GetName() == hcm.GetRds().GetRouteConfigName() {
			hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
			break
		}
	}
	change(hcm)
	at.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(t, hcm)}
	listener.Name = "ingress" // by which package envoy finds its address
	listener.Address = loopback(0)
	listener.BindToPort = nil
	listener.FilterChains = []*listenerv3.FilterChain{chainOf(t, listener)}
	for _, chain := range listener.GetFilterChains() {
		if chain.GetTransportSocket() != nil {
			tls := unpack[tlsv3.DownstreamTlsContext](t, chain.GetTransportSocket().GetTypedConfig())
			p.secrets(tls.GetCommonTlsContext())
			chain.GetTransportSocket().ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: pack(t, tls)}
		}
	}
	b := &bootstrapv3.Bootstrap{StaticResources: &bootstrapv3.Bootstrap_StaticResources{Listeners: []*listenerv3.Listener{listener}}}
	for _, c := range part[adminv3.ClustersConfigDump](t, dump).GetDynamicActiveClusters() {
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, p.cluster(t, dump, unpack[clusterv3.Cluster](t, c.GetCluster())))
	}
	return b
}

func (p place) cluster(t *testing.T, dump *adminv3.ConfigDump, c *clusterv3.Cluster) *clusterv3.Cluster {
	t.Helper()
	if c.GetEdsClusterConfig() != nil {
		for _, e := range part[adminv3.EndpointsConfigDump](t, dump).GetDynamicEndpointConfigs() {
			assignment := unpack[endpointv3.ClusterLoadAssignment](t, e.GetEndpointConfig())
			if assignment.GetClusterName() == c.GetEdsClusterConfig().GetServiceName() {
				c.LoadAssignment = assignment
			}
		}
		c.EdsClusterConfig, c.ClusterDiscoveryType = nil, &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	}
	for _, locality := range c.GetLoadAssignment().GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			address := e.GetEndpoint().GetAddress()
			switch {
			case address.GetPipe() != nil:
				address.GetPipe().Path = p.processor
			case slices.Contains(upstreamNames, address.GetSocketAddress().GetAddress()):
				address.GetSocketAddress().Address = p.upstream.GetAddress()
				address.GetSocketAddress().PortSpecifier = p.upstream.GetPortSpecifier()
			}
		}
	}
	sockets := []*corev3.TransportSocket{c.GetTransportSocket()}
	for _, m := range c.GetTransportSocketMatches() {
		sockets = append(sockets, m.GetTransportSocket())
	}
	for _, s := range sockets {
		tls := &tlsv3.UpstreamTlsContext{}
		if s == nil || s.GetTypedConfig().UnmarshalTo(tls) != nil {
			continue
		}
		p.secrets(tls.GetCommonTlsContext())
		s.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: pack(t, tls)}
	}
	return c
}

// upstreamNames are what the manifests connect to.
var upstreamNames = []string{"graph.microsoft.com", "graphveil-egress.graphveil.svc.cluster.local"}

// secrets puts files in place of what Envoy asks for by SDS. Which names a certificate
// must have stays as it is.
func (p place) secrets(c *tlsv3.CommonTlsContext) {
	if len(c.GetTlsCertificateSdsSecretConfigs()) > 0 {
		c.TlsCertificateSdsSecretConfigs = nil
		c.TlsCertificates = []*tlsv3.TlsCertificate{{CertificateChain: file(p.own.CertFile), PrivateKey: file(p.own.KeyFile)}}
	}
	if combined := c.GetCombinedValidationContext(); combined != nil {
		validation := combined.GetDefaultValidationContext()
		if validation == nil {
			validation = &tlsv3.CertificateValidationContext{}
		}
		validation.TrustedCa = file(p.caFile)
		c.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: validation}
	}
}

func loopback(port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func file(name string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}
