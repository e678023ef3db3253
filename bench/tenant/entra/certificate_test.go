package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

type keyPair struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

func newPair(start, end time.Time) keyPair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	certificate, err := SelfSigned(key, start, end)
	if err != nil {
		panic(err)
	}
	return keyPair{certificate, key}
}

// Pairs of the tests, made once: keys are slow.
var (
	goodPair     = sync.OnceValue(func() keyPair { return newPair(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)) })
	strangerPair = sync.OnceValue(func() keyPair { return newPair(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)) })
	futurePair   = sync.OnceValue(func() keyPair { return newPair(time.Now().Add(time.Minute), time.Now().Add(24*time.Hour)) })
	pastPair     = sync.OnceValue(func() keyPair { return newPair(time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)) })
)

// selfIssued is an assertion as MSAL makes it; each part can be changed.
type selfIssued struct {
	claims    jwt.Claims
	headers   map[jose.HeaderKey]any
	algorithm jose.SignatureAlgorithm
	key       *rsa.PrivateKey
}

const endpoint = "https://login.example/" + tenantID + "/oauth2/v2.0/token"

func assertionOf(pair keyPair) *selfIssued {
	sum := sha256.Sum256(pair.certificate.Raw)
	now := time.Now()
	return &selfIssued{
		claims: jwt.Claims{
			Issuer: mailApp, Subject: mailApp, Audience: jwt.Audience{endpoint}, ID: guid(),
			NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(10 * time.Minute)),
		},
		headers:   map[jose.HeaderKey]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])},
		algorithm: jose.PS256,
		key:       pair.key,
	}
}

