package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

func TestCertificateSignsIn(t *testing.T) {
	pair, other := lasting(48*time.Hour), lasting(48*time.Hour)
	for name, test := range map[string]struct {
		files map[string]string
		block Certificate
	}{
		"one file, PKCS#8":                          {map[string]string{"tls.crt": pair.certificatePEM() + pair.pkcs8()}, Certificate{}},
		"one file, PKCS#1 first and text around it": {map[string]string{"tls.crt": "Bag Attributes\n" + pair.pkcs1() + "subject=/CN=x\n" + pair.certificatePEM()}, Certificate{}},
		"key apart":                 {map[string]string{"tls.crt": pair.certificatePEM(), "tls.key": pair.pkcs8()}, Certificate{KeyFile: "tls.key"}},
		"chain":                     {map[string]string{"tls.crt": pair.certificatePEM() + other.certificatePEM(), "tls.key": pair.pkcs1()}, Certificate{KeyFile: "tls.key"}},
		"chain in the other order":  {map[string]string{"tls.crt": other.certificatePEM() + pair.certificatePEM(), "tls.key": pair.pkcs1()}, Certificate{KeyFile: "tls.key"}},
		"PKCS#12 without password":  {map[string]string{"tls.crt": pair.pkcs12(pkcs12.Passwordless, "")}, Certificate{}},
		"PKCS#12 with password":     {map[string]string{"tls.crt": pair.pkcs12(pkcs12.Modern, "Canary password"), "password": "Canary password\r\n"}, Certificate{PasswordFile: "password"}},
		"PKCS#12 of older programs": {map[string]string{"tls.crt": pair.pkcs12(pkcs12.Legacy, "Canary password"), "password": "Canary password"}, Certificate{PasswordFile: "password"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := certificateWorld(t, newLoopbackWorld, nil, pair)
			w.secret("Canary password")
			for name, content := range test.files {
				w.put(name, content)
			}
			block := Certificate{File: w.path("tls.crt")}
			if test.block.KeyFile != "" {
				block.KeyFile = w.path(test.block.KeyFile)
			}
			if test.block.PasswordFile != "" {
				block.PasswordFile = w.path(test.block.PasswordFile)
			}
			w.use(Credential{Certificate: &block})
			m := w.manager()
			if status := m.Status()[0]; !status.CertificateExpiry.IsZero() {
				t.Errorf("before the first token the certificate was read: %+v", status)
			}
			w.wantToken(m, "entra_id", directoryApp)
			if stats := w.entra.Stats(); stats.TokenRequests != 1 || len(stats.Refused) != 0 {
				t.Errorf("stats %+v", stats)
			}
			if status := m.Status()[0]; !status.CertificateExpiry.Equal(pair.certificate.NotAfter) {
				t.Errorf("certificate expiry %v, want %v", status.CertificateExpiry, pair.certificate.NotAfter)
			}
			w.wantLog("certificate read", "client_id="+directoryApp, "days_left=1")
		})
	}
}

func TestCertificateTroubleIsNamedAndHeals(t *testing.T) {
	year := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	good, other, expired := makePair(year(1999), year(2099)), makePair(year(1999), year(2099)), makePair(year(1990), year(1999))
	elliptic, ellipticCertificate := ellipticPair(t)
	whole := good.certificatePEM() + good.pkcs8()
	for name, test := range map[string]struct {
		content, key, password, detail string
	}{
		"empty":                          {"", "", "", "no_certificate"},
		"nonsense":                       {"nonsense", "", "", "no_certificate"},
		"certificate alone":              {good.certificatePEM(), "", "", "no_private_key"},
		"key alone":                      {good.pkcs8(), "", "", "no_certificate"},
		"two keys":                       {whole, other.pkcs8(), "", "several_private_keys"},
		"key of another":                 {good.certificatePEM(), other.pkcs8(), "", "key_mismatch"},
		"half written":                   {whole[:len(whole)-200], "", "", "no_private_key"},
		"broken certificate":             {strings.Replace(whole, "MII", "AAA", 1), "", "", "malformed_pem"},
		"broken key":                     {good.certificatePEM() + strings.Replace(good.pkcs8(), "MII", "AAA", 1), "", "", "malformed_pem"},
		"encrypted key":                  {good.certificatePEM() + strings.ReplaceAll(good.pkcs8(), "PRIVATE", "ENCRYPTED PRIVATE"), "", "", "key_encrypted"},
		"encrypted key of older OpenSSL": {good.certificatePEM() + strings.Replace(good.pkcs1(), "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,AA\n\n", 1), "", "", "key_encrypted"},
		"elliptic curve, PKCS#8":         {ellipticCertificate + elliptic["PRIVATE KEY"], "", "", "key_not_rsa"},
		"elliptic curve, SEC 1":          {ellipticCertificate + elliptic["EC PRIVATE KEY"], "", "", "key_not_rsa"},
		"wrong password":                 {good.pkcs12(pkcs12.Modern, "Canary password"), "", "Canary Password", "wrong_password"},
		"no password":                    {good.pkcs12(pkcs12.Modern, "Canary password"), "", "", "wrong_password"},
		"cut PKCS#12":                    {good.pkcs12(pkcs12.Modern, "Canary password")[:500], "", "Canary password", "malformed_pkcs12"},
		"PKCS#12 and a key":              {good.pkcs12(pkcs12.Passwordless, ""), good.pkcs8(), "", "key_file_with_pkcs12"},
		"too large":                      {whole + strings.Repeat("x", maxCertificateFile), "", "", "too_large"},
		"expired":                        {expired.certificatePEM() + expired.pkcs8(), "", "", "certificate_expired"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := certificateWorld(t, newWorld, nil, good)
				w.keySecrets(other)
				w.secret("Canary")
				block := &Certificate{File: w.path("tls.crt")}
				w.put("tls.crt", test.content)
				if test.key != "" {
					block.KeyFile = w.path("tls.key")
					w.put("tls.key", test.key)
				}
				if test.password != "" {
					block.PasswordFile = w.path("password")
					w.put("password", test.password)
				}
				w.use(Credential{Certificate: block})
				m := w.manager()
				wantDetail(t, w.wantError(m, "entra_id", CodeCredential), test.detail)
				if requests := w.entra.Stats().TokenRequests; requests != 0 {
					t.Errorf("%d token requests without a certificate", requests)
				}
				w.wantLog("code=credential_unavailable", "detail="+test.detail)

				w.put("tls.crt", whole)
				if test.key != "" {
					w.put("tls.crt", good.certificatePEM())
					w.put("tls.key", good.pkcs8())
				}
				time.Sleep(2 * time.Second)
				w.wantToken(m, "entra_id", directoryApp)
			})
		})
	}
}

