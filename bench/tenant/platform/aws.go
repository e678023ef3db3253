package platform

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// AWSConfig describes one AWS account as seen in one region. It is read once, by [NewAWS].
type AWSConfig struct {
	// Region is the one that requests must be signed for, such as "eu-central-1". Required.
	Region string
	// Issuer is the account's own issuer of web identity tokens. Empty: a random name under tokens.sts.global.api.aws, as accounts get
	// when an administrator enables outbound federation.
	Issuer string
	// OutboundFederationDisabled is an account whose administrator has not enabled outbound federation, as every account begins.
	OutboundFederationDisabled bool
	// Roles are the principals that may have credentials. Required.
	Roles []AWSRole
	// Pools are the Cognito identity pools of the account.
	Pools []IdentityPool
	// SessionLifetime is the life of credentials that services hand out. Zero: an hour.
	SessionLifetime time.Duration
	// Now is the clock of all services. Nil: time.Now.
	Now func() time.Time
	// Secret is told everything that nobody else may learn, as it is made: secret keys, session tokens, tokens. Nil: nobody is told.
	Secret func(string)
}

// AWSRole is an IAM role with what its policies allow. The zero value allows nothing.
type AWSRole struct {
	// ARN is arn:aws:iam::ACCOUNT:role/NAME. Required.
	ARN string
	// WebIdentityToken allows sts:GetWebIdentityToken.
	WebIdentityToken bool
	// Audiences, MaxDuration and Algorithm are conditions on it: sts:IdentityTokenAudience (ForAllValues:StringEquals),
	// sts:DurationSeconds (NumericLessThanEquals) and sts:SigningAlgorithm (StringEquals). The zero values are no condition.
	Audiences   []string
	MaxDuration time.Duration
	Algorithm   string
	// Trust lets the workloads of a cluster assume the role. Nil: none can.
	Trust *AWSTrust
	// Pools are the ids of the pools for which cognito-identity:GetOpenIdTokenForDeveloperIdentity is allowed. IAM has no condition on
	// the identity within a pool.
	Pools []string
}

// AWS is the account. Its services are handlers for the root of their hosts, safe for concurrent use.
type AWS struct {
	cfg           AWSConfig
	account       string
	issuer        *entra.Issuer
	elliptic      jose.JSONWebKey // signs when ES384 is asked for
	cognitoIssuer *entra.Issuer

	mu         sync.Mutex
	keys       map[string]AWSKey // by id
	identities map[string]string // by pool, provider and login
	throttled  int
	stats      AWSStats
}

// AWSKey is a set of AWS credentials. Session and Expiry are zero for a long-lived key.
type AWSKey struct {
	ID, Secret, Session string
	Expiry              time.Time
	Role                string
}

// AWSStats counts what the account's services answered.
type AWSStats struct {
	// Tokens counts web identity tokens and Cognito's tokens given out.
	Tokens int
	// Sessions counts credentials that metadata services and assumptions of a role handed out.
	Sessions int
	// Refused counts refusals by code, as the code goes over the wire.
	Refused map[string]int
}

// NewAWS makes an account with fresh signing keys and no credentials; see [AWS.NewKey] and [AWS.NewSession].
func NewAWS(cfg AWSConfig) (*AWS, error) {
	if cfg.Region == "" || len(cfg.Roles) == 0 {
		return nil, errors.New("creating synthetic aws: no region or no roles")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.SessionLifetime == 0 {
		cfg.SessionLifetime = time.Hour
	}
	if cfg.Secret == nil {
		cfg.Secret = func(string) {}
	}
	if cfg.Issuer == "" {
		cfg.Issuer = "https://" + awsGUID() + ".tokens.sts.global.api.aws"
	}
	a := &AWS{cfg: cfg, keys: make(map[string]AWSKey), identities: make(map[string]string)}
	a.stats.Refused = make(map[string]int)
	for _, role := range cfg.Roles {
		parts := strings.Split(role.ARN, ":")
		if len(parts) != 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
			return nil, fmt.Errorf("creating synthetic aws: %q is not the ARN of a role", role.ARN)
		}
		a.account = parts[4]
	}
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("creating synthetic aws: %w", err)
	}
	a.elliptic = jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(jose.ES384), Use: "sig"}
	if a.issuer, err = entra.NewIssuer(cfg.Issuer); err != nil {
		return nil, fmt.Errorf("creating synthetic aws: %w", err)
	}
	if a.cognitoIssuer, err = entra.NewIssuer(CognitoIssuer); err != nil {
		return nil, fmt.Errorf("creating synthetic aws: %w", err)
	}
	return a, nil
}

