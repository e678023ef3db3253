package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
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
