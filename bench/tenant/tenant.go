// Package tenant runs a synthetic Microsoft 365 tenant on loopback: Entra ID, which issues access tokens to applications with federated
// credentials, and Graph, which serves generated people and mail to the bearers of those tokens.
//
// Call Start; it returns when both listen, over TLS with certificates of an authority that exists only in this process. The parts are
// fields of the Tenant, so that tests can break them (Graph.Inject, Entra.Break) and see what they received. Close ends it.
//
// It is for demos, tests and benchmarks. It talks to nobody and protects nothing.
package tenant

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// IssuerURL is the iss claim of the assertions that the tenant's applications trust. Nothing is served there.
const IssuerURL = "https://oidc.cluster.example/id/synthetic"

// Subject is the workload that the tenant's applications trust.
const Subject = "system:serviceaccount:graphveil:graphveil"

// Names are what the certificates of Graph and Entra are for, besides Config.Names.
var Names = []string{"graph.microsoft.com", "login.microsoftonline.com", "localhost", "127.0.0.1", "::1"}

// Config describes a tenant. The zero Config is one with no application, which nobody can read.
type Config struct {
	// Graph sizes the data. Its Authorize is set by Start.
	Graph graph.Config
	// Apps are the registered applications. One without FederatedCredentials gets the usual: assertions of Tenant.Issuer for Subject and
	// entra.Audience, usable more than once.
	Apps []entra.App
	// TokenLifetime is the life of access tokens; zero is entra.DefaultTokenLifetime.
	TokenLifetime time.Duration
	// CAELifetime is the life of those whose client declares the capability CP1; zero is TokenLifetime.
	CAELifetime time.Duration
	// Names are further DNS names and IP addresses for the certificates.
	Names []string
	// CA issues the certificates; nil makes a new one.
	CA *CA
}

// Tenant is a running tenant.
type Tenant struct {
	Graph  *graph.Server
	Entra  *entra.Server
	Issuer *entra.Issuer // of assertions for the applications
	CA     *CA
	// GraphAddr and EntraAddr are the addresses listened on, such as "127.0.0.1:40123".
	GraphAddr, EntraAddr string

	id      string
	servers []*http.Server
	stop    func() bool
}

// Start runs a tenant until Close, or until ctx is done.
func Start(ctx context.Context, cfg Config) (*Tenant, error) {
	t, err := start(cfg)
	if err != nil {
		return nil, fmt.Errorf("starting tenant: %w", err)
	}
	t.stop = context.AfterFunc(ctx, t.shut)
	return t, nil
}

func start(cfg Config) (t *Tenant, err error) {
	t = &Tenant{CA: cfg.CA}
	if t.CA == nil {
		if t.CA, err = NewCA(); err != nil {
			return nil, err
		}
	}
	if t.Issuer, err = entra.NewIssuer(IssuerURL); err != nil {
		return nil, err
	}
	cfg.Graph.Authorize = func(bearer string) ([]string, error) {
		claims, err := t.Entra.Verify(bearer)
		var revoked *entra.RevokedError
		if errors.As(err, &revoked) && revoked.Claims != "" {
			err = &graph.ChallengeError{Claims: revoked.Claims}
		}
		return claims.Roles, err
	}
	if t.Graph, err = graph.New(cfg.Graph); err != nil {
		return nil, err
	}
	t.id = t.Graph.TenantID()
	apps := make([]entra.App, len(cfg.Apps))
	for i, app := range cfg.Apps {
		if len(app.FederatedCredentials) == 0 {
			app.FederatedCredentials = []entra.FederatedCredential{
				{Issuer: IssuerURL, Subject: Subject, Audience: entra.Audience, Keys: t.Issuer.Keys(), Reusable: true},
			}
		}
		apps[i] = app
	}
	if t.Entra, err = entra.New(entra.Config{TenantID: t.id, Apps: apps, TokenLifetime: cfg.TokenLifetime, CAELifetime: cfg.CAELifetime}); err != nil {
		return nil, err
	}
	pair, err := t.CA.Issue(append(Names[:len(Names):len(Names)], cfg.Names...)...)
	if err != nil {
		return nil, err
	}
	if t.GraphAddr, err = t.listen(t.Graph, pair); err != nil {
		return nil, err
	}
	if t.EntraAddr, err = t.listen(t.Entra, pair); err != nil {
		t.shut()
		return nil, err
	}
	return t, nil
}

// listen serves h over TLS, HTTP/2 and HTTP/1.1, on a free port of loopback.
func (t *Tenant) listen(h http.Handler, pair tls.Certificate) (addr string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{
		Handler:           h,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // failed handshakes are the client's to report
	}
	t.servers = append(t.servers, srv)
	go func() { _ = srv.ServeTLS(listener, "", "") }() // ends when shut closes it
	return listener.Addr().String(), nil
}

// ID is the directory (tenant) id.
func (t *Tenant) ID() string { return t.id }

// GraphURL is the origin of Graph, such as "https://127.0.0.1:40123".
func (t *Tenant) GraphURL() string { return "https://" + t.GraphAddr }

// Authority is the origin of Entra.
func (t *Tenant) Authority() string { return "https://" + t.EntraAddr }

// Token is an access token for a registered application, for requests to Graph without a proxy.
func (t *Tenant) Token(clientID string) (string, error) { return t.Entra.Issue(clientID) }

// WriteAssertion writes an assertion that signs applications in to path, as a projected service-account token.
func (t *Tenant) WriteAssertion(path string, lifetime time.Duration) error {
	return t.Issuer.WriteProjectedToken(path, Subject, entra.Audience, lifetime)
}

// Client trusts the tenant's authority. It uses HTTP/2, does not ask for compression and follows no redirects.
func (t *Tenant) Client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{RootCAs: t.CA.Pool()},
			ForceAttemptHTTP2:  true,
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close stops listening and cuts what is still being answered.
func (t *Tenant) Close() {
	t.stop()
	t.shut()
}

func (t *Tenant) shut() {
	for _, srv := range t.servers {
		_ = srv.Close() // closing is all that is left to do with it
	}
}
