package platform

import (
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Bounds of GetWebIdentityToken (docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html).
const (
	minWebIdentity     = 60
	maxWebIdentity     = 3600
	defaultWebIdentity = 300
	maxAudiences       = 10
	maxAudience        = 1000
	maxRequestTags     = 50
	maxWebIdentityJWT  = 8 << 10 // the real limit is not published
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// STS answers the regional endpoint of the Security Token Service: the actions GetWebIdentityToken and
// AssumeRoleWithWebIdentity of the query protocol.
func (a *AWS) STS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.setDate(w)
		if no := a.serveSTS(w, r); no != nil {
			a.count(func(s *AWSStats) { s.Refused[no.code]++ })
			writeXML(w, no.status, stsError{Namespace: stsNamespace, Type: "Sender", Code: no.code, Message: no.text, RequestID: awsGUID()})
		}
	})
}

type stsError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

type stsToken struct {
	XMLName    xml.Name `xml:"GetWebIdentityTokenResponse"`
	Namespace  string   `xml:"xmlns,attr"`
	Token      string   `xml:"GetWebIdentityTokenResult>WebIdentityToken"`
	Expiration string   `xml:"GetWebIdentityTokenResult>Expiration"`
	RequestID  string   `xml:"ResponseMetadata>RequestId"`
}

func writeXML(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}

func (a *AWS) serveSTS(w http.ResponseWriter, r *http.Request) *awsRefusal {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return &awsRefusal{"InvalidAction", "", http.StatusBadRequest, "Could not find operation"}
	}
	body, no := readAWS(r)
	if no != nil {
		return no
	}
	form, err := url.ParseQuery(string(body))
	if err == nil && form.Get("Action") == "AssumeRoleWithWebIdentity" {
		return a.assumeRole(w, form)
	}
	key, no := a.authenticate(r, body, "sts")
	if no != nil {
		return no
	}
	if a.throttle() {
		return &awsRefusal{"Throttling", "", http.StatusBadRequest, "Rate exceeded"}
	}
	if err != nil || form.Get("Action") != "GetWebIdentityToken" || form.Get("Version") != "2011-06-15" {
		return &awsRefusal{"InvalidAction", "", http.StatusBadRequest, "Could not find operation " + form.Get("Action") + " for version " + form.Get("Version")}
	}
	request, no := parseWebIdentity(form)
	if no != nil {
		return no
	}
	if no := a.authorize(key, request); no != nil {
		return no
	}
	token, expiry, no := a.signWebIdentity(key, request)
	if no != nil {
		return no
	}
	a.cfg.Secret(token)
	a.count(func(s *AWSStats) { s.Tokens++ })
	writeXML(w, http.StatusOK, stsToken{Namespace: stsNamespace, Token: token, Expiration: expiry.UTC().Format(time.RFC3339), RequestID: awsGUID()})
	return nil
}

// webIdentityRequest is what a caller asks for.
type webIdentityRequest struct {
	audiences []string
	algorithm jose.SignatureAlgorithm
	duration  time.Duration
	tags      map[string]string
}

func parseWebIdentity(form url.Values) (webIdentityRequest, *awsRefusal) {
	request := webIdentityRequest{algorithm: jose.SignatureAlgorithm(form.Get("SigningAlgorithm")), duration: defaultWebIdentity * time.Second,
		tags: make(map[string]string)}
	for i := 1; form.Has(fmt.Sprintf("Audience.member.%d", i)); i++ {
		request.audiences = append(request.audiences, form.Get(fmt.Sprintf("Audience.member.%d", i)))
	}
	for i := 1; form.Has(fmt.Sprintf("Tags.member.%d.Key", i)); i++ {
		request.tags[form.Get(fmt.Sprintf("Tags.member.%d.Key", i))] = form.Get(fmt.Sprintf("Tags.member.%d.Value", i))
	}
	invalid := func(what string) (webIdentityRequest, *awsRefusal) {
		return request, &awsRefusal{"ValidationError", "", http.StatusBadRequest, "1 validation error detected: Value at '" + what + "' failed to satisfy constraint"}
	}
	if n := len(request.audiences); n == 0 || n > maxAudiences ||
		slices.ContainsFunc(request.audiences, func(a string) bool { return a == "" || len(a) > maxAudience }) {
		return invalid("audience")
	}
	if request.algorithm != jose.RS256 && request.algorithm != jose.ES384 {
		return invalid("signingAlgorithm")
	}
	if len(request.tags) > maxRequestTags {
		return invalid("tags")
	}
	if text := form.Get("DurationSeconds"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < minWebIdentity || seconds > maxWebIdentity {
			return invalid("durationSeconds")
		}
		request.duration = time.Duration(seconds) * time.Second
	}
	return request, nil
}

