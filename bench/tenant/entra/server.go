// Package entra is the identity side of the synthetic tenant: an HTTP handler that speaks the part of Microsoft Entra ID which a
// confidential client with a federated credential, a certificate or a secret uses, and that verifies what it is sent as strictly as the real service.
//
// Call [New] with the tenant and its applications, serve the result over TLS, and point MSAL at https://HOST/TENANT. [NewIssuer]
// makes a Kubernetes-like issuer whose tokens the applications can trust. [Server.Verify] is for the synthetic Graph: it accepts
// exactly the access tokens that this server issued and that are still valid. [Server.Break] and [Server.Stats] are for tests.
//
// It answers instance discovery, the OpenID configuration, the signing keys and the client-credentials grant. It has no users, no
// consent, no refresh tokens and no other grant.
package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// DefaultResource is the Graph of the global cloud, the resource of a [Config] that names none.
const DefaultResource = "https://graph.microsoft.com"

// DefaultTokenLifetime is how long access tokens live when a [Config] does not say.
const DefaultTokenLifetime = time.Hour

// Config describes one tenant. It is read once, by [New].
type Config struct {
	// TenantID is the directory (tenant) id: the first path segment of every request, and the tid claim. Required.
	TenantID string
	// Resource is the audience of access tokens, and "Resource/.default" the only scope. Empty: [DefaultResource].
	Resource string
	// Apps are the registered applications. Requests for any other client id are refused (AADSTS700016).
	Apps []App
	// TokenLifetime is the life of an access token. Zero: [DefaultTokenLifetime].
	TokenLifetime time.Duration
	// CAELifetime is the life of an access token whose client declares the capability CP1; Entra gives up to 28 hours. Zero: as
	// TokenLifetime.
	CAELifetime time.Duration
	// RefreshIn is sent as refresh_in with each token: the age at which the client should ask for the next. Zero: not sent, as
	// Entra does for ordinary tokens.
	RefreshIn time.Duration
	// Now is the server's clock. Nil: time.Now. A shifted clock makes a client with a wrong clock.
	Now func() time.Time
	// IssuerClient fetches the keys of federated credentials that have no Keys. Nil: a client with a five-second timeout.
	IssuerClient *http.Client
}

// App is one application registration with its service principal.
type App struct {
	// ClientID is the application (client) id, compared without case as Entra does.
	ClientID string
	// Roles are the granted application permissions, such as "User.Read.All": the roles claim.
	Roles []string
	// FederatedCredentials are the assertions of other issuers that the application may sign in with, [MaxFederatedCredentials] at most.
	FederatedCredentials []FederatedCredential
	// Certificates are those whose keys the application may sign assertions with: RSA keys, valid by the dates of the certificate. Which
	// authority issued them does not matter.
	Certificates []*x509.Certificate
	// Secrets are the passwords that the application may sign in with.
	Secrets []ClientSecret
}

// MaxFederatedCredentials is how many an application can have
// (learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations).
const MaxFederatedCredentials = 20

// FederatedCredential says which tokens of another issuer stand for the application. Issuer, Subject and Audience must equal the
// claims of the assertion byte for byte: Entra matches with case, and a trailing slash counts.
type FederatedCredential struct {
	Issuer, Subject, Audience string
	// Keys verify assertions. Nil: fetched for every request through Issuer's OpenID configuration.
	Keys *jose.JSONWebKeySet
	// Reusable lets one assertion be redeemed any number of times while it lives. The zero value refuses the second use.
	// A projected Kubernetes token is kept for most of its life and read again for each request, so a tenant for a real cluster,
	// or one whose token file is not rewritten in between, sets this.
	Reusable bool
	// KnownFrom is when the credential has reached the servers that answer token requests, which takes a new one some seconds and up to
	// minutes; until then it does not exist for them. Zero: long since.
	KnownFrom time.Time
}

// Server is the synthetic Entra. It is an [http.Handler] for the root of its host, safe for concurrent use.
type Server struct {
	cfg  Config
	apps map[string]App // by lower-case client id
	key  jose.JSONWebKey
	mux  *http.ServeMux

	fault atomic.Pointer[Fault]

	mu       sync.Mutex
	stats    Stats
	used     map[string]time.Time // redeemed assertions (see replayKey) until they expire
	revoked  map[string]int64     // by lower-case client id: the second from which on its tokens are good
	disabled map[string]bool      // by lower-case client id
}

