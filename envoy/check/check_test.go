package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
)

func options() check.Options {
	return check.Options{Hosts: []string{envoy.DefaultHost}, RequestTimeout: 4 * time.Second}
}

// parts are the bootstrap of `graphveil envoy config`, taken apart.
type parts struct {
	t         *testing.T
	bootstrap *bootstrapv3.Bootstrap
	hcm       *hcmv3.HttpConnectionManager
	extProc   *extprocv3.ExternalProcessor
	host      *routev3.VirtualHost
	route     *routev3.Route
}

func newParts(t *testing.T) *parts {
	t.Helper()
	b, err := envoy.Render(envoy.Config{TLS: envoy.TLS{CertFile: "a.crt", KeyFile: "a.key"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{t: t, bootstrap: b}
	p.take()
	return p
}

func (p *parts) take() {
	p.t.Helper()
	p.hcm, p.extProc = &hcmv3.HttpConnectionManager{}, &extprocv3.ExternalProcessor{}
	p.unpack(p.connectionManager(), p.hcm)
	p.unpack(p.filter("envoy.filters.http.ext_proc").GetTypedConfig(), p.extProc)
	p.host = p.hcm.GetRouteConfig().VirtualHosts[0]
	p.route = p.host.Routes[0]
}

func (p *parts) connectionManager() *anypb.Any {
	return p.bootstrap.StaticResources.Listeners[0].FilterChains[0].Filters[0].GetTypedConfig()
}

func (p *parts) unpack(a *anypb.Any, m proto.Message) {
	p.t.Helper()
	if err := a.UnmarshalTo(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *parts) pack(m proto.Message) *anypb.Any {
	p.t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *parts) at(name string) int {
	i := slices.IndexFunc(p.hcm.HttpFilters, func(f *hcmv3.HttpFilter) bool { return f.Name == name })
	if i < 0 {
		p.t.Fatal("no filter " + name)
	}
	return i
}

func (p *parts) filter(name string) *hcmv3.HttpFilter { return p.hcm.HttpFilters[p.at(name)] }

func (p *parts) remove(name string) {
	p.hcm.HttpFilters = slices.Delete(p.hcm.HttpFilters, p.at(name), p.at(name)+1)
}

func (p *parts) insert(before string, f *hcmv3.HttpFilter) {
	p.hcm.HttpFilters = slices.Insert(p.hcm.HttpFilters, p.at(before), f)
}

// perRoute is what a route says about the ext_proc filter.
func (p *parts) perRoute(o *extprocv3.ExtProcPerRoute) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(o)}
}

func (p *parts) overrides(o *extprocv3.ExtProcOverrides) {
	p.route.TypedPerFilterConfig = p.perRoute(&extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: o}})
}

// json is the whole of it again.
func (p *parts) json() []byte {
	p.t.Helper()
	for _, f := range p.hcm.HttpFilters {
		if f.Name == "envoy.filters.http.ext_proc" && f.GetTypedConfig().MessageIs(p.extProc) {
			f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(p.extProc)}
		}
	}
	if len(p.bootstrap.StaticResources.Listeners) > 0 && p.connectionManager().MessageIs(p.hcm) {
		p.connectionManager().Value = p.pack(p.hcm).Value
	}
	out, err := envoy.JSON(p.bootstrap)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *parts) cluster(name string) int {
	for i, c := range p.bootstrap.StaticResources.Clusters {
		if c.Name == name {
			return i
		}
	}
	p.t.Fatal("no cluster " + name)
	return 0
}

// foreign is a filter of a type that the table of filters does not have.
func foreign(p *parts) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: "foreign", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(&corev3.Node{})}}
}

func (p *parts) logFormat(format string) {
	log := &filelogv3.FileAccessLog{Path: "/dev/stdout", AccessLogFormat: &filelogv3.FileAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: format}}},
	}}}
	p.hcm.AccessLog[0] = &accesslogv3.AccessLog{Name: "file", ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: p.pack(log)}}
}

// anybody matches every caller.
func anybody() *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Any{Any: true}}
}

func codes(findings []check.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Code)
	}
	return out
}

// Each way to spoil it is found, and every code can be found.
func TestEachFinding(t *testing.T) {
	all := map[string][]func(*parts){}
	for _, some := range []map[string][]func(*parts){spoiled, spoiledBeside, spoiledCopies, spoiledUpstream} {
		for code, changes := range some {
			all[code] = append(all[code], changes...)
		}
	}
	for code := range check.Codes {
		if len(all[code]) == 0 && code != "filter_keeps" { // see TestClosedExtensions
			t.Errorf("no change leads to %s", code)
		}
		for i, change := range all[code] {
			p := newParts(t)
			change(p)
			c, err := check.Read(p.json())
			if err != nil {
				t.Errorf("%s, change %d: %v", code, i, err)
				continue
			}
			found := c.Check(options())
			if !slices.Contains(codes(found), code) {
				t.Errorf("%s, change %d: found %v", code, i, codes(found))
			}
			if check.Codes[code].Error && !check.Failed(found) {
				t.Errorf("%s, change %d: did not fail", code, i)
			}
			for _, f := range found {
				if !strings.Contains(f.String(), "hint: ") || f.Where == "" {
					t.Errorf("%s, change %d: %v", code, i, f)
				}
			}
		}
	}
	for code := range all {
		if _, ok := check.Codes[code]; !ok {
			t.Errorf("no code %s", code)
		}
	}
}

