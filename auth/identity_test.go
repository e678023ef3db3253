package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// What is returned is what Entra compares: an application that trusts exactly that can be signed in to with the same file.
func TestIdentifyIsWhatEntraCompares(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := clusterIssuer().WriteProjectedToken(file, subject, entra.Audience, time.Hour); err != nil {
		t.Fatal(err)
	}
	credential := &Credential{Kubernetes: &Kubernetes{TokenFile: file}}
	identity, err := Config{}.Identify(t.Context(), credential, "")
	if err != nil || identity != (Identity{cluster, subject, entra.Audience}) {
		t.Fatalf("%+v, %v", identity, err)
	}
	w := newLoopbackWorld(t, func(c *entra.Config) {
		for i := range c.Apps {
			c.Apps[i].FederatedCredentials = []entra.FederatedCredential{
				{Issuer: identity.Issuer, Subject: identity.Subject, Audience: identity.Audience, Keys: clusterIssuer().Keys()},
			}
		}
	})
	w.cfg.Connectors = map[string]Connector{"outlook_mail": {ClientID: mailApp, Credential: credential}}
	m, err := newManager(w.cfg, slog.New(slog.DiscardHandler), network{dial: w.dial})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Token(t.Context(), "outlook_mail"); err != nil {
		t.Error(err)
	}
}

func TestIdentifyRefuses(t *testing.T) {
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	const canary = "CANARY"
	for _, test := range []struct{ name, content, detail string }{
		{"not a JWT", canary, "not_a_jwt"},
		{"not JSON", jwt(canary), "not_a_jwt"},
		{"no subject", jwt(`{"iss":"` + canary + `","aud":"a"}`), "not_a_jwt"},
		{"two audiences", jwt(`{"iss":"i","sub":"` + canary + `","aud":["a","b"]}`), "not_a_jwt"},
		{"a line break", jwt(`{"iss":"i","sub":"` + canary + `\n# x","aud":"a"}`), "not_a_jwt"},
		{"endless", jwt(`{"iss":"i","sub":"` + strings.Repeat(canary, 200) + `","aud":"a"}`), "not_a_jwt"},
	} {
		file := filepath.Join(t.TempDir(), "assertion")
		if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		identity, err := Config{Credential: Credential{File: &File{Path: file}}}.Identify(t.Context(), nil, "")
		var failed *Error
		if !errors.As(err, &failed) || failed.Code != CodeCredential || failed.Detail != test.detail || identity != (Identity{}) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %+v, %v", test.name, identity, err)
		}
	}
	if identity, ok := identityIn(jwt(`{"iss":"i","sub":"s","aud":["a"]}`)); !ok || identity != (Identity{"i", "s", "a"}) {
		t.Errorf("a list of one audience: %+v", identity)
	}
	certificate := &Credential{Certificate: &Certificate{File: "certificate.pem"}}
	if _, err := (Config{}).Identify(t.Context(), certificate, ""); !errors.Is(err, ErrNoAssertion) {
		t.Errorf("a certificate: %v", err)
	}
	if _, err := (Config{}).Identify(t.Context(), nil, ""); err == nil || !strings.Contains(err.Error(), "no credential") {
		t.Errorf("no credential: %v", err)
	}
}

func TestExpectedIsWhatIsConfigured(t *testing.T) {
	for want, credential := range map[Identity]Credential{
		{}:                                {Kubernetes: &Kubernetes{}},
		{Audience: "aws"}:                 {AWS: &AWS{Audience: "aws"}},
		{Subject: "id", Audience: "pool"}: {AWSCognito: &AWSCognito{IdentityID: "id", IdentityPoolID: "pool"}},
		{Audience: "gcp"}:                 {GCP: &GCP{Audience: "gcp"}},
		{Audience: "azure"}:               {Azure: &Azure{Audience: "azure"}},
		{Subject: "spiffe://a/b"}:         {SPIFFE: &SPIFFE{SPIFFEID: "spiffe://a/b"}},
	} {
		if got := credential.Expected(); got != want {
			t.Errorf("%s: %+v, want %+v", credential.Kind(), got, want)
		}
	}
}

// A certificate and a secret have no issuer: there is nothing to compare, and nothing is read.
func TestIdentifyOfWhatIsNoAssertion(t *testing.T) {
	for _, credential := range []Credential{
		{Certificate: &Certificate{File: "/nowhere"}},
		{ClientSecret: &ClientSecret{File: "/nowhere", AcknowledgeRisk: secretRisk}},
	} {
		if identity, err := (Config{}).Identify(t.Context(), &credential, mailApp); !errors.Is(err, ErrNoAssertion) || identity != (Identity{}) {
			t.Errorf("%s: %+v, %v", credential.Kind(), identity, err)
		}
	}
}

func TestPanicsOfPlatformsStayInside(t *testing.T) {
	text, err := assertions(func(context.Context) (string, error) { panic("CANARY") }).ask(t.Context())
	if failed := classify(err, time.Now()); text != "" || failed.Code != CodeCredential || failed.Detail != "panic" || strings.Contains(failed.Error()+Hint(failed), "CANARY") {
		t.Errorf("%q, %v", text, err)
	}
}
