package graph

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

func holds(roles []string, any ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(any, r) })
}

// ChallengeError, in the chain of Authorize's error, makes the 401 a claims challenge of continuous access evaluation
// (learn.microsoft.com/entra/identity-platform/claims-challenge).
type ChallengeError struct {
	// Claims is the JSON that the next token must be asked for with.
	Claims string
}

func (*ChallengeError) Error() string { return "the token does not have the claims that are needed" }

// authorize reads the bearer token and asks Config.Authorize about it.
func (s *Server) authorize(r *http.Request) ([]string, *problem) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(r.Header.Values("Authorization")) != 1 {
		return nil, &problem{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: "Access token is empty."}
	}
	roles, err := s.cfg.Authorize(token)
	var challenge *ChallengeError
	if errors.As(err, &challenge) {
		return nil, &problem{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", claims: challenge.Claims,
			message: "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp"}
	}
	if err != nil {
		return nil, &problem{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken",
			message: "Access token validation failure. Invalid or expired token."}
	}
	return roles, nil
}
