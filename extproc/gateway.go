package extproc

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/graphveil/graphveil/extproc/inflate"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/extproc/sanitize"
	"github.com/graphveil/graphveil/policy"
)

// Gateway holds what all exchanges share. It is safe for concurrent use. Each
// exchange pins the policy snapshot and the keys of its start.
type Gateway struct {
	policy   func() *policy.Snapshot
	keys     atomic.Pointer[keys]
	upstream string
	origin   string
	agent    string
	claims   bool

	pool      sync.Pool // of *sanitize.Rewriter
	repeats   sync.Pool // of empty *repeats
	inflaters sync.Pool // of *inflate.Inflater
}

// keys make and understand the pseudonyms and the page links of an exchange. They
// change together: link keys may be derived from those of pseudonyms.
type keys struct {
	codec *pseudonym.Codec
	links *pseudonym.Links
}

// GatewayConfig is what NewGateway needs. Fields that do not say what their zero value
// means are required.
type GatewayConfig struct {
	// Policy returns the snapshot in force. While it returns nil, exchanges are refused.
	Policy func() *policy.Snapshot
	// Codec makes and reveals pseudonyms.
	Codec *pseudonym.Codec
	// Links seals and opens page links.
	Links *pseudonym.Links
	// Upstream is the host (and port, if not 443) that the upstream writes into
	// its links. Links to any other host are dropped.
	Upstream string
	// Origin, as "https://graph.example", is written before sealed links. Empty
	// means the scheme and authority of each request.
	Origin string
	// UserAgent is sent upstream in place of the client's.
	UserAgent string
	// NeedClaims refuses requests that come without the claims of a token that Envoy
	// verified: it may be another Envoy than the one that was told to ask for tokens.
	// Zero: a caller needs no token.
	NeedClaims bool
	// Limits bound the JSON of responses. The zero value means the defaults.
	Limits sanitize.Limits
}

// NewGateway checks the configuration and returns a Gateway.
func NewGateway(c GatewayConfig) (*Gateway, error) {
	switch {
	case c.Policy == nil:
		return nil, errors.New("making the gateway: no policy")
	case c.Codec == nil:
		return nil, errors.New("making the gateway: no pseudonyms")
	case c.Links == nil:
		return nil, errors.New("making the gateway: no link keys")
	case c.Upstream == "":
		return nil, errors.New("making the gateway: no upstream host")
	case c.UserAgent == "":
		return nil, errors.New("making the gateway: no user agent")
	}
	g := &Gateway{
		policy:   c.Policy,
		upstream: strings.ToLower(c.Upstream),
		origin:   strings.TrimSuffix(c.Origin, "/"),
		agent:    c.UserAgent,
		claims:   c.NeedClaims,
	}
	g.UseKeys(c.Codec, c.Links)
	g.pool.New = func() any { return sanitize.New(c.Limits) }
	g.inflaters.New = func() any { return inflate.New() }
	g.repeats.New = func() any { return newRepeats(repeatSlots, repeatBytes) }
	return g, nil
}

// UseKeys changes the keys, for exchanges that begin from now on. Neither may be nil.
func (g *Gateway) UseKeys(codec *pseudonym.Codec, links *pseudonym.Links) {
	g.keys.Store(&keys{codec, links})
}
