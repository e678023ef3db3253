package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/platform"
)

const (
	awsAccountRegion = "eu-central-1"
	awsRole          = "arn:aws:iam::123456789012:role/graphveil"
	awsPool          = "eu-central-1:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	awsProvider      = "graphveil"
)

// awsWorld is a world whose applications trust an AWS account. Under their own names, over TLS, there are the account's STS and Cognito
// in the region and both issuers, whose keys Entra fetches; in plain HTTP there is what handle puts at an address.
type awsWorld struct {
	*world
	account *platform.AWS
	block   *AWS          // of both connectors, unless cognito
	cognito *AWSCognito   // nil: block
	clock   time.Duration // what AWS is ahead of this machine

	mu     sync.Mutex
	plain  map[string]http.Handler // by address, such as "169.254.169.254:80"
	asked  map[string]int          // by host, TLS alone
	broken http.Handler            // instead of STS and Cognito
}

// newAWSWorld has an account as an administrator should set it up, with the conditions of the policy in the comment of [AWS]. adjust may change it, and the federated credential's.
func newAWSWorld(t *testing.T, adjust func(*platform.AWSConfig, *entra.FederatedCredential)) *awsWorld {
	t.Helper()
	withoutAWSEnvironment(t)
	w := &awsWorld{plain: make(map[string]http.Handler), asked: make(map[string]int), block: &AWS{Region: awsAccountRegion}}
	w.world = newLoopbackWorld(t, func(tenant *entra.Config) {
		account := platform.AWSConfig{
			Region: awsAccountRegion,
			Roles: []platform.AWSRole{{ARN: awsRole, WebIdentityToken: true, Audiences: []string{entra.Audience},
				MaxDuration: 120 * time.Second, Algorithm: "RS256", Pools: []string{awsPool},
				Trust: &platform.AWSTrust{Issuer: cluster, Subject: subject, Keys: clusterIssuer().Keys()}}},
			Pools:  []platform.IdentityPool{{ID: awsPool, DeveloperProvider: awsProvider}},
			Now:    func() time.Time { return time.Now().Add(w.clock) },
			Secret: func(text string) { w.secret(text) },
		}
		trust := entra.FederatedCredential{Subject: awsRole, Audience: entra.Audience}
		if adjust != nil {
			adjust(&account, &trust)
		}
		var err error
		if w.account, err = platform.NewAWS(account); err != nil {
			t.Fatal(err)
		}
		if trust.Issuer == "" {
			trust.Issuer = w.account.IssuerURL()
		}
		for i := range tenant.Apps {
			cognito := entra.FederatedCredential{Issuer: platform.CognitoIssuer, Audience: awsPool,
				Subject: w.account.Identity(awsPool, awsProvider, tenant.Apps[i].ClientID)}
			tenant.Apps[i].FederatedCredentials = []entra.FederatedCredential{trust, cognito}
		}
		tenant.Now = func() time.Time { return time.Now().Add(w.clock) }
		tenant.IssuerClient = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
			DialContext:     func(ctx context.Context, _, address string) (net.Conn, error) { return w.dial(ctx, "tcp", address) },
			TLSClientConfig: &tls.Config{RootCAs: certificates()},
		}}
	})
	w.secret(awsRole) // AWS quotes it in refusals
	w.roots = certificates()
	w.listen()
	return w
}

// withoutAWSEnvironment hides what the machine that runs the test may have, and has a proxy that must not be used.
func withoutAWSEnvironment(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
}

func certificates() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(serverCertificate().pem)
	return pool
}

// listen starts the servers, and makes the dialer find them.
func (w *awsWorld) listen() {
	secure := w.listener(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { w.host(r).ServeHTTP(out, r) }), true)
	plain := w.listener(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		host := r.Host
		if !strings.Contains(host, ":") {
			host += ":80"
		}
		w.mu.Lock()
		handler := w.plain[host]
		w.mu.Unlock()
		handler.ServeHTTP(out, r)
	}), false)
	loopback := w.dial
	w.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		w.mu.Lock()
		_, known := w.plain[address]
		w.mu.Unlock()
		host, _, _ := net.SplitHostPort(address)
		switch {
		case known:
			return loopback(ctx, network, plain)
		case strings.HasPrefix(address, "169.254."): // a metadata service that is not there: nothing comes back
			<-ctx.Done()
			return nil, ctx.Err()
		case net.ParseIP(host) == nil:
			return loopback(ctx, network, secure)
		}
		return loopback(ctx, network, address)
	}
}

func (w *awsWorld) listener(handler http.Handler, secure bool) string {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	address := listener.Addr().String()
	if secure {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{serverCertificate().pair}})
	}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	w.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
		running.Wait()
	})
	return address
}

// host is what answers to a name.
func (w *awsWorld) host(r *http.Request) http.Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[r.Host]++
	issuer := strings.TrimPrefix(w.account.IssuerURL(), "https://")
	switch r.Host {
	case issuer:
		return w.account.Issuer()
	case "cognito-identity.amazonaws.com":
		return w.account.CognitoKeys()
	}
	if w.broken != nil {
		return w.broken
	}
	switch r.Host {
	case "sts.eu-central-1.amazonaws.com", "vpce-1-abc.eu-central-1.amazonaws.com":
		return w.account.STS()
	case "cognito-identity.eu-central-1.amazonaws.com":
		return w.account.Cognito()
	}
	return http.NotFoundHandler()
}

// requests counts what arrived over TLS for a host; for none, all.
func (w *awsWorld) requests(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	for name, n := range w.asked {
		if host == "" || name == host {
			total += n
		}
	}
	return total
}

// handle puts a server at an address, in plain HTTP.
func (w *awsWorld) handle(address string, handler http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plain[address] = handler
}

// replace makes another answer instead of STS and Cognito.
func (w *awsWorld) replace(handler http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = handler
}

// useKey puts a key into the environment, where the chain looks first.
func (w *awsWorld) useKey(key platform.AWSKey) {
	w.t.Setenv("AWS_ACCESS_KEY_ID", key.ID)
	w.t.Setenv("AWS_SECRET_ACCESS_KEY", key.Secret)
	w.t.Setenv("AWS_SESSION_TOKEN", key.Session)
}

// start makes a manager whose connectors sign in by AWS.
func (w *awsWorld) start() *Manager {
	credential := &Credential{AWS: w.block}
	if w.cognito != nil {
		credential = &Credential{AWSCognito: w.cognito}
	}
	for name, connector := range w.cfg.Connectors {
		connector.Credential = credential
		w.cfg.Connectors[name] = connector
	}
	return w.manager()
}

// wantFailure is told in this word, and Entra is not asked for a token.
func (w *awsWorld) wantFailure(m *Manager, detail string) *Error {
	w.t.Helper()
	before := w.entra.Stats().TokenRequests
	failure := w.wantError(m, "entra_id", CodeCredential)
	if failure.Detail != detail {
		w.t.Errorf("detail %q, want %q", failure.Detail, detail)
	}
	if want := "getting graph token: credential_unavailable (" + detail + ")"; failure.Error() != want {
		w.t.Errorf("error %q, want %q", failure, want)
	}
	if w.entra.Stats().TokenRequests != before {
		w.t.Error("Entra was asked for a token without an assertion")
	}
	return failure
}
