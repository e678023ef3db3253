package auth

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/platform"
)

const (
	spireURL   = "https://oidc-discovery.example.org"
	workloadID = "spiffe://example.org/ns/privacy/sa/graphveil"
)

var spireIssuer = signingIssuer(spireURL)

// spireTrust is the federated credential that an administrator creates. SVIDs have no jti and whole seconds, so that two of one second are
// the same.
func spireTrust() entra.FederatedCredential {
	return entra.FederatedCredential{Issuer: spireURL, Subject: workloadID, Audience: entra.Audience, Keys: spireIssuer().Keys(), Reusable: true}
}

// besideAgent is a workload that is registered, and the agent's socket.
func besideAgent(t *testing.T, trust entra.FederatedCredential, credential SPIFFE) (*world, *platform.SPIFFE, string) {
	w := newLoopbackWorld(t, trusting(trust))
	agent := platform.NewSPIFFE(spireIssuer())
	agent.Register(platform.SPIFFEEntry{ID: workloadID})
	w.guard(agent.Issued)
	socket := filepath.Join(socketFolder(t), "agent.sock")
	if credential.File == "" && credential.Socket == "" {
		credential.Socket = "unix://" + socket
	}
	w.signInWith(Credential{SPIFFE: &credential})
	return w, agent, socket
}

// socketFolder has a short name: the path of a socket has a hundred bytes.
func socketFolder(t *testing.T) string {
	folder, err := os.MkdirTemp("", "svid")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

func listen(t *testing.T, agent *platform.SPIFFE, socket string) (stop func()) {
	t.Helper()
	stop, err := agent.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return stop
}

func TestSPIFFESignsIn(t *testing.T) {
	w, agent, socket := besideAgent(t, spireTrust(), SPIFFE{})
	listen(t, agent, socket)
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	w.wantToken(m, "outlook_mail", mailApp)
	w.wantToken(w.manager(), "entra_id", directoryApp)
	if len(agent.Issued()) != 3 {
		t.Errorf("%d SVIDs for three token requests", len(agent.Issued()))
	}
}

func TestSPIFFESocketOfTheEnvironment(t *testing.T) {
	w, agent, socket := besideAgent(t, spireTrust(), SPIFFE{Socket: "unix:///nowhere"})
	listen(t, agent, socket)
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "unix://"+socket)
	w.wantDetail("spiffe_unreachable") // what is configured comes first
	w.signInWith(Credential{SPIFFE: &SPIFFE{}})
	w.wantToken(w.manager(), "entra_id", directoryApp)
}

// TestSPIFFEKeysByDiscovery: Entra reads the keys where SPIRE's OIDC discovery provider publishes them.
func TestSPIFFEKeysByDiscovery(t *testing.T) {
	discovery := httptest.NewTLSServer(spireIssuer())
	t.Cleanup(discovery.Close)
	client := discovery.Client()
	transport := client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // of httptest's certificate
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, discovery.Listener.Addr().String())
	}
	client.Transport = transport
	trust := spireTrust()
	trust.Keys = nil
	w := newLoopbackWorld(t, func(cfg *entra.Config) { trusting(trust)(cfg); cfg.IssuerClient = client })
	agent := platform.NewSPIFFE(spireIssuer())
	agent.Register(platform.SPIFFEEntry{ID: workloadID})
	w.guard(agent.Issued)
	socket := filepath.Join(socketFolder(t), "agent.sock")
	listen(t, agent, socket)
	w.signInWith(Credential{SPIFFE: &SPIFFE{Socket: "unix://" + socket}})
	w.wantToken(w.manager(), "entra_id", directoryApp)
}

func TestSPIFFEChoosesTheIdentity(t *testing.T) {
	entries := []platform.SPIFFEEntry{{ID: "spiffe://example.org/first", Hint: "internal"}, {ID: workloadID, Hint: "external"}}
	w, agent, socket := besideAgent(t, spireTrust(), SPIFFE{})
	agent.Register(entries...)
	listen(t, agent, socket)
	w.wantRejected(700213) // the default is the first
	w.signInWith(Credential{SPIFFE: &SPIFFE{Socket: "unix://" + socket, SPIFFEID: workloadID}})
	w.wantToken(w.manager(), "entra_id", directoryApp)
	w.signInWith(Credential{SPIFFE: &SPIFFE{Socket: "unix://" + socket, SPIFFEID: "spiffe://example.org/not/mine"}})
	w.wantDetail("spiffe_denied")
}

