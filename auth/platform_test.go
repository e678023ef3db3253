package auth

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// metadataAddress is where machines of Google and of Azure find their metadata service.
const metadataAddress = "169.254.169.254:80"

// signingIssuer makes an issuer once: keys are slow.
func signingIssuer(url string) func() *entra.Issuer {
	return sync.OnceValue(func() *entra.Issuer {
		issuer, err := entra.NewIssuer(url)
		if err != nil {
			panic(err)
		}
		return issuer
	})
}

// trusting replaces the credentials of all applications.
func trusting(trust entra.FederatedCredential) func(*entra.Config) {
	return func(cfg *entra.Config) {
		for i := range cfg.Apps {
			cfg.Apps[i].FederatedCredentials = []entra.FederatedCredential{trust}
		}
	}
}

// signInWith makes it the credential of both connectors.
func (w *world) signInWith(credential Credential) {
	for name, connector := range w.cfg.Connectors {
		connector.Credential = &credential
		w.cfg.Connectors[name] = connector
	}
}

// place serves a platform on loopback, where workloads look for it.
func (w *world) place(address string, platform http.Handler) {
	server := httptest.NewServer(platform)
	w.t.Cleanup(server.Close)
	elsewhere := w.dial
	w.dial = func(ctx context.Context, network, asked string) (net.Conn, error) {
		if asked == address {
			asked = server.Listener.Addr().String()
		}
		return elsewhere(ctx, network, asked)
	}
}

// placeInMemory is the same for a test in a synctest bubble.
func (w *world) placeInMemory(address string, platform http.Handler) {
	listener := &pipeListener{accept: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: platform}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	w.t.Cleanup(func() { _ = server.Close(); running.Wait() })
	elsewhere := w.dial
	w.dial = func(ctx context.Context, network, asked string) (net.Conn, error) {
		if asked == address {
			return listener.dial(ctx)
		}
		return elsewhere(ctx, network, asked)
	}
}

// guard searches for what the platform has issued, when the test ends.
func (w *world) guard(issued func() []string) {
	w.t.Cleanup(func() {
		for _, token := range issued() {
			w.secret(token)
		}
	})
}

// wantRejected gets no token, because Entra answers with this number.
func (w *world) wantRejected(aadsts int) {
	w.t.Helper()
	if failure := w.wantError(w.manager(), "entra_id", CodeRejected); failure.AADSTS != aadsts {
		w.t.Errorf("AADSTS%d, want AADSTS%d", failure.AADSTS, aadsts)
	}
}

// wantDetail gets no token, because there is nothing to sign in with, and Entra is not asked.
func (w *world) wantDetail(detail string) *Error {
	w.t.Helper()
	before := w.entra.Stats().TokenRequests
	failure := w.wantError(w.manager(), "entra_id", CodeCredential)
	if failure.Detail != detail {
		w.t.Errorf("detail %s, want %s", failure.Detail, detail)
	}
	if w.entra.Stats().TokenRequests != before {
		w.t.Error("Entra was asked for a token")
	}
	return failure
}

