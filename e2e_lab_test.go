package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/internal/testlog"
)

const (
	directoryClient = "aaaaaaaa-0000-4000-8000-000000000001"
	mailClient      = "aaaaaaaa-0000-4000-8000-000000000002"

	// personalMark is in all that a person wrote or is named by, which no
	// client may ever see. sharedMark is in what many people share, which the
	// policy keeps: it may be seen in a sanitized body, and in nothing else.
	personalMark = "CANARYpersonal"
	sharedMark   = "CANARYshared"

	labSalt = "salt of the lab"
	labKey  = "key of the lab"
)

// lab is a synthetic tenant with everything that a sidecar in front of it
// needs. Its files and processes go away with the test.
type lab struct {
	*tenant.Tenant
	t      testing.TB
	dir    string
	codec  *pseudonym.Codec
	caFile string
	pair   envoy.TLS
	config *Config
}

// newLab starts a tenant. adjust may change it before; nil leaves it as it is.
func newLab(t testing.TB, adjust func(*tenant.Config)) *lab {
	t.Helper()
	config := tenant.Config{
		Graph: graph.Config{Seed: 7, Users: 30, Messages: 30, Groups: 5, Record: 1000, Canary: personalMark, OrgCanary: sharedMark},
		Apps: []entra.App{
			{ClientID: directoryClient, Roles: []string{"User.Read.All", "GroupMember.Read.All"}},
			{ClientID: mailClient, Roles: []string{"User.Read.All", "GroupMember.Read.All", "Mail.ReadBasic.All", "MailboxSettings.Read"}},
		},
	}
	if adjust != nil {
		adjust(&config)
	}
	running, err := tenant.Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Close)
	// Short, for socket paths.
	dir, err := os.MkdirTemp("", "gv-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{Tenant: running, t: t, dir: dir, caFile: filepath.Join(dir, "ca.pem")}
	l.check(running.CA.Write(l.caFile))
	own, err := running.CA.Issue("localhost", "127.0.0.1")
	l.check(err)
	l.pair.CertFile, l.pair.KeyFile, err = tenant.WritePair(dir, "sidecar", own)
	l.check(err)
	l.check(running.WriteAssertion(filepath.Join(dir, "assertion", "token"), time.Hour))
	l.codec, err = pseudonym.New(pseudonym.Config{Salt: labSalt, Key: labKey})
	l.check(err)
	l.write("salt", labSalt)
	l.write("key", labKey)
	l.config = l.newConfig()
	return l
}

func (l *lab) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) file(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) write(name, text string) string {
	l.t.Helper()
	l.check(os.MkdirAll(filepath.Dir(l.file(name)), 0o755))
	l.check(os.WriteFile(l.file(name), []byte(text), 0o600))
	return l.file(name)
}

func (l *lab) newConfig() *Config {
	c := &Config{
		Pseudonyms: PseudonymConfig{SaltFile: l.file("salt"), KeyFile: l.file("key")},
		Tokens: auth.Config{
			Tenant: l.ID(), Authority: l.Authority(), CAFile: l.caFile, SkipInstanceDiscovery: true,
			Credential: auth.Credential{File: &auth.File{Path: filepath.Join(l.dir, "assertion", "token")}},
			Connectors: map[string]auth.Connector{
				"entra_id":     {ClientID: directoryClient},
				"outlook_mail": {ClientID: mailClient},
			},
		},
		Processor: ProcessorConfig{Listen: l.file("p.sock"), Admin: "127.0.0.1:0"},
		Envoy: envoy.Config{
			Listen:   "127.0.0.1:0",
			TLS:      l.pair,
			Upstream: envoy.Upstream{Host: "graph.microsoft.com", Address: l.GraphAddr, CAFile: l.caFile},
			Workers:  1,
		},
		Log: LogConfig{Level: "debug"},
	}
	c.setDefaults()
	return c
}

// userPath is the path of user i as a client knows it, by token.
func (l *lab) userPath(i int) string {
	return "/v1.0/users/" + string(l.codec.AppendReversible(nil, []byte(l.Graph.UserID(i))))
}

// sentPath lists what user i sent.
func (l *lab) sentPath(i int) string { return l.userPath(i) + "/mailFolders/SentItems/messages" }

// canaries are texts that may be seen nowhere outside the tenant. The first ones
// identify the first users, where no mark fits in.
func (l *lab) canaries() []string {
	list := []string{personalMark, l.ID()}
	for i := range 30 {
		list = append(list, l.Graph.Canaries(i)...)
	}
	return list
}

// leaks returns what of the canaries is in text, without telling it in full.
func leaks(text string, canaries []string) []string {
	var found []string
	folded := strings.ToLower(text)
	for _, c := range canaries {
		if i := strings.Index(folded, strings.ToLower(c)); i >= 0 {
			found = append(found, fmt.Sprintf("%q in %q", c, text[max(0, i-60):min(len(text), i+len(c)+60)]))
		}
	}
	return found
}

// tls is how a client connects, with or without certificates.
func (l *lab) tls(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: l.CA.Pool(), Certificates: certificates, ServerName: "localhost"}
}

// protocols are what clients speak with the sidecar.
var protocols = []string{"h1", "h2"}

// client speaks h1 or h2. It neither follows redirects nor decompresses.
func (l *lab) client(protocol string, certificates ...tls.Certificate) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(protocol == "h1")
	p.SetHTTP2(protocol == "h2")
	transport := &http.Transport{TLSClientConfig: l.tls(certificates...), Protocols: p, DisableCompression: true, MaxIdleConnsPerHost: 64}
	l.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Timeout:       60 * time.Second,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// running is a processor and an Envoy in this process' care, with all that they
// wrote.
type running struct {
	*sidecar
	address      string
	logs, access *testlog.Buffer
}

// start runs the sidecar in this process and waits until it is ready.
func (l *lab) start() *running {
	l.t.Helper()
	r := &running{logs: &testlog.Buffer{}, access: &testlog.Buffer{}}
	log, err := l.config.Log.logger(r.logs)
	l.check(err)
	r.sidecar = l.startSidecar(log, r)
	r.address = r.current.Load().Address()
	wait(l.t, "the processor to be ready", func() bool { return r.ready() == nil })
	return r
}

func (l *lab) startSidecar(log *slog.Logger, r *running) *sidecar {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	s, err := startSidecar(ctx, l.config, log, r.access, r.logs)
	l.check(err)
	l.t.Cleanup(func() {
		s.stop()
		if l.t.Failed() {
			l.t.Logf("logs:\n%.20000s", r.logs)
		}
	})
	return s
}

// wait polls until something is so; it gives up after 20 seconds.
func wait(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: in vain", what)
		}
	}
}

// get reads a body from the admin endpoint of a processor or the like.
func get(t testing.TB, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body strings.Builder
	if _, err := io.Copy(&body, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body.String()
}

// envoyAdmin reads from Envoy's admin interface on a Unix socket.
func envoyAdmin(t testing.TB, process *envoy.Process, path string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", process.Admin())
		},
	}}
	response, err := client.Get("http://envoy" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body strings.Builder
	if _, err := io.Copy(&body, response.Body); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	return response.StatusCode, body.String()
}
