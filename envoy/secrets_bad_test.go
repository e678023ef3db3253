package envoy_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// selfSigned makes a certificate for localhost of a key, valid for a time from now.
func selfSigned(t *testing.T, key crypto.Signer, from, until time.Duration) envoy.TLS {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return envoy.TLS{CertFile: textFile(t, pemText("CERTIFICATE", der)), KeyFile: textFile(t, pemText("PRIVATE KEY", keyDER))}
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func textFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// curveKey is a key of a curve.
func curveKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Go reads keys and files that Envoy does not take. Envoy starts then, says that it is
// ready and closes every connection, so the start has to fail.
func TestStartRefusesWhatEnvoyDoesNotTake(t *testing.T) {
	t.Parallel()
	a := envoytest.NewAuthority(t)
	good := a.Issue(t, "localhost")
	ownTLS := envoy.TLS{CertFile: good.CertFile, KeyFile: good.KeyFile}
	broken := textFile(t, string(must(t, a.File))+pemText("CERTIFICATE", []byte("no certificate")))
	clients := ownTLS
	clients.ClientCAFile = broken
	for name, test := range map[string]struct {
		tls    envoy.TLS
		ca     string
		secret string
	}{
		"a curve":                   {selfSigned(t, curveKey(t, elliptic.P224()), -time.Hour, time.Hour), a.File, "ingress_certificate"},
		"broken authorities":        {clients, a.File, "ingress_authorities"},
		"broken authorities, Graph": {ownTLS, broken, "graph_authorities"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := envoy.Render(envoy.Config{Listen: "127.0.0.1:0", TLS: test.tls, Processor: envoytest.Socket(t), Upstream: envoy.Upstream{Address: "127.0.0.1:1", CAFile: test.ca}})
			if err != nil {
				t.Fatal(err)
			}
			p, err := envoy.Start(t.Context(), envoytest.Binary(t), b, envoy.Options{})
			if err == nil {
				p.Stop(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), "does not take the files of "+test.secret) || strings.Contains(err.Error(), "-----") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func serialOfFile(t *testing.T, file string) string {
	t.Helper()
	block, _ := pem.Decode(must(t, file))
	return serialOf(t, envoytest.Pair{TLS: tls.Certificate{Certificate: [][]byte{block.Bytes}}})
}

// TestBadRotationKeepsWhatThereWas replaces the files by such as cannot be used, in
// every way that happens: what is in use stays, and Envoy counts it. What Envoy does
// not check it takes: an expired certificate is served.
func TestBadRotationKeepsWhatThereWas(t *testing.T) {
	t.Parallel()
	a := envoytest.NewAuthority(t)
	first, next := a.Issue(t, "localhost"), a.Issue(t, "localhost")
	f := newFiles(t, map[string]string{"tls.crt": first.CertFile, "tls.key": first.KeyFile, "ca.crt": a.File})
	r := newRig(t, &stub{}, hello, func(c *envoy.Config) {
		c.TLS = envoy.TLS{CertFile: f.path("tls.crt"), KeyFile: f.path("tls.key"), ClientCAFile: f.path("ca.crt")}
	})
	mine, strange := a.Issue(t, "reader").TLS, envoytest.NewAuthority(t).Issue(t, "reader").TLS
	// served says which certificate Envoy has, and whether a client of its authority, one
	// of another and one without are served.
	served := func() string {
		var got []string
		for _, client := range [][]tls.Certificate{{mine}, {strange}, nil} {
			transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: client}} // any will do
			response, err := (&http.Client{Transport: transport}).Get(r.URL + "/")
			if err != nil {
				got = append(got, "refused")
				continue
			}
			response.Body.Close()
			got = append(got, response.TLS.PeerCertificates[0].SerialNumber.String())
		}
		return strings.Join(got, " ")
	}
	want := serialOf(t, first) + " refused refused"
	if got := served(); got != want {
		t.Fatalf("at first: %s", got)
	}
	empty, junk := textFile(t, ""), textFile(t, "junk\n")
	small := selfSigned(t, curveKey(t, elliptic.P224()), -time.Hour, time.Hour)
	chain := textFile(t, string(must(t, a.File))+string(must(t, next.CertFile))) // the leaf last
	for _, test := range []struct {
		what, secret string
		change       map[string]string // "" deletes the file, "." makes it a folder
	}{
		{"no certificate", "ingress_certificate", map[string]string{"tls.crt": ""}},
		{"no key", "ingress_certificate", map[string]string{"tls.key": ""}},
		{"an empty certificate", "ingress_certificate", map[string]string{"tls.crt": empty}},
		{"an empty key", "ingress_certificate", map[string]string{"tls.key": empty}},
		{"both empty", "ingress_certificate", map[string]string{"tls.crt": empty, "tls.key": empty}},
		{"a folder", "ingress_certificate", map[string]string{"tls.crt": "."}},
		{"the key of another", "ingress_certificate", map[string]string{"tls.key": next.KeyFile}},
		{"a chain in the wrong order", "ingress_certificate", map[string]string{"tls.crt": chain, "tls.key": next.KeyFile}},
		{"a curve that is not supported", "ingress_certificate", map[string]string{"tls.crt": small.CertFile, "tls.key": small.KeyFile}},
		{"no authorities", "ingress_authorities", map[string]string{"ca.crt": ""}},
		{"empty authorities", "ingress_authorities", map[string]string{"ca.crt": empty}},
		{"junk for authorities", "ingress_authorities", map[string]string{"ca.crt": junk}},
		{"authorities in a folder", "ingress_authorities", map[string]string{"ca.crt": "."}},
	} {
		before := rotationFailed(t, r.Envoy, test.secret)
		good := map[string][]byte{}
		for name := range test.change {
			good[name] = f.content[name]
		}
		f.publish(test.change)
		eventually(t, test.what+" to be told", func() bool { return rotationFailed(t, r.Envoy, test.secret) > before })
		if got := served(); got != want {
			t.Errorf("%s: %s, want %s", test.what, got, want)
		}
		for name, text := range good {
			f.content[name] = text
		}
		f.publish(nil)
	}
	// Envoy keeps the last file that it could not use in mind, and takes the good one
	// back only if its text is another than before: it would refuse every next
	// certificate, for the sake of authorities that are in no file.
	f.publish(map[string]string{"tls.crt": next.CertFile, "tls.key": next.KeyFile})
	time.Sleep(time.Second)
	if got := served(); got != want {
		t.Errorf("Envoy does not keep a refused file in mind any more, docs/rotation.md may forget it too: %s", got)
	}
	f.publish(map[string]string{"ca.crt": textFile(t, string(must(t, a.File))+"\n")})
	eventually(t, "an empty line to heal it", func() bool { return served() == serialOf(t, next)+" refused refused" })

	expired := selfSigned(t, curveKey(t, elliptic.P384()), -2*time.Hour, -time.Hour)
	f.publish(map[string]string{"tls.crt": expired.CertFile, "tls.key": expired.KeyFile})
	eventually(t, "the expired certificate to be served", func() bool { return served() == serialOfFile(t, expired.CertFile)+" refused refused" })
	metrics, err := r.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(strings.Split(string(metrics), "\n"), func(line string) bool {
		return strings.HasPrefix(line, `envoy_listener_ssl_certificate_expiration_unix_time_seconds{envoy_tls_certificate="ingress_certificate"`)
	}) {
		t.Error("no metric says when the certificate expires")
	}
	f.publish(map[string]string{"tls.crt": first.CertFile, "tls.key": first.KeyFile})
	eventually(t, "a good pair after it", func() bool { return served() == want })
}

// TestNoSessionOutlivesItsAuthority: who resumes a TLS session shows no certificate
// again, so what an authority that is gone has let in must not be resumed.
func TestNoSessionOutlivesItsAuthority(t *testing.T) {
	t.Parallel()
	first, second := envoytest.NewAuthority(t), envoytest.NewAuthority(t)
	f := newFiles(t, map[string]string{"ca.crt": first.File})
	r := newRig(t, &stub{}, hello, func(c *envoy.Config) { c.TLS.ClientCAFile = f.path("ca.crt") })
	mine := first.Issue(t, "reader").TLS
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		f.publish(map[string]string{"ca.crt": first.File})
		transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, Certificates: []tls.Certificate{mine}, ClientSessionCache: tls.NewLRUClientSessionCache(1), MaxVersion: version, // any will do
		}}
		ask := func() (resumed bool, err error) {
			response, err := (&http.Client{Transport: transport}).Get(r.URL + "/")
			if err != nil {
				return false, err
			}
			defer response.Body.Close()
			_, err = io.Copy(io.Discard, response.Body)
			return response.TLS.DidResume, err
		}
		eventually(t, "a session to be resumed", func() bool { resumed, err := ask(); return err == nil && resumed })
		f.publish(map[string]string{"ca.crt": second.File})
		eventually(t, "the other authority", func() bool {
			response, err := r.Client(t, true, second.Issue(t, "reader").TLS).Get(r.URL + "/")
			if err == nil {
				response.Body.Close()
			}
			return err == nil
		})
		for range 3 {
			if resumed, err := ask(); err == nil {
				t.Errorf("%s: served after its authority was taken away, resumed: %v", tls.VersionName(version), resumed)
			}
		}
	}
}