// TestPlatformCredentialsRefused: what cannot work is found at start, before anything is asked.
func TestPlatformCredentialsRefused(t *testing.T) {
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "")
	for _, test := range []struct{ text, says string }{
		{`gcp: {service_account: ../../project}`, "service_account"},
		{`gcp: {service_account: "a?audience=b"}`, "service_account"},
		{`gcp: {account: default}`, "account"},
		{`azure: {}`, "client_id"},
		{`azure: {client_id: graphveil}`, "user-assigned"},
		{`spiffe: {}`, "SPIFFE_ENDPOINT_SOCKET"},
		{`spiffe: {socket: /run/spire/agent.sock}`, "unix:///run/spire/agent.sock"},
		{`spiffe: {socket: "unix:agent.sock"}`, "Unix socket"},
		{`spiffe: {socket: "tcp://127.0.0.1:8081"}`, "Unix socket"},
		{`spiffe: {socket: "unix:///a", spiffe_id: graphveil}`, "spiffe_id"},
		{`spiffe: {socket: "unix:///a", spiffe_id: "https://example.org/a"}`, "spiffe_id"},
		{`spiffe: {socket: "unix:///a", file: /b}`, "file excludes"},
		{`spiffe: {file: /b, audience: x}`, "file excludes"},
		{`command: {}`, "no argv"},
		{`command: {argv: [""]}`, "no argv"},
		{`command: {argv: print-token --audience x}`, "argv"},
		{`command: {argv: [x], timeout: 16s}`, "timeout"},
		{`command: {argv: [x], timeout: -1s}`, "timeout"},
		{`command: {argv: [x]}` + "\ngcp: {}", "both"},
	} {
		if err := credentialFromYAML(test.text); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want one that says %q", test.text, err, test.says)
		}
	}
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "tcp://127.0.0.1:8081")
	if err := credentialFromYAML(`spiffe: {}`); err == nil || !strings.Contains(err.Error(), "SPIFFE_ENDPOINT_SOCKET") {
		t.Errorf("a variable with a TCP address: error %v", err)
	}
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "unix:///run/agent.sock")
	for _, text := range []string{`spiffe: {}`, `gcp: {}`, `azure: {client_id: 00000000-0000-0000-0000-000000000009}`, `command: {argv: [x], timeout: 15s}`, `spiffe: {file: /b}`} {
		if err := credentialFromYAML(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// credentialFromYAML goes the way from the configuration file to an application that could sign in.
func credentialFromYAML(text string) error {
	var credential Credential
	if err := yaml.UnmarshalWithOptions([]byte(text), &credential, yaml.Strict()); err != nil {
		return err
	}
	cfg, _, err := Config{Tenant: tenantID, Connectors: map[string]Connector{"x": {ClientID: mailApp, Credential: &credential}}}.Complete()
	if err != nil {
		return err
	}
	_, err = newMSALClient(cfg, cfg.Connectors["x"], network{}, nil)
	return err
}

// TestAudienceIsThatOfTheCloud: an audience of another cloud would be refused there.
func TestAudienceIsThatOfTheCloud(t *testing.T) {
	var audiences []string
	for _, cloud := range Clouds() {
		gcp, azure, spiffe := &GCP{}, &Azure{ClientID: mailApp}, &SPIFFE{Socket: "unix:///a"}
		for _, block := range []block{gcp, azure, spiffe} {
			if err := block.validate(cloud); err != nil {
				t.Fatal(err)
			}
		}
		if gcp.Audience != cloud.Audience || azure.Audience != cloud.Audience || spiffe.Audience != cloud.Audience {
			t.Errorf("%s: audiences %s, %s, %s", cloud.Name, gcp.Audience, azure.Audience, spiffe.Audience)
		}
		audiences = append(audiences, gcp.Audience)
	}
	if want := []string{"api://AzureADTokenExchange", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"}; !slices.Equal(audiences, want) {
		t.Errorf("audiences %v", audiences)
	}
	chosen := &GCP{Audience: "https://example.org"}
	if err := chosen.validate(Clouds()[0]); err != nil || chosen.Audience != "https://example.org" {
		t.Errorf("a chosen audience became %q, %v", chosen.Audience, err)
	}
}

// TestPlatformsSayWhatToTrust: what setup prints from a platform's token is a federated credential that matches.
func TestPlatformsSayWhatToTrust(t *testing.T) {
	w, agent, socket := besideAgent(t, spireTrust(), SPIFFE{})
	listen(t, agent, socket)
	atGoogle, _ := onGCP(t, googleTrust(), GCP{})
	atAzure, _ := onAzure(t, azureTrust(), azureIdentity(machineIdentity))
	for _, test := range []struct {
		w     *world
		trust entra.FederatedCredential
	}{{w, spireTrust()}, {atGoogle, googleTrust()}, {atAzure, azureTrust()}} {
		identity, err := test.w.cfg.identify(t.Context(), test.w.cfg.Connectors["entra_id"].Credential, "", network{dial: test.w.dial})
		if want := (Identity{test.trust.Issuer, test.trust.Subject, test.trust.Audience}); err != nil || identity != want {
			t.Errorf("%+v, %v, want %+v", identity, err, want)
		}
	}
}
