package check_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
)

func found(t *testing.T, data []byte, hosts ...string) []check.Finding {
	t.Helper()
	c, err := check.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	if len(hosts) > 0 {
		o.Hosts = hosts
	}
	return c.Check(o)
}

// Every bootstrap that the project prints has nothing to find in it: with each setting,
// and with certificates that Envoy discovers.
func TestOwnBootstrapsAreClean(t *testing.T) {
	folder := t.TempDir()
	tls := envoy.TLS{CertFile: "a.crt", KeyFile: "a.key"}
	configs := map[string]envoy.Config{
		"smallest":                 {TLS: tls},
		"tracing":                  {TLS: tls, Tracing: envoy.Tracing{Endpoint: "collector.example:4317", Sampling: 1}},
		"rate limits":              {TLS: tls, RateLimit: envoy.RateLimit{Service: "limits.example:8081"}, LocalRateLimit: envoy.LocalRateLimit{RequestsPerSecond: 5}},
		"no retries":               {TLS: tls, Retry: envoy.Retry{Count: -1}},
		"admin, log":               {TLS: tls, Admin: "127.0.0.1:9901", AccessLog: "/var/log/access"},
		"another cloud":            {TLS: tls, Upstream: envoy.Upstream{Host: "graph.microsoft.us:8443", Address: "gateway.example:3128", CAFile: "ca.crt"}},
		"callers' certs":           {TLS: envoy.TLS{CertFile: "a.crt", KeyFile: "a.key", ClientCAFile: "ca.crt", ClientCertificate: "required"}},
		"callers' tokens, by URL":  {TLS: tls, JWT: envoy.JWT{Issuer: "https://issuer.example", Audiences: []string{"graphveil"}, JWKSURI: "https://issuer.example/keys", CAFile: "issuer.crt"}},
		"callers' tokens, by file": {TLS: tls, JWT: envoy.JWT{Issuer: "https://issuer.example", Audiences: []string{"graphveil"}, JWKSFile: "keys.json"}},
		"an address":               {TLS: tls, Upstream: envoy.Upstream{Address: "192.0.2.1:443"}, Processor: "127.0.0.1:9002"},
	}
	for name, c := range configs {
		b, err := envoy.Render(c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		watched, err := envoy.WatchFiles(b, folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []*bootstrapv3.Bootstrap{b, watched} {
			text, err := envoy.YAML(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found(t, text, envoy.DefaultHost, "graph.microsoft.us") {
				t.Errorf("%s: %v", name, f)
			}
		}
	}
	if files, err := filepath.Glob(folder + "/*"); err != nil || len(files) == 0 {
		t.Errorf("no secrets were written (%v)", err)
	}
}

// What is not unsafe is not found.
func TestNothingIsFound(t *testing.T) {
	for name, change := range map[string]func(*parts){
		"a log with times and sizes": func(p *parts) {
			p.logFormat("[%START_TIME(%Y-%m-%dT%H:%M:%S%.3fZ)%] %REQ(:METHOD)% %PROTOCOL% %RESPONSE_CODE% %BYTES_RECEIVED% %DOWNSTREAM_REMOTE_ADDRESS% %UPSTREAM_CLUSTER%\n")
		},
		"the same prefix": func(p *parts) { p.route.GetRoute().PrefixRewrite = "/" },
		"the API's names only": func(p *parts) {
			p.route.GetRoute().HostRewriteSpecifier, p.host.Domains = nil, []string{envoy.DefaultHost}
		},
		"the name in capitals": func(p *parts) { p.host.Domains = []string{"GRAPH.microsoft.com:443"} },
		"an ordinary secret":   func(p *parts) { p.secret() },
		"routes in a tree":     func(p *parts) { p.matched() },
		"a mutation before, no answer": func(p *parts) {
			p.insert("entrance", p.httpFilter("copy", &headersv3.HeaderMutation{Mutations: expanding()}))
		},
		"the caller's own path, kept": func(p *parts) {
			p.insert("entrance", p.httpFilter("keep", &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{Header: ":path"}}}))
		},
		"the Host's name, which is fixed": func(p *parts) {
			p.tls(func(tls *tlsv3.UpstreamTlsContext) {
				tls.CommonTlsContext.GetValidationContext().MatchTypedSubjectAltNames = nil
				tls.Sni, tls.AutoHostSni, tls.AutoSniSanValidation = "", true, true
			})
		},
		"a name with a dot behind": func(p *parts) {
			p.route.GetRoute().HostRewriteSpecifier, p.host.Domains = nil, []string{envoy.DefaultHost, envoy.DefaultHost + "."}
		},
		"an admin interface with a list": func(p *parts) {
			p.bootstrap.Admin = &bootstrapv3.Admin{
				Address:    &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "0.0.0.0"}}},
				AllowPaths: []*matcherv3.StringMatcher{{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "/ready"}}},
			}
		},
		"another Envoy's listener": func(p *parts) {
			p.bootstrap.StaticResources.Listeners = append(p.bootstrap.StaticResources.Listeners, &listenerv3.Listener{Name: "other"})
		},
	} {
		p := newParts(t)
		change(p)
		if f := found(t, p.json()); len(f) > 0 {
			t.Errorf("%s: %v", name, f)
		}
	}
}

