package entra

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	mailApp  = "aaaaaaaa-0000-0000-0000-000000000001"
	bareApp  = "aaaaaaaa-0000-0000-0000-000000000002"
	subject  = "system:serviceaccount:privacy:graphveil"
	cluster  = "https://oidc.example/cluster"
)

// testIssuer is made once: keys are slow.
var testIssuer = sync.OnceValue(func() *Issuer {
	issuer, err := NewIssuer(cluster)
	if err != nil {
		panic(err)
	}
	return issuer
})

func newServer(t *testing.T, adjust func(*Config)) *Server {
	t.Helper()
	cfg := Config{
		TenantID: tenantID,
		Apps: []App{
			{ClientID: mailApp, Roles: []string{"Mail.ReadBasic.All", "MailboxSettings.Read"}, FederatedCredentials: []FederatedCredential{
				{Issuer: cluster, Subject: subject, Audience: Audience, Keys: testIssuer().Keys()},
			}},
			{ClientID: bareApp},
		},
	}
	if adjust != nil {
		adjust(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustToken(t *testing.T, issuer *Issuer, subject, audience string, lifetime time.Duration) string {
	t.Helper()
	token, err := issuer.Token(subject, audience, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// request is a token request that succeeds.
func request(t *testing.T) url.Values {
	t.Helper()
	return url.Values{
		"grant_type":            {"client_credentials"},
		"client_id":             {mailApp},
		"scope":                 {"https://graph.microsoft.com/.default openid offline_access profile"},
		"client_assertion_type": {assertionType},
		"client_assertion":      {mustToken(t, testIssuer(), subject, Audience, time.Hour)},
	}
}

type answer struct {
	Status      int    `json:"-"`
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
	RefreshIn   int    `json:"refresh_in"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
}

func post(t *testing.T, s http.Handler, tenant string, form url.Values) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://login.example/"+tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("decoding answer with status %d: %v", w.Code, err)
	}
	a.Status = w.Code
	return a
}

func TestTokenIsIssuedAndVerifies(t *testing.T) {
	s := newServer(t, func(c *Config) { c.RefreshIn = 30 * time.Minute })
	first, second := post(t, s, tenantID, request(t)), post(t, s, strings.ToUpper(tenantID), request(t))
	if first.Status != 200 || second.Status != 200 || first.AccessToken == second.AccessToken {
		t.Fatalf("two requests: status %d %q and %d %q, want two different tokens", first.Status, first.Description, second.Status, second.Description)
	}
	if first.ExpiresIn != 3599 || first.RefreshIn != 1800 {
		t.Errorf("expires_in %d refresh_in %d, want 3599 and 1800", first.ExpiresIn, first.RefreshIn)
	}
	claims, err := s.Verify(first.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if claims.AppID != mailApp || claims.TenantID != tenantID || !slices.Equal(claims.Roles, []string{"Mail.ReadBasic.All", "MailboxSettings.Read"}) {
		t.Errorf("claims %+v", claims)
	}
	if left := time.Until(claims.Expiry); left < 59*time.Minute || left > time.Hour {
		t.Errorf("token lives %v, want an hour", left)
	}
	if stats := s.Stats(); stats.Issued != 2 || stats.TokenRequests != 2 || len(stats.Refused) != 0 {
		t.Errorf("stats %+v", stats)
	}
}

func TestRefusals(t *testing.T) {
	stranger, err := NewIssuer(cluster) // same name, other key
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewIssuer(cluster + "/")
	if err != nil {
		t.Fatal(err)
	}
	set := func(key, value string) func(url.Values) { return func(f url.Values) { f.Set(key, value) } }
	assert := func(issuer *Issuer, subject, audience string, lifetime time.Duration) func(url.Values) {
		return set("client_assertion", mustToken(t, issuer, subject, audience, lifetime))
	}
	good := request(t).Get("client_assertion")
	parts := strings.Split(good, ".")
	forged := strings.Split(mustToken(t, stranger, subject, Audience, time.Hour), ".")

	for _, test := range []struct {
		name   string
		tenant string
		change func(url.Values)
		code   int
		status int
		oauth  string
	}{
		{"wrong tenant", "99999999-2222-3333-4444-555555555555", nil, 90002, 400, "invalid_request"},
		{"unknown application", "", set("client_id", "aaaaaaaa-0000-0000-0000-00000000000f"), 700016, 400, "unauthorized_client"},
		{"other grant", "", set("grant_type", "password"), 70003, 400, "unsupported_grant_type"},
		{"no grant", "", func(f url.Values) { f.Del("grant_type") }, 900144, 400, "invalid_request"},
		{"no scope", "", func(f url.Values) { f.Del("scope") }, 900144, 400, "invalid_request"},
		{"named permission", "", set("scope", "https://graph.microsoft.com/Mail.Read openid"), 1002012, 400, "invalid_scope"},
		{"only oidc scopes", "", set("scope", "openid offline_access profile"), 1002012, 400, "invalid_scope"},
		{"two scopes", "", set("scope", "https://graph.microsoft.com/.default https://graph.microsoft.us/.default"), 1002012, 400, "invalid_scope"},
		{"resource of another cloud", "", set("scope", "https://graph.microsoft.us/.default openid"), 500011, 400, "invalid_resource"},
		{"resource with a slash more", "", set("scope", "https://graph.microsoft.com//.default"), 500011, 400, "invalid_resource"},
		{"parameter twice", "", func(f url.Values) { f.Add("client_id", mailApp) }, 9002313, 400, "invalid_request"},
		{"no assertion", "", func(f url.Values) { f.Del("client_assertion") }, 7000216, 401, "invalid_client"},
		{"client secret", "", func(f url.Values) { f.Del("client_assertion"); f.Set("client_secret", "x") }, 7000215, 401, "invalid_client"},
		{"assertion and secret", "", set("client_secret", "x"), 9002313, 400, "invalid_request"},
		{"assertion type", "", set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), 9002313, 400, "invalid_request"},
		{"not a jwt", "", set("client_assertion", "abc"), 50027, 400, "invalid_request"},
		{"unsigned", "", set("client_assertion", "eyJhbGciOiJub25lIn0."+parts[1]+"."), 50027, 400, "invalid_request"},
		{"no credential", "", set("client_id", bareApp), 70021, 401, "invalid_client"},
		{"issuer with a trailing slash", "", assert(other, subject, Audience, time.Hour), 700211, 401, "invalid_client"},
		{"audience", "", assert(testIssuer(), subject, "https://kubernetes.default.svc", time.Hour), 700212, 401, "invalid_client"},
		{"subject in another case", "", assert(testIssuer(), "system:serviceaccount:privacy:Graphveil", Audience, time.Hour), 700213, 401, "invalid_client"},
		{"key nobody published", "", assert(stranger, subject, Audience, time.Hour), 50013, 401, "invalid_client"},
		{"signature of another key", "", set("client_assertion", parts[0]+"."+parts[1]+"."+forged[2]), 700027, 401, "invalid_client"},
		{"payload changed", "", set("client_assertion", parts[0]+"."+forged[1]+"."+parts[2]), 700027, 401, "invalid_client"},
		{"expired", "", assert(testIssuer(), subject, Audience, -time.Second), 700024, 401, "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, nil)
			form := request(t)
			if test.change != nil {
				test.change(form)
			}
			tenant := test.tenant
			if tenant == "" {
				tenant = tenantID
			}
			got := post(t, s, tenant, form)
			if !slices.Equal(got.Codes, []int{test.code}) || got.Status != test.status || got.Error != test.oauth || got.AccessToken != "" {
				t.Errorf("got %d %s %v (%s), want %d %s [%d]", got.Status, got.Error, got.Codes, got.Description, test.status, test.oauth, test.code)
			}
			if stats := s.Stats(); !maps.Equal(stats.Refused, map[int]int{test.code: 1}) || stats.Issued != 0 {
				t.Errorf("stats %+v", stats)
			}
		})
	}
}

func TestAssertionFromTheFutureIsRefused(t *testing.T) {
	s := newServer(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) } })
	if got := post(t, s, tenantID, request(t)); !slices.Equal(got.Codes, []int{700024}) {
		t.Errorf("got %v (%s)", got.Codes, got.Description)
	}
}

func TestReplay(t *testing.T) {
	form := request(t)
	t.Run("strict", func(t *testing.T) {
		s := newServer(t, nil)
		if got := post(t, s, tenantID, form); got.Status != 200 {
			t.Fatalf("first use: %s", got.Description)
		}
		if got := post(t, s, tenantID, form); !slices.Equal(got.Codes, []int{70002}) || got.Status != 401 {
			t.Errorf("second use: got %d %v, want 401 [70002]", got.Status, got.Codes)
		}
	})
	t.Run("a refused request does not use the assertion up", func(t *testing.T) {
		s := newServer(t, nil)
		bad := maps.Clone(form)
		bad["scope"] = []string{"openid"}
		post(t, s, tenantID, bad)
		if got := post(t, s, tenantID, form); got.Status != 200 {
			t.Errorf("first good use: %s", got.Description)
		}
	})
	t.Run("reusable", func(t *testing.T) {
		s := newServer(t, func(c *Config) { c.Apps[0].FederatedCredentials[0].Reusable = true })
		for range 3 {
			if got := post(t, s, tenantID, form); got.Status != 200 {
				t.Fatalf("use of a reusable assertion: %s", got.Description)
			}
		}
	})
	t.Run("forgotten after expiry", func(t *testing.T) {
		var ahead time.Duration
		s := newServer(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
		post(t, s, tenantID, form)
		ahead = 2 * time.Hour
		fresh := request(t)
		fresh.Set("client_assertion", mustToken(t, testIssuer(), subject, Audience, 3*time.Hour))
		if got := post(t, s, tenantID, fresh); got.Status != 200 {
			t.Fatal(got.Description)
		}
		if len(s.used) != 1 {
			t.Errorf("%d assertions remembered, want only the living one", len(s.used))
		}
	})
}

func TestKeysAreFetchedFromTheIssuer(t *testing.T) {
	var issuer *Issuer
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { issuer.ServeHTTP(w, r) }))
	defer site.Close()
	issuer, err := NewIssuer(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(c *Config) {
		c.Apps[0].FederatedCredentials = []FederatedCredential{{Issuer: site.URL, Subject: subject, Audience: Audience}}
	})
	form := request(t)
	form.Set("client_assertion", mustToken(t, issuer, subject, Audience, time.Hour))
	if got := post(t, s, tenantID, form); got.Status != 200 {
		t.Fatal(got.Description)
	}
	form.Set("client_assertion", mustToken(t, issuer, subject, Audience, time.Hour))
	site.Close()
	if got := post(t, s, tenantID, form); !slices.Equal(got.Codes, []int{50166}) {
		t.Errorf("with the issuer gone: got %v, want [50166]", got.Codes)
	}
}

func TestVerifyRefuses(t *testing.T) {
	ahead := time.Duration(0)
	s := newServer(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
	token, err := s.Issue(mailApp)
	if err != nil {
		t.Fatal(err)
	}
	other := newServer(t, nil)
	foreign, err := other.Issue(mailApp)
	if err != nil {
		t.Fatal(err)
	}
	// Signed by the right key, but for what another configuration would be.
	elsewhere := func(adjust func(*Config)) string {
		twin := newServer(t, adjust)
		twin.key = s.key
		token, err := twin.Issue(mailApp)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, bad := range map[string]string{
		"empty":            "",
		"another server's": foreign,
		"cut":              token[:len(token)-4],
		"another resource": elsewhere(func(c *Config) { c.Resource = "https://graph.microsoft.us" }),
		"another tenant":   elsewhere(func(c *Config) { c.TenantID = "99999999-2222-3333-4444-555555555555" }),
		"from the future":  elsewhere(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(time.Hour) } }),
	} {
		if claims, err := s.Verify(bad); err == nil || errors.Is(err, ErrExpired) {
			t.Errorf("%s: got %+v, %v", name, claims, err)
		}
	}
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	ahead = time.Hour
	if _, err := s.Verify(token); !errors.Is(err, ErrExpired) {
		t.Errorf("after an hour: got %v, want ErrExpired", err)
	}
	if _, err := s.Issue("nobody"); err == nil {
		t.Error("a token was issued to nobody")
	}
}

func TestFaults(t *testing.T) {
	s := newServer(t, nil)
	site := httptest.NewTLSServer(s)
	defer site.Close()
	get := func() (*http.Response, string, error) {
		response, err := site.Client().Get(site.URL + "/" + tenantID + "/v2.0/.well-known/openid-configuration")
		if err != nil {
			return nil, "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response, string(body), err
	}
	s.Break(Fault{Status: 429, RetryAfter: "7"})
	if response, body, err := get(); err != nil || response.StatusCode != 429 || response.Header.Get("Retry-After") != "7" || !strings.Contains(body, "AADSTS90033") {
		t.Errorf("throttled: %v %v", response, err)
	}
	s.Break(Fault{Body: "<html>"})
	if response, body, err := get(); err != nil || response.StatusCode != 200 || body != "<html>" {
		t.Errorf("garbage: %v %v", response, err)
	}
	s.Break(Fault{Drop: true})
	if _, _, err := get(); err == nil {
		t.Error("a dropped connection gave an answer")
	}
	s.Break(Fault{Delay: 30 * time.Millisecond})
	start := time.Now()
	if response, _, err := get(); err != nil || response.StatusCode != 200 || time.Since(start) < 30*time.Millisecond {
		t.Errorf("slow: %v %v after %v", response, err, time.Since(start))
	}
	s.Repair()
	if response, body, err := get(); err != nil || response.StatusCode != 200 || !strings.Contains(body, site.URL+"/"+tenantID+"/oauth2/v2.0/token") {
		t.Errorf("repaired: %v %v", response, err)
	}
}

func TestInstanceDiscoveryVouchesOnlyForItself(t *testing.T) {
	s := newServer(t, nil)
	for host, want := range map[string]int{"login.example": 200, "login.other": 400} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://login.example/common/discovery/instance?api-version=1.1&authorization_endpoint="+
			url.QueryEscape("https://"+host+"/"+tenantID+"/oauth2/v2.0/authorize"), nil))
		if w.Code != want {
			t.Errorf("%s: got %d %s, want %d", host, w.Code, w.Body, want)
		}
	}
}

func TestNewRefusesImpossibleTenants(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no tenant":       {},
		"no client id":    {TenantID: tenantID, Apps: []App{{}}},
		"client id twice": {TenantID: tenantID, Apps: []App{{ClientID: "a"}, {ClientID: "A"}}},
		"too many federated credentials": {TenantID: tenantID, Apps: []App{{ClientID: "a", FederatedCredentials: slices.Repeat(
			[]FederatedCredential{{Issuer: cluster, Subject: subject, Audience: Audience}}, MaxFederatedCredentials+1)}}},
		"certificate of an elliptic curve": {TenantID: tenantID, Apps: []App{{ClientID: "a", Certificates: []*x509.Certificate{{PublicKey: &ecdsa.PublicKey{}}}}}},
		"empty secret":                     {TenantID: tenantID, Apps: []App{{ClientID: "a", Secrets: []ClientSecret{{}}}}},
		"credential with gaps":             {TenantID: tenantID, Apps: []App{{ClientID: "a", FederatedCredentials: []FederatedCredential{{Issuer: cluster}}}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
