package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// madePair is a certificate and its key, as somebody makes them.
type madePair struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// someKeys are made once, since that is slow, and taken in turn: pairs made one after another have different keys.
var someKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 5)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

var pairsMade atomic.Int32

func makePair(start, end time.Time) madePair {
	key := someKeys()[int(pairsMade.Add(1))%len(someKeys())]
	certificate, err := entra.SelfSigned(key, start, end)
	if err != nil {
		panic(err)
	}
	return madePair{certificate, key}
}

// lasting makes a pair for the test's clock.
func lasting(life time.Duration) madePair {
	return makePair(time.Now().Add(-time.Hour), time.Now().Add(life))
}

func (p madePair) certificatePEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw}))
}

func (p madePair) pkcs8() string {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (p madePair) pkcs1() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(p.key)}))
}

func (p madePair) pkcs12(encoder *pkcs12.Encoder, password string) string {
	file, err := encoder.Encode(p.key, p.certificate, nil, password)
	if err != nil {
		panic(err)
	}
	return string(file)
}

// certificateWorld is a world in which the application entra_id signs in with a certificate and has those registered that are given.
// What must not come out is whatever tells a private key: it is searched for as PEM, base64 and hexadecimal.
func certificateWorld(t *testing.T, newWorld func(*testing.T, func(*entra.Config)) *world, adjust func(*entra.Config), pairs ...madePair) *world {
	t.Helper()
	w := newWorld(t, func(c *entra.Config) {
		for _, pair := range pairs {
			c.Apps[0].Certificates = append(c.Apps[0].Certificates, pair.certificate)
		}
		if adjust != nil {
			adjust(c)
		}
	})
	for _, pair := range pairs {
		w.keySecrets(pair)
	}
	delete(w.cfg.Connectors, "outlook_mail")
	w.use(Credential{Certificate: &Certificate{File: w.path("tls.crt")}})
	return w
}

func (w *world) keySecrets(pair madePair) {
	for _, text := range []string{pair.pkcs8(), pair.pkcs1()} {
		for _, line := range strings.Fields(text) {
			if len(line) > 20 && !strings.HasPrefix(line, "-") {
				w.secret(line)
			}
		}
	}
	for _, number := range [][]byte{pair.key.D.Bytes(), pair.key.Primes[0].Bytes(), pair.key.Primes[1].Bytes()} {
		w.secret(hex.EncodeToString(number))
		w.secret(base64.StdEncoding.EncodeToString(number))
		w.secret(base64.RawURLEncoding.EncodeToString(number))
		w.secret(pair.key.D.String())
	}
	w.secret("PRIVATE KEY")
}

func (w *world) use(credential Credential) {
	w.cfg.Connectors["entra_id"] = Connector{ClientID: directoryApp, Credential: &credential}
}

func (w *world) path(name string) string { return filepath.Join(w.folder, name) }

// put writes a file beside its place and moves it there.
func (w *world) put(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name+".new"), []byte(content), 0o600); err != nil {
		w.t.Error(err)
	}
	if err := os.Rename(w.path(name+".new"), w.path(name)); err != nil {
		w.t.Error(err)
	}
}

func (w *world) wantLog(parts ...string) {
	w.t.Helper()
	for line := range strings.Lines(w.logs.String()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			return
		}
	}
	w.t.Errorf("no line of the log has all of %q:\n%s", parts, w.logs)
}

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