func (a *selfIssued) sign(t *testing.T) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: a.algorithm, Key: a.key}, &jose.SignerOptions{ExtraHeaders: a.headers})
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(a.claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func withCertificates(c *Config) {
	c.Apps[0].Certificates = []*x509.Certificate{futurePair().certificate, pastPair().certificate, goodPair().certificate}
}

func TestCertificateSignsIn(t *testing.T) {
	for name, change := range map[string]func(*selfIssued){
		"as documented": func(*selfIssued) {},
		"thumbprint in the alphabet of MSAL for Go": func(a *selfIssued) {
			sum := sha256.Sum256(goodPair().certificate.Raw)
			a.headers["x5t#S256"] = base64.StdEncoding.EncodeToString(sum[:])
		},
		"older client": func(a *selfIssued) {
			sum := sha1.Sum(goodPair().certificate.Raw)
			a.headers, a.algorithm = map[jose.HeaderKey]any{"x5t": base64.RawURLEncoding.EncodeToString(sum[:])}, jose.RS256
		},
		"issuer of the tenant as audience": func(a *selfIssued) {
			a.claims.Audience = jwt.Audience{"https://login.example/" + tenantID + "/v2.0"}
		},
		"client whose clock is ahead": func(a *selfIssued) { a.claims.NotBefore = jwt.NewNumericDate(time.Now().Add(clockSkew - time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, withCertificates)
			form := request(t)
			assertion := assertionOf(goodPair())
			change(assertion)
			form.Set("client_assertion", assertion.sign(t))
			got := post(t, s, tenantID, form)
			if got.Status != 200 {
				t.Fatal(got.Description)
			}
			if claims, err := s.Verify(got.AccessToken); err != nil || claims.AppID != mailApp {
				t.Errorf("token of %q, %v", claims.AppID, err)
			}
			if again := post(t, s, tenantID, form); !slices.Equal(again.Codes, []int{70002}) {
				t.Errorf("the same assertion again: %d %v, want 70002", again.Status, again.Codes)
			}
		})
	}
}

func TestCertificateRefusals(t *testing.T) {
	tamper := func(text string) string { // another claim under the same signature
		other := assertionOf(goodPair())
		other.claims.Expiry = jwt.NewNumericDate(time.Now().Add(time.Hour))
		parts, changed := strings.Split(text, "."), strings.Split(other.sign(t), ".")
		return parts[0] + "." + changed[1] + "." + parts[2]
	}
	for _, test := range []struct {
		name   string
		pair   func() keyPair
		change func(*selfIssued)
		bend   func(string) string
		code   int
		says   string
	}{
		{"certificate nobody registered", strangerPair, nil, nil, 700027, "not registered on application. [Reason - The key was not found., Thumbprint of key used by client: '"},
		{"no thumbprint", goodPair, func(a *selfIssued) { a.headers = nil }, nil, 700027, "not registered on application"},
		{"thumbprint in hexadecimal", goodPair, func(a *selfIssued) { a.headers["x5t#S256"] = strings.Repeat("0A", 32) }, nil, 700027, "not registered on application"},
		{"thumbprint that is no text", goodPair, func(a *selfIssued) { a.headers["x5t#S256"] = 5 }, nil, 700027, "not registered on application"},
		{"SHA-1 under the name of SHA-256", goodPair, func(a *selfIssued) {
			sum := sha1.Sum(goodPair().certificate.Raw)
			a.headers["x5t#S256"] = base64.RawURLEncoding.EncodeToString(sum[:])
		}, nil, 700027, "not registered on application"},
		{"two thumbprints that differ", goodPair, func(a *selfIssued) { a.headers["x5t"] = strings.Repeat("A", 27) }, nil, 700027, "not registered on application"},
		{"key of another certificate", goodPair, func(a *selfIssued) { a.key = strangerPair().key }, nil, 700027, "The provided signature value did not match"},
		{"tampered", goodPair, nil, tamper, 700027, "The provided signature value did not match"},
		{"not yet valid", futurePair, nil, nil, 700027, "is expired on application. [Reason - The key used is expired., Thumbprint of key used by client: '"},
		{"expired", pastPair, nil, nil, 700027, "Found key 'Start="},
		{"issuer of another application", goodPair, func(a *selfIssued) { a.claims.Issuer = bareApp }, nil, 700021, "doesn't match 'client_id'"},
		{"subject of another application", goodPair, func(a *selfIssued) { a.claims.Subject = bareApp }, nil, 700021, "doesn't match 'client_id'"},
		{"no issuer", goodPair, func(a *selfIssued) { a.claims.Issuer = "" }, nil, 700021, "doesn't match 'client_id'"},
		{"audience of another tenant", goodPair, func(a *selfIssued) {
			a.claims.Audience = jwt.Audience{strings.Replace(endpoint, tenantID, "99999999-2222-3333-4444-555555555555", 1)}
		}, nil, 700023, "audience"},
		{"audience of another host", goodPair, func(a *selfIssued) {
			a.claims.Audience = jwt.Audience{strings.Replace(endpoint, "login.example", "login.other", 1)}
		}, nil, 700023, "audience"},
		{"audience of federation", goodPair, func(a *selfIssued) { a.claims.Audience = jwt.Audience{Audience} }, nil, 700023, "audience"},
		{"two audiences", goodPair, func(a *selfIssued) { a.claims.Audience = append(a.claims.Audience, endpoint) }, nil, 700023, "audience"},
		{"assertion expired", goodPair, func(a *selfIssued) { a.claims.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Second)) }, nil, 700024, "valid time range"},
		{"assertion without expiry", goodPair, func(a *selfIssued) { a.claims.Expiry = nil }, nil, 700024, "valid time range"},
		{"client whose clock is far ahead", goodPair, func(a *selfIssued) {
			a.claims.NotBefore = jwt.NewNumericDate(time.Now().Add(clockSkew + time.Minute))
		}, nil, 700024, "valid time range"},
		{"other algorithm", goodPair, func(a *selfIssued) { a.algorithm = jose.PS512 }, nil, 50027, "malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, withCertificates)
			assertion := assertionOf(test.pair())
			if test.change != nil {
				test.change(assertion)
			}
			text := assertion.sign(t)
			if test.bend != nil {
				text = test.bend(text)
			}
			form := request(t)
			form.Set("client_assertion", text)
			got := post(t, s, tenantID, form)
			if !slices.Equal(got.Codes, []int{test.code}) || got.AccessToken != "" || !strings.Contains(got.Description, test.says) {
				t.Errorf("got %d %v (%s), want %d %q", got.Status, got.Codes, got.Description, test.code, test.says)
			}
			if stats := s.Stats(); !maps.Equal(stats.Refused, map[int]int{test.code: 1}) || stats.Issued != 0 {
				t.Errorf("stats %+v", stats)
			}
		})
	}
	t.Run("application without certificates", func(t *testing.T) {
		form := request(t)
		form.Set("client_assertion", assertionOf(goodPair()).sign(t))
		if got := post(t, newServer(t, nil), tenantID, form); !slices.Equal(got.Codes, []int{700026}) {
			t.Errorf("got %v (%s), want 700026", got.Codes, got.Description)
		}
	})
	t.Run("certificate of another application", func(t *testing.T) {
		form := request(t)
		assertion := assertionOf(goodPair())
		assertion.claims.Issuer, assertion.claims.Subject = bareApp, bareApp
		form.Set("client_id", bareApp)
		form.Set("client_assertion", assertion.sign(t))
		s := newServer(t, func(c *Config) {
			withCertificates(c)
			c.Apps[1].Certificates = []*x509.Certificate{strangerPair().certificate}
		})
		if got := post(t, s, tenantID, form); !slices.Equal(got.Codes, []int{700027}) {
			t.Errorf("got %v (%s), want 700027", got.Codes, got.Description)
		}
	})
	t.Run("federated assertion with PS256", func(t *testing.T) {
		assertion := assertionOf(goodPair())
		assertion.claims.Issuer, assertion.claims.Subject, assertion.claims.Audience = cluster, subject, jwt.Audience{Audience}
		form := request(t)
		form.Set("client_assertion", assertion.sign(t))
		if got := post(t, newServer(t, withCertificates), tenantID, form); !slices.Equal(got.Codes, []int{50027}) {
			t.Errorf("got %v (%s), want 50027", got.Codes, got.Description)
		}
	})
}

