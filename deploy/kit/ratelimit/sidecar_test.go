package ratelimit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/internal/testlog"
)

const (
	directoryClient = "aaaaaaaa-0000-4000-8000-000000000001"
	mailClient      = "aaaaaaaa-0000-4000-8000-000000000002"

	// canary is in all that a person of the tenant wrote or is named by, and in what
	// the test's clients say.
	canary = "CANARYpersonal"

	users = 10
)

func newTenant(t *testing.T) *tenant.Tenant {
	t.Helper()
	lab, err := tenant.Start(context.Background(), tenant.Config{
		Graph: graph.Config{Seed: 7, Users: users, Messages: 10, Record: 1000, Canary: canary},
		Apps: []entra.App{
			{ClientID: directoryClient, Roles: []string{"User.Read.All", "GroupMember.Read.All"}},
			{ClientID: mailClient, Roles: []string{"User.Read.All", "GroupMember.Read.All", "Mail.ReadBasic.All", "MailboxSettings.Read"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	return lab
}

// sidecar is `graphveil run`: a processor with the shipped policy and an Envoy.
type sidecar struct {
	url    string
	client *http.Client
	access testlog.Buffer
	log    testlog.Buffer
}

// startSidecar starts one that asks the service at an address; more are lines below
// rate_limit of its configuration.
func startSidecar(t *testing.T, lab *tenant.Tenant, address, more string) *sidecar {
	t.Helper()
	dir, err := os.MkdirTemp("", "gv-") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := func(name string) string { return filepath.Join(dir, name) }
	own, err := lab.CA.Issue("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tenant.WritePair(dir, "tls", own); err != nil {
		t.Fatal(err)
	}
	if err := lab.CA.Write(file("ca.pem")); err != nil {
		t.Fatal(err)
	}
	if err := lab.WriteAssertion(file("assertion"), time.Hour); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
pseudonyms: {salt_file: %[1]s/salt, key_file: %[1]s/key}
tokens:
  tenant: %[2]s
  authority: %[3]s
  ca_file: %[1]s/ca.pem
  skip_instance_discovery: true
  credential: {file: {path: %[1]s/assertion}}
  connectors: {entra_id: {client_id: %[4]s}, outlook_mail: {client_id: %[5]s}}
processor: {listen: %[1]s/p.sock, admin: "127.0.0.1:0", drain_timeout: 1s}
envoy:
  listen: 127.0.0.1:0
  workers: 1
  tls: {cert_file: %[1]s/tls.pem, key_file: %[1]s/tls-key.pem}
  upstream: {host: graph.microsoft.com, address: %[6]q, ca_file: %[1]s/ca.pem}
  rate_limit:
    service: %[7]q
    timeout: 500ms # nothing passes because the machine is busy
%[8]s
log: {level: debug}
`, dir, lab.ID(), lab.Authority(), directoryClient, mailClient, lab.GraphAddr, address, more)
	for name, text := range map[string]string{"salt": "salt of the test", "key": "key of the test", "graphveil.yaml": config} {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &sidecar{}
	process := exec.Command(graphveil, "run", "--config", file("graphveil.yaml"))
	process.Dir = root // where it finds Envoy
	process.Stdout, process.Stderr = &s.access, &s.log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(os.Interrupt)
		_ = process.Wait()
		if t.Failed() {
			t.Logf("the sidecar's log:\n%.20000s", s.log.String())
		}
	})
	until(t, "the sidecar to be ready", func() bool {
		text := s.log.String()
		return strings.Contains(text, `"msg":"processor ready"`) && strings.Contains(text, `"msg":"sidecar listening"`)
	})
	for line := range strings.Lines(s.log.String()) {
		var said struct{ Msg, URL string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "sidecar listening" {
			s.url = said.URL
		}
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.url, "https://"))
	s.url = "https://localhost:" + port
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig.RootCAs = lab.CA.Pool()
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport, Timeout: 60 * time.Second}
	return s
}

// answer is a response that has ended.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// get asks for a path as it is written, with headers beside it.
func (s *sidecar) get(t *testing.T, target string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = target
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
			continue
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	began := time.Now()
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body), time.Since(began)}
}

func fetch(client *http.Client, url string) (int, string, error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
