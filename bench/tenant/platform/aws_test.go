package platform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	testRole = "arn:aws:iam::123456789012:role/privacy/graphveil"
	testPool = "eu-central-1:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
)

func newTestAWS(t *testing.T) *AWS {
	t.Helper()
	account, err := NewAWS(AWSConfig{
		Region: "eu-central-1",
		Roles:  []AWSRole{{ARN: testRole, WebIdentityToken: true, Pools: []string{testPool, "eu-central-1:00"}}},
		Pools:  []IdentityPool{{ID: testPool, DeveloperProvider: "graphveil"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// awsCall is one request to a service, signed by the SDK; changes before and after the signature make what must be refused.
type awsCall struct {
	key             AWSKey
	body            string
	service, region string
	at              time.Time
	before, after   func(*http.Request)
}

func (c awsCall) send(t *testing.T, handler http.Handler, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://service.eu-central-1.amazonaws.com/", strings.NewReader(c.body))
	for name, values := range header {
		r.Header[name] = values
	}
	if c.before != nil {
		c.before(r)
	}
	sum := sha256.Sum256([]byte(c.body))
	credentials := aws.Credentials{AccessKeyID: c.key.ID, SecretAccessKey: c.key.Secret, SessionToken: c.key.Session}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hex.EncodeToString(sum[:]), c.service, c.region, c.at); err != nil {
		t.Fatal(err)
	}
	if c.after != nil {
		c.after(r)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func webIdentityForm(change func(url.Values)) string {
	form := url.Values{"Action": {"GetWebIdentityToken"}, "Version": {"2011-06-15"}, "Audience.member.1": {"api://AzureADTokenExchange"},
		"SigningAlgorithm": {"RS256"}, "DurationSeconds": {"60"}}
	if change != nil {
		change(form)
	}
	return form.Encode()
}

var formHeader = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

// Every part of a request that Signature Version 4 covers is held against the signature.
func TestSignaturesAreVerified(t *testing.T) {
	account := newTestAWS(t)
	for _, test := range []struct {
		name   string
		change func(*AWS, *awsCall)
		code   string // empty: accepted
	}{
		{"as it should be", func(*AWS, *awsCall) {}, ""},
		{"long-lived key", func(a *AWS, c *awsCall) { c.key = a.NewKey(testRole) }, ""},
		{"four minutes old", func(_ *AWS, c *awsCall) { c.at = c.at.Add(-4 * time.Minute) }, ""},
		{"query and odd blanks", func(_ *AWS, c *awsCall) {
			c.before = func(r *http.Request) {
				r.URL.RawQuery = "b=2&a=%20~/x&a="
				r.Header.Set("X-Amz-Meta", "a   b ")
			}
		}, ""},
		{"no signature", func(_ *AWS, c *awsCall) { c.after = func(r *http.Request) { r.Header.Del("Authorization") } }, "MissingAuthenticationToken"},
		{"a bearer token", func(_ *AWS, c *awsCall) {
			c.after = func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }
		}, "IncompleteSignature"},
		{"a short signature", func(_ *AWS, c *awsCall) {
			c.after = func(r *http.Request) {
				r.Header.Set("Authorization", strings.TrimSuffix(r.Header.Get("Authorization"), "00")[:200])
			}
		}, "IncompleteSignature"},
		{"unknown key", func(_ *AWS, c *awsCall) { c.key.ID = "ASIA0000000000000000" }, "InvalidClientTokenId"},
		{"no session token", func(_ *AWS, c *awsCall) { c.key.Session = "" }, "InvalidClientTokenId"},
		{"session token of a long-lived key", func(a *AWS, c *awsCall) { c.key = a.NewKey(testRole); c.key.Session = "x" }, "InvalidClientTokenId"},
		{"expired", func(a *AWS, c *awsCall) { c.key = a.NewSession(testRole, -time.Second) }, "ExpiredToken"},
		{"wrong secret", func(_ *AWS, c *awsCall) { c.key.Secret += "x" }, "SignatureDoesNotMatch"},
		{"six minutes old", func(_ *AWS, c *awsCall) { c.at = c.at.Add(-6 * time.Minute) }, "SignatureDoesNotMatch"},
		{"six minutes ahead", func(_ *AWS, c *awsCall) { c.at = c.at.Add(6 * time.Minute) }, "SignatureDoesNotMatch"},
		{"another region", func(_ *AWS, c *awsCall) { c.region = "us-east-1" }, "SignatureDoesNotMatch"},
		{"another service", func(_ *AWS, c *awsCall) { c.service = "s3" }, "SignatureDoesNotMatch"},
		{"another body", func(_ *AWS, c *awsCall) {
			c.after = func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(webIdentityForm(func(f url.Values) { f.Set("DurationSeconds", "61") })))
			}
		}, "SignatureDoesNotMatch"},
		{"another hash of the body", func(_ *AWS, c *awsCall) {
			c.before = func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64)) }
		}, "SignatureDoesNotMatch"},
		{"another host", func(_ *AWS, c *awsCall) { c.after = func(r *http.Request) { r.Host = "sts.us-east-1.amazonaws.com" } }, "SignatureDoesNotMatch"},
		{"another path", func(_ *AWS, c *awsCall) { c.before = func(r *http.Request) { r.URL.Path = "/other" } }, "InvalidAction"},
		{"another query", func(_ *AWS, c *awsCall) { c.after = func(r *http.Request) { r.URL.RawQuery = "a=1" } }, "SignatureDoesNotMatch"},
		{"another content type", func(_ *AWS, c *awsCall) {
			c.after = func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }
		}, "SignatureDoesNotMatch"},
		{"a header that is not signed", func(_ *AWS, c *awsCall) { c.after = func(r *http.Request) { r.Header.Set("X-Amz-Target", "x") } }, "SignatureDoesNotMatch"},
		{"host not signed", func(_ *AWS, c *awsCall) {
			c.after = func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";host;", ";", 1))
			}
		}, "SignatureDoesNotMatch"},
		{"another date", func(_ *AWS, c *awsCall) {
			c.after = func(r *http.Request) { r.Header.Set("X-Amz-Date", c.at.Add(time.Second).UTC().Format(amzTime)) }
		}, "SignatureDoesNotMatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := account.Stats().Tokens
			call := awsCall{key: account.NewSession(testRole, time.Hour), body: webIdentityForm(nil), service: "sts", region: "eu-central-1", at: time.Now()}
			test.change(account, &call)
			answer := call.send(t, account.STS(), formHeader)
			if test.code == "" && answer.Code == http.StatusOK && account.Stats().Tokens == before+1 {
				return
			}
			if test.code == "" || !strings.Contains(answer.Body.String(), "<Code>"+test.code+"</Code>") || account.Stats().Tokens != before {
				t.Errorf("want %q, got %d %s", test.code, answer.Code, answer.Body)
			}
		})
	}
}

