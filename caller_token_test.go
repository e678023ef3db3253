package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/internal/testlog"
)

const (
	cluster      = "https://cluster.example.org"
	tokenReader  = "system:serviceaccount:reports:reader"
	tokenOther   = "system:serviceaccount:reports:other"
	doorAudience = "graphveil"

	// tokenPolicy lets one service account read.
	tokenPolicy = `package graphveil.custom

deny contains "caller_not_the_reader" if not input.caller.jwt.sub == "` + tokenReader + `"
`
)

// callerTokens is a lab whose callers need a token of issuer.
func callerTokens(t *testing.T) (l *lab, issuer *entra.Issuer) {
	l = newLab(t, nil)
	issuer, err := entra.NewIssuer(cluster)
	l.check(err)
	l.config.Envoy.JWT = envoy.JWT{Issuer: cluster, Audiences: []string{doorAudience}}
	l.write("policy/custom.rego", tokenPolicy)
	l.config.Policy.Paths = []string{"builtin", l.file("policy")}
	return l, issuer
}

// writeKeys puts the issuer's keys into jwks_file.
func (l *lab) writeKeys(issuer *entra.Issuer) {
	keys, err := json.Marshal(issuer.Keys())
	l.check(err)
	l.config.Envoy.JWT.JWKSFile = l.write("jwks.json", string(keys))
}

// logsHaveNo looks for what is a caller's own in the log and in the access log.
func (r *running) logsHaveNo(t *testing.T, secrets ...string) {
	t.Helper()
	for where, text := range map[string]string{"the log": r.logs.String(), "the access log": r.access.String()} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s has a caller's token, or what is in it", where)
			}
		}
	}
}

// keysOf serves the issuer's keys over TLS, or an error while broken is true.
func (l *lab) keysOf(issuer *entra.Issuer, broken *atomic.Bool) (uri string) {
	return l.keysFrom("localhost", func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		issuer.ServeHTTP(w, r)
	})
}

// keysFrom is the URL of keys that a server gives whose certificate is for name.
func (l *lab) keysFrom(name string, handler http.HandlerFunc) (uri string) {
	pair, err := l.CA.Issue(name)
	l.check(err)
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	l.t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/openid/v1/jwks"
}

// TestCallerToken: with envoy.jwt a caller needs a token of the issuer, for the
// audience, that has not expired. The policy sees its claims; nobody else sees it.
func TestCallerToken(t *testing.T) {
	for _, source := range []string{"jwks_file", "jwks_uri"} {
		t.Run(source, func(t *testing.T) {
			l, issuer := callerTokens(t)
			if source == "jwks_file" {
				l.writeKeys(issuer)
			} else {
				l.config.Envoy.JWT.JWKSURI = l.keysOf(issuer, &atomic.Bool{})
			}
			r := l.start()
			strange, err := entra.NewIssuer(cluster)
			l.check(err)
			elsewhere := func(claims map[string]any) string {
				token, err := issuer.Sign(claims)
				l.check(err)
				return token
			}
			token := func(i *entra.Issuer, subject, audience string, lifetime time.Duration) string {
				token, err := i.Token(subject, audience, lifetime)
				l.check(err)
				return token
			}
			valid := token(issuer, tokenReader, doorAudience, time.Hour)
			parts := strings.Split(valid, ".")
			unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
			soon := time.Now().Add(time.Hour).Unix()

			const (
				refused = "401 caller_not_verified"
				notMine = "403 request_refused" // Envoy's status for another audience
			)
			for _, test := range []struct{ name, token, want string }{
				{"the reader", valid, "200"},
				{"another", token(issuer, tokenOther, doorAudience, time.Hour), "403 denied_by_policy"},
				{"no token", "", refused},
				{"no subject", elsewhere(map[string]any{"iss": cluster, "aud": doorAudience, "exp": soon}), "403 denied_by_policy"},
				{"for another audience", token(issuer, tokenReader, entra.Audience, time.Hour), notMine},
				{"for nobody", elsewhere(map[string]any{"iss": cluster, "sub": tokenReader, "exp": soon}), notMine},
				{"expired", token(issuer, tokenReader, doorAudience, -time.Hour), refused},
				{"without expiry", elsewhere(map[string]any{"iss": cluster, "sub": tokenReader, "aud": doorAudience}), refused},
				{"of another issuer", elsewhere(map[string]any{"iss": cluster + ".evil.example", "sub": tokenReader, "aud": doorAudience, "exp": soon}), refused},
				{"of another key", token(strange, tokenReader, doorAudience, time.Hour), refused},
				{"without signature", unsigned, refused},
				{"changed", parts[0] + "." + parts[1] + "x." + parts[2], refused},
			} {
				for _, protocol := range protocols {
					t.Run(protocol+"/"+test.name, func(t *testing.T) {
						l.Graph.ForgetRequests()
						var fields [][2]string
						if test.token != "" {
							fields = [][2]string{{"authorization", "Bearer " + test.token}}
						}
						response := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: "/v1.0/users", fields: fields})
						if response.String() != test.want {
							t.Errorf("got %s, want %s", &response, test.want)
						}
						if n := len(l.Graph.Requests()); (n == 1) != (test.want == "200") {
							t.Errorf("%d requests arrived upstream", n)
						}
					})
				}
			}
			for _, protocol := range protocols {
				if response := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: "/v1.0/users?access_token=" + valid}); response.String() != refused {
					t.Errorf("%s, token in the URL: got %s", protocol, &response)
				}
			}
			r.logsHaveNo(t, valid, parts[1], tokenReader)
		})
	}
}

