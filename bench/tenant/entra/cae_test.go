package entra

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	capable   = `{"access_token":{"xms_cc":{"values":["CP1"]}}}`
	incapable = ""
)

// with is a token request with a claims parameter.
func with(t *testing.T, claims string) url.Values {
	t.Helper()
	form := request(t)
	if claims != "" {
		form.Set("claims", claims)
	}
	return form
}

func mustIssue(t *testing.T, s *Server, claims string) answer {
	t.Helper()
	a := post(t, s, tenantID, with(t, claims))
	if a.Status != 200 {
		t.Fatalf("asked with %s: status %d %s", claims, a.Status, a.Description)
	}
	return a
}

// answering merges what a challenge asks for with the capability, as clients do.
func answering(challenge string) string {
	return strings.Replace(challenge, `{"access_token":{`, `{"access_token":{"xms_cc":{"values":["cp1"]},`, 1)
}

func TestLifeOfTokensWithCP1(t *testing.T) {
	s := newServer(t, func(c *Config) { c.CAELifetime = 28 * time.Hour })
	for claims, want := range map[string]int{
		incapable: 3599,
		capable:   28*3600 - 1,
		`{"access_token":{"xms_cc":{"values":["x","cp1"]}}}`: 28*3600 - 1,
		`{"access_token":{"xms_cc":{"values":["x"]}}}`:       3599,
		`{"id_token":{"auth_time":null}}`:                    3599,
	} {
		a := mustIssue(t, s, claims)
		verified, err := s.Verify(a.AccessToken)
		if left := time.Until(verified.Expiry).Seconds(); err != nil || a.ExpiresIn != want || left < float64(want)-10 || left > float64(want)+2 {
			t.Errorf("asked with %s: expires_in %d, %v s left, %v; want %d", claims, a.ExpiresIn, left, err, want)
		}
	}
	for _, claims := range []string{"x", "[]", capable[1:], `{"access_token":{"xms_cc":["CP1"]}}`, `{"access_token":{"nbf":{"essential":true,"value":"soon"}}}`} {
		if a := post(t, s, tenantID, with(t, claims)); a.Status != 400 || a.Codes[0] != 9002313 {
			t.Errorf("asked with %s: status %d %v", claims, a.Status, a.Codes)
		}
	}
}

func TestRevocation(t *testing.T) {
	s := newServer(t, nil)
	challenge := func(token string) string {
		t.Helper()
		_, err := s.Verify(token)
		var revoked *RevokedError
		if !errors.As(err, &revoked) {
			t.Fatalf("a revoked token: %v", err)
		}
		return revoked.Claims
	}
	ordinary, able := mustIssue(t, s, incapable).AccessToken, mustIssue(t, s, capable).AccessToken
	s.Revoke(strings.ToUpper(mailApp))
	if claims := challenge(ordinary); claims != "" {
		t.Errorf("a client without the capability is challenged: %s", claims)
	}
	claims := challenge(able)
	if !strings.HasPrefix(claims, `{"access_token":{"nbf":{"essential":true,"value":"`) {
		t.Errorf("challenge %s", claims)
	}
	if again := challenge(mustIssue(t, s, capable).AccessToken); again != claims {
		t.Errorf("a token that was asked for without the claims of the challenge: %s", again)
	}
	for range 3 { // all within a second
		next := mustIssue(t, s, answering(claims)).AccessToken
		if _, err := s.Verify(next); err != nil {
			t.Fatalf("a token that was asked for with the claims of the challenge: %v", err)
		}
		s.Revoke(mailApp)
		claims = challenge(next)
	}
}

func TestDisabledApplication(t *testing.T) {
	s := newServer(t, nil)
	token := mustIssue(t, s, capable).AccessToken
	s.Disable(mailApp)
	var revoked *RevokedError
	if _, err := s.Verify(token); !errors.As(err, &revoked) {
		t.Errorf("the token of a disabled application: %v", err)
	}
	if a := post(t, s, tenantID, with(t, capable)); a.Status != 400 || a.Error != "unauthorized_client" || a.Codes[0] != 7000112 {
		t.Errorf("a disabled application got status %d %s %v", a.Status, a.Error, a.Codes)
	}
	s.Enable(mailApp)
	next := mustIssue(t, s, answering(revoked.Claims)).AccessToken
	if _, err := s.Verify(next); err != nil {
		t.Errorf("the token of an application that is enabled again: %v", err)
	}
}
