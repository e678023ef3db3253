package platform

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// CognitoIssuer is the issuer of the tokens of every identity pool of every account.
const CognitoIssuer = "https://cognito-identity.amazonaws.com"

const (
	defaultCognitoToken = 15 * time.Minute
	maxCognitoToken     = 24 * time.Hour
)

// cognitoID is the form of a pool's and of an identity's id.
var cognitoID = regexp.MustCompile(`^[\w-]+:[0-9a-f-]+$`)

// IdentityPool is a Cognito identity pool.
type IdentityPool struct {
	// ID is REGION:GUID.
	ID string
	// DeveloperProvider is the name under which the account vouches for logins of its own.
	DeveloperProvider string
}

// CognitoKeys serves the OpenID configuration and the keys of [CognitoIssuer].
func (a *AWS) CognitoKeys() http.Handler { return a.cognitoIssuer }

// Identity is the id that the pool has for a login, making it when it is new: what an administrator reads off before writing the
// federated credential.
func (a *AWS) Identity(pool, provider, login string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := pool + "\x00" + provider + "\x00" + login
	id, known := a.identities[name]
	if !known {
		id = a.cfg.Region + ":" + awsGUID()
		a.identities[name] = id
	}
	return id
}

// Cognito answers the regional endpoint of Cognito identity pools: GetOpenIdTokenForDeveloperIdentity of the JSON 1.1 protocol.
func (a *AWS) Cognito() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.setDate(w)
		if no := a.serveCognito(w, r); no != nil {
			a.count(func(s *AWSStats) { s.Refused[no.json]++ })
			w.Header().Set("X-Amzn-Errortype", no.json+":")
			writeAWS(w, http.StatusBadRequest, "application/x-amz-json-1.1", map[string]string{"__type": no.json, "message": no.text})
		}
	})
}

// cognitoRequest is GetOpenIdTokenForDeveloperIdentityInput.
type cognitoRequest struct {
	IdentityID   string `json:"IdentityId"`
	IdentityPool string `json:"IdentityPoolId"`
	Logins       map[string]string
	Duration     *int64 `json:"TokenDuration"`
}

func (a *AWS) serveCognito(w http.ResponseWriter, r *http.Request) *awsRefusal {
	refuse := func(code, text string) *awsRefusal { return &awsRefusal{json: code, text: text} }
	if r.Method != http.MethodPost || r.Header.Get("X-Amz-Target") != "AWSCognitoIdentityService.GetOpenIdTokenForDeveloperIdentity" ||
		r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		return refuse("UnknownOperationException", "")
	}
	body, no := readAWS(r)
	if no != nil {
		return no
	}
	key, no := a.authenticate(r, body, "cognito-identity")
	if no != nil {
		return no
	}
	if a.throttle() {
		return refuse("TooManyRequestsException", "Rate exceeded")
	}
	var request cognitoRequest
	if json.Unmarshal(body, &request) != nil {
		return refuse("SerializationException", "")
	}
	if !slices.Contains(a.role(key.Role).Pools, request.IdentityPool) {
		return refuse("AccessDeniedException", "User: "+assumed(key.Role)+" is not authorized to perform: cognito-identity:GetOpenIdTokenForDeveloperIdentity")
	}
	identity, no := a.resolveIdentity(request)
	if no != nil {
		return no
	}
	lifetime := defaultCognitoToken
	if request.Duration != nil {
		lifetime = time.Duration(*request.Duration) * time.Second
	}
	if lifetime < time.Second || lifetime > maxCognitoToken {
		return refuse("InvalidParameterException", "Token duration is out of range")
	}
	now := a.cfg.Now()
	token, err := a.cognitoIssuer.Sign(struct {
		jwt.Claims
		Methods []string `json:"amr"`
	}{
		Claims: jwt.Claims{
			Issuer:   CognitoIssuer,
			Subject:  identity,
			Audience: jwt.Audience{request.IdentityPool},
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(now.Add(lifetime)),
			ID:       rand.Text(),
		},
		Methods: []string{"authenticated"},
	})
	if err != nil {
		return refuse("InternalErrorException", "")
	}
	a.cfg.Secret(token)
	a.count(func(s *AWSStats) { s.Tokens++ })
	writeAWS(w, http.StatusOK, "application/x-amz-json-1.1", map[string]string{"IdentityId": identity, "Token": token})
	return nil
}

// resolveIdentity finds the identity that a login stands for. A login that is new makes one.
func (a *AWS) resolveIdentity(request cognitoRequest) (string, *awsRefusal) {
	refuse := func(code, text string) (string, *awsRefusal) { return "", &awsRefusal{json: code, text: text} }
	at := slices.IndexFunc(a.cfg.Pools, func(p IdentityPool) bool { return p.ID == request.IdentityPool })
	switch {
	case !cognitoID.MatchString(request.IdentityPool):
		return refuse("InvalidParameterException", "Value '"+request.IdentityPool+"' at 'identityPoolId' failed to satisfy constraint")
	case at < 0:
		return refuse("ResourceNotFoundException", "IdentityPool '"+request.IdentityPool+"' not found.")
	case len(request.Logins) != 1:
		return refuse("InvalidParameterException", "Please provide exactly one developer login.")
	}
	pool := a.cfg.Pools[at]
	login, ok := request.Logins[pool.DeveloperProvider]
	if !ok || login == "" {
		return refuse("InvalidParameterException", "Logins don't match. Please include at least one valid login for this identity or identity pool.")
	}
	identity := a.Identity(pool.ID, pool.DeveloperProvider, login)
	if request.IdentityID != "" && request.IdentityID != identity {
		return refuse("DeveloperUserAlreadyRegisteredException", "Login is already registered with "+identity)
	}
	return identity, nil
}
