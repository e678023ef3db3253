package envoy_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// files is a folder that changes as a Secret volume does: its files are links through
// "..data", which is swapped.
type files struct {
	t       *testing.T
	dir     string
	number  int
	content map[string][]byte
}

func newFiles(t *testing.T, from map[string]string) *files {
	f := &files{t: t, dir: t.TempDir(), content: map[string][]byte{}}
	f.publish(from)
	for name := range from {
		f.check(os.Symlink("..data/"+name, f.path(name)))
	}
	return f
}

func (f *files) path(name string) string { return filepath.Join(f.dir, name) }

func (f *files) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// publish changes files to the contents of others, all at once. The other file ""
// deletes one, and "." makes it a folder.
func (f *files) publish(from map[string]string) {
	f.t.Helper()
	f.number++
	folder := fmt.Sprintf("..%d", f.number)
	f.check(os.Mkdir(f.path(folder), 0o700))
	for name, file := range from {
		switch file {
		case "":
			delete(f.content, name)
		case ".":
			delete(f.content, name)
			f.check(os.Mkdir(f.path(folder)+"/"+name, 0o700))
		default:
			text, err := os.ReadFile(file)
			f.check(err)
			f.content[name] = text
		}
	}
	for name, text := range f.content {
		f.check(os.WriteFile(f.path(folder)+"/"+name, text, 0o600))
	}
	f.check(os.Symlink(folder, f.path("..data_tmp")))
	f.check(os.Rename(f.path("..data_tmp"), f.path("..data")))
}

// serial is the serial number of the certificate that a new connection sees.
func serial(t *testing.T, e *envoytest.Envoy, roots *x509.CertPool) string {
	t.Helper()
	conn, err := tls.Dial("tcp", e.Address(), &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func serialOf(t *testing.T, p envoytest.Pair) string {
	t.Helper()
	c, err := x509.ParseCertificate(p.TLS.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return c.SerialNumber.String()
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s: in vain", what)
		}
	}
}

// rotationFailed is the value of Envoy's statistic of files that it could not use.
func rotationFailed(t *testing.T, e *envoytest.Envoy, secret string) int {
	t.Helper()
	metrics, err := e.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, `envoy_sds_key_rotation_failed{envoy_xds_resource_name="`+secret+`"}`) {
			n, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndex(line, " "):]))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return 0 // not used yet
}

