package entra

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Algorithms of assertions. For federated ones Entra supports RS256 alone
// (learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations); those that an application signs with the key of a
// certificate are to be PS256 (learn.microsoft.com/entra/identity-platform/certificate-credentials), and RS256 still works.
var (
	federatedAlgorithms  = []jose.SignatureAlgorithm{jose.RS256}
	selfIssuedAlgorithms = []jose.SignatureAlgorithm{jose.PS256, jose.RS256}
)

var malformedAssertion = refusal{50027, http.StatusBadRequest, "invalid_request", "JWT token is invalid or malformed."}

// checkAssertion says why the assertion does not stand for the application, or nil when it does. An assertion that passes counts
// as used. endpoint is the URL that it was sent to.
func (s *Server) checkAssertion(ctx context.Context, app App, endpoint, assertion string) *refusal {
	var claims jwt.Claims
	token, err := jwt.ParseSigned(assertion, selfIssuedAlgorithms)
	if err != nil || token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return &malformedAssertion
	}
	if isSelfIssued(claims) {
		return s.checkCertificate(app, endpoint, assertion, token, claims)
	}
	if _, err := jwt.ParseSigned(assertion, federatedAlgorithms); err != nil {
		return &malformedAssertion
	}
	now := s.cfg.Now()
	known := slices.DeleteFunc(slices.Clone(app.FederatedCredentials), func(c FederatedCredential) bool { return now.Before(c.KnownFrom) })
	credential, no := matchCredential(known, claims)
	if no != nil {
		return no
	}
	keys := credential.Keys
	if keys == nil {
		if keys, err = s.fetchKeys(ctx, credential.Issuer); err != nil {
			return &refusal{50166, http.StatusUnauthorized, "invalid_client", "Request to External OIDC endpoint failed."}
		}
	}
	switch err := token.Claims(keys, &claims); {
	case errors.Is(err, jose.ErrJWKSKidNotFound):
		return &refusal{50013, http.StatusUnauthorized, "invalid_client",
			fmt.Sprintf("Assertion failed signature validation. [Reason - The key was not found., Key id of the assertion: '%s']", token.Headers[0].KeyID)}
	case err != nil:
		return &refusal{700027, http.StatusUnauthorized, "invalid_client",
			"Client assertion contains an invalid signature. [Reason - The provided signature value did not match the expected signature value.]"}
	}
	if !s.inTime(claims, 0) {
		return s.outOfTime(claims)
	}
	if !credential.Reusable && s.isReplay(assertion, claims) {
		return replayed(claims)
	}
	return nil
}

func (s *Server) outOfTime(claims jwt.Claims) *refusal {
	return &refusal{700024, http.StatusUnauthorized, "invalid_client",
		fmt.Sprintf("Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s.",
			s.cfg.Now().UTC().Format(time.RFC3339), instant(claims.NotBefore), instant(claims.Expiry))}
}

// replayed has the number of "credentials do not validate": Entra's list has no code of its own for an assertion that comes again.
func replayed(claims jwt.Claims) *refusal {
	return &refusal{70002, http.StatusUnauthorized, "invalid_client",
		"Error validating credentials. The client assertion '" + claims.ID + "' has already been used."}
}

// matchCredential finds the credential that names issuer, audience and subject exactly. Entra has a code for each that fails,
// tried in this order, and a general one when no credential exists at all.
func matchCredential(all []FederatedCredential, claims jwt.Claims) (FederatedCredential, *refusal) {
	if len(all) == 0 {
		return FederatedCredential{}, &refusal{70021, http.StatusUnauthorized, "invalid_client", fmt.Sprintf(
			"No matching federated identity record found for presented assertion. Assertion Issuer: '%s'. Assertion Subject: '%s'. Assertion Audience: '%s'.",
			claims.Issuer, claims.Subject, strings.Join(claims.Audience, ","))}
	}
	no := func(code int, what, value string) *refusal {
		return &refusal{code, http.StatusUnauthorized, "invalid_client", fmt.Sprintf(
			"No matching federated identity record found for presented assertion %s '%s'. Please note that the matching is done using a "+
				"case-sensitive comparison. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.", what, value)}
	}
	left := slices.DeleteFunc(slices.Clone(all), func(c FederatedCredential) bool { return c.Issuer != claims.Issuer })
	if len(left) == 0 {
		return FederatedCredential{}, no(700211, "issuer", claims.Issuer)
	}
	left = slices.DeleteFunc(left, func(c FederatedCredential) bool {
		return len(claims.Audience) != 1 || c.Audience != strings.Replace(claims.Audience[0], AudienceAppID, Audience, 1)
	})
	if len(left) == 0 {
		return FederatedCredential{}, no(700212, "audience", strings.Join(claims.Audience, ","))
	}
	left = slices.DeleteFunc(left, func(c FederatedCredential) bool { return c.Subject != claims.Subject })
	if len(left) == 0 {
		return FederatedCredential{}, no(700213, "subject", claims.Subject)
	}
	return left[0], nil
}

// inTime holds the assertion against the server's clock. exp is required; nbf and iat are checked when present, and may be ahead by
// skew. For federated assertions that is nothing, so that a client which depends on an allowance is found; how far ahead exp may be is
// not bounded, as it is not by Entra.
func (s *Server) inTime(claims jwt.Claims, skew time.Duration) bool {
	now := s.cfg.Now()
	if claims.Expiry == nil || !now.Before(claims.Expiry.Time()) {
		return false
	}
	for _, start := range []*jwt.NumericDate{claims.NotBefore, claims.IssuedAt} {
		if start != nil && now.Add(skew).Before(start.Time()) {
			return false
		}
	}
	return true
}

func instant(date *jwt.NumericDate) string {
	if date == nil {
		return "(none)"
	}
	return date.Time().UTC().Format(time.RFC3339)
}

// isReplay remembers the assertion until it expires and reports whether it was redeemed before. An assertion is known by issuer
// and jti (RFC 7519 section 4.1.7), one without jti by its bytes.
func (s *Server) isReplay(assertion string, claims jwt.Claims) bool {
	name := claims.Issuer + "\x00" + claims.ID
	if claims.ID == "" {
		sum := sha256.Sum256([]byte(assertion))
		name = hex.EncodeToString(sum[:])
	}
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, expiry := range s.used {
		if !now.Before(expiry) {
			delete(s.used, other)
		}
	}
	_, seen := s.used[name]
	s.used[name] = claims.Expiry.Time()
	return seen
}

// maxIssuerDocument bounds what an issuer may answer, in bytes.
const maxIssuerDocument = 1 << 20

// fetchKeys finds the issuer's keys as Entra does: through its OpenID configuration, which must name the same issuer.
func (s *Server) fetchKeys(ctx context.Context, issuer string) (*jose.JSONWebKeySet, error) {
	var configuration struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := s.fetchJSON(ctx, issuer+"/.well-known/openid-configuration", &configuration); err != nil {
		return nil, err
	}
	if configuration.Issuer != issuer {
		return nil, errors.New("fetching issuer configuration: it names another issuer")
	}
	var keys jose.JSONWebKeySet
	if err := s.fetchJSON(ctx, configuration.Keys, &keys); err != nil {
		return nil, err
	}
	return &keys, nil
}

func (s *Server) fetchJSON(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("fetching issuer document: %w", err)
	}
	response, err := s.cfg.IssuerClient.Do(request)
	if err != nil {
		return fmt.Errorf("fetching issuer document: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("fetching issuer document: status %d", response.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxIssuerDocument)).Decode(into)
}
