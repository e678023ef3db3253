package entra

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ErrExpired is in the chain of [Server.Verify]'s error when all that is wrong with a token is its age.
var ErrExpired = errors.New("token is expired")

// Claims are what the synthetic Graph needs to know about the bearer of an access token.
type Claims struct {
	// AppID is the client id of the application that the token was issued to.
	AppID string
	// TenantID is the tid claim: always the server's own tenant.
	TenantID string
	// Roles are the application permissions, such as "User.Read.All".
	Roles []string
	// Expiry is the first moment at which the token is no longer valid.
	Expiry time.Time
}

// accessClaims are the claims of a Graph access token that an application can hold, in the v1.0 form that Entra uses for Graph
// (learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
type accessClaims struct {
	jwt.Claims
	AppID        string   `json:"appid"`
	AppIDACR     string   `json:"appidacr"` // how the application authenticated: bySecret, byAssertion
	IDP          string   `json:"idp"`
	IDType       string   `json:"idtyp"`
	ObjectID     string   `json:"oid"`
	Roles        []string `json:"roles,omitempty"`
	TenantID     string   `json:"tid"`
	UTI          string   `json:"uti"`
	Version      string   `json:"ver"`
	Capabilities []string `json:"xms_cc,omitempty"` // of the client: "CP1"
}

// issuer is the iss claim of v1.0 tokens, the same whatever host the token was asked from.
func (s *Server) issuer() string { return "https://sts.windows.net/" + s.cfg.TenantID + "/" }

// Issue makes an access token for a registered application without the exchange of an assertion, for tests of the synthetic Graph. No
// two tokens are equal.
func (s *Server) Issue(clientID string) (string, error) {
	return s.issue(clientID, byAssertion, wanted{})
}

// issue is Issue for a client that authenticated by a method and wants something of its token.
func (s *Server) issue(clientID, method string, w wanted) (string, error) {
	app, ok := s.app(clientID)
	if !ok {
		return "", fmt.Errorf("issuing access token: application %q is not registered", clientID)
	}
	now := s.cfg.Now()
	principal := "sp-" + app.ClientID
	valid := jwt.NewNumericDate(w.begin(now))
	var capabilities []string
	if w.capable {
		capabilities = []string{"CP1"}
	}
	return sign(s.key, accessClaims{
		Claims: jwt.Claims{
			Issuer:    s.issuer(),
			Subject:   principal,
			Audience:  jwt.Audience{s.cfg.Resource},
			IssuedAt:  valid,
			NotBefore: valid,
			Expiry:    jwt.NewNumericDate(now.Add(s.lifetime(w))),
		},
		AppID:    app.ClientID,
		AppIDACR: method,
		IDP:      s.issuer(),
		IDType:   "app",
		ObjectID: principal,
		Roles:    app.Roles,
		TenantID: s.cfg.TenantID,
		UTI:      rand.Text(),
		Version:  "1.0",

		Capabilities: capabilities,
	})
}

// graphSkew is by how much a token may begin in the future, as resources allow for clocks that differ.
const graphSkew = 5 * time.Minute

// Verify accepts an access token that this server signed for its own resource and tenant and that has neither expired nor been revoked
// ([RevokedError]). The error never holds a part of the token.
func (s *Server) Verify(token string) (Claims, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return Claims{}, errors.New("verifying access token: not a signed RS256 token")
	}
	var claims accessClaims
	public := s.key.Public()
	if parsed.Headers[0].KeyID != public.KeyID || parsed.Claims(public.Key, &claims) != nil {
		return Claims{}, errors.New("verifying access token: signature does not match")
	}
	switch now := s.cfg.Now(); {
	case !slices.Equal(claims.Audience, jwt.Audience{s.cfg.Resource}):
		return Claims{}, errors.New("verifying access token: it is for another resource")
	case claims.TenantID != s.cfg.TenantID || claims.Issuer != s.issuer():
		return Claims{}, errors.New("verifying access token: it is of another tenant")
	case claims.Expiry == nil || claims.NotBefore == nil || now.Add(graphSkew).Before(claims.NotBefore.Time()):
		return Claims{}, errors.New("verifying access token: it is not valid yet")
	case !now.Before(claims.Expiry.Time()):
		return Claims{}, fmt.Errorf("verifying access token: %w", ErrExpired)
	}
	if err := s.checkRevoked(claims); err != nil {
		return Claims{}, err
	}
	return Claims{AppID: claims.AppID, TenantID: claims.TenantID, Roles: claims.Roles, Expiry: claims.Expiry.Time()}, nil
}

// sign makes a compact RS256 JWT whose header names the key.
func sign(key jose.JSONWebKey, claims any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	return token, nil
}
