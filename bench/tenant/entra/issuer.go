package entra

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Audience is the audience of assertions that Entra recommends for every kind of workload.
const Audience = "api://AzureADTokenExchange"

// AudienceAppID is the application id behind [Audience]. It is the aud claim of Entra's own tokens for that audience, those of managed
// identities, and matches federated credentials with Audience: theirs cannot have the id.
const AudienceAppID = "fb60f99c-7a34-4190-8149-302f77469936"

// Issuer signs service-account tokens as the API server of a Kubernetes cluster does. It is also an [http.Handler] for the root of
// its URL that publishes the keys (OpenID Connect Discovery 1.0 section 4).
type Issuer struct {
	url string
	key jose.JSONWebKey
	mux *http.ServeMux
}

// NewIssuer makes an issuer with a fresh key. The URL is the iss claim as it is: two issuers of the same URL trust nothing of each
// other. It need not be reachable unless a [FederatedCredential] leaves its Keys to be fetched.
func NewIssuer(url string) (*Issuer, error) {
	key, err := newSigningKey()
	if err != nil {
		return nil, fmt.Errorf("creating issuer: %w", err)
	}
	i := &Issuer{url: url, key: key, mux: http.NewServeMux()}
	i.mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer":                                url,
			"jwks_uri":                              url + "/openid/v1/jwks",
			"response_types_supported":              []string{"id_token"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	i.mux.HandleFunc("GET /openid/v1/jwks", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, i.Keys()) })
	return i, nil
}

// URL is the iss claim of the issuer's tokens.
func (i *Issuer) URL() string { return i.url }

// Keys are the public keys, for [FederatedCredential.Keys].
func (i *Issuer) Keys() *jose.JSONWebKeySet {
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}}
}

// ServeHTTP publishes the OpenID configuration and the keys.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) { i.mux.ServeHTTP(w, r) }

// serviceAccount is the claim "kubernetes.io" of a projected token.
type serviceAccount struct {
	Namespace string `json:"namespace"`
	Account   struct {
		Name string `json:"name"`
	} `json:"serviceaccount"`
}

// Token signs a token for a subject such as "system:serviceaccount:NAMESPACE:NAME". It is valid from now for the lifetime; a
// negative one makes a token that expired that long ago. Every token has a jti of its own.
func (i *Issuer) Token(subject, audience string, lifetime time.Duration) (string, error) {
	now := time.Now()
	start := now
	if lifetime < 0 {
		start = now.Add(2 * lifetime)
	}
	claims := struct {
		jwt.Claims
		Kubernetes *serviceAccount `json:"kubernetes.io,omitempty"`
	}{Claims: jwt.Claims{
		Issuer:    i.url,
		Subject:   subject,
		Audience:  jwt.Audience{audience},
		IssuedAt:  jwt.NewNumericDate(start),
		NotBefore: jwt.NewNumericDate(start),
		Expiry:    jwt.NewNumericDate(now.Add(lifetime)),
		ID:        rand.Text(),
	}}
	if rest, ok := strings.CutPrefix(subject, "system:serviceaccount:"); ok {
		claims.Kubernetes = &serviceAccount{}
		claims.Kubernetes.Namespace, claims.Kubernetes.Account.Name, _ = strings.Cut(rest, ":")
	}
	return sign(i.key, claims)
}

// Sign signs claims as they are, for platforms whose tokens are not those of a Kubernetes cluster.
func (i *Issuer) Sign(claims any) (string, error) { return sign(i.key, claims) }