func ellipticPair(t *testing.T) (keys map[string]string, certificate string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := lasting(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, issuer.certificate, issuer.certificate, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keys = map[string]string{}
	for kind, content := range map[string][]byte{"PRIVATE KEY": pkcs8, "EC PRIVATE KEY": sec1} {
		keys[kind] = string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
	}
	return keys, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCertificateThatEndsIsWarnedOfAndThenNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pair := lasting(33*24*time.Hour + time.Hour)
		w := certificateWorld(t, newWorld, func(c *entra.Config) { c.TokenLifetime = 12 * time.Hour }, pair)
		w.put("tls.crt", pair.certificatePEM()+pair.pkcs8())
		m := w.manager()
		stop := w.run(m)
		defer stop()
		warnings := func() int { return strings.Count(w.logs.String(), "certificate expires soon") }
		time.Sleep(2 * 24 * time.Hour)
		if got := warnings(); got != 0 {
			t.Errorf("%d warnings with 31 days left", got)
		}
		time.Sleep(5 * 24 * time.Hour)
		if got := warnings(); got < 3 || got > 5 {
			t.Errorf("%d warnings with 26 days left, want one a day", got)
		}
		w.wantLog("level=WARN", "certificate expires soon", "days_left=29", "client_id="+directoryApp)
		time.Sleep(26 * 24 * time.Hour)
		w.wantToken(m, "entra_id", directoryApp)
		time.Sleep(time.Hour + time.Second)
		requests := w.entra.Stats().TokenRequests
		time.Sleep(13 * time.Hour)
		failure := w.wantError(m, "entra_id", CodeCredential)
		wantDetail(t, failure, "certificate_expired")
		if stats := w.entra.Stats(); len(stats.Refused) != 0 || stats.TokenRequests != requests {
			t.Errorf("Entra was asked with an expired certificate: %+v", stats)
		}
		w.wantLog("level=WARN", "acquiring graph token failed", "detail=certificate_expired") // while a token was held
		fresh := lasting(48 * time.Hour)
		w.put("tls.crt", fresh.certificatePEM()+fresh.pkcs8())
		time.Sleep(time.Minute)
		w.wantError(m, "entra_id", CodeRejected) // nobody registered it: but it was used at once
		failures := m.Status()[0].Failures[CodeCredential]
		time.Sleep(5 * time.Minute)
		if after := m.Status()[0].Failures[CodeCredential]; after != failures {
			t.Errorf("the expired one was tried again %d times", after-failures)
		}
		if refused := w.entra.Stats().Refused; len(refused) != 1 || refused[700027] == 0 {
			t.Errorf("refused %v", refused)
		}
	})
}

