package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/policy"
)

// signed makes a token of claims: members that are given replace those of a good one, and
// a JSON text is taken as it is.
func signed(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	payload, ok := claims.(string)
	if !ok {
		all := map[string]any{"iss": cluster, "sub": tokenReader, "aud": doorAudience, "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(all, claims.(map[string]any))
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		payload = string(text)
	}
	options := &jose.SignerOptions{}
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestCallerTokenHostile: tokens in other places, of other kinds and with odd claims. None
// that is refused goes upstream, and no log has one.
func TestCallerTokenHostile(t *testing.T) {
	l, _ := callerTokens(t)
	keys := map[string]crypto.Signer{}
	var err error
	keys["r"], err = rsa.GenerateKey(rand.Reader, 2048)
	l.check(err)
	keys["e"], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	l.check(err)
	_, keys["d"], err = ed25519.GenerateKey(rand.Reader)
	l.check(err)
	var set jose.JSONWebKeySet
	// A token without kid is tried with each key in turn, up to one of Ed25519, with which
	// Envoy ends.
	for _, kid := range []string{"r", "e", "d"} {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: keys[kid].Public(), KeyID: kid})
	}
	text, err := json.Marshal(set)
	l.check(err)
	l.config.Envoy.JWT.JWKSFile = l.write("jwks.json", string(text))
	r := l.start()

	public, err := x509.MarshalPKIXPublicKey(keys["r"].Public())
	l.check(err)
	with := func(claims map[string]any) string { return signed(t, jose.RS256, keys["r"], "r", claims) }
	payload := func(extra string) string {
		return fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d%s}`, cluster, tokenReader, doorAudience, time.Now().Add(time.Hour).Unix(), extra)
	}
	raw := func(extra string) string { return signed(t, jose.RS256, keys["r"], "r", payload(extra)) }
	now := time.Now()
	good := with(nil)
	other := with(map[string]any{"sub": tokenOther})
	bearer := func(token string) [][2]string { return [][2]string{{"authorization", "Bearer " + token}} }
	const (
		refused = "401 caller_not_verified"
		notMine = "403 request_refused"
	)
	for _, test := range []struct {
		name   string
		fields [][2]string
		want   string
	}{
		{"good", bearer(good), "200"},
		// Places.
		{"another scheme", [][2]string{{"authorization", "Basic " + good}}, refused},
		{"no scheme", [][2]string{{"authorization", good}}, refused},
		{"empty", [][2]string{{"authorization", "Bearer "}}, refused},
		{"a cookie", [][2]string{{"cookie", "access_token=" + good}}, refused},
		{"proxy-authorization", [][2]string{{"proxy-authorization", "Bearer " + good}}, refused},
		{"another header", [][2]string{{"x-forwarded-access-token", "Bearer " + good}}, refused},
		{"claims in headers", [][2]string{{"x-jwt-payload", good}, {"x-jwt-claim-sub", tokenReader}}, refused},
		{"two headers", append(bearer(good), bearer(good)...), refused},
		{"two headers, the second with another's", append(bearer(good), bearer(other)...), refused},
		// Keys and algorithms.
		{"ES256", bearer(signed(t, jose.ES256, keys["e"], "e", map[string]any{})), "200"},
		{"EdDSA", bearer(signed(t, jose.EdDSA, keys["d"], "d", map[string]any{})), "200"},
		{"no kid", bearer(signed(t, jose.RS256, keys["r"], "", map[string]any{})), "200"},
		{"unknown kid", bearer(signed(t, jose.RS256, keys["r"], "x", map[string]any{})), refused},
		{"kid of another key", bearer(signed(t, jose.RS256, keys["r"], "e", map[string]any{})), refused},
		{"HS256 by the public key, DER", bearer(signed(t, jose.HS256, public, "r", map[string]any{})), refused},
		{"HS256 by the public key, PEM", bearer(signed(t, jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "r", map[string]any{})), refused},
		{"HS256 by the modulus, no kid", bearer(signed(t, jose.HS256, keys["r"].(*rsa.PrivateKey).N.Bytes(), "", map[string]any{})), refused},
		// Times: a minute is for clocks that differ.
		{"expired just now", bearer(with(map[string]any{"exp": now.Add(-20 * time.Second).Unix()})), "200"},
		{"expired two minutes ago", bearer(with(map[string]any{"exp": now.Add(-2 * time.Minute).Unix()})), refused},
		{"not yet", bearer(with(map[string]any{"nbf": now.Add(2 * time.Minute).Unix()})), refused},
		{"expiry is text", bearer(with(map[string]any{"exp": "9999999999"})), refused},
		{"expiry is negative", bearer(with(map[string]any{"exp": -1})), refused},
		{"expiry is zero", bearer(with(map[string]any{"exp": 0})), refused},
		// Audiences.
		{"one of many audiences", bearer(with(map[string]any{"aud": []string{"a", doorAudience}})), "200"},
		{"audience as a URL", bearer(with(map[string]any{"aud": "https://" + doorAudience + "/"})), "200"},
		{"no audience in the list", bearer(with(map[string]any{"aud": []string{}})), notMine},
		{"an audience that begins so", bearer(with(map[string]any{"aud": doorAudience + ".example"})), notMine},
		{"audience in capitals", bearer(with(map[string]any{"aud": strings.ToUpper(doorAudience)})), notMine},
		{"audience is a number", bearer(with(map[string]any{"aud": 1})), refused},
		// Claims.
		{"subject is a number", bearer(with(map[string]any{"sub": 1})), refused},
		{"subject is a list", bearer(with(map[string]any{"sub": []string{tokenReader}})), refused},
		{"subject and more", bearer(with(map[string]any{"sub": tokenReader + "\x00"})), "403 denied_by_policy"},
		{"names of Rego", bearer(with(map[string]any{"input": 1, "data": map[string]any{"graphveil": 1}, "allow": true, "__proto__": 1, "": 1, "a.b": 1, "\x00": 1})), "200"},
		{"a number that is no float64", bearer(raw(`,"n":123456789012345678901234567890`)), "200"},
		{"a number beyond", bearer(raw(`,"n":1e999`)), refused},
		{"deep", bearer(raw(`,"n":` + strings.Repeat("[", 50) + strings.Repeat("]", 50))), "200"},
		{"too deep", bearer(raw(`,"n":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000))), refused},
		{"large", bearer(raw(`,"n":[0` + strings.Repeat(",0", 16<<10) + `]`)), "200"},
		{"no object", bearer(signed(t, jose.RS256, keys["r"], "r", `[]`)), refused},
		{"no JSON", bearer(signed(t, jose.RS256, keys["r"], "r", `x`)), refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			l.Graph.ForgetRequests()
			response := call(t, r.address, l.tls(), wireCall{protocol: "h1", target: "/v1.0/users?$top=1", fields: test.fields})
			if response.String() != test.want {
				t.Errorf("got %s, want %s", &response, test.want)
			}
			if n := len(l.Graph.Requests()); (n == 1) != (test.want == "200") {
				t.Errorf("%d requests arrived upstream", n)
			}
		})
	}
	r.logsHaveNo(t, strings.Split(good, ".")[1], strings.Split(other, ".")[1], tokenReader, tokenOther)
}

