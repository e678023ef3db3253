package auth

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

const (
	firstSecret  = "Canary~first.secret-of_the~application"
	secondSecret = "Canary~second.secret-of_the~application"
	oldSecret    = "Canary~old.secret-of_the~application"
)

// secretWorld is a world in which the application entra_id signs in with a secret.
func secretWorld(t *testing.T, newWorld func(*testing.T, func(*entra.Config)) *world, adjust func(*entra.Config)) *world {
	t.Helper()
	w := newWorld(t, func(c *entra.Config) {
		c.Apps[0].Secrets = []entra.ClientSecret{{Value: firstSecret}, {Value: secondSecret}, {Value: oldSecret, Expiry: time.Now()}}
		if adjust != nil {
			adjust(c)
		}
	})
	for _, secret := range []string{firstSecret, secondSecret, oldSecret, "Canary"} {
		w.secret(secret)
	}
	delete(w.cfg.Connectors, "outlook_mail")
	w.use(Credential{ClientSecret: &ClientSecret{File: w.path("secret"), AcknowledgeRisk: secretRisk}})
	return w
}

func TestClientSecretSignsIn(t *testing.T) {
	for name, content := range map[string]string{"bare": firstSecret, "line break": firstSecret + "\n", "line break of Windows": firstSecret + "\r\n"} {
		t.Run(name, func(t *testing.T) {
			w := secretWorld(t, newLoopbackWorld, nil)
			w.put("secret", content)
			m := w.manager()
			w.wantLog("level=WARN", "signing in with a client secret", "instead", "client_id="+directoryApp)
			w.wantToken(m, "entra_id", directoryApp)
			if status := m.Status()[0]; !status.CertificateExpiry.IsZero() {
				t.Errorf("a secret has the expiry of a certificate: %v", status.CertificateExpiry)
			}
		})
	}
}

func TestClientSecretTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		code    Code
		detail  string
		aadsts  int
	}{
		"no file":   {"", CodeCredential, "missing", 0},
		"empty":     {"\n", CodeCredential, "empty", 0},
		"two lines": {firstSecret + "\n" + secondSecret, CodeCredential, "not_a_secret", 0},
		"binary":    {"\x00\x01", CodeCredential, "not_a_secret", 0},
		"too large": {strings.Repeat("x", maxSecret+1), CodeCredential, "too_large", 0},
		"wrong":     {firstSecret + "x", CodeRejected, "", 7000215},
		"expired":   {oldSecret, CodeRejected, "", 7000222},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := secretWorld(t, newWorld, nil)
				if test.content != "" {
					w.put("secret", test.content)
				}
				m := w.manager()
				failure := w.wantError(m, "entra_id", test.code)
				wantDetail(t, failure, test.detail)
				if failure.AADSTS != test.aadsts {
					t.Errorf("AADSTS%d, want %d", failure.AADSTS, test.aadsts)
				}
				if requests := w.entra.Stats().TokenRequests; (requests != 0) != (test.code == CodeRejected) {
					t.Errorf("%d token requests", requests)
				}
				w.put("secret", firstSecret)
				time.Sleep(2 * time.Second)
				w.wantToken(m, "entra_id", directoryApp)
			})
		})
	}
}

// A thousand callers read tokens while the secret is replaced, carelessly: nobody sees it. The first secret ends on the way.
func TestClientSecretRotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := secretWorld(t, newWorld, func(c *entra.Config) {
			c.TokenLifetime = 4 * time.Minute
			c.Apps[0].Secrets[0].Expiry = time.Now().Add(30 * time.Minute)
		})
		w.put("secret", firstSecret)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		w.wantToken(m, "entra_id", directoryApp)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				for ctx.Err() == nil {
					if _, err := m.Token(t.Context(), "entra_id"); err != nil {
						t.Error("a caller saw the replacement: ", err)
						return
					}
					time.Sleep(13 * time.Second)
				}
			})
		}
		time.Sleep(10 * time.Minute)
		w.put("secret", "") // emptied, and written later
		time.Sleep(5 * time.Minute)
		w.put("secret", secondSecret)
		time.Sleep(time.Hour)
		cancel()
		callers.Wait()
		if stats := w.entra.Stats(); len(stats.Refused) != 0 || stats.Issued < 30 {
			t.Errorf("stats %+v", stats)
		}
		w.wantLog("level=WARN", "stays in use", "detail=empty")
	})
}

func TestOpenSecretFileIsWarnedOf(t *testing.T) {
	w := secretWorld(t, newLoopbackWorld, nil)
	w.put("secret", firstSecret)
	if err := os.Chmod(w.path("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.wantToken(w.manager(), "entra_id", directoryApp)
	w.wantLog("level=WARN", "open to every user")
}

// The sentence stands in the error that refuses to go without it, and nowhere else is a secret taken from.
func TestClientSecretNeedsAcknowledgement(t *testing.T) {
	const sentence = "a secret can be copied and used from anywhere"
	for name, test := range map[string]struct {
		block ClientSecret
		says  string
	}{
		"acknowledged":     {ClientSecret{File: "/nowhere", AcknowledgeRisk: sentence}, ""},
		"not acknowledged": {ClientSecret{File: "/nowhere"}, "acknowledge_risk: " + sentence},
		"a word":           {ClientSecret{File: "/nowhere", AcknowledgeRisk: "yes"}, "acknowledge_risk: " + sentence},
		"almost":           {ClientSecret{File: "/nowhere", AcknowledgeRisk: sentence + "."}, "acknowledge_risk: " + sentence},
		"no file":          {ClientSecret{AcknowledgeRisk: sentence}, "file names the file that holds the secret"},
		"nothing":          {ClientSecret{}, "file names the file that holds the secret"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.block.validate(Cloud{})
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
