package opa_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/opa"
	"github.com/graphveil/graphveil/policy/opa/opatest"
)

func readConfig(t *testing.T, text string) (*opa.Config, string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "opa.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := opa.Read(file)
	return c, file, err
}

// secret is long enough to sign with.
const secret = "0123456789abcdef0123456789abcdef"

func TestReadRefuses(t *testing.T) {
	const services = "services: {control: {url: 'http://127.0.0.1:1'}}\n"
	const base = services + "keys: {release: {key: " + secret + ", algorithm: HS256}}\n"
	const signed = "bundles: {main: {service: control, signing: {keyid: release}}}\n"
	keyFile := filepath.Join(t.TempDir(), "a-folder-with-a-long-name", "release.pem")
	if err := os.MkdirAll(filepath.Dir(keyFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := opatest.NewKey(t)
	withKey := func(key, algorithm string) string {
		return services + "keys:\n  release:\n    algorithm: " + algorithm + "\n    key: |-\n      " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n      ") + "\n" + signed
	}
	for _, test := range []struct{ name, text, want string }{
		{"no YAML", "{", "neither YAML nor JSON"},
		{"unsigned bundle", base + "bundles: {main: {service: control}}", "bundles.main: the bundle need not be signed"},
		{"null signing", base + "bundles: {main: {service: control, signing: null}}", "bundles.main: the bundle need not be signed"},
		{"unsigned discovery", base + "discovery: {resource: x}", "discovery: the bundle need not be signed"},
		{"unsigned deltas", base + "bundles: {main: {signing: {keyid: release, allow_unsigned_delta_bundles: true}}}", "allow_unsigned_delta_bundles"},
		{"unsigned files", base + "bundles: {main: {signing: {keyid: release, exclude_files: ['*.rego']}}}", "exclude_files"},
		{"a typo in scope", base + "bundles: {main: {signing: {keyid: release, scop: write}}}", `bundles.main: signing has no option "scop"`},
		{"two spellings", base + "bundles: {main: {signing: {keyid: release, KeyID: other}}}", `signing has no option "KeyID"`},
		{"signing is no object", base + "bundles: {main: {signing: release}}", "signing is no object"},
		{"nothing", "", "configures nothing"},
		{"services alone", base, "configures nothing"},
		{"a typo in bundles", base + "bundels: {main: {service: control, signing: {keyid: release}}}\nstatus: {service: control}", `no option "bundels"`},
		{"a PEM whose lines were joined", services + "keys: {release: {algorithm: ES256, key: \"" + key.Public + "\"}}\n" + signed, "as a block"},
		{"old form", base + "bundle: {name: main, service: control}", "old form"},
		{"a variable that is not set", withKey("${GRAPHVEIL_TEST_NONE}", "HS256"), "keys.release.key: there is no environment variable for ${GRAPHVEIL_TEST_NONE}"},
		{"the same for a public key", withKey("${GRAPHVEIL_TEST_NONE}", "RS256"), "no environment variable"},
		{"a short secret", withKey("secret", "HS512"), "less than 32 bytes"},
		{"a file name for a secret", withKey(keyFile, "HS256"), "name of a file"},
		{"a file name for a key", withKey(keyFile, "ES256"), "name of a file"},
		{"no PEM", withKey("MFkwEwYHKoZIzj0CAQYI", "ES256"), "no key in PEM form"},
		{"a public key as a secret", withKey(key.Public, "HS256"), "whoever has the public key could sign"},
		{"buckets that end the process", base + signed + "status: {prometheus: true, prometheus_config: {collectors: {bundle_loading_duration_ns: {buckets: [1, 3, 3]}}}}", "the buckets of bundle_loading_duration_ns must increase"},
		{"the private key", withKey(key.Private(), "ES256"), "private key"},
	} {
		_, file, err := readConfig(t, test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
			continue
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "BEGIN PRIVATE") {
			t.Errorf("%s: the error has the key: %v", test.name, err)
		}
	}
	if _, err := opa.Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
	t.Setenv("GRAPHVEIL_TEST_KEY", secret)
	for _, text := range []string{base + signed, base + signed + "status: {prometheus: true, prometheus_config: {collectors: {bundle_loading_duration_ns: {buckets: [1, 3]}}}}", base + signed + "status: null", withKey(key.Public, "ES256"), withKey("${GRAPHVEIL_TEST_KEY}", "HS256"), base + "bundles: {main: {signing: {keyid: release, scope: write}}, other: null}"} {
		if c, _, err := readConfig(t, text); err != nil || !c.Delivers() {
			t.Errorf("refused: %v\n%s", err, text)
		}
	}
}

// TestPlainServices: credentials without TLS are told of, and loopback is not.
func TestPlainServices(t *testing.T) {
	const rest = "status: {service: a}\nservices: "
	for text, want := range map[string]string{
		rest + "{a: {url: 'http://opa.example.org', credentials: {bearer: {token: x}}}}":                                                                                           "a",
		rest + "[{name: a, url: 'http://192.0.2.1:80/x', credentials: {bearer: {token: x}}}]":                                                                                      "a (0)",
		rest + "{a: {url: 'http://127.0.0.1:1', credentials: {bearer: {token: x}}}, b: {url: 'http://[::1]:1', credentials: {bearer: {token: x}}}}":                                "",
		rest + "{a: {url: 'https://opa.example.org', allow_insecure_tls: true, credentials: {bearer: {token: x}}}, b: {url: 'https://opa.example.org', allow_insecure_tls: true}}": "a",
		rest + "{a: {url: 'https://opa.example.org', credentials: {bearer: {token: x}}}, b: {url: 'http://opa.example.org'}}":                                                      "",
	} {
		c, _, err := readConfig(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := strings.Join(c.Plain(), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