// An application whose certificate was replaced signs in with the new one from the next token request on, however the files were put
// there. The old one ends after two hours, so a Manager that kept it would be found out.
func TestCertificateRotation(t *testing.T) {
	for name, replace := range map[string]func(w *world, pair madePair){
		"moved into place": func(w *world, pair madePair) { w.put("tls.crt", pair.certificatePEM()+pair.pkcs8()) },
		"written over": func(w *world, pair madePair) {
			if err := os.WriteFile(w.path("tls.crt"), []byte(pair.certificatePEM()+pair.pkcs8()), 0o600); err != nil {
				w.t.Error(err)
			}
		},
		"as Kubernetes does": kubernetesSwap,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := lasting(2*time.Hour), lasting(48*time.Hour)
				w := certificateWorld(t, newWorld, nil, old, fresh)
				replace(w, old)
				m := w.manager()
				stop := w.run(m)
				defer stop()
				w.wantToken(m, "entra_id", directoryApp)
				time.Sleep(90 * time.Minute)
				replace(w, fresh)
				for range 10 {
					time.Sleep(time.Hour)
					w.wantToken(m, "entra_id", directoryApp)
				}
				if refused := w.entra.Stats().Refused; len(refused) != 0 {
					t.Errorf("refused %v", refused)
				}
				if count := strings.Count(w.logs.String(), `msg="certificate read"`); count != 2 {
					t.Errorf("%d certificates were read, want 2:\n%s", count, w.logs)
				}
				if status := m.Status()[0]; !status.CertificateExpiry.Equal(fresh.certificate.NotAfter) {
					t.Errorf("certificate expiry %v, want %v", status.CertificateExpiry, fresh.certificate.NotAfter)
				}
			})
		})
	}
}

// kubernetesSwap does as the kubelet: a new folder, and a symbolic link that is moved over the one to the old folder.
func kubernetesSwap(w *world, pair madePair) {
	w.t.Helper()
	folder := w.path(fmt.Sprintf("..%d", time.Now().UnixNano()))
	if err := os.Mkdir(folder, 0o700); err != nil {
		w.t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "tls.crt"), []byte(pair.certificatePEM()+pair.pkcs8()), 0o600); err != nil {
		w.t.Error(err)
	}
	if err := os.Symlink(filepath.Base(folder), w.path("..data_tmp")); err != nil {
		w.t.Error(err)
	}
	if err := os.Rename(w.path("..data_tmp"), w.path("..data")); err != nil {
		w.t.Error(err)
	}
	if err := os.Symlink(filepath.Join("..data", "tls.crt"), w.path("tls.crt")); err != nil && !errors.Is(err, os.ErrExist) {
		w.t.Error(err)
	}
}

// While a replacement is under way, or went wrong, the certificate read before stays in use, and the log says why.
func TestCertificateReadBeforeStaysInUse(t *testing.T) {
	for name, test := range map[string]struct {
		damage func(w *world, old, fresh madePair)
		detail string
	}{
		"certificate replaced, key not yet": {func(w *world, _, fresh madePair) { w.put("tls.crt", fresh.certificatePEM()) }, "key_mismatch"},
		"key cut":                           {func(w *world, _, fresh madePair) { w.put("tls.key", fresh.pkcs8()[:300]) }, "no_private_key"},
		"key emptied":                       {func(w *world, _, _ madePair) { w.put("tls.key", "") }, "no_private_key"},
		"certificate removed":               {func(w *world, _, _ madePair) { w.remove("tls.crt") }, "missing"},
		"expired": {func(w *world, _, _ madePair) {
			pair := lasting(-time.Second)
			w.put("tls.crt", pair.certificatePEM())
			w.put("tls.key", pair.pkcs8())
		}, "certificate_expired"},
		"not yet valid": {func(w *world, _, _ madePair) {
			pair := makePair(time.Now().Add(time.Hour), time.Now().Add(48*time.Hour))
			w.put("tls.crt", pair.certificatePEM())
			w.put("tls.key", pair.pkcs8())
		}, "certificate_not_yet_valid"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := lasting(48*time.Hour), lasting(72*time.Hour)
				w := certificateWorld(t, newWorld, nil, old, fresh)
				w.use(Credential{Certificate: &Certificate{File: w.path("tls.crt"), KeyFile: w.path("tls.key")}})
				w.put("tls.crt", old.certificatePEM())
				w.put("tls.key", old.pkcs8())
				m := w.manager()
				stop := w.run(m)
				defer stop()
				first := w.wantToken(m, "entra_id", directoryApp)
				test.damage(w, old, fresh)
				time.Sleep(50 * time.Minute)
				if second := w.wantToken(m, "entra_id", directoryApp); second == first {
					t.Error("no token was acquired meanwhile")
				}
				w.wantLog("level=WARN", "stays in use", "client_id="+directoryApp, "detail="+test.detail, "days_left=1")
				if failures := m.Status()[0].Failures[CodeCredential]; failures != 0 {
					t.Errorf("%d failures", failures)
				}
				w.put("tls.crt", fresh.certificatePEM())
				w.put("tls.key", fresh.pkcs8())
				time.Sleep(50 * time.Minute)
				w.wantToken(m, "entra_id", directoryApp)
				if end := m.Status()[0].CertificateExpiry; !end.Equal(fresh.certificate.NotAfter) {
					t.Errorf("certificate expiry %v, want %v", end, fresh.certificate.NotAfter)
				}
			})
		})
	}
}

