package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/internal/testlog"
	"github.com/graphveil/graphveil/policy"
)

const clientID = "7b1d52f4-3f0c-4a0c-9a64-0a9a6a1f7c11"

// startTenant starts a synthetic tenant on loopback, and writes what the image is
// configured with into the folder that is mounted.
func startTenant(t *testing.T, b *box) *tenant.Tenant {
	t.Helper()
	snapshot, err := policy.Load(t.Context(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	app := entra.App{ClientID: clientID}
	for _, c := range snapshot.Connectors() {
		if c.Name == "entra_id" {
			app.Roles = c.Permissions
		}
	}
	sized := graph.Config{Seed: 1, Users: 20, Messages: 1, BaseURL: "https://graph.microsoft.com"}
	m, err := tenant.Start(context.Background(), tenant.Config{Graph: sized, Apps: []entra.App{app}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	pair, err := m.CA.Issue("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := tenant.WritePair(b.mounted, "proxy", pair)
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	inside := func(name string) string { return "/etc/graphveil/" + filepath.Base(name) }
	check(m.CA.Write(filepath.Join(b.mounted, "ca.pem")))
	b.binds = []string{filepath.Join(b.mounted, "ca.pem") + ":/etc/ssl/certs/ca-certificates.crt"} // for both programs
	check(m.WriteAssertion(filepath.Join(b.mounted, "assertion"), time.Hour))
	for _, name := range []string{"salt", "key"} {
		check(os.WriteFile(filepath.Join(b.mounted, name), []byte("made up for a test: "+name), 0o644))
	}
	check(os.WriteFile(filepath.Join(b.mounted, "graphveil.yaml"), fmt.Appendf(nil, `
pseudonyms: {salt_file: /etc/graphveil/salt, key_file: /etc/graphveil/key}
tokens:
  tenant: %s
  authority: %s
  skip_instance_discovery: true
  credential: {file: {path: /etc/graphveil/assertion}}
  connectors: {entra_id: {client_id: %s}}
processor: {admin: "127.0.0.1:0", drain_timeout: 5s}
envoy:
  listen: 127.0.0.1:0
  tls: {cert_file: %s, key_file: %s}
  upstream: {address: "%s"}
  workers: 1
`, m.ID(), m.Authority(), clientID, inside(certificate), inside(key), m.GraphAddr), 0o644))
	// The keys of a test are for the user inside, who is another outside.
	files, err := filepath.Glob(filepath.Join(b.mounted, "*"))
	check(err)
	for _, name := range files {
		check(os.Chmod(name, 0o755))
	}
	return m
}

// start runs the image with its own entrypoint and command, until the test ends, and
// returns its log once it says that it is ready.
func (b *box) start(t *testing.T) *testlog.Buffer {
	t.Helper()
	log := &testlog.Buffer{}
	c := b.command(append(append([]string{}, b.config.Entrypoint...), b.config.Cmd...)...)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		// As an engine stops a container: the program is process 1, and ends well.
		c.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
		case <-time.After(20 * time.Second):
			c.Process.Kill()
			t.Error("it did not end after SIGTERM")
		}
		if t.Failed() {
			t.Log(log)
		}
	})
	deadline := time.Now().Add(40 * time.Second)
	for field(log, "processor ready", "msg") == "" {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it ended by itself: %v\n%s", err, log)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not ready\n%s", log)
		}
	}
	for _, pid := range inside(t, c.Process.Pid) {
		checkStatus(t, statusOf(t, pid))
	}
	return log
}

// inside are the processes below the one that runs the sandbox.
func inside(t *testing.T, pid int) []int {
	t.Helper()
	var all []int
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		for child := range strings.FieldsSeq(string(text)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, n), inside(t, n)...)
		}
	}
	return all
}

func statusOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		status[key] = strings.Join(strings.Fields(value), " ")
	}
	return status
}

// field is a field of the log's record with a message.
func field(log *testlog.Buffer, message, name string) string {
	for line := range strings.Lines(log.String()) {
		record := map[string]any{}
		if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == message {
			return fmt.Sprint(record[name])
		}
	}
	return ""
}

// TestServe runs the processor's image until it is ready, against a synthetic tenant.
func TestServe(t *testing.T) {
	confined(t, processorImage, func(t *testing.T, b *box) {
		startTenant(t, b)
		log := b.start(t)
		r, err := http.Get(field(log, "processor listening", "admin") + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("/readyz: %s", r.Status)
		}
	})
}

// TestRun sends a request through Envoy and the processor of the other image.
func TestRun(t *testing.T) {
	confined(t, envoyImage, func(t *testing.T, b *box) {
		m := startTenant(t, b)
		log := b.start(t)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: m.CA.Pool()}, DisableKeepAlives: true}, Timeout: 20 * time.Second}
		url := field(log, "sidecar listening", "url")
		for deadline := time.Now().Add(20 * time.Second); url == "" && time.Now().Before(deadline); url = field(log, "sidecar listening", "url") {
			time.Sleep(50 * time.Millisecond)
		}
		r, err := client.Get(url + "/v1.0/users?$top=3")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		var page struct{ Value []map[string]any }
		if err != nil || r.StatusCode != http.StatusOK || json.Unmarshal(body, &page) != nil || len(page.Value) != 3 {
			t.Fatalf("%s %d bytes, %v", r.Status, len(body), err)
		}
		for _, u := range page.Value {
			id, _ := u["id"].(string)
			if _, named := u["displayName"]; named || !strings.HasPrefix(id, "p~") {
				t.Errorf("not sanitized: %v", u)
			}
		}
	})
}
