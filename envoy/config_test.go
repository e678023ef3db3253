package envoy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/envoy"
)

func TestValidateNamesTheKey(t *testing.T) {
	for _, test := range []struct {
		key    string
		change func(*envoy.Config)
	}{
		{"listen", func(c *envoy.Config) { c.Listen = "localhost:8443" }},
		{"listen", func(c *envoy.Config) { c.Listen = "127.0.0.1" }},
		{"tls.cert_file", func(c *envoy.Config) { c.TLS.CertFile = "" }},
		{"tls.key_file", func(c *envoy.Config) { c.TLS.KeyFile = "" }},
		{"tls.client_certificate", func(c *envoy.Config) { c.TLS.ClientCertificate = "required" }},
		{"upstream.compression", func(c *envoy.Config) { c.Upstream.Compression = "br" }},
		{"tls.client_certificate", func(c *envoy.Config) { c.TLS.ClientCAFile, c.TLS.ClientCertificate = "ca.crt", "yes" }},
		{"jwt.issuer", func(c *envoy.Config) { c.JWT.JWKSFile = "jwks.json" }},
		{"jwt.issuer", func(c *envoy.Config) { c.JWT.JWKSURI = "https://issuer.example/keys" }},
		{"jwt.issuer", func(c *envoy.Config) { c.JWT.Audiences = []string{"a"} }},
		{"jwt.issuer", func(c *envoy.Config) { c.JWT.CAFile = "ca.crt" }},
		{"jwt.jwks_uri", func(c *envoy.Config) {
			c.JWT = envoy.JWT{Issuer: "i", Audiences: []string{"a"}, JWKSURI: "https://user:password@issuer.example/keys"}
		}},
		{"jwt.audiences", func(c *envoy.Config) { c.JWT = envoy.JWT{Issuer: "i", JWKSFile: "jwks.json"} }},
		{"jwt.audiences", func(c *envoy.Config) {
			c.JWT = envoy.JWT{Issuer: "i", Audiences: []string{""}, JWKSFile: "jwks.json"}
		}},
		{"jwt.jwks_file", func(c *envoy.Config) { c.JWT = envoy.JWT{Issuer: "i", Audiences: []string{"a"}} }},
		{"jwt.jwks_file", func(c *envoy.Config) {
			c.JWT = envoy.JWT{Issuer: "i", Audiences: []string{"a"}, JWKSFile: "jwks.json", JWKSURI: "https://issuer.example/keys"}
		}},
		{"jwt.jwks_uri", func(c *envoy.Config) {
			c.JWT = envoy.JWT{Issuer: "i", Audiences: []string{"a"}, JWKSURI: "http://issuer.example/keys"}
		}},
		{"jwt.jwks_uri", func(c *envoy.Config) {
			c.JWT = envoy.JWT{Issuer: "i", Audiences: []string{"a"}, JWKSURI: "https://192.0.2.1/keys"}
		}},
		{"jwt.ca_file", func(c *envoy.Config) {
			c.JWT = envoy.JWT{Issuer: "i", Audiences: []string{"a"}, JWKSFile: "jwks.json", CAFile: "ca.crt"}
		}},
		{"processor", func(c *envoy.Config) { c.Processor = "run/processor.sock" }},
		{"processor", func(c *envoy.Config) { c.Processor = "10.0.0.1:9002" }},
		{"processor", func(c *envoy.Config) { c.Processor = "localhost:9002" }},
		{"processor", func(c *envoy.Config) { c.Processor = "/run/../processor.sock" }},
		{"processor", func(c *envoy.Config) { c.Processor = "/" + strings.Repeat("s", 103) }},
		{"upstream.host", func(c *envoy.Config) { c.Upstream.Host = "https://graph.microsoft.com" }},
		{"upstream.host", func(c *envoy.Config) { c.Upstream.Host = "127.0.0.1:443" }},
		{"upstream.host", func(c *envoy.Config) { c.Upstream.Host = "graph.microsoft.com:0" }},
		{"upstream.host", func(c *envoy.Config) { c.Upstream.Host = "*.microsoft.com" }},
		{"upstream.address", func(c *envoy.Config) { c.Upstream.Address = "127.0.0.1" }},
		{"upstream.address", func(c *envoy.Config) { c.Upstream.Address = "127.0.0.1:65536" }},
		{"retry.count", func(c *envoy.Config) { c.Retry.Count = -2 }},
		{"retry.count", func(c *envoy.Config) { c.Retry.Count = 11 }},
		{"rate_limit.service", func(c *envoy.Config) { c.RateLimit.Service = "quota" }},
		{"rate_limit.service", func(c *envoy.Config) { c.RateLimit.Domain = "graphveil" }},
		{"rate_limit.timeout", func(c *envoy.Config) { c.RateLimit = envoy.RateLimit{Service: "quota:8081", Timeout: 1} }},
		{"rate_limit.when_unavailable", func(c *envoy.Config) {
			c.RateLimit = envoy.RateLimit{Service: "quota:8081", WhenUnavailable: "maybe"}
		}},
		{"local_rate_limit.requests_per_second", func(c *envoy.Config) { c.LocalRateLimit.RequestsPerSecond = -1 }},
		{"local_rate_limit.requests_per_second", func(c *envoy.Config) { c.LocalRateLimit.Burst = 5 }},
		{"local_rate_limit.burst", func(c *envoy.Config) { c.LocalRateLimit = envoy.LocalRateLimit{RequestsPerSecond: 5, Burst: 4} }},
		{"retry.max_wait", func(c *envoy.Config) { c.Retry.MaxWait = 1500 * time.Millisecond }},
		{"retry.max_wait", func(c *envoy.Config) { c.Retry.MaxWait, c.Timeouts.Idle = 301*time.Second, time.Hour }},
		{"retry.max_wait", func(c *envoy.Config) { c.Retry.MaxWait = 31 * time.Second }},
		{"retry.max_wait", func(c *envoy.Config) { c.Timeouts.Idle = 39 * time.Second }},
		{"timeouts.request", func(c *envoy.Config) { c.Timeouts.Request = -time.Second }},
		{"timeouts.processor", func(c *envoy.Config) { c.Timeouts.Processor = time.Millisecond }},
		{"timeouts.connect", func(c *envoy.Config) { c.Timeouts.Connect = 25 * time.Hour }},
		{"timeouts.exchange", func(c *envoy.Config) { c.Timeouts.Exchange = -1 }},
		{"limits.connections", func(c *envoy.Config) { c.Limits.Connections = -1 }},
		{"limits.streams", func(c *envoy.Config) { c.Limits.Streams = 1<<16 + 1 }},
		{"limits.requests", func(c *envoy.Config) { c.Limits.Requests = -1 }},
		{"limits.headers_kb", func(c *envoy.Config) { c.Limits.HeadersKB = 8193 }},
		{"limits.headers", func(c *envoy.Config) { c.Limits.Headers = 9 }},
		{"admin", func(c *envoy.Config) { c.Admin = "0.0.0.0:9901" }},
		{"workers", func(c *envoy.Config) { c.Workers = -1 }},
	} {
		config := envoy.Config{TLS: envoy.TLS{CertFile: "a.crt", KeyFile: "a.key"}}
		if err := config.Validate(); err != nil {
			t.Fatalf("a configuration with a certificate alone: %v", err)
		}
		test.change(&config)
		err := config.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "checking "+test.key+": ") {
			t.Errorf("%+v: got %v, want an error about %s", config, err, test.key)
		}
		if _, rendered := envoy.Render(config); rendered == nil {
			t.Errorf("%+v: rendered all the same", config)
		}
	}
}

