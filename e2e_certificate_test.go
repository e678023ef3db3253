package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// TestCertificateAndSecret: a sidecar signs in one application with a certificate and
// another with a secret. The certificate is replaced while it runs, and is in use from
// the next token on. No part of a key or of the secret comes out anywhere.
func TestCertificateAndSecret(t *testing.T) {
	t.Parallel()
	const secret = "SECRETof~the.application"
	pairOf := func(life time.Duration) (*x509.Certificate, *rsa.PrivateKey, string) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := entra.SelfSigned(key, time.Now().Add(-time.Hour), time.Now().Add(life))
		if err != nil {
			t.Fatal(err)
		}
		return certificate, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})) +
			string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	}
	old, oldKey, oldFile := pairOf(20 * 24 * time.Hour)
	fresh, freshKey, freshFile := pairOf(90 * 24 * time.Hour)
	l := newLab(t, func(c *tenant.Config) {
		c.Apps[0].Certificates = []*x509.Certificate{old, fresh}
		c.Apps[1].Secrets = []entra.ClientSecret{{Value: secret}}
	})
	l.config.Tokens.Connectors["entra_id"] = auth.Connector{ClientID: directoryClient,
		Credential: &auth.Credential{Certificate: &auth.Certificate{File: l.write("entra.pem", oldFile)}}}
	l.config.Tokens.Connectors["outlook_mail"] = auth.Connector{ClientID: mailClient,
		Credential: &auth.Credential{ClientSecret: &auth.ClientSecret{File: l.write("secret", secret+"\n"), AcknowledgeRisk: "a secret can be copied and used from anywhere"}}}
	r := l.start()
	read := func(target string) wireResponse {
		t.Helper()
		return call(t, r.address, l.tls(), wireCall{protocol: "h2", target: target})
	}
	expiry := func(connector string) string {
		t.Helper()
		_, metrics := get(t, r.adminURL+"/metrics")
		return strings.TrimSpace(strings.TrimPrefix(linesWith(metrics, `graphveil_token_certificate_expiry_timestamp_seconds{connector="`+connector+`"}`),
			`graphveil_token_certificate_expiry_timestamp_seconds{connector="`+connector+`"}`))
	}
	wantExpiry := func(want time.Time) {
		t.Helper()
		if at, err := strconv.ParseFloat(expiry("entra_id"), 64); err != nil || int64(at) != want.Unix() {
			t.Errorf("the metric says %q, want %d", expiry("entra_id"), want.Unix())
		}
	}
	for _, target := range []string{"/v1.0/users?$top=3", l.sentPath(1) + "?$top=3"} {
		if response := read(target); response.status != http.StatusOK {
			t.Fatalf("%s: %s", target, &response)
		}
	}
	wantExpiry(old.NotAfter)
	if got := expiry("outlook_mail"); got != "" {
		t.Errorf("a connector without a certificate has an expiry: %q", got)
	}

	l.write("entra.pem", freshFile)
	l.Entra.Revoke(directoryClient)
	wait(t, "a token by the new certificate", func() bool { return read("/v1.0/users?$top=3").status == http.StatusOK })
	wantExpiry(fresh.NotAfter)
	if refused := l.Entra.Stats().Refused; len(refused) != 0 {
		t.Errorf("Entra refused %v", refused)
	}
	for _, message := range []string{"certificate read", "certificate expires soon", "signing in with a client secret"} {
		if !strings.Contains(r.logs.String(), message) {
			t.Errorf("the log does not say: %s", message)
		}
	}

	_, metrics := get(t, r.adminURL+"/metrics")
	secrets := []string{secret, "PRIVATE KEY", l.file("secret"), "eyJ"}
	for _, key := range []*rsa.PrivateKey{oldKey, freshKey} {
		secrets = append(secrets, hex.EncodeToString(key.D.Bytes())[:40], key.D.String()[:40])
	}
	for line := range strings.Lines(oldFile + freshFile) {
		if line = strings.TrimSpace(line); len(line) == 64 {
			secrets = append(secrets, line[:32])
		}
	}
	for where, text := range map[string]string{"log": r.logs.String(), "access log": r.access.String(), "metrics": metrics} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("a secret of %d bytes is in the %s", len(secret), where)
			}
		}
	}
}