// The certificate was made a moment ago, on a machine whose clock is ahead of Entra's.
func TestFreshCertificateIsRetriedUntilEntraTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pair := makePair(time.Now(), time.Now().Add(365*24*time.Hour))
		const behind = 3 * time.Minute
		w := certificateWorld(t, newWorld, func(c *entra.Config) { c.Now = func() time.Time { return time.Now().Add(-behind) } }, pair)
		w.put("tls.crt", pair.certificatePEM()+pair.pkcs8())
		m := w.manager()
		stop := w.run(m)
		defer stop()
		time.Sleep(10 * time.Millisecond)
		failure := w.wantError(m, "entra_id", CodeRejected)
		wantDetail(t, failure, "certificate_not_yet_valid_for_entra")
		if failure.AADSTS != 700027 || !strings.Contains(Hint(failure), "the machine that made it is ahead") {
			t.Errorf("AADSTS%d, hint %q", failure.AADSTS, Hint(failure))
		}
		if want := "getting graph token: entra_rejected (AADSTS700027, certificate_not_yet_valid_for_entra)"; failure.Error() != want {
			t.Errorf("error %q, want %q", failure, want)
		}
		if ready := m.Ready(); ready == nil || !strings.Contains(ready.Error(), "certificate_not_yet_valid_for_entra") {
			t.Errorf("Ready() = %v", ready)
		}
		w.wantLog("acquiring graph token failed", "aadsts=700027", "detail=certificate_not_yet_valid_for_entra")
		time.Sleep(behind - time.Second)
		w.wantError(m, "entra_id", CodeRejected)
		time.Sleep(2 * maxBackoff)
		w.wantToken(m, "entra_id", directoryApp)
		if stats := w.entra.Stats(); stats.Refused[700027] < 5 || stats.Refused[700027] > 20 || stats.Issued != 1 {
			t.Errorf("stats %+v, want a handful of refusals and then one token", stats)
		}
	})
}

func TestWhatEntraSaysAboutCertificates(t *testing.T) {
	for name, test := range map[string]struct {
		life    time.Duration // of a certificate that began an hour ago
		ahead   time.Duration // Entra's clock
		answer  string        // instead of the tenant's
		strange bool          // not registered
		aadsts  int
		detail  string
	}{
		"expired for Entra":                {life: 2 * time.Hour, ahead: 2*time.Hour + time.Minute, aadsts: 700027, detail: "certificate_expired_for_entra"},
		"not registered":                   {life: 2 * time.Hour, strange: true, aadsts: 700027},
		"newer number, ends soon":          {life: 2 * time.Minute, answer: "AADSTS1000502: The provided certificate is not within its specified validity window.", aadsts: 1000502, detail: "certificate_expired_for_entra"},
		"newer number, began lately":       {life: 24 * time.Hour, answer: "AADSTS7000274: x", aadsts: 7000274, detail: "certificate_not_yet_valid_for_entra"},
		"revoked":                          {life: 24 * time.Hour, answer: "AADSTS7000277: x", aadsts: 7000277},
		"the words without the number":     {life: 24 * time.Hour, answer: "AADSTS700016: The key used is expired", aadsts: 700016},
		"neither number nor anything else": {life: 24 * time.Hour, answer: "no"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pair := lasting(test.life)
				w := certificateWorld(t, newWorld, func(c *entra.Config) {
					c.Now = func() time.Time { return time.Now().Add(test.ahead) }
					if test.strange {
						c.Apps[0].Certificates[0] = lasting(time.Hour).certificate
					}
				}, pair)
				w.put("tls.crt", pair.certificatePEM()+pair.pkcs8())
				if test.answer != "" {
					w.entra.Break(entra.Fault{Status: 401, Body: `{"error":"invalid_client","error_description":"` + test.answer + `"}`})
				}
				failure := w.wantError(w.manager(), "entra_id", CodeRejected)
				wantDetail(t, failure, test.detail)
				if failure.AADSTS != test.aadsts {
					t.Errorf("AADSTS%d, want %d", failure.AADSTS, test.aadsts)
				}
			})
		})
	}
}

func TestOpenSecretFilesAreWarnedOf(t *testing.T) {
	pair := lasting(48 * time.Hour)
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o660: false, 0o644: true, 0o604: true, 0o602: true} {
		t.Run(mode.String(), func(t *testing.T) {
			w := certificateWorld(t, newLoopbackWorld, nil, pair)
			w.put("tls.crt", pair.certificatePEM()+pair.pkcs8())
			if err := os.Chmod(w.path("tls.crt"), mode); err != nil {
				t.Fatal(err)
			}
			w.wantToken(w.manager(), "entra_id", directoryApp)
			if got := strings.Contains(w.logs.String(), "open to every user"); got != want {
				t.Errorf("warned: %v, want %v\n%s", got, want, w.logs)
			}
		})
	}
}

func TestCertificateConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		block Certificate
		says  string
	}{
		"no file":             {Certificate{KeyFile: "k"}, "hint: file names the PEM or PKCS#12 file"},
		"key and password":    {Certificate{File: "f", KeyFile: "k", PasswordFile: "p"}, "both key_file and password_file"},
		"files that are gone": {Certificate{File: "/nowhere/f", KeyFile: "/nowhere/k"}, ""}, // read when they are needed
	} {
		t.Run(name, func(t *testing.T) {
			err := test.block.validate(Cloud{})
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
