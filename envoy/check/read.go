package check

import (
	"errors"
	"fmt"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Config is what one Envoy runs, or would run.
type Config struct {
	listeners []*listenerv3.Listener
	// By name, more than one while they change: routes for listeners that ask for them,
	// clusters, endpoints by the name that clusters ask for.
	routes    map[string][]*routev3.RouteConfiguration
	clusters  map[string][]*clusterv3.Cluster
	endpoints map[string][]*endpointv3.ClusterLoadAssignment
	// Filters that were discovered, and what certificates are asked for by the name of
	// their secrets. Those that are not here are elsewhere.
	extensions  map[string]*anypb.Any
	validations map[string]*tlsv3.CertificateValidationContext
	admin       *bootstrapv3.Admin
	// partial says that there is more, which Envoy gets from a control plane.
	partial bool
}

// Read reads a bootstrap, as YAML or JSON, or what Envoy's admin interface answers to
// /config_dump. Unknown and repeated keys are errors. Extensions of unknown types stay
// closed: [Config.Check] judges them by where they are. A dump has the endpoints of
// clusters that discover them if it was asked for with ?include_eds.
func Read(data []byte) (*Config, error) {
	tree, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	tree = closeUnknown(tree).(map[string]any)
	c := &Config{
		routes: map[string][]*routev3.RouteConfiguration{}, clusters: map[string][]*clusterv3.Cluster{},
		endpoints: map[string][]*endpointv3.ClusterLoadAssignment{}, extensions: map[string]*anypb.Any{},
		validations: map[string]*tlsv3.CertificateValidationContext{},
	}
	if _, dumped := tree["configs"]; dumped {
		return c, c.readDump(tree)
	}
	b := &bootstrapv3.Bootstrap{}
	if err := decode(tree, b); err != nil {
		return nil, fmt.Errorf("reading the bootstrap: %w", err)
	}
	c.readBootstrap(b)
	return c, nil
}

func (c *Config) readBootstrap(b *bootstrapv3.Bootstrap) {
	c.listeners = append(c.listeners, b.GetStaticResources().GetListeners()...)
	for _, cluster := range b.GetStaticResources().GetClusters() {
		c.clusters[cluster.GetName()] = append(c.clusters[cluster.GetName()], cluster)
	}
	for _, secret := range b.GetStaticResources().GetSecrets() {
		c.readSecret(secret)
	}
	c.admin = b.GetAdmin()
	dynamic := b.GetDynamicResources()
	c.partial = dynamic.GetLdsConfig() != nil || dynamic.GetCdsConfig() != nil || dynamic.GetLdsResourcesLocator() != "" || dynamic.GetCdsResourcesLocator() != ""
}

// errDump is of parts that are not of the types that they have in any dump.
var errDump = errors.New("reading the dump: a part of it is not what Envoy writes there; take the whole of /config_dump?include_eds as it is")

func (c *Config) readDump(tree map[string]any) error {
	dump := &adminv3.ConfigDump{}
	if err := decode(tree, dump); err != nil {
		return fmt.Errorf("reading the dump: %w", err)
	}
	for _, part := range dump.GetConfigs() {
		m, err := part.UnmarshalNew()
		if err != nil {
			return errDump
		}
		switch m := m.(type) {
		case *adminv3.ListenersConfigDump:
			err = c.readListeners(m)
		case *adminv3.ClustersConfigDump:
			err = c.readClusters(m)
		case *adminv3.RoutesConfigDump:
			err = c.readRoutes(m)
		case *adminv3.EndpointsConfigDump:
			err = c.readEndpoints(m)
		case *adminv3.EcdsConfigDump:
			err = c.readExtensions(m)
		case *adminv3.SecretsConfigDump:
			err = c.readSecrets(m)
		case *adminv3.BootstrapConfigDump:
			c.admin = m.GetBootstrap().GetAdmin()
		}
		if err != nil {
			return errDump
		}
	}
	if len(c.listeners) == 0 {
		return errors.New("reading the dump: it has no listeners; take the whole of /config_dump, without a mask or resource")
	}
	return nil
}

func (c *Config) readListeners(m *adminv3.ListenersConfigDump) error {
	var packed []*anypb.Any
	for _, l := range m.GetStaticListeners() {
		packed = append(packed, l.GetListener())
	}
	for _, l := range m.GetDynamicListeners() {
		packed = append(packed, l.GetActiveState().GetListener(), l.GetWarmingState().GetListener())
	}
	var draining []*anypb.Any // with their old settings they serve the connections that they have
	for _, l := range m.GetDynamicListeners() {
		draining = append(draining, l.GetDrainingState().GetListener())
	}
	return errors.Join(
		each(packed, func(l *listenerv3.Listener) { c.listeners = append(c.listeners, l) }),
		each(draining, func(l *listenerv3.Listener) {
			l.Name += ", which drains"
			c.listeners = append(c.listeners, l)
		}))
}

func (c *Config) readClusters(m *adminv3.ClustersConfigDump) error {
	var packed []*anypb.Any
	for _, s := range m.GetStaticClusters() {
		packed = append(packed, s.GetCluster())
	}
	for _, d := range append(m.GetDynamicActiveClusters(), m.GetDynamicWarmingClusters()...) {
		packed = append(packed, d.GetCluster())
	}
	return each(packed, func(s *clusterv3.Cluster) { c.clusters[s.GetName()] = append(c.clusters[s.GetName()], s) })
}

func (c *Config) readRoutes(m *adminv3.RoutesConfigDump) error {
	var packed []*anypb.Any
	// The static ones are those that listeners have themselves.
	for _, r := range m.GetDynamicRouteConfigs() {
		packed = append(packed, r.GetRouteConfig())
	}
	return each(packed, func(r *routev3.RouteConfiguration) { c.routes[r.GetName()] = append(c.routes[r.GetName()], r) })
}

func (c *Config) readEndpoints(m *adminv3.EndpointsConfigDump) error {
	var packed []*anypb.Any
	for _, e := range m.GetStaticEndpointConfigs() {
		packed = append(packed, e.GetEndpointConfig())
	}
	for _, e := range m.GetDynamicEndpointConfigs() {
		packed = append(packed, e.GetEndpointConfig())
	}
	return each(packed, func(a *endpointv3.ClusterLoadAssignment) {
		c.endpoints[a.GetClusterName()] = append(c.endpoints[a.GetClusterName()], a)
	})
}

func (c *Config) readExtensions(m *adminv3.EcdsConfigDump) error {
	var packed []*anypb.Any
	for _, f := range m.GetEcdsFilters() {
		packed = append(packed, f.GetEcdsFilter())
	}
	return each(packed, func(e *corev3.TypedExtensionConfig) { c.extensions[e.GetName()] = e.GetTypedConfig() })
}

func (c *Config) readSecrets(m *adminv3.SecretsConfigDump) error {
	var packed []*anypb.Any
	for _, s := range m.GetStaticSecrets() {
		packed = append(packed, s.GetSecret())
	}
	for _, s := range m.GetDynamicActiveSecrets() {
		packed = append(packed, s.GetSecret())
	}
	return each(packed, c.readSecret)
}

// readSecret keeps of a secret what it asks of certificates, and nothing else.
func (c *Config) readSecret(s *tlsv3.Secret) {
	if v := s.GetValidationContext(); v != nil {
		c.validations[s.GetName()] = v
	}
}

func each[T any, P interface {
	*T
	proto.Message
}](packed []*anypb.Any, f func(P)) error {
	for _, a := range packed {
		if a == nil {
			continue
		}
		m := P(new(T))
		if err := a.UnmarshalTo(m); err != nil {
			return err
		}
		f(m)
	}
	return nil
}
