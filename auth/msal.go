package auth

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

const (
	// expiryMargin is how long before its expiry a token is no longer handed out: a request takes time to reach Graph, and clocks differ.
	expiryMargin = time.Minute
	// minRefresh is the least time between a token and the next, whatever refresh_in says.
	minRefresh = 30 * time.Second
	// maxRefresh is the most: a permission that was granted meanwhile is in the next token only, and of the 28 hours that a token may
	// live most are then left for an outage.
	maxRefresh = time.Hour
	// maxLifetime is the longest that Entra gives out, with continuous access evaluation.
	maxLifetime = 28 * time.Hour
	// maxAccessToken bounds a token, in bytes: it travels in a header.
	maxAccessToken = 16 << 10
	// refreshJitter spreads the refreshes of many processes that started together: up to this part of the wait is taken off.
	refreshJitter = 0.1
)

// token is an access token with its times, never changed once made but for how it stands.
type token struct {
	value                       string
	acquired, refreshAt, expiry time.Time
	replacement                 bool         // the one before was rejected
	stands                      atomic.Int32 // a standing, which only gets worse
}

// standing is what Graph has said of the token. Safe on nil.
func (t *token) standing() standing {
	if t == nil {
		return trusted
	}
	return standing(t.stands.Load())
}

// usable reports whether the token may still be sent to Graph. Safe on nil.
func (t *token) usable(now time.Time) bool {
	return t != nil && now.Before(t.expiry.Add(-expiryMargin)) && t.standing() != dead
}

// fresh reports whether there is no reason yet to ask for another. Safe on nil.
func (t *token) fresh(now time.Time) bool {
	return t.usable(now) && now.Before(t.refreshAt) && t.standing() == trusted
}

// msalClient is MSAL for one application. It is used by one goroutine at a time.
type msalClient struct {
	authority, clientID, scope string
	prover                     prover
	options                    []confidential.Option
	client                     *confidential.Client // nil until the first request
}

func newMSALClient(cfg Config, connector Connector, n network, httpClient *http.Client) (*msalClient, error) {
	block, kind, err := connector.Credential.block()
	if err != nil {
		return nil, err
	}
	prover, err := block.prover(n, connector.ClientID)
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", kind, err)
	}
	return &msalClient{
		authority: cfg.Authority + "/" + cfg.Tenant, clientID: connector.ClientID, scope: cfg.Scope, prover: prover,
		options: []confidential.Option{
			confidential.WithHTTPClient(httpClient),
			confidential.WithInstanceDiscovery(!cfg.SkipInstanceDiscovery),
			confidential.WithCache(forgetful{}),
			// Continuous access evaluation: this process answers claims challenges (rejected.go), without which a revoked token of 28
			// hours would be a dead end.
			confidential.WithClientCapabilities([]string{"CP1"}),
			// Without this the variable MSAL_FORCE_REGION of the environment silently moves requests to another host.
			confidential.WithAzureRegion("DisableMsalForceRegion"),
		},
	}, nil
}

// prove makes MSAL's client for the credential of the next request. What MSAL knows by discovery goes with an old client.
func (c *msalClient) prove(ctx context.Context) error {
	credential, changed, err := c.prover.credential(ctx)
	if err != nil || c.client != nil && !changed {
		return err
	}
	client, err := confidential.New(c.authority, c.clientID, credential, c.options...)
	if err != nil {
		return err
	}
	c.client = &client
	return nil
}

// certificateExpiry is that of [Status]. It may be called from any goroutine.
func (c *msalClient) certificateExpiry() time.Time {
	if p, ok := c.prover.(*certificateProver); ok {
		return p.expiry()
	}
	return time.Time{}
}

// forgetful makes every AcquireTokenByCredential a request to Entra. MSAL returns the token of its cache until five minutes before
// expiry and has no option against that short of sending extra claims; but it loads the cache from this accessor first, and an empty
// one has no token to return. What MSAL learnt by discovery is not part of that cache and stays.
type forgetful struct{}

func (forgetful) Replace(_ context.Context, cache cache.Unmarshaler, _ cache.ReplaceHints) error {
	return cache.Unmarshal([]byte("{}"))
}

func (forgetful) Export(context.Context, cache.Marshaler, cache.ExportHints) error { return nil }

// acquire makes one token request, and before the first one the discovery that MSAL needs. claims is what a challenge asked for, or
// empty. One of the results is nil.
//
// Expiry counts from now by our own clock, as MSAL derives it from expires_in, so a wrong clock does not matter here.
func (c *msalClient) acquire(ctx context.Context, claims string) (t *token, failed *Error) {
	defer func() {
		if recover() != nil { // MSAL decodes what the network sent by reflection
			t, failed = nil, &Error{Code: CodeMalformed, Detail: "panic"}
		}
	}()
	if err := c.prove(ctx); err != nil {
		return nil, classify(err, time.Now())
	}
	result, err := c.client.AcquireTokenByCredential(ctx, []string{c.scope}, confidential.WithClaims(claims))
	now := time.Now()
	if err != nil {
		failed = classify(err, now)
	}
	if p, ok := c.prover.(*certificateProver); ok {
		p.answered(failed, err)
	}
	if failed != nil {
		if failed.Code == CodeMalformed {
			c.client = nil // it may have learnt nonsense by discovery, and would keep it
		}
		return nil, failed
	}
	if !isHeaderSafe(result.AccessToken) {
		return nil, &Error{Code: CodeMalformed, Detail: "bad_token"}
	}
	lifetime := min(result.ExpiresOn.Sub(now), maxLifetime)
	if lifetime < expiryMargin+minRefresh {
		return nil, &Error{Code: CodeMalformed, Detail: "expires_too_soon"}
	}
	// Half of the life leaves the other half to ride out an outage. refresh_in is Entra's own wish and may only make it sooner or
	// later within the time that the token is usable.
	wait := lifetime / 2
	if wish := result.Metadata.RefreshOn; !wish.IsZero() {
		wait = min(wish.Sub(now), lifetime-expiryMargin)
	}
	wait = min(wait, maxRefresh)
	wait -= time.Duration(refreshJitter * rand.Float64() * float64(wait))
	return &token{value: result.AccessToken, acquired: now, refreshAt: now.Add(max(wait, minRefresh)), expiry: now.Add(lifetime)}, nil
}

// isHeaderSafe accepts what can stand in a header after "Bearer ": visible ASCII (RFC 9110 section 5.5), within maxAccessToken.
func isHeaderSafe(value string) bool {
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return false
		}
	}
	return value != "" && len(value) <= maxAccessToken
}