// authorize holds the request against the policies of the key's role, and against the account.
func (a *AWS) authorize(key AWSKey, request webIdentityRequest) *awsRefusal {
	role := a.role(key.Role)
	allowed := role.WebIdentityToken &&
		(role.MaxDuration == 0 || request.duration <= role.MaxDuration) &&
		(role.Algorithm == "" || role.Algorithm == string(request.algorithm))
	if len(role.Audiences) > 0 {
		allowed = allowed && !slices.ContainsFunc(request.audiences, func(a string) bool { return !slices.Contains(role.Audiences, a) })
	}
	switch {
	case !allowed:
		return &awsRefusal{"AccessDenied", "", http.StatusForbidden, fmt.Sprintf(
			"User: %s is not authorized to perform: sts:GetWebIdentityToken because no identity-based policy allows the sts:GetWebIdentityToken action", assumed(key.Role))}
	case a.cfg.OutboundFederationDisabled:
		return &awsRefusal{"OutboundWebIdentityFederationDisabledException", "", http.StatusForbidden,
			"Outbound web identity federation is disabled for account " + a.account + "."}
	case !key.Expiry.IsZero() && a.cfg.Now().Add(request.duration).After(key.Expiry):
		return &awsRefusal{"SessionDurationEscalationException", "", http.StatusForbidden,
			"The requested token duration would extend the session beyond its original expiration time."}
	}
	return nil
}

// assumed is the ARN of a session of the role, as messages have it: without the role's path.
func assumed(role string) string {
	account, _, _ := strings.Cut(role, ":role/")
	return strings.Replace(account, ":iam:", ":sts:", 1) + ":assumed-role/" + path.Base(role) + "/session"
}

// awsClaims is the claim "https://sts.amazonaws.com/"
// (docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html).
type awsClaims struct {
	Account      string            `json:"aws_account"`
	SourceRegion string            `json:"source_region"`
	RequestTags  map[string]string `json:"request_tags,omitempty"`
}

func (a *AWS) signWebIdentity(key AWSKey, request webIdentityRequest) (string, time.Time, *awsRefusal) {
	now := a.cfg.Now()
	expiry := now.Add(request.duration)
	claims := struct {
		jwt.Claims
		AWS awsClaims `json:"https://sts.amazonaws.com/"`
	}{
		Claims: jwt.Claims{
			Issuer:   a.cfg.Issuer,
			Subject:  key.Role,
			Audience: request.audiences,
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(expiry),
			ID:       rand.Text(),
		},
		AWS: awsClaims{Account: a.account, SourceRegion: a.cfg.Region, RequestTags: request.tags},
	}
	if content, err := json.Marshal(claims); err != nil || len(content) > maxWebIdentityJWT {
		return "", expiry, &awsRefusal{"JWTPayloadSizeExceededException", "", http.StatusBadRequest, "The requested token payload size exceeds the maximum allowed size."}
	}
	var token string
	var err error
	if request.algorithm == jose.RS256 {
		token, err = a.issuer.Sign(claims)
	} else {
		var signer jose.Signer
		signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES384, Key: a.elliptic}, (&jose.SignerOptions{}).WithType("JWT"))
		if err == nil {
			token, err = jwt.Signed(signer).Claims(claims).Serialize()
		}
	}
	if err != nil {
		return "", expiry, &awsRefusal{"InternalFailure", "", http.StatusInternalServerError, "The request processing has failed because of an unknown error"}
	}
	return token, expiry, nil
}
