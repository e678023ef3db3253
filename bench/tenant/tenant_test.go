package tenant

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
)

const app = "3c7d2a10-5b1f-4c55-9d59-0d5a5f6b7e01"

func startTenant(t *testing.T, cfg Config) *Tenant {
	t.Helper()
	tenant, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tenant.Close)
	return tenant
}

func get(t *testing.T, client *http.Client, target, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// signIn gets a token from Entra with the assertion of the file, and a claims parameter unless that is empty.
func signIn(t *testing.T, tenant *Tenant, client *http.Client, file, claims string) string {
	t.Helper()
	assertion, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {app}, "scope": {"https://graph.microsoft.com/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {string(assertion)},
	}
	if claims != "" {
		form.Set("claims", claims)
	}
	res, err := client.PostForm(tenant.Authority()+"/"+tenant.ID()+"/oauth2/v2.0/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&granted); err != nil || res.StatusCode != 200 || granted.AccessToken == "" {
		t.Fatalf("signing in: status %d, error %v", res.StatusCode, err)
	}
	return granted.AccessToken
}

// TestSignInAndRead takes the whole way: an assertion from the file, a token from Entra, data from Graph within the granted roles.
func TestSignInAndRead(t *testing.T) {
	tenant := startTenant(t, Config{Apps: []entra.App{{ClientID: app, Roles: []string{"User.Read.All"}}}, Graph: graph.Config{Users: 3}})
	client := tenant.Client()
	t.Cleanup(client.CloseIdleConnections)
	file := filepath.Join(t.TempDir(), "tokens", "token")
	if err := tenant.WriteAssertion(file, time.Hour); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the assertion is good for more than one sign-in
		token := signIn(t, tenant, client, file, "")
		status, body := get(t, client, tenant.GraphURL()+"/v1.0/users", token)
		if status != 200 || strings.Count(body, `"userPrincipalName"`) != 3 {
			t.Errorf("GET /users: status %d, body %s", status, body)
		}
		if status, body := get(t, client, tenant.GraphURL()+"/v1.0/groups", token); status != 403 {
			t.Errorf("GET /groups without the role: status %d, body %s", status, body)
		}
	}
	if status, _ := get(t, client, tenant.GraphURL()+"/v1.0/users", ""); status != 401 {
		t.Errorf("GET /users without a token: status %d", status)
	}
	if status, _ := get(t, client, tenant.GraphURL()+"/v1.0/users", "e30.e30.e30"); status != 401 {
		t.Errorf("GET /users with a forged token: status %d", status)
	}
	token, err := tenant.Token(app)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, client, tenant.GraphURL()+"/v1.0/users", token); status != 200 {
		t.Errorf("GET /users with an issued token: status %d", status)
	}
}

// TestRevokedToken: Graph calls a token back with a challenge, and takes one that was asked for with what the challenge says.
func TestRevokedToken(t *testing.T) {
	tenant := startTenant(t, Config{Apps: []entra.App{{ClientID: app, Roles: []string{"User.Read.All"}}}, Graph: graph.Config{Users: 3}})
	client := tenant.Client()
	t.Cleanup(client.CloseIdleConnections)
	file := filepath.Join(t.TempDir(), "token")
	if err := tenant.WriteAssertion(file, time.Hour); err != nil {
		t.Fatal(err)
	}
	read := func(token string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, tenant.GraphURL()+"/v1.0/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	ordinary, capable := signIn(t, tenant, client, file, ""), signIn(t, tenant, client, file, `{"access_token":{"xms_cc":{"values":["CP1"]}}}`)
	tenant.Entra.Revoke(app)
	if res := read(ordinary); res.StatusCode != 401 || strings.Contains(res.Header.Get("WWW-Authenticate"), "claims") {
		t.Errorf("a revoked token without the capability: status %d %v", res.StatusCode, res.Header)
	}
	res := read(capable)
	match := regexp.MustCompile(`^Bearer realm="", authorization_uri="[^"]+", client_id="[^"]+", error="insufficient_claims", claims="([^"]+)"$`).
		FindStringSubmatch(res.Header.Get("WWW-Authenticate"))
	if res.StatusCode != 401 || match == nil {
		t.Fatalf("a revoked token: status %d %v", res.StatusCode, res.Header)
	}
	claims, err := base64.StdEncoding.DecodeString(match[1])
	if err != nil {
		t.Fatal(err)
	}
	if res := read(signIn(t, tenant, client, file, string(claims))); res.StatusCode != 200 {
		t.Errorf("a token that was asked for with %s: status %d", claims, res.StatusCode)
	}
}

// TestCertificates: both servers present a certificate for the real names, over HTTP/2 and HTTP/1.1, and for no others.
func TestCertificates(t *testing.T) {
	tenant := startTenant(t, Config{Names: []string{"graph.internal.example"}})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(tenant.CA.PEM()) {
		t.Fatal("the CA's PEM holds no certificate")
	}
	for _, addr := range []string{tenant.GraphAddr, tenant.EntraAddr} {
		for _, proto := range []string{"h2", "http/1.1"} {
			for name, want := range map[string]bool{"graph.microsoft.com": true, "login.microsoftonline.com": true, "localhost": true,
				"127.0.0.1": true, "graph.internal.example": true, "graph.microsoft.us": false} {
				conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, ServerName: name, NextProtos: []string{proto}})
				if (err == nil) != want {
					t.Errorf("%s as %s: error %v", addr, name, err)
				}
				if err == nil {
					if got := conn.ConnectionState().NegotiatedProtocol; got != proto {
						t.Errorf("%s speaks %q, asked for %q", addr, got, proto)
					}
					conn.Close()
				}
			}
		}
	}
}

func TestCertificateFiles(t *testing.T) {
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("spiffe://cluster.example/ns/reader", "reader.example")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cert, key, err := WritePair(folder, "reader", pair)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Leaf.URIs[0].String(); got != "spiffe://cluster.example/ns/reader" {
		t.Errorf("the URI is %q", got)
	}
	if _, err := loaded.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("not good for a client: %v", err)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %v, error %v", info.Mode(), err)
	}
	root := filepath.Join(folder, "ca.pem")
	if err := ca.Write(root); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(root); err != nil || string(data) != string(ca.PEM()) {
		t.Errorf("the CA file differs, error %v", err)
	}
	if _, err := ca.Issue(); err == nil {
		t.Error("a certificate without a name was issued")
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tenant, err := Start(ctx, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer tenant.Close()
	client := tenant.Client()
	defer client.CloseIdleConnections()
	get(t, client, tenant.GraphURL()+"/v1.0/users", "")
	cancel()
	deadline := time.Now().Add(5 * time.Second)
	for {
		res, err := client.Get(tenant.GraphURL())
		if err != nil {
			return
		}
		res.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("still answering after its context ended")
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"negative users": {Graph: graph.Config{Users: -1}},
		"app twice":      {Apps: []entra.App{{ClientID: app}, {ClientID: app}}},
		"name is no URI": {Names: []string{"://"}},
	} {
		if tenant, err := Start(t.Context(), cfg); err == nil {
			tenant.Close()
			t.Errorf("%s: started", name)
		}
	}
}