func TestValidateTellsAllAtOnce(t *testing.T) {
	err := envoy.Config{Listen: "x", Processor: "y", Workers: -1}.Validate()
	for _, key := range []string{"listen", "tls.cert_file", "tls.key_file", "processor", "workers"} {
		if err == nil || !strings.Contains(err.Error(), "checking "+key+": ") {
			t.Errorf("got %v, want an error about %s too", err, key)
		}
	}
}

// Whoever turns retries off may have an idle timeout as short as they like.
func TestValidateAcceptsShortIdleWithoutRetries(t *testing.T) {
	config := envoy.Config{TLS: envoy.TLS{CertFile: "a.crt", KeyFile: "a.key"}}
	config.Retry.Count, config.Timeouts.Idle = -1, time.Second
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
}

// On all addresses of IPv6 callers of IPv4 are served, too; on all of IPv4, or one of
// IPv6, there is nothing to say.
func TestListenOnBothFamilies(t *testing.T) {
	for listen, want := range map[string]bool{"[::]:8443": true, "0.0.0.0:8443": false, "[::1]:8443": false, "127.0.0.1:8443": false} {
		b, err := envoy.Render(envoy.Config{Listen: listen, TLS: envoy.TLS{CertFile: "tls.crt", KeyFile: "tls.key"}})
		if err != nil {
			t.Fatal(err)
		}
		address := b.GetStaticResources().GetListeners()[0].GetAddress().GetSocketAddress()
		if address.GetIpv4Compat() != want {
			t.Errorf("%s: %v", listen, address)
		}
	}
}