func TestWebIdentityTokens(t *testing.T) {
	account := newTestAWS(t)
	ask := func(role string, change func(url.Values)) string {
		call := awsCall{key: account.NewSession(role, time.Hour), body: webIdentityForm(change), service: "sts", region: "eu-central-1", at: time.Now()}
		return call.send(t, account.STS(), formHeader).Body.String()
	}
	set := func(name, value string) func(url.Values) { return func(f url.Values) { f.Set(name, value) } }
	for _, test := range []struct {
		name   string
		change func(url.Values)
		code   string
	}{
		{"no audience", func(f url.Values) { f.Del("Audience.member.1") }, "ValidationError"},
		{"empty audience", set("Audience.member.1", ""), "ValidationError"},
		{"long audience", set("Audience.member.1", strings.Repeat("a", 1001)), "ValidationError"},
		{"eleven audiences", func(f url.Values) {
			for i := range 11 {
				f.Set("Audience.member."+strconv.Itoa(i+1), "a")
			}
		}, "ValidationError"},
		{"no algorithm", func(f url.Values) { f.Del("SigningAlgorithm") }, "ValidationError"},
		{"none", set("SigningAlgorithm", "none"), "ValidationError"},
		{"59 seconds", set("DurationSeconds", "59"), "ValidationError"},
		{"an hour and a second", set("DurationSeconds", "3601"), "ValidationError"},
		{"longer than the session", set("DurationSeconds", "3600"), "SessionDurationEscalationException"},
		{"large tags", func(f url.Values) {
			f.Set("Tags.member.1.Key", "k")
			f.Set("Tags.member.1.Value", strings.Repeat("v", maxWebIdentityJWT))
		}, "JWTPayloadSizeExceededException"},
		{"another action", set("Action", "AssumeRole"), "InvalidAction"},
		{"another version", set("Version", "2010-05-08"), "InvalidAction"},
	} {
		if body := ask(testRole, test.change); !strings.Contains(body, "<Code>"+test.code+"</Code>") {
			t.Errorf("%s: want %s, got %s", test.name, test.code, body)
		}
	}
	if body := ask("arn:aws:iam::123456789012:role/stranger", nil); !strings.Contains(body, "<Code>AccessDenied</Code>") {
		t.Errorf("a role without the permission: %s", body)
	}
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.ES384} {
		body := ask(testRole, func(f url.Values) {
			f.Set("SigningAlgorithm", string(algorithm))
			f.Set("Tags.member.1.Key", "team")
			f.Set("Tags.member.1.Value", "privacy")
		})
		_, rest, _ := strings.Cut(body, "<WebIdentityToken>")
		raw, _, _ := strings.Cut(rest, "</WebIdentityToken>")
		token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{algorithm})
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		var claims struct {
			jwt.Claims
			AWS awsClaims `json:"https://sts.amazonaws.com/"`
		}
		if err := token.Claims(issuerKeys(t, account.Issuer(), account.IssuerURL()), &claims); err != nil {
			t.Fatal(err)
		}
		if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); claims.Issuer != account.IssuerURL() || claims.Subject != testRole || claims.ID == "" ||
			len(claims.Audience) != 1 || life != time.Minute || claims.AWS.Account != "123456789012" || claims.AWS.RequestTags["team"] != "privacy" {
			t.Errorf("claims %+v", claims)
		}
	}
}