func TestSPIFFEWrongTrust(t *testing.T) {
	for _, test := range []struct {
		change func(*entra.FederatedCredential)
		aadsts int
	}{
		{func(c *entra.FederatedCredential) { c.Subject = "spiffe://example.org/other" }, 700213},
		{func(c *entra.FederatedCredential) { c.Issuer += "/" }, 700211},
		{func(c *entra.FederatedCredential) { c.Audience = "api://AzureADTokenExchangeChina" }, 700212},
		{func(c *entra.FederatedCredential) { c.Keys = googleIssuer().Keys() }, 50013},
	} {
		trust := spireTrust()
		test.change(&trust)
		w, agent, socket := besideAgent(t, trust, SPIFFE{})
		listen(t, agent, socket)
		w.wantRejected(test.aadsts)
	}
}

// TestSPIFFEAgentRestarts: nothing is kept open, so an agent that comes late, goes or comes back needs no restart here.
func TestSPIFFEAgentRestarts(t *testing.T) {
	w, agent, socket := besideAgent(t, spireTrust(), SPIFFE{})
	w.wantDetail("spiffe_unreachable")
	stop := listen(t, agent, socket)
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	stop()
	w.wantDetail("spiffe_unreachable")
	listen(t, agent, socket)
	w.wantToken(m, "outlook_mail", mailApp)
	agent.Register()
	w.wantDetail("spiffe_denied")
	agent.Register(platform.SPIFFEEntry{ID: workloadID})
	w.wantToken(w.manager(), "entra_id", directoryApp)
}

// TestSPIFFELeavesNothingOpen: between token requests there is no connection and no goroutine.
func TestSPIFFELeavesNothingOpen(t *testing.T) {
	_, agent, socket := besideAgent(t, spireTrust(), SPIFFE{})
	listen(t, agent, socket)
	block := &SPIFFE{Socket: "unix://" + socket, Audience: entra.Audience}
	made, err := block.prover(network{}, mailApp)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 10 {
		if _, err := made.(assertions)(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestSPIFFEElliptic(t *testing.T) {
	w, agent, socket := besideAgent(t, spireTrust(), SPIFFE{})
	if err := agent.SignWithCurve(); err != nil {
		t.Fatal(err)
	}
	listen(t, agent, socket)
	w.wantDetail("spiffe_not_rs256")
}

// A socket on which nobody speaks must not hold up more than an attempt.
func TestSPIFFESilentSocket(t *testing.T) {
	socket := filepath.Join(socketFolder(t), "agent.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	made, err := (&SPIFFE{Socket: "unix://" + socket, Audience: entra.Audience}).prover(network{}, mailApp)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = made.(assertions)(ctx)
	if failed, ok := err.(*credentialError); !ok || failed.detail != "spiffe_unreachable" || time.Since(start) > 5*time.Second {
		t.Errorf("error %v after %v", err, time.Since(start))
	}
}

// spiffe-helper replaces the file by itself; each token request reads it again.
func TestSPIFFEFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "svid.jwt")
	w, _, _ := besideAgent(t, spireTrust(), SPIFFE{File: file})
	w.wantDetail("missing")
	write := func(content string) {
		t.Helper()
		w.secret(content)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	svid := func(subject string, lifetime time.Duration) string {
		t.Helper()
		token, err := spireIssuer().Token(subject, entra.Audience, lifetime)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	write(svid(workloadID, time.Minute) + "\n")
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	write(svid(workloadID, -time.Minute)) // the helper has stopped
	w.wantRejected(700024)
	write(svid(workloadID, time.Minute))
	w.wantToken(m, "outlook_mail", mailApp)
	write(svid("system:serviceaccount:privacy:graphveil", time.Minute))
	w.wantDetail("spiffe_not_an_svid")
	write("eyJh.eyJh.c2ln")
	w.wantDetail("spiffe_not_an_svid")
	write("SPIFFE helper was here")
	w.wantDetail("not_a_jwt")
	write(strings.Repeat("a", maxAssertion+1))
	w.wantDetail("too_large")
}