func (w *world) remove(name string) {
	if err := os.Remove(w.path(name)); err != nil {
		w.t.Error(err)
	}
}

// A new certificate that starts later is taken when it starts, with its files in place all the time.
func TestCertificateIsTakenWhenItStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := lasting(48*time.Hour), makePair(time.Now().Add(3*time.Hour), time.Now().Add(72*time.Hour))
		w := certificateWorld(t, newWorld, nil, old, next)
		w.put("tls.crt", old.certificatePEM()+old.pkcs8())
		m := w.manager()
		stop := w.run(m)
		defer stop()
		w.wantToken(m, "entra_id", directoryApp)
		w.put("tls.crt", next.certificatePEM()+next.pkcs8())
		for hour := range 6 {
			time.Sleep(time.Hour)
			w.wantToken(m, "entra_id", directoryApp)
			want := old.certificate.NotAfter
			if hour >= 3 {
				want = next.certificate.NotAfter
			}
			if end := m.Status()[0].CertificateExpiry; hour != 2 && !end.Equal(want) {
				t.Errorf("after %d hours: certificate expiry %v, want %v", hour+1, end, want)
			}
		}
		if refused := w.entra.Stats().Refused; len(refused) != 0 {
			t.Errorf("refused %v", refused)
		}
	})
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
		requests := w.entra.Stats().TokenRequests
		time.Sleep(14 * time.Hour)
		failure := w.wantError(m, "entra_id", CodeCredential)
		wantDetail(t, failure, "certificate_expired")
		if stats := w.entra.Stats(); len(stats.Refused) != 0 || stats.TokenRequests > requests+1 {
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

// The new certificate is in place hours before somebody registers it. The one before goes on serving, the new one is tried first each time,
// and is in use as soon as Entra takes it. The old one ends after five hours.
func TestCertificateBeforeServesUntilEntraTakesTheNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := lasting(5*time.Hour), lasting(48*time.Hour)
		w := certificateWorld(t, newWorld, nil, old)
		w.keySecrets(fresh)
		w.put("tls.crt", old.certificatePEM()+old.pkcs8())
		m := w.manager()
		stop := w.run(m)
		defer stop()
		w.wantToken(m, "entra_id", directoryApp)
		w.put("tls.crt", fresh.certificatePEM()+fresh.pkcs8())
		wantEnd := func(want madePair) {
			t.Helper()
			if end := m.Status()[0].CertificateExpiry; !end.Equal(want.certificate.NotAfter) {
				t.Errorf("certificate expiry %v, want %v", end, want.certificate.NotAfter)
			}
		}
		for range 3 {
			time.Sleep(time.Hour)
			w.wantToken(m, "entra_id", directoryApp)
			wantEnd(old)
		}
		stats := w.entra.Stats()
		if refused := stats.Refused[700027]; refused < 4 || refused > stats.Issued || len(stats.Refused) != 1 {
			t.Errorf("stats %+v, want one refusal before each token", stats)
		}
		w.wantLog("level=WARN", "acquiring graph token failed", "aadsts=700027")
		w.wantLog("level=WARN", "refused by Entra, so the one that it took before is tried", "client_id="+directoryApp)

		w.entra.Register(directoryApp, fresh.certificate)
		for range 10 {
			time.Sleep(time.Hour)
			w.wantToken(m, "entra_id", directoryApp)
			wantEnd(fresh)
		}
		if after := w.entra.Stats(); after.Refused[700027] != stats.Refused[700027] {
			t.Errorf("refused %v, %v before", after.Refused, stats.Refused)
		}
	})
}

