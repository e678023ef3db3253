package entra

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"
)

// ClientSecret is a password of an application.
type ClientSecret struct {
	// Value is the secret itself, not its id. Required.
	Value string
	// Expiry is when it ends. Zero: never.
	Expiry time.Time
}

// checkSecret says why a secret does not stand for the application, or nil when it does. It compares with every secret in constant time.
func (s *Server) checkSecret(app App, given string) *refusal {
	sum := sha256.Sum256([]byte(given))
	matches, valid := 0, 0
	for _, secret := range app.Secrets {
		other := sha256.Sum256([]byte(secret.Value))
		match := subtle.ConstantTimeCompare(sum[:], other[:])
		matches |= match
		if secret.Expiry.IsZero() || s.cfg.Now().Before(secret.Expiry) {
			valid |= match
		}
	}
	switch {
	case valid == 1:
		return nil
	case matches == 1:
		return &refusal{7000222, http.StatusUnauthorized, "invalid_client", "The provided client secret keys for app '" + app.ClientID +
			"' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using " +
			"certificate credentials for added security: https://aka.ms/certCreds."}
	}
	return &refusal{7000215, http.StatusUnauthorized, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in " +
		"the request is the client secret value, not the client secret ID, for a secret added to app '" + app.ClientID + "'."}
}
