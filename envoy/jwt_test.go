package envoy_test

import (
	"bufio"
	"crypto/elliptic"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/graphveil/graphveil/envoy"
)

// issuerKeys is a file with a public key.
func issuerKeys(t *testing.T) string {
	t.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: curveKey(t, elliptic.P256()).Public(), KeyID: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	return textFile(t, string(keys))
}

// TestNothingPassesWithoutToken: whatever the method, a request without a token goes
// neither upstream nor to the processor.
func TestNothingPassesWithoutToken(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, hello, func(c *envoy.Config) {
		c.JWT = envoy.JWT{Issuer: "https://issuer.example", Audiences: []string{"graphveil"}, JWKSFile: issuerKeys(t)}
	})
	for line, want := range map[string]int{
		"GET /v1.0/users": 401, "HEAD /v1.0/users": 401, "POST /v1.0/users": 401, "OPTIONS /v1.0/users": 401, "PROPFIND /": 401,
		"GET https://graph.example/v1.0/users": 401, "CONNECT graph.example:443": 401, "OPTIONS *": 404,
	} {
		conn, err := tls.Dial("tcp", r.Address(), &tls.Config{RootCAs: r.authority.Pool(), NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		preflight := "origin: https://a.example\r\naccess-control-request-method: GET\r\n" // which browsers send without a token
		if _, err := io.WriteString(conn, line+" HTTP/1.1\r\nhost: graph.example\r\n"+preflight+"\r\n"); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(line, " ")
		response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if response.StatusCode != want {
			t.Errorf("%s: got %d, want %d", line, response.StatusCode, want)
		}
		conn.Close()
	}
	response, err := r.Client(t, true).Do(&http.Request{Method: "CONNECT", URL: &url.URL{Scheme: "https", Host: r.Address()}, Host: "graph.example:443"})
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != 401 {
		t.Errorf("CONNECT of h2: got %d", response.StatusCode)
	}
	if n := len(s.seen()); n > 0 {
		t.Errorf("the processor was asked %d times", n)
	}
	if n := len(r.upstream.seen()); n > 0 {
		t.Errorf("%d requests arrived upstream", n)
	}
}

// TestKeysOfTheIssuer: what is no set of public keys is refused before Envoy starts, which
// would take some of it.
func TestKeysOfTheIssuer(t *testing.T) {
	private := curveKey(t, elliptic.P256())
	set := func(keys ...any) string {
		var all jose.JSONWebKeySet
		for _, key := range keys {
			all.Keys = append(all.Keys, jose.JSONWebKey{Key: key, KeyID: "a"})
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, test := range map[string]struct{ text, want string }{
		"empty":      {"", "has no keys"},
		"no JSON":    {"keys", "has no keys"},
		"no member":  {"{}", "has no keys"},
		"no keys":    {set(), "has no keys"},
		"shared":     {set(private.Public(), []byte("CANARY")), "has a secret"},
		"private":    {set(private), "has a secret"},
		"good":       {set(private.Public()), ""},
		"other kind": {`{"keys": [{"kty": "AKP", "alg": "ML-DSA-65", "pub": "x"}]}`, ""},
	} {
		err := envoy.JWT{JWKSFile: textFile(t, test.text)}.CheckKeys()
		switch {
		case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		case err != nil && strings.Contains(err.Error(), "Q0FOQVJZ"):
			t.Errorf("%s: the error has the key", name)
		}
	}
	if err := (envoy.JWT{JWKSFile: "/nowhere"}).CheckKeys(); err == nil {
		t.Error("a file that is not there is good")
	}
}
