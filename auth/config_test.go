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
    assertion_file: /var/run/secrets/azure/tokens/azure-identity-token
  outlook_mail:
    client_id: aaaaaaaa-0000-0000-0000-000000000001
    assertion_file: /var/run/secrets/azure/tokens/azure-identity-token
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
	cfg, err := Config{Tenant: "contoso.example", Connectors: map[string]Connector{"x": {ClientID: mailApp, AssertionFile: "f"}}}.validate()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Authority != "https://login.microsoftonline.com" || cfg.Scope != "https://graph.microsoft.com/.default" {
		t.Errorf("defaults %+v", cfg)
	}
}

func TestConfigRefused(t *testing.T) {
	good := func() Config {
		return Config{Tenant: tenantID, Connectors: map[string]Connector{"entra_id": {ClientID: directoryApp, AssertionFile: "/a"}}}
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
		{"no connectors", func(c *Config) { c.Connectors = nil }, "no connectors"},
		{"connector without a name", func(c *Config) { c.Connectors[""] = c.Connectors["entra_id"] }, "no name"},
		{"client id that is no guid", func(c *Config) { c.Connectors["entra_id"] = Connector{ClientID: "graphveil", AssertionFile: "/a"} }, `"entra_id": client_id`},
		{"no assertion file", func(c *Config) { c.Connectors["entra_id"] = Connector{ClientID: directoryApp} }, "assertion_file"},
		{"one application, two files", func(c *Config) {
			c.Connectors["outlook_mail"] = Connector{ClientID: strings.ToUpper(directoryApp), AssertionFile: "/b"}
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