// What a terminal would obey is not printed.
func TestNamesArePrintable(t *testing.T) {
	p := newParts(t)
	p.route.Name, p.extProc.FailureModeAllow = "\x1b[2Jroute\n", true
	for _, f := range found(t, p.json()) {
		if strings.ContainsAny(f.Where, "\x1b\n") || !strings.Contains(f.Where, "route") {
			t.Errorf("%q", f.Where)
		}
	}
}

// secret moves the authority of the API's cluster into a secret.
func (p *parts) secret() {
	p.tls(func(tls *tlsv3.UpstreamTlsContext) {
		p.bootstrap.StaticResources.Secrets = []*tlsv3.Secret{{Name: "graph", Type: &tlsv3.Secret_ValidationContext{ValidationContext: tls.CommonTlsContext.GetValidationContext()}}}
		tls.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: "graph"}}
	})
}

// dumped is a dump of the bootstrap with more parts.
func (p *parts) dumped(more ...proto.Message) []byte {
	p.t.Helper()
	listeners, clusters := &adminv3.ListenersConfigDump{}, &adminv3.ClustersConfigDump{}
	p.json()
	for _, l := range p.bootstrap.StaticResources.Listeners {
		listeners.StaticListeners = append(listeners.StaticListeners, &adminv3.ListenersConfigDump_StaticListener{Listener: p.pack(l)})
	}
	for _, c := range p.bootstrap.StaticResources.Clusters {
		clusters.DynamicActiveClusters = append(clusters.DynamicActiveClusters, &adminv3.ClustersConfigDump_DynamicCluster{Cluster: p.pack(c)})
	}
	dump := &adminv3.ConfigDump{}
	for _, m := range append([]proto.Message{listeners, clusters}, more...) {
		dump.Configs = append(dump.Configs, p.pack(m))
	}
	raw, err := protojson.Marshal(dump)
	if err != nil {
		p.t.Fatal(err)
	}
	return raw
}