// issuerKeys reads an issuer's keys as the world does: through the OpenID configuration.
func issuerKeys(t *testing.T, handler http.Handler, issuer string) *jose.JSONWebKeySet {
	t.Helper()
	get := func(path string, into any) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	var configuration struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	get("/.well-known/openid-configuration", &configuration)
	path, ok := strings.CutPrefix(configuration.Keys, issuer)
	if configuration.Issuer != issuer || !ok {
		t.Fatalf("configuration %+v", configuration)
	}
	keys := &jose.JSONWebKeySet{}
	get(path, keys)
	return keys
}

func TestCognitoTokens(t *testing.T) {
	account := newTestAWS(t)
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AWSCognitoIdentityService.GetOpenIdTokenForDeveloperIdentity"}}
	ask := func(role, body string, header http.Header) *bytes.Buffer {
		call := awsCall{key: account.NewSession(role, time.Hour), body: body, service: "cognito-identity", region: "eu-central-1", at: time.Now()}
		return call.send(t, account.Cognito(), header).Body
	}
	const login = `"Logins":{"graphveil":"aaaaaaaa-0000-0000-0000-000000000001"}`
	identity := account.Identity(testPool, "graphveil", "aaaaaaaa-0000-0000-0000-000000000001")
	for _, test := range []struct{ name, body, code string }{
		{"no json", `{`, "SerializationException"},
		{"pool that the role may not use", `{"IdentityPoolId":"eu-central-1:99",` + login + `}`, "AccessDeniedException"},
		{"unknown pool", `{"IdentityPoolId":"eu-central-1:00",` + login + `}`, "ResourceNotFoundException"},
		{"unknown provider", `{"IdentityPoolId":"` + testPool + `","Logins":{"other":"a"}}`, "InvalidParameterException"},
		{"empty login", `{"IdentityPoolId":"` + testPool + `","Logins":{"graphveil":""}}`, "InvalidParameterException"},
		{"no login", `{"IdentityPoolId":"` + testPool + `"}`, "InvalidParameterException"},
		{"another identity", `{"IdentityPoolId":"` + testPool + `","IdentityId":"eu-central-1:00",` + login + `}`, "DeveloperUserAlreadyRegisteredException"},
		{"more than a day", `{"IdentityPoolId":"` + testPool + `","TokenDuration":86401,` + login + `}`, "InvalidParameterException"},
	} {
		if body := ask(testRole, test.body, header).String(); !strings.Contains(body, `"__type":"`+test.code+`"`) {
			t.Errorf("%s: want %s, got %s", test.name, test.code, body)
		}
	}
	other := header.Clone()
	other.Set("X-Amz-Target", "AWSCognitoIdentityService.GetId")
	if body := ask(testRole, `{}`, other).String(); !strings.Contains(body, "UnknownOperationException") {
		t.Errorf("another operation: %s", body)
	}
	var answer struct{ IdentityID, Token string }
	if err := json.Unmarshal(ask(testRole, `{"IdentityPoolId":"`+testPool+`","IdentityId":"`+identity+`",`+login+`}`, header).Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(answer.Token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(issuerKeys(t, account.CognitoKeys(), CognitoIssuer), &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Issuer != CognitoIssuer || claims.Subject != identity || len(claims.Audience) != 1 || claims.Audience[0] != testPool {
		t.Errorf("claims %+v", claims)
	}
}

func TestMetadataNeedsASessionToken(t *testing.T) {
	account := newTestAWS(t)
	service := account.Metadata(testRole)
	call := func(method, path string, header http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://169.254.169.254"+path, nil)
		r.Header = header
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		return w
	}
	const list = "/latest/meta-data/iam/security-credentials/"
	life := http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"300"}}
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		status       int
	}{
		"no token":           {"GET", list, http.Header{}, 401},
		"invented token":     {"GET", list, http.Header{"X-Aws-Ec2-Metadata-Token": {"x"}}, 401},
		"version 1, the key": {"GET", list + "graphveil", http.Header{}, 401},
		"no time to live":    {"PUT", "/latest/api/token", http.Header{}, 400},
		"too long a life":    {"PUT", "/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"21601"}}, 400},
		"by a proxy":         {"PUT", "/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}, "X-Forwarded-For": {"10.0.0.1"}}, 403},
		"token by GET":       {"GET", "/latest/api/token", life, 405},
	} {
		if w := call(test.method, test.path, test.header); w.Code != test.status {
			t.Errorf("%s: status %d, want %d", name, w.Code, test.status)
		}
	}
	if account.Stats().Sessions != 0 {
		t.Error("credentials without a session token")
	}
	token := http.Header{"X-Aws-Ec2-Metadata-Token": {call("PUT", "/latest/api/token", life).Body.String()}}
	name := call("GET", list, token).Body.String()
	var key struct{ Code, AccessKeyID, Token string }
	if err := json.Unmarshal(call("GET", list+name, token).Body.Bytes(), &key); err != nil || key.Code != "Success" || key.Token == "" {
		t.Errorf("role %q: %+v, %v", name, key, err)
	}
}
