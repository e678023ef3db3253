package graph

import (
	"net/http"
	"slices"
	"strings"
)

func holds(roles []string, any ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(any, r) })
}

// authorize reads the bearer token and asks Config.Authorize about it.
func (s *Server) authorize(r *http.Request) ([]string, *problem) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(r.Header.Values("Authorization")) != 1 {
		return nil, &problem{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: "Access token is empty."}
	}
	roles, err := s.cfg.Authorize(token)
	if err != nil {
		return nil, &problem{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken",
			message: "Access token validation failure. Invalid or expired token."}
	}
	return roles, nil
}