// A dump is judged by what is used now, with the filters and secrets that it has.
func TestPartsOfADump(t *testing.T) {
	p := newParts(t)
	if f := found(t, p.dumped()); len(f) > 0 {
		t.Errorf("clean: %v", f)
	}

	// The guard is discovered, and the dump has it; or has another of that name.
	guard := p.filter("envoy.filters.http.rbac")
	config := guard.GetTypedConfig()
	guard.ConfigType = &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{}}
	discovered := func(a *anypb.Any) *adminv3.EcdsConfigDump {
		return &adminv3.EcdsConfigDump{EcdsFilters: []*adminv3.EcdsConfigDump_EcdsFilterConfig{{
			EcdsFilter: p.pack(&corev3.TypedExtensionConfig{Name: guard.Name, TypedConfig: a}),
		}}}
	}
	if f := found(t, p.dumped(discovered(config))); len(f) > 0 {
		t.Errorf("a discovered guard: %v", f)
	}
	if f := codes(found(t, p.dumped())); !slices.Contains(f, "incomplete") {
		t.Errorf("a guard that is not there: %v", f)
	}
	if f := codes(found(t, p.dumped(discovered(p.pack(&corev3.Node{}))))); !slices.Equal(f, []string{"filter_after", "guard_missing"}) {
		t.Errorf("another filter for the guard: %v", f)
	}
	guard.GetConfigDiscovery().DefaultConfig = p.pack(&corev3.Node{})
	if f := codes(found(t, p.dumped(discovered(config)))); !slices.Contains(f, "incomplete") {
		t.Errorf("another filter until the guard comes: %v", f)
	}

	// A cluster that is about to be verified is not, now.
	p = newParts(t)
	good := proto.CloneOf(p.graph())
	p.graph().TransportSocket = nil
	warming := &adminv3.ClustersConfigDump{DynamicWarmingClusters: []*adminv3.ClustersConfigDump_DynamicCluster{{Cluster: p.pack(good)}}}
	if f := codes(found(t, p.dumped(warming))); !slices.Equal(f, []string{"upstream_not_verified"}) {
		t.Errorf("warming: %v", f)
	}

	// A listener that drains has the old filters for the connections that it has.
	p = newParts(t)
	p.extProc.FailureModeAllow = true
	p.json()
	old := proto.CloneOf(p.bootstrap.StaticResources.Listeners[0])
	p.extProc.FailureModeAllow = false
	drains := &adminv3.ListenersConfigDump{DynamicListeners: []*adminv3.ListenersConfigDump_DynamicListener{{
		DrainingState: &adminv3.ListenersConfigDump_DynamicListenerState{Listener: p.pack(old)},
	}}}
	if f := found(t, p.dumped(drains)); !slices.Equal(codes(f), []string{"failure_mode_allow"}) || !strings.Contains(f[0].Where, "ingress, which drains") {
		t.Errorf("draining: %v", f)
	}

	// Secrets with what they hide, and who may look.
	p = newParts(t)
	p.secret()
	secrets := &adminv3.SecretsConfigDump{DynamicActiveSecrets: []*adminv3.SecretsConfigDump_DynamicSecret{
		{Name: "key", Secret: p.pack(&tlsv3.Secret{Name: "key", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			PrivateKey: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte("[redacted]")}},
		}}})},
		{Name: "graph", Secret: p.pack(p.bootstrap.StaticResources.Secrets[0])},
	}}
	bootstrap := &adminv3.BootstrapConfigDump{Bootstrap: &bootstrapv3.Bootstrap{Admin: &bootstrapv3.Admin{
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "::"}}},
	}}}
	if f := codes(found(t, p.dumped(secrets, bootstrap))); !slices.Equal(f, []string{"admin_reachable"}) {
		t.Errorf("secrets: %v", f)
	}
}

// Every setting of the filter that its type has was judged, once, by somebody: a new
// one has to be, before it is here.
func TestSettingsAreJudged(t *testing.T) {
	const filter = `grpc_service http_service failure_mode_allow processing_mode request_attributes response_attributes message_timeout stat_prefix mutation_rules max_message_timeout
		forward_rules filter_metadata allow_mode_override disable_immediate_response metadata_options observability_mode disable_clear_route_cache route_cache_action
		deferred_close_timeout send_body_without_waiting_for_header_response allowed_override_modes on_processing_response processing_request_modifier status_on_error
		allow_content_length_header emit_client_span`
	const overrides = `processing_mode async_mode request_attributes response_attributes grpc_service metadata_options grpc_initial_metadata failure_mode_allow
		processing_request_modifier emit_client_span`
	for _, test := range []struct {
		m     proto.Message
		known string
	}{{&extprocv3.ExternalProcessor{}, filter}, {&extprocv3.ExtProcOverrides{}, overrides}} {
		fields := test.m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if name := string(fields.Get(i).Name()); !slices.Contains(strings.Fields(test.known), name) {
				t.Errorf("%s of %s is new: see what it does, and what the check has to say to it", name, fields.Get(i).Parent().Name())
			}
		}
	}
}
