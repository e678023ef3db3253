package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
)

// Identity is what a federated credential is compared with: the iss, sub and aud of an assertion, as they are written there.
type Identity struct{ Issuer, Subject, Audience string }

// Expected returns what the configuration alone says of the assertions of a credential. What only the platform knows is empty, and so is
// an audience that is left to the cloud.
func (c Credential) Expected() Identity {
	switch {
	case c.AWS != nil:
		return Identity{Audience: c.AWS.Audience}
	case c.AWSCognito != nil:
		return Identity{Subject: c.AWSCognito.IdentityID, Audience: c.AWSCognito.IdentityPoolID}
	case c.GCP != nil:
		return Identity{Audience: c.GCP.Audience}
	case c.Azure != nil:
		return Identity{Audience: c.Azure.Audience}
	case c.SPIFFE != nil:
		return Identity{Subject: c.SPIFFE.SPIFFEID, Audience: c.SPIFFE.Audience}
	}
	return Identity{}
}

// ErrNoAssertion is in the chain of [Config.Identify]'s error for a credential that is not an assertion of another issuer.
var ErrNoAssertion = errors.New("credential is not an assertion of another issuer")

// Identify gets one assertion as for a token request of the application, and returns what a federated credential must say to match it.
// Entra is not asked. An empty clientID is for an application that does not exist yet; a nil credential is the one of the Config.
//
// The assertion is not verified, since that is for Entra, and nothing else of it is returned. The error is an [*Error], has
// [ErrNoAssertion] in its chain, or is about the configuration.
func (c Config) Identify(ctx context.Context, credential *Credential, clientID string) (Identity, error) {
	return c.identify(ctx, credential, clientID, network{dial: (&net.Dialer{Timeout: connectTimeout}).DialContext})
}

func (c Config) identify(ctx context.Context, credential *Credential, clientID string, n network) (Identity, error) {
	cloud, err := c.ResolveCloud()
	if err != nil {
		return Identity{}, err
	}
	block, kind, err := cmp.Or(credential, &c.Credential).block()
	if err != nil {
		return Identity{}, err
	}
	if err := block.validate(cloud); err != nil {
		return Identity{}, fmt.Errorf("credential %s: %w", kind, err)
	}
	n.logger = slog.New(slog.DiscardHandler) // what there is to tell is told when the credential is used
	made, err := block.prover(n, clientID)
	if err != nil {
		return Identity{}, fmt.Errorf("credential %s: %w", kind, err)
	}
	assertion, ok := made.(assertions)
	if !ok {
		return Identity{}, fmt.Errorf("credential %s: %w", kind, ErrNoAssertion)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	text, err := assertion.ask(ctx)
	if err != nil {
		return Identity{}, classify(err, time.Now())
	}
	identity, ok := identityIn(text)
	if !ok {
		return Identity{}, &Error{Code: CodeCredential, Detail: "not_a_jwt"}
	}
	if azure, ok := block.(*Azure); ok {
		identity.Audience = azure.Audience // the claim is the id of the application behind it, which a federated credential cannot have
	}
	return identity, nil
}

// identityIn reads the claims of a JWT without verifying it. An audience may be a list (RFC 7519 section 4.1.3), of which Entra wants one.
func identityIn(jwt string) (Identity, bool) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return Identity{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Identity{}, false
	}
	var claims struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		Audience json.RawMessage `json:"aud"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return Identity{}, false
	}
	identity := Identity{Issuer: claims.Issuer, Subject: claims.Subject}
	var list []string
	if json.Unmarshal(claims.Audience, &list) == nil && len(list) == 1 {
		identity.Audience = list[0]
	} else if json.Unmarshal(claims.Audience, &identity.Audience) != nil {
		return Identity{}, false
	}
	return identity, isPlain(identity.Issuer) && isPlain(identity.Subject) && isPlain(identity.Audience)
}

// maxClaim is the length that Entra allows in a federated credential
// (learn.microsoft.com/graph/api/resources/federatedidentitycredential).
const maxClaim = 600

// isPlain accepts what can be shown to people as it is.
func isPlain(claim string) bool {
	for i := range len(claim) {
		if claim[i] < ' ' || claim[i] > '~' {
			return false
		}
	}
	return claim != "" && len(claim) <= maxClaim
}