// TestCallerTokenOfLink: a page link of one token's subject is none for another.
func TestCallerTokenOfLink(t *testing.T) {
	l, issuer := callerTokens(t)
	l.config.Policy.Paths = []string{"builtin"}
	l.writeKeys(issuer)
	r := l.start()
	as := func(subject, target string) wireResponse {
		token, err := issuer.Token(subject, doorAudience, time.Hour) // a new one each time
		l.check(err)
		return call(t, r.address, l.tls(), wireCall{protocol: "h2", target: target, fields: [][2]string{{"authorization", "Bearer " + token}}})
	}
	var page struct {
		Next string `json:"@odata.nextLink"`
	}
	first := as(tokenReader, "/v1.0/users?$top=2")
	if err := json.Unmarshal(first.body, &page); err != nil || page.Next == "" {
		t.Fatalf("no link: %v, %s", err, &first)
	}
	link, err := url.Parse(page.Next)
	l.check(err)
	for subject, want := range map[string]string{tokenReader: "200", tokenOther: "400 link_not_valid"} {
		if response := as(subject, link.RequestURI()); response.String() != want {
			t.Errorf("%s: got %s, want %s", subject, &response, want)
		}
	}
}

// TestCallerTokenWithoutKeys: while the issuer's keys are not to be had nobody is let
// in; when they are, the callers are.
func TestCallerTokenWithoutKeys(t *testing.T) {
	l, issuer := callerTokens(t)
	var broken atomic.Bool
	broken.Store(true)
	l.config.Envoy.JWT.JWKSURI = l.keysOf(issuer, &broken)
	r := l.start()
	token, err := issuer.Token(tokenReader, doorAudience, time.Hour)
	l.check(err)
	try := func() string {
		response := call(t, r.address, l.tls(), wireCall{protocol: "h1", target: "/v1.0/users", fields: [][2]string{{"authorization", "Bearer " + token}}})
		return response.String()
	}
	if got := try(); got != "401 caller_not_verified" {
		t.Errorf("without keys: got %s", got)
	}
	if n := len(l.Graph.Requests()); n != 0 {
		t.Errorf("%d requests arrived upstream", n)
	}
	broken.Store(false)
	wait(t, "the keys", func() bool { return try() == "200" })
	if strings.Contains(r.logs.String(), token) {
		t.Error("the log has the caller's token")
	}
}

// TestCallerTokenEmptyFile: Envoy takes an empty file of keys without a word, so the start
// is refused here.
func TestCallerTokenEmptyFile(t *testing.T) {
	l, _ := callerTokens(t)
	l.config.Envoy.JWT.JWKSFile = l.write("jwks.json", "")
	log := &testlog.Buffer{}
	s, err := startSidecar(t.Context(), l.config, slog.New(slog.NewTextHandler(log, nil)), log, log)
	if err == nil {
		s.stop()
		t.Fatal("started")
	}
	if !strings.Contains(err.Error(), "has no keys") {
		t.Errorf("got %v", err)
	}
}

// TestCallerTokenKeysServer: a server of keys that answers wrongly, each time in another
// way, is asked again and followed nowhere; one that proves another name is not asked.
func TestCallerTokenKeysServer(t *testing.T) {
	l, issuer := callerTokens(t)
	var fetches atomic.Int32
	const wrong = 5
	l.config.Envoy.JWT.JWKSURI = l.keysFrom("localhost", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("a redirect was followed")
		}
		switch fetches.Add(1) {
		case 1:
			w.WriteHeader(http.StatusNotFound)
		case 2:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case 3:
			io.WriteString(w, "{")
		case 4:
			io.WriteString(w, `{"keys":[]}`)
		case wrong:
			w.Header().Set("Content-Length", "100000")
			io.WriteString(w, `{"keys":[`)
		default:
			issuer.ServeHTTP(w, r)
		}
	})
	r := l.start()
	token, err := issuer.Token(tokenReader, doorAudience, time.Hour)
	l.check(err)
	try := func(address string) string {
		response := call(t, address, l.tls(), wireCall{protocol: "h1", target: "/v1.0/users", fields: [][2]string{{"authorization", "Bearer " + token}}})
		return response.String()
	}
	wait(t, "the keys", func() bool {
		before := fetches.Load()
		got := try(r.address)
		if before < wrong && fetches.Load() < wrong && got != "401 caller_not_verified" {
			t.Fatalf("after %d fetches: got %s", before, got)
		}
		return got == "200"
	})

	other, err := entra.NewIssuer(cluster)
	l.check(err)
	l.config.Envoy.JWT.JWKSURI = l.keysFrom("other.example", func(w http.ResponseWriter, r *http.Request) {
		t.Error("the server with another name was asked")
		other.ServeHTTP(w, r)
	})
	c := l.config.envoy()
	c.Listen = "127.0.0.1:0"
	b, err := renderEnvoy(c)
	l.check(err)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	binary, err := envoy.Find(ctx)
	l.check(err)
	another, err := envoy.Start(ctx, binary, b, envoy.Options{Workers: 1})
	l.check(err)
	defer another.Stop(context.Background())
	if got := try(another.Address()); got != "401 caller_not_verified" {
		t.Errorf("keys of another name: got %s", got)
	}
}