// Somebody took the old certificate away before the new one was registered. Both are tried in turn, so that whichever comes back first ends it,
// while the token that is held serves.
func TestCertificatesAreTriedInTurnWhenEntraTakesNone(t *testing.T) {
	for _, comesBack := range []string{"old", "new"} {
		t.Run(comesBack, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := lasting(48*time.Hour), lasting(72*time.Hour)
				w := certificateWorld(t, newWorld, nil, old, lasting(time.Hour))
				w.keySecrets(fresh)
				w.put("tls.crt", old.certificatePEM()+old.pkcs8())
				m := w.manager()
				stop := w.run(m)
				defer stop()
				held := w.wantToken(m, "entra_id", directoryApp)
				w.put("tls.crt", fresh.certificatePEM()+fresh.pkcs8())
				w.entra.Unregister(directoryApp, old.certificate)
				time.Sleep(45 * time.Minute)
				if w.wantToken(m, "entra_id", directoryApp) != held || w.entra.Stats().Refused[700027] < 10 {
					t.Errorf("stats %+v, want no other token yet", w.entra.Stats())
				}
				pair := map[string]madePair{"old": old, "new": fresh}[comesBack]
				w.entra.Register(directoryApp, pair.certificate)
				time.Sleep(4 * maxBackoff)
				if w.wantToken(m, "entra_id", directoryApp) == held || !m.Status()[0].CertificateExpiry.Equal(pair.certificate.NotAfter) {
					t.Errorf("not tried in two minutes: %+v", m.Status()[0])
				}
			})
		})
	}
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

// A thousand callers read tokens while the files change again and again and each token lives for minutes only: nobody sees any of it.
func TestCertificateRotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pairs := []madePair{lasting(48 * time.Hour), lasting(48 * time.Hour), lasting(48 * time.Hour)}
		w := certificateWorld(t, newWorld, func(c *entra.Config) { c.TokenLifetime = 4 * time.Minute }, pairs...)
		w.use(Credential{Certificate: &Certificate{File: w.path("tls.crt"), KeyFile: w.path("tls.key")}})
		w.put("tls.crt", pairs[0].certificatePEM())
		w.put("tls.key", pairs[0].pkcs8())
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
		for i := range 30 {
			next := pairs[(i+1)%len(pairs)]
			w.put("tls.crt", next.certificatePEM())
			time.Sleep(35 * time.Second) // some token requests meet halves of two pairs
			w.put("tls.key", next.pkcs8())
			time.Sleep(55 * time.Second)
		}
		cancel()
		callers.Wait()
		stats := w.entra.Stats()
		if len(stats.Refused) != 0 || stats.Issued < 15 {
			t.Errorf("stats %+v", stats)
		}
		if failures := m.Status()[0].Failures; slices.Max(slices.Collect(maps.Values(failures))) != 0 {
			t.Errorf("failures %v", failures)
		}
		w.wantLog("stays in use", "detail=key_mismatch")
		if reads := strings.Count(w.logs.String(), `msg="certificate read"`); reads < 10 {
			t.Errorf("%d certificates were read", reads)
		}
	})
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
