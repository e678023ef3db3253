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