// TestCallerTokenOfAnotherEnvoy: the processor that was told that callers have tokens
// believes no Envoy that asked for none, such as one of a mesh, or of an older bootstrap.
func TestCallerTokenOfAnotherEnvoy(t *testing.T) {
	l, issuer := callerTokens(t)
	l.config.Policy.Paths = []string{"builtin"}
	l.writeKeys(issuer)
	r := l.start()
	c := l.config.envoy()
	c.JWT = envoy.JWT{}
	b, err := renderEnvoy(c)
	l.check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	binary, err := envoy.Find(ctx)
	l.check(err)
	unaware, err := envoy.Start(ctx, binary, b, envoy.Options{Workers: 1})
	l.check(err)
	defer unaware.Stop(context.Background())
	token, err := issuer.Token(tokenReader, doorAudience, time.Hour)
	l.check(err)
	fields := [][2]string{{"authorization", "Bearer " + token}}
	for _, protocol := range protocols {
		for address, want := range map[string]string{r.address: "200", unaware.Address(): "401 caller_not_verified"} {
			if response := call(t, address, l.tls(), wireCall{protocol: protocol, target: "/v1.0/users", fields: fields}); response.String() != want {
				t.Errorf("%s: got %s, want %s", protocol, &response, want)
			}
		}
	}
	if n := len(l.Graph.Requests()); n != len(protocols) {
		t.Errorf("%d requests arrived upstream", n)
	}
}

// TestCallerTokenOffline: what is tried without an Envoy needs no token, whatever the
// configuration says.
func TestCallerTokenOffline(t *testing.T) {
	t.Setenv("GRAPHVEIL_SALT", labSalt)
	t.Setenv("GRAPHVEIL_KEY", labKey)
	snapshot, err := policy.Load(t.Context(), policy.Config{Paths: []string{policy.Builtin}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(&Config{Envoy: envoy.Config{JWT: envoy.JWT{Issuer: cluster}}}, func() *policy.Snapshot { return snapshot })
	if err != nil {
		t.Fatal(err)
	}
	x := g.NewExchange()
	defer x.Close()
	if _, refusal := x.Request(t.Context(), requestHeadOf("GET", "/v1.0/users")); refusal != nil {
		t.Errorf("refused: %s", refusal.Code)
	}
}