// IssuerURL is the iss claim of the account's web identity tokens.
func (a *AWS) IssuerURL() string { return a.cfg.Issuer }

// Issuer serves the OpenID configuration and the keys of [AWS.IssuerURL].
func (a *AWS) Issuer() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.issuer)
	mux.HandleFunc("GET /openid/v1/jwks", func(w http.ResponseWriter, _ *http.Request) {
		keys := a.issuer.Keys()
		keys.Keys = append(keys.Keys, a.elliptic.Public())
		writeAWS(w, http.StatusOK, "application/json", keys)
	})
	return mux
}

// NewKey makes a long-lived access key of a role. (In the world only users have them; it serves for the same.)
func (a *AWS) NewKey(role string) AWSKey {
	return a.addKey(AWSKey{ID: "AKIA" + rand.Text()[:16], Secret: awsSecret(), Role: role})
}

// NewSession makes temporary credentials of a role, as a metadata service or an assumption of the role gives out. A negative lifetime
// makes credentials that have expired.
func (a *AWS) NewSession(role string, lifetime time.Duration) AWSKey {
	return a.addKey(AWSKey{ID: "ASIA" + rand.Text()[:16], Secret: awsSecret(), Session: awsSecret() + awsSecret(),
		Expiry: a.cfg.Now().Add(lifetime).Truncate(time.Second), Role: role})
}

func (a *AWS) addKey(key AWSKey) AWSKey {
	a.cfg.Secret(key.ID)
	a.cfg.Secret(key.Secret)
	a.cfg.Secret(key.Session)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[key.ID] = key
	return key
}

// Forget makes the services no longer know a key, as after its deletion.
func (a *AWS) Forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, id)
}

// Throttle makes STS and Cognito refuse the next n requests for their rate.
func (a *AWS) Throttle(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.throttled = n
}

// Stats returns a copy of the counters.
func (a *AWS) Stats() AWSStats {
	a.mu.Lock()
	defer a.mu.Unlock()
	stats := a.stats
	stats.Refused = make(map[string]int, len(a.stats.Refused))
	for code, n := range a.stats.Refused {
		stats.Refused[code] = n
	}
	return stats
}

func (a *AWS) role(arn string) AWSRole {
	if i := slices.IndexFunc(a.cfg.Roles, func(r AWSRole) bool { return r.ARN == arn }); i >= 0 {
		return a.cfg.Roles[i]
	}
	return AWSRole{}
}

// throttle takes one of the refusals that [AWS.Throttle] ordered.
func (a *AWS) throttle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.throttled == 0 {
		return false
	}
	a.throttled--
	return true
}

func (a *AWS) count(change func(*AWSStats)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.stats)
}

// setDate makes the Date header that of the account's clock: clients correct their clocks by it.
func (a *AWS) setDate(w http.ResponseWriter) {
	w.Header().Set("Date", a.cfg.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Amzn-Requestid", awsGUID())
}

// awsRefusal is one way in which a service says no. The code is that of the query protocol; services that speak JSON have another.
type awsRefusal struct {
	code, json string
	status     int // of the query protocol; JSON's is 400
	text       string
}

func awsSecret() string { return rand.Text() + rand.Text()[:14] }

func awsGUID() string {
	id := strings.ToLower(fmt.Sprintf("%x", rand.Text()))
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:32]
}

func writeAWS(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}