// Where the filter is off for all and on for the route, as Envoy Gateway writes it,
// requests pass it.
func TestFilterOfARoute(t *testing.T) {
	p := newParts(t)
	p.filter("envoy.filters.http.ext_proc").Disabled = true
	p.route.TypedPerFilterConfig = map[string]*anypb.Any{"envoy.filters.http.ext_proc": p.pack(&routev3.FilterConfig{Config: &anypb.Any{}})}
	c, err := check.Read(p.json())
	if err != nil {
		t.Fatal(err)
	}
	if found := codes(c.Check(options())); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// Extensions of types that are unknown here are judged by name, place and text, also
// where they are written as TypedStruct; the configuration is YAML here.
func TestClosedExtensions(t *testing.T) {
	const marker = "- name: envoy.filters.http.ext_proc\n"
	for _, test := range []struct{ yaml, code string }{
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua", "filter_before"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.cache.v3.CacheConfig", "filter_keeps"},
		{"'@type': type.googleapis.com/udpa.type.v1.TypedStruct\n type_url: type.googleapis.com/envoy.extensions.filters.http.tap.v3.Tap", "filter_keeps"},
		{"'@type': type.googleapis.com/xds.type.v3.TypedStruct\n typeUrl: type.googleapis.com/" +
			"envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor\n value: {failure_mode_allow: true}", "failure_mode_allow"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors", ""},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors\n expose_headers: '%REQ(authorization)%'", "token_copied"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config\n metadata: [{metadata_namespace: graphveil}]", "guard_forged"},
		{"'@type': type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config\n metadata: [{metadata_namespace: envoy.filters.http.jwt_authn}]", "claims_forged"},
		{"'@type': type.googleapis.com/stats.PluginConfig\n metrics: [{dimensions: {a: request.url_path}}]", "path_copied"},
		{"'@type': type.googleapis.com/stats.PluginConfig\n metrics: [{dimensions: {a: request.method}}]", ""},
	} {
		p := newParts(t)
		var b bootstrapv3.Bootstrap
		if err := protojson.Unmarshal(p.json(), &b); err != nil {
			t.Fatal(err)
		}
		text, err := envoy.YAML(&b)
		if err != nil {
			t.Fatal(err)
		}
		before, after, ok := strings.Cut(string(text), marker)
		if !ok {
			t.Fatal("no ext_proc filter in the YAML")
		}
		indent := before[strings.LastIndexByte(before, '\n')+1:]
		inserted := "- name: inserted\n" + indent + "  typed_config:\n" + indent + "    " + strings.ReplaceAll(test.yaml, "\n ", "\n"+indent+"    ") + "\n" + indent
		c, err := check.Read([]byte(before + inserted + marker + after))
		if err != nil {
			t.Errorf("%s: %v", test.yaml, err)
			continue
		}
		found := codes(c.Check(options()))
		if test.code == "" && len(found) > 0 || test.code != "" && !slices.Contains(found, test.code) {
			t.Errorf("%s: found %v", test.yaml, found)
		}
	}
}

// What cannot be read is refused, without a word of what it says, and with a word of
// where that is.
func TestReadIsStrict(t *testing.T) {
	const secret = `{"static_resources": {"secrets": [{"name": "x", "generic_secret": {"secret": {"inline_bytes": "CANARY!!"}}}]}}`
	for name, test := range map[string]struct{ text, says string }{
		"empty":             {"", "is empty"},
		"no object":         {"[]", "is no object"},
		"not YAML":          {"a: b\nc: [CANARY", "neither JSON nor valid YAML, in line 2"},
		"a list in YAML":    {"- CANARY", "is no object"},
		"cut off":           {`{"node": {"id": "CANARY`, "at byte 23"},
		"unknown key":       {`{"static_resources": {}, "extra": "CANARY"}`, "not known at /extra;"},
		"unknown key below": {`{"static_resources": {"listeners": [{"name": "x", "extra": "CANARY"}]}}`, "not known at /static_resources/listeners/0/extra;"},
		"a secret":          {secret, "not of its type at /static_resources/secrets/0/generic_secret/secret/inline_bytes;"},
		"a type":            {`{"static_resources": {"clusters": [{"type": "CANARY"}]}}`, "not of its type at /static_resources/clusters/0/type;"},
		"in an extension": {`{"static_resources": {"clusters": [{"transport_socket": {"name": "x", "typed_config":
			{"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", "sni": ["CANARY"]}}}]}}`, "/clusters/0/transport_socket/typed_config/sni;"},
		"a name twice":      {`{"admin": {}, "admin": {}, "node": {"id": "CANARY"}}`, "has a name twice"},
		"no listeners":      {`{"configs": []}`, "has no listeners"},
		"unknown in a dump": {`{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "extra": "CANARY"}]}`, "not known at /configs/0/extra;"},
		"another in a dump": {`{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "static_listeners": [
			{"listener": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "CANARY"}}]}]}`, "take the whole of /config_dump?include_eds"},
	} {
		_, err := check.Read([]byte(test.text))
		if err == nil {
			t.Errorf("%s: read", name)
		} else if strings.Contains(err.Error(), "CANARY") || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
