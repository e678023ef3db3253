// Package envoytest starts a real Envoy for a test, with throwaway certificates.
//
// Make an authority with [NewAuthority], start the processor and an upstream
// that has a certificate from it, then call [Start] and talk to Envoy through
// [Envoy.Client]. There is no pretending: without an Envoy binary the test
// fails and says how to get one.
package envoytest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/internal/testlog"
)

// Envoy is a running Envoy that ends with its test. Its logs are printed if the
// test fails.
type Envoy struct {
	*envoy.Process

	// URL is https:// and the address, without a slash at the end.
	URL string

	authority      *Authority
	accessLog, log *testlog.Buffer
}

// Binary is the path of an Envoy; the test fails if there is none.
func Binary(t testing.TB) string {
	t.Helper()
	binary, err := envoy.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// Socket is a path for a Unix socket, short enough for every system. The folder
// goes away with the test.
func Socket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "envoytest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// Start runs Envoy with config and returns when it accepts connections. Where
// config is zero it listens on a free port of 127.0.0.1 with a certificate for
// that address and localhost, trusts a for the upstream, and uses one worker.
func Start(t testing.TB, a *Authority, config envoy.Config) *Envoy {
	t.Helper()
	config = fill(t, a, config)
	return start(t, a, render(t, config), config.Workers)
}

// StartChanged is [Start] with a bootstrap that change has spoiled, or moved
// elsewhere: what an operator may do to it.
func StartChanged(t testing.TB, a *Authority, config envoy.Config, change func(*bootstrapv3.Bootstrap)) *Envoy {
	t.Helper()
	config = fill(t, a, config)
	bootstrap := render(t, config)
	change(bootstrap)
	return start(t, a, bootstrap, config.Workers)
}

func fill(t testing.TB, a *Authority, config envoy.Config) envoy.Config {
	t.Helper()
	if config.Listen == "" {
		config.Listen = "127.0.0.1:0"
	}
	if config.TLS.CertFile == "" {
		own := a.Issue(t, "localhost", "127.0.0.1")
		config.TLS.CertFile, config.TLS.KeyFile = own.CertFile, own.KeyFile
	}
	if config.Upstream.CAFile == "" {
		config.Upstream.CAFile = a.File
	}
	if config.Workers == 0 {
		config.Workers = 1
	}
	return config
}

func render(t testing.TB, config envoy.Config) *bootstrapv3.Bootstrap {
	t.Helper()
	bootstrap, err := envoy.Render(config)
	if err != nil {
		t.Fatal(err)
	}
	return bootstrap
}

func start(t testing.TB, a *Authority, bootstrap *bootstrapv3.Bootstrap, workers int) *Envoy {
	t.Helper()
	binary := Binary(t)
	e := &Envoy{authority: a, accessLog: &testlog.Buffer{}, log: &testlog.Buffer{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("envoy's log:\n%s", e.log)
			t.Logf("envoy's access log:\n%s", e.accessLog)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var err error
	e.Process, err = envoy.Start(ctx, binary, bootstrap, envoy.Options{
		Workers:   workers,
		AccessLog: e.accessLog,
		Log:       e.log,
		DrainTime: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Kill)
	e.URL = "https://" + e.Address()
	return e
}

// Kill ends Envoy, if it has not ended yet, and flushes its logs.
func (e *Envoy) Kill() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e.Stop(ctx)
}

// Client trusts Envoy's certificate, shows those given, and speaks HTTP/2 or
// else HTTP/1.1. It neither follows redirects nor decompresses.
func (e *Envoy) Client(t testing.TB, http2 bool, certificates ...tls.Certificate) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP2(http2)
	protocols.SetHTTP1(!http2)
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: e.authority.Pool(), Certificates: certificates},
		Protocols:          protocols,
		DisableCompression: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Log is what Envoy has logged up to now, without the access log.
func (e *Envoy) Log() string { return e.log.String() }

// AccessLog ends Envoy, which flushes the access log, and returns its lines.
func (e *Envoy) AccessLog(t testing.TB) []map[string]any {
	t.Helper()
	e.Kill()
	var lines []map[string]any
	for line := range bytes.Lines([]byte(e.accessLog.String())) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatalf("reading the access log: %v", err)
		}
		lines = append(lines, fields)
	}
	return lines
}
