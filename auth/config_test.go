package auth

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestConfigFromYAML(t *testing.T) {
	const text = `
tenant: 11111111-2222-3333-4444-555555555555
authority: https://login.microsoftonline.us
scope: https://graph.microsoft.us/.default
ca_file: ""
skip_instance_discovery: false
connectors:
  entra_id:
    client_id: AAAAAAAA-0000-0000-0000-000000000001
  outlook_mail:
    client_id: aaaaaaaa-0000-0000-0000-000000000001
    credential: {kubernetes: {}}
credential:
  kubernetes: {}
`
	var cfg Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	m, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if m.applications["entra_id"] == nil || m.applications["entra_id"] != m.applications["outlook_mail"] {
		t.Error("two spellings of one client id are two applications")
	}
	if err := yaml.UnmarshalWithOptions([]byte(text+"    client_secret: x\n"), &cfg, yaml.Strict()); err == nil {
		t.Error("an unknown key was accepted")
	}
}

func TestConfigDefaults(t *testing.T) {
	cfg, cloud, err := Config{Tenant: "contoso.example", Connectors: map[string]Connector{"x": {ClientID: mailApp, Credential: fromTokenFile("f")}}}.Complete()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Authority != "https://login.microsoftonline.com" || cfg.Scope != "https://graph.microsoft.com/.default" || cloud.Name != "global" {
		t.Errorf("defaults %+v, %+v", cfg, cloud)
	}
	shared := Config{Tenant: tenantID, ClientID: strings.ToUpper(mailApp), Credential: *fromTokenFile("f"), Connectors: map[string]Connector{"x": {}, "y": {}}}
	if cfg, _, err = shared.Complete(); err != nil || cfg.Connectors["x"].ClientID != mailApp || cfg.Connectors["y"].Credential.File.Path != "f" {
		t.Errorf("one application for all: %+v, %v", cfg, err)
	}
}

func TestCloudHasItsHosts(t *testing.T) {
	for _, test := range []struct{ cloud, authority, scope, want, host string }{
		{"", "", "", "global", "graph.microsoft.com"},
		{"us_government", "", "", "us_government", "graph.microsoft.us"},
		{"us_dod", "", "", "us_dod", "dod-graph.microsoft.us"},
		{"", "https://login.microsoftonline.us/", "https://dod-graph.microsoft.us/.default", "us_dod", "dod-graph.microsoft.us"},
		{"china", "https://login.chinacloudapi.cn", "", "china", "microsoftgraph.chinacloudapi.cn"},
		{"", "https://login.private.example", "https://graph.private.example/.default", "", "graph.private.example"},
	} {
		c := Config{Tenant: tenantID, Cloud: test.cloud, Authority: test.authority, Scope: test.scope, Connectors: map[string]Connector{"x": {ClientID: mailApp, Credential: fromTokenFile("f")}}}
		got, cloud, err := c.Complete()
		if err != nil || cloud.Name != test.want || cloud.Graph != test.host || got.Scope != "https://"+test.host+"/.default" || got.Authority != cloud.Authority || cloud.Audience == "" {
			t.Errorf("%+v: %+v, %v", test, cloud, err)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	good := func() Config {
		return Config{Tenant: tenantID, Connectors: map[string]Connector{"entra_id": {ClientID: directoryApp, Credential: fromTokenFile("/a")}}}
	}
	if _, err := New(good(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	noCertificate := t.TempDir() + "/ca.pem"
	if err := os.WriteFile(noCertificate, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no tenant", func(c *Config) { c.Tenant = "" }, "tenant"},
		{"many tenants", func(c *Config) { c.Tenant = "Common" }, "tenant"},
		{"adfs", func(c *Config) { c.Tenant = "adfs" }, "tenant"},
		{"tenant with a path", func(c *Config) { c.Tenant = "a/../b" }, "tenant"},
		{"plain authority", func(c *Config) { c.Authority = "http://login.microsoftonline.com" }, "authority"},
		{"authority with the tenant", func(c *Config) { c.Authority = "https://login.microsoftonline.com/" + tenantID }, "authority"},
		{"authority with a password", func(c *Config) { c.Authority = "https://u:p@login.microsoftonline.com" }, "authority"},
		{"authority that is none", func(c *Config) { c.Authority = "https://" }, "authority"},
		{"scope of one permission", func(c *Config) { c.Scope = "https://graph.microsoft.com/Mail.Read" }, "scope"},
		{"bare scope", func(c *Config) { c.Scope = ".default" }, "scope"},
		{"two scopes", func(c *Config) { c.Scope = "https://graph.microsoft.com/.default openid" }, "scope"},
		{"unknown cloud", func(c *Config) { c.Cloud = "gov" }, "must be global, us_government, us_dod, china"},
		{"authority of another cloud", func(c *Config) { c.Authority = "https://login.microsoftonline.us" }, "not of one cloud"},
		{"scope of another cloud", func(c *Config) { c.Scope = "https://graph.microsoft.us/.default" }, "not of one cloud"},
		{"cloud and authority of another", func(c *Config) { c.Cloud, c.Authority = "china", "https://login.microsoftonline.com" }, "cloud china has the authority"},
		{"L4 and the scope of L5", func(c *Config) { c.Cloud, c.Scope = "us_government", "https://dod-graph.microsoft.us/.default" }, "cloud us_government has"},
		{"private authority, public Graph", func(c *Config) { c.Authority = "https://login.private.example" }, "not of one cloud"},
		{"two credentials", func(c *Config) {
			c.Connectors["entra_id"] = Connector{ClientID: directoryApp, Credential: &Credential{File: &File{"/a"}, Kubernetes: &Kubernetes{}}}
		}, "both kubernetes and file"},
		{"file without a path", func(c *Config) {
			c.Connectors["entra_id"] = Connector{ClientID: directoryApp, Credential: fromTokenFile("")}
		}, "credential file: no path"},
		{"no connectors", func(c *Config) { c.Connectors = nil }, "no connectors"},
		{"connector without a name", func(c *Config) { c.Connectors[""] = c.Connectors["entra_id"] }, "no name"},
		{"client id that is no guid", func(c *Config) {
			c.Connectors["entra_id"] = Connector{ClientID: "graphveil", Credential: fromTokenFile("/a")}
		}, `"entra_id": client_id`},
		{"no assertion file", func(c *Config) { c.Connectors["entra_id"] = Connector{ClientID: directoryApp} }, "no credential"},
		{"one application, two files", func(c *Config) {
			c.Connectors["outlook_mail"] = Connector{ClientID: strings.ToUpper(directoryApp), Credential: fromTokenFile("/b")}
		}, `"outlook_mail": shares`},
		{"no ca file", func(c *Config) { c.CAFile = "/nowhere/ca.pem" }, "ca_file"},
		{"ca file without a certificate", func(c *Config) { c.CAFile = noCertificate }, "ca_file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := good()
			test.change(&cfg)
			if _, err := New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error about %q", err, test.says)
			}
		})
	}
}
