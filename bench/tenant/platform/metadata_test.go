package platform

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// signer is made once: keys are slow.
var signer = sync.OnceValue(func() *entra.Issuer {
	issuer, err := entra.NewIssuer("https://issuer.example")
	if err != nil {
		panic(err)
	}
	return issuer
})

// verified checks the signature and returns the claims.
func verified(t *testing.T, token string) map[string]any {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := parsed.Claims(signer().Keys(), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// ask sends a request with headers of the form "Name: value".
func ask(t *testing.T, server http.Handler, method, target string, headers ...string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

func TestGCPVerifies(t *testing.T) {
	account := GCPServiceAccount{UniqueID: "107517467455664443766", Email: "a@p.iam.gserviceaccount.com"}
	server := NewGCP(signer(), account)
	const path = "/computeMetadata/v1/instance/service-accounts/default/identity"
	const flavor = "Metadata-Flavor: Google"
	for _, test := range []struct {
		method, target string
		headers        []string
		status         int
	}{
		{"GET", path + "?audience=x", nil, 403},
		{"GET", path + "?audience=x", []string{"Metadata-Flavor: google"}, 403},
		{"GET", path + "?audience=x", []string{flavor, "X-Forwarded-For: 10.0.0.1"}, 403},
		{"POST", path + "?audience=x", []string{flavor}, 405},
		{"GET", path, []string{flavor}, 400},
		{"GET", path + "?audience=", []string{flavor}, 400},
		{"GET", path + "?audience=x&format=jwt", []string{flavor}, 400},
		{"GET", "/computeMetadata/v1/instance/service-accounts/default/token", []string{flavor}, 404},
		{"GET", "/computeMetadata/v1/instance/service-accounts/b@p.iam.gserviceaccount.com/identity?audience=x", []string{flavor}, 404},
		{"GET", path + "?audience=x", []string{flavor}, 200},
		{"GET", path + "?audience=x&format=standard", []string{flavor}, 200},
		{"GET", "/computeMetadata/v1/instance/service-accounts/a@p.iam.gserviceaccount.com/identity?audience=x&format=full", []string{flavor}, 200},
	} {
		if status, _ := ask(t, server, test.method, test.target, test.headers...); status != test.status {
			t.Errorf("%s %s %v: status %d, want %d", test.method, test.target, test.headers, status, test.status)
		}
	}
	_, token := ask(t, server, "GET", path+"?audience=api://x&format=full", flavor)
	claims := verified(t, token)
	if claims["sub"] != account.UniqueID || claims["azp"] != account.UniqueID || claims["aud"] != "api://x" || claims["email"] != account.Email || claims["iss"] != "https://issuer.example" {
		t.Errorf("claims %v", claims)
	}
	if life := claims["exp"].(float64) - claims["iat"].(float64); life != time.Hour.Seconds() {
		t.Errorf("the token lives %v seconds", life)
	}
	_, token = ask(t, server, "GET", path+"?audience=api://x", flavor)
	if claims := verified(t, token); claims["email"] != nil {
		t.Errorf("the standard format has the email: %v", claims)
	}
}

func TestIMDSVerifies(t *testing.T) {
	one, two := AzureIdentity{"c-1", "p-1"}, AzureIdentity{"c-2", "p-2"}
	azure := NewAzure("t", signer(), "h", one, two)
	imds := azure.IMDS()
	const query = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api://AzureADTokenExchange"
	const metadata = "Metadata: true"
	for _, test := range []struct {
		method, target string
		headers        []string
		status         int
		says           string
	}{
		{"GET", query + "&client_id=c-1", nil, 400, "Required metadata header not specified"},
		{"GET", query + "&client_id=c-1", []string{"Metadata: false"}, 400, "Required metadata header not specified"},
		{"GET", query + "&client_id=c-1", []string{metadata, "X-Forwarded-For: 10.0.0.1"}, 400, "orward"},
		{"POST", query + "&client_id=c-1", []string{metadata}, 405, ""},
		{"GET", strings.Replace(query, "token?", "tokens?", 1), []string{metadata}, 404, ""},
		{"GET", strings.Replace(query, "api-version", "version", 1), []string{metadata}, 400, "api-version"},
		{"GET", strings.Replace(query, "resource", "scope", 1), []string{metadata}, 400, "audience"},
		{"GET", query, []string{metadata}, 400, "Multiple user assigned identities exist"},
		{"GET", query + "&client_id=c-3", []string{metadata}, 400, "Identity not found"},
		{"GET", strings.Replace(query, "api://AzureADTokenExchange", "https://vault.example", 1) + "&client_id=c-1", []string{metadata}, 400, "invalid_resource"},
		{"GET", query + "&client_id=C-2", []string{metadata}, 200, `"expires_in":"86399"`},
	} {
		if status, body := ask(t, imds, test.method, test.target, test.headers...); status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s %s %v: status %d, %s, want %d, %q", test.method, test.target, test.headers, status, body, test.status, test.says)
		}
	}
	claims := verified(t, azure.Issued()[0])
	if claims["sub"] != "p-2" || claims["oid"] != "p-2" || claims["aud"] != entra.AudienceAppID || claims["tid"] != "t" || claims["iss"] != "https://issuer.example" {
		t.Errorf("claims %v", claims)
	}
	if status, _ := ask(t, NewAzure("t", signer(), "h", one).IMDS(), "GET", query, metadata); status != 200 {
		t.Errorf("the only identity without its name: status %d", status)
	}
}

func TestAppServiceVerifies(t *testing.T) {
	service := NewAzure("t", signer(), "secret-header", AzureIdentity{"c-1", "p-1"}).AppService()
	const query = "/msi/token?api-version=2019-08-01&resource=api://AzureADTokenExchange&client_id=c-1"
	const header = "X-IDENTITY-HEADER: secret-header"
	for _, test := range []struct {
		target, header string
		status         int
	}{
		{query, "Metadata: true", 401},
		{query, "X-IDENTITY-HEADER: secret", 401},
		{strings.Replace(query, "2019-08-01", "2017-09-01", 1), header, 400},
		{strings.Replace(query, "c-1", "c-2", 1), header, 400},
		{strings.Replace(query, "resource=", "scope=", 1), header, 400},
		{strings.Replace(query, "/msi/token", "/", 1), header, 404},
		{query, header, 200},
	} {
		if status, _ := ask(t, service, "GET", test.target, test.header); status != test.status {
			t.Errorf("%s with %s: status %d, want %d", test.target, test.header, status, test.status)
		}
	}
}