func TestCertificateBecomesValidByTheServersClock(t *testing.T) {
	var ahead time.Duration
	s := newServer(t, func(c *Config) {
		withCertificates(c)
		c.Now = func() time.Time { return time.Now().Add(ahead) }
	})
	for _, step := range []struct {
		ahead time.Duration
		want  int
	}{{0, 401}, {2 * time.Minute, 200}, {48 * time.Hour, 401}} {
		ahead = step.ahead
		assertion := assertionOf(futurePair())
		assertion.claims.Expiry = jwt.NewNumericDate(time.Now().Add(72 * time.Hour)) // Entra does not bound it
		form := request(t)
		form.Set("client_assertion", assertion.sign(t))
		if got := post(t, s, tenantID, form); got.Status != step.want {
			t.Errorf("%v ahead: %d (%s), want %d", step.ahead, got.Status, got.Description, step.want)
		}
	}
}

func TestClientSecret(t *testing.T) {
	const secret, old = "s3cret~of/the+application", "0ld~s3cret"
	const escaped = "s3cret%7Eof%2Fthe%2Bapplication" // RFC 6749 section 2.3.1
	for _, test := range []struct {
		name     string
		user     string // of HTTP Basic authentication
		password string
		change   func(url.Values)
		status   int
		code     int
		says     string
	}{
		{"in the body", "", "", func(f url.Values) { f.Set("client_secret", secret) }, 200, 0, ""},
		{"basic", mailApp, escaped, nil, 200, 0, ""},
		{"basic without client_id in the body", mailApp, escaped, func(f url.Values) { f.Del("client_id") }, 200, 0, ""},
		{"wrong", "", "", func(f url.Values) { f.Set("client_secret", secret+"x") }, 401, 7000215, "client secret value, not the client secret ID"},
		{"beginning of it", "", "", func(f url.Values) { f.Set("client_secret", secret[:8]) }, 401, 7000215, ""},
		{"wrong by basic", mailApp, "nonsense", nil, 401, 7000215, ""},
		{"expired", "", "", func(f url.Values) { f.Set("client_secret", old) }, 401, 7000222, "are expired"},
		{"of another application", "", "", func(f url.Values) { f.Set("client_id", bareApp); f.Set("client_secret", secret) }, 401, 7000215, ""},
		{"none", "", "", nil, 401, 7000216, "is required for the 'client_credentials' grant type"},
		{"two ways", mailApp, escaped, func(f url.Values) { f.Set("client_secret", secret) }, 400, 9002313, ""},
		{"basic of another application", bareApp, escaped, nil, 400, 9002313, ""},
		{"with an assertion", "", "", func(f url.Values) {
			f.Set("client_secret", secret)
			f.Set("client_assertion", mustToken(t, testIssuer(), subject, Audience, time.Hour))
		}, 400, 9002313, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, func(c *Config) {
				c.Apps[0].Secrets = []ClientSecret{{Value: old, Expiry: time.Now().Add(-time.Second)}, {Value: secret, Expiry: time.Now().Add(time.Hour)}}
			})
			form := request(t)
			form.Del("client_assertion")
			form.Del("client_assertion_type")
			if test.change != nil {
				test.change(form)
			}
			r := httptest.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if test.user != "" {
				r.SetBasicAuth(test.user, test.password)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
				t.Fatalf("got %d %s, want %d %q", w.Code, w.Body, test.status, test.says)
			}
			want := map[int]int{}
			if test.code != 0 {
				want[test.code] = 1
			}
			if refused := s.Stats().Refused; !maps.Equal(refused, want) {
				t.Errorf("refused %v, want %v", refused, want)
			}
		})
	}
}

func TestFreshFederatedCredentialIsNotKnownAtOnce(t *testing.T) {
	var ahead time.Duration
	s := newServer(t, func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(ahead) }
		c.Apps[0].FederatedCredentials[0].KnownFrom = time.Now().Add(30 * time.Second)
	})
	if got := post(t, s, tenantID, request(t)); !slices.Equal(got.Codes, []int{70021}) {
		t.Errorf("at once: %v (%s), want 70021", got.Codes, got.Description)
	}
	ahead = time.Minute
	if got := post(t, s, tenantID, request(t)); got.Status != 200 {
		t.Errorf("a minute later: %s", got.Description)
	}
}
