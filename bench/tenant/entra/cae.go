package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Continuous access evaluation: a client that declares the capability CP1 gets tokens that Graph can call back before they expire, and
// must answer the challenge with which it does so (learn.microsoft.com/entra/identity-platform/claims-challenge and
// .../conditional-access/concept-continuous-access-evaluation-workload).
//
// Tokens are back-dated (backdated), so one that was asked for without the challenge's claims stays before the revocation for some
// minutes, and is as dead as the last: a client that drops the claims is found out.

// backdated is how long before its making Entra lets a token begin.
const backdated = 5 * time.Minute

// RevokedError is [Server.Verify]'s error for a token from before its application's tokens were revoked.
type RevokedError struct {
	// Claims is the JSON that a request for the next token must carry in its claims parameter. It is empty for a token whose client
	// did not declare CP1: nobody would understand the challenge.
	Claims string
}

func (*RevokedError) Error() string { return "verifying access token: it is revoked" }

// Revoke makes Graph refuse every access token that the application holds now. It can have new ones at once.
func (s *Server) Revoke(clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoke(strings.ToLower(clientID))
}

// Disable does what an administrator does to an application that should be stopped: its tokens are revoked and it gets no more
// (AADSTS7000112), until [Server.Enable].
func (s *Server) Disable(clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clientID = strings.ToLower(clientID)
	s.disabled[clientID] = true
	s.revoke(clientID)
}

// Enable ends what [Server.Disable] began.
func (s *Server) Enable(clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.disabled, strings.ToLower(clientID))
}

// revoke sets the second from which on tokens must begin: the one after this, for one issued in this second is to be revoked too, and
// later than the last time. The caller holds mu.
func (s *Server) revoke(id string) {
	next := s.cfg.Now().Unix() + 1
	s.revoked[id] = max(next, s.revoked[id]+1)
}

// wanted is what the claims parameter of a token request asks for.
type wanted struct {
	capable   bool  // the client declares CP1
	notBefore int64 // the token must not begin earlier, in seconds since 1970; 0 if not said
}

// wantedOf reads the parameter claims (OpenID Connect Core 1.0, section 5.5); a request without it wants nothing.
func wantedOf(form url.Values) (wanted, *refusal) {
	text := form.Get("claims")
	if text == "" {
		return wanted{}, nil
	}
	var claims struct {
		AccessToken struct {
			Capabilities struct {
				Values []string `json:"values"`
			} `json:"xms_cc"`
			NotBefore struct {
				Essential bool   `json:"essential"`
				Value     string `json:"value"`
			} `json:"nbf"`
		} `json:"access_token"`
	}
	if json.Unmarshal([]byte(text), &claims) != nil {
		return wanted{}, &malformedRequest
	}
	var w wanted
	w.capable = slices.ContainsFunc(claims.AccessToken.Capabilities.Values, func(one string) bool { return strings.EqualFold(one, "CP1") })
	if nbf := claims.AccessToken.NotBefore; nbf.Essential {
		seconds, err := strconv.ParseInt(nbf.Value, 10, 64)
		if err != nil {
			return wanted{}, &malformedRequest
		}
		w.notBefore = seconds
	}
	return w, nil
}

// checkEnabled says that the application is disabled, or nil.
func (s *Server) checkEnabled(app App) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.disabled[strings.ToLower(app.ClientID)] {
		return nil
	}
	return &refusal{7000112, http.StatusBadRequest, "unauthorized_client", "Application '" + app.ClientID + "'(synthetic) is disabled."}
}

// lifetime is how long a token lives: with CP1 for CAELifetime, if the tenant has one.
func (s *Server) lifetime(w wanted) time.Duration {
	if w.capable && s.cfg.CAELifetime > 0 {
		return s.cfg.CAELifetime
	}
	return s.cfg.TokenLifetime
}

// begin is the nbf and iat of a token made now.
func (w wanted) begin(now time.Time) time.Time {
	if w.notBefore == 0 {
		return now.Add(-backdated)
	}
	return time.Unix(max(w.notBefore, now.Unix()), 0)
}

// checkRevoked holds a token against the last revocation.
func (s *Server) checkRevoked(claims accessClaims) error {
	s.mu.Lock()
	since := s.revoked[strings.ToLower(claims.AppID)]
	s.mu.Unlock()
	switch {
	case claims.NotBefore.Time().Unix() >= since:
		return nil
	case !slices.Contains(claims.Capabilities, "CP1"):
		return &RevokedError{}
	}
	return &RevokedError{Claims: fmt.Sprintf(`{"access_token":{"nbf":{"essential":true,"value":"%d"}}}`, since)}
}