// TestCertificateRotation replaces the certificate under load, by the swap of a link
// and by renames, and with pairs that cannot be used between. No request fails, and
// connections that there are go on.
func TestCertificateRotation(t *testing.T) {
	t.Parallel()
	a := envoytest.NewAuthority(t)
	pairs := []envoytest.Pair{a.Issue(t, "localhost", "127.0.0.1"), a.Issue(t, "localhost", "127.0.0.1"), a.Issue(t, "localhost", "127.0.0.1")}
	f := newFiles(t, map[string]string{"tls.crt": pairs[0].CertFile, "tls.key": pairs[0].KeyFile})
	r := newRig(t, &stub{}, hello, func(c *envoy.Config) { c.TLS.CertFile, c.TLS.KeyFile = f.path("tls.crt"), f.path("tls.key") })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(t, a.File))
	own := func() string { return serial(t, r.Envoy, roots) }

	var stopping atomic.Bool
	var asked, failed atomic.Int64
	var clients sync.WaitGroup
	defer func() { stopping.Store(true); clients.Wait() }()
	for _, http2 := range protocols {
		for _, keep := range []bool{true, false} { // connections, and one for each request
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: !keep, Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(!http2)
			transport.Protocols.SetHTTP2(http2)
			defer transport.CloseIdleConnections()
			clients.Go(func() {
				for !stopping.Load() {
					response, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get(r.URL + "/")
					if err == nil {
						_, err = io.Copy(io.Discard, response.Body)
						response.Body.Close()
					}
					if err != nil || response.StatusCode != 200 {
						failed.Add(1)
						t.Errorf("a request failed: %v", err)
						return
					}
					asked.Add(1)
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
	}
	if got := own(); got != serialOf(t, pairs[0]) {
		t.Fatalf("at first: %s", got)
	}
	became := func(what string, p envoytest.Pair) {
		t.Helper()
		changed := time.Now()
		eventually(t, what, func() bool { return own() == serialOf(t, p) })
		if took := time.Since(changed); took > 5*time.Second {
			t.Errorf("%s took %v", what, took)
		}
		more := asked.Load() + 50
		eventually(t, "answers after "+what, func() bool { return asked.Load() > more || failed.Load() > 0 })
	}
	bad := func(what string, change map[string]string) {
		t.Helper()
		told := rotationFailed(t, r.Envoy, "ingress_certificate")
		before := own()
		f.publish(change)
		eventually(t, what+" to be told", func() bool { return rotationFailed(t, r.Envoy, "ingress_certificate") > told })
		if got := own(); got != before {
			t.Errorf("%s changed the certificate", what)
		}
	}

	f.publish(map[string]string{"tls.crt": pairs[1].CertFile, "tls.key": pairs[1].KeyFile})
	became("the swap of a link", pairs[1])
	bad("a certificate without its key", map[string]string{"tls.crt": pairs[2].CertFile})
	half := filepath.Join(t.TempDir(), "half")
	f.check(os.WriteFile(half, must(t, pairs[2].CertFile)[:200], 0o600))
	bad("half a certificate", map[string]string{"tls.crt": half, "tls.key": pairs[2].KeyFile})
	f.publish(map[string]string{"tls.crt": pairs[2].CertFile})
	became("the pair after bad ones", pairs[2])
	// Files of their own, replaced one after the other.
	for name, file := range map[string]string{"tls.crt": pairs[0].CertFile, "tls.key": pairs[0].KeyFile} {
		f.check(os.WriteFile(f.path("next"), must(t, file), 0o600))
		f.check(os.Rename(f.path("next"), f.path(name)))
	}
	became("renames", pairs[0])

	stopping.Store(true)
	clients.Wait()
	if failed.Load() > 0 || asked.Load() < 100 {
		t.Errorf("%d requests, %d failed", asked.Load(), failed.Load())
	}
	if log := r.Log(); !strings.Contains(log, "Failed to reload certificates") || strings.Contains(log, "PRIVATE KEY") {
		t.Errorf("the log: %s", log)
	}
}

// TestAuthoritiesRotation replaces the authorities of clients and of the upstream.
func TestAuthoritiesRotation(t *testing.T) {
	t.Parallel()
	first, second := envoytest.NewAuthority(t), envoytest.NewAuthority(t)
	f := newFiles(t, map[string]string{"ca.crt": first.File})
	r := newRig(t, &stub{}, hello, func(c *envoy.Config) { c.TLS.ClientCAFile = f.path("ca.crt") })
	accepted := func(a *envoytest.Authority) bool {
		response, err := r.Client(t, true, a.Issue(t, "reader").TLS).Get(r.URL + "/")
		if err == nil {
			response.Body.Close()
		}
		return err == nil && response.StatusCode == 200
	}
	if !accepted(first) || accepted(second) {
		t.Fatal("at first: not the authority in the file")
	}
	both := filepath.Join(t.TempDir(), "both")
	f.check(os.WriteFile(both, append(must(t, first.File), must(t, second.File)...), 0o600))
	f.publish(map[string]string{"ca.crt": both})
	eventually(t, "both", func() bool { return accepted(second) && accepted(first) })
	empty := filepath.Join(t.TempDir(), "none")
	f.check(os.WriteFile(empty, []byte("no certificate\n"), 0o600))
	f.publish(map[string]string{"ca.crt": empty})
	eventually(t, "the bad file to be told", func() bool { return rotationFailed(t, r.Envoy, "ingress_authorities") > 0 })
	if !accepted(first) || !accepted(second) {
		t.Error("a bad file changed the authorities")
	}
	f.publish(map[string]string{"ca.crt": second.File})
	eventually(t, "the second alone", func() bool { return !accepted(first) })
	if !accepted(second) {
		t.Error("the second is not accepted")
	}
}

func must(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