// New makes a server with a fresh signing key (RSA, 2048 bits). It fails on a configuration that no tenant could have.
func New(cfg Config) (*Server, error) {
	if cfg.TenantID == "" {
		return nil, errors.New("creating synthetic entra: no tenant id")
	}
	if cfg.Resource == "" {
		cfg.Resource = DefaultResource
	}
	if cfg.TokenLifetime == 0 {
		cfg.TokenLifetime = DefaultTokenLifetime
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.IssuerClient == nil {
		cfg.IssuerClient = &http.Client{Timeout: 5 * time.Second}
	}
	apps := make(map[string]App, len(cfg.Apps))
	for _, app := range cfg.Apps {
		id := strings.ToLower(app.ClientID)
		if _, twice := apps[id]; id == "" || twice {
			return nil, fmt.Errorf("creating synthetic entra: client id %q is empty or registered twice", app.ClientID)
		}
		for _, fic := range app.FederatedCredentials {
			if fic.Issuer == "" || fic.Subject == "" || fic.Audience == "" {
				return nil, fmt.Errorf("creating synthetic entra: a federated credential of %q lacks issuer, subject or audience", app.ClientID)
			}
		}
		if len(app.FederatedCredentials) > MaxFederatedCredentials {
			return nil, fmt.Errorf("creating synthetic entra: %q has more than %d federated credentials", app.ClientID, MaxFederatedCredentials)
		}
		if err := app.checkKeys(); err != nil {
			return nil, fmt.Errorf("creating synthetic entra: %w", err)
		}
		apps[id] = app
	}
	key, err := newSigningKey()
	if err != nil {
		return nil, fmt.Errorf("creating synthetic entra: %w", err)
	}
	s := &Server{cfg: cfg, apps: apps, key: key, mux: http.NewServeMux(),
		used: make(map[string]time.Time), revoked: make(map[string]int64), disabled: make(map[string]bool)}
	s.stats.Refused = make(map[int]int)
	s.mux.HandleFunc("GET /common/discovery/instance", s.serveInstance)
	s.mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.serveConfiguration)
	s.mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", s.serveKeys)
	s.mux.HandleFunc("/{tenant}/oauth2/v2.0/token", s.serveToken)
	return s, nil
}

// app finds a registered application.
func (s *Server) app(clientID string) (App, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, ok := s.apps[strings.ToLower(clientID)]
	return app, ok
}

// ServeHTTP answers as login.microsoftonline.com would. URLs in its answers carry the Host of the request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.count(r)
	w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	if fault := s.fault.Load(); fault != nil && fault.serve(w, r) {
		return
	}
	s.mux.ServeHTTP(w, r)
}

// newSigningKey makes an RS256 key with a random id.
func newSigningKey() (jose.JSONWebKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("generating signing key: %w", err)
	}
	return jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(jose.RS256), Use: "sig"}, nil
}

// serveInstance answers https://HOST/common/discovery/instance, by which MSAL asks whether an authority's host is Entra's and
// which other names it has. Like the real one, it vouches for no other host.
func (s *Server) serveInstance(w http.ResponseWriter, r *http.Request) {
	authority, err := url.Parse(r.FormValue("authorization_endpoint"))
	if err != nil || authority.Scheme != "https" || authority.Host != r.Host {
		s.refuse(w, refusal{50049, http.StatusBadRequest, "invalid_instance", "Unknown or invalid instance."})
		return
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(authority.EscapedPath(), "/"), "/")
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + r.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []map[string]any{{
			"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host},
		}},
	})
}

// serveConfiguration answers the OpenID configuration of the tenant, where MSAL finds the token endpoint.
func (s *Server) serveConfiguration(w http.ResponseWriter, r *http.Request) {
	if !s.isTenant(r) {
		s.refuse(w, unknownTenant(r.PathValue("tenant"), "invalid_tenant"))
		return
	}
	base := "https://" + r.Host + "/" + s.cfg.TenantID
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                base + "/v2.0",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported":              []string{"code", "id_token"},
		"subject_types_supported":               []string{"pairwise"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
	})
}

// serveKeys answers the public keys that access tokens are signed with.
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	if !s.isTenant(r) {
		s.refuse(w, unknownTenant(r.PathValue("tenant"), "invalid_tenant"))
		return
	}
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.key.Public()}})
}

func (s *Server) isTenant(r *http.Request) bool {
	return strings.EqualFold(r.PathValue("tenant"), s.cfg.TenantID)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}
