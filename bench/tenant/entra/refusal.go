package entra

import (
	"crypto/rand"
	"fmt"
	"net/http"
)

// refusal is one way in which Entra says no. Codes, OAuth errors and wording follow the published list of error codes
// (learn.microsoft.com/entra/identity-platform/reference-error-codes) and answers that users of the real service report; like
// there, the text repeats parts of the request, so a client that logs it raw is found out.
type refusal struct {
	code   int // AADSTS number
	status int
	oauth  string // RFC 6749 section 5.2, and Entra's own
	text   string
}

var malformedRequest = refusal{9002313, http.StatusBadRequest, "invalid_request", "Invalid request. Request is malformed or invalid."}

func missingParameter(name string) *refusal {
	return &refusal{900144, http.StatusBadRequest, "invalid_request",
		"The request body must contain the following parameter: '" + name + "'."}
}

// unknownTenant is invalid_tenant in discovery and invalid_request at the token endpoint.
func unknownTenant(tenant, oauth string) refusal {
	return refusal{90002, http.StatusBadRequest, oauth, "Tenant '" + tenant + "' not found. Check to make sure you have the correct tenant " +
		"ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active " +
		"subscriptions for the tenant."}
}

func (s *Server) refuse(w http.ResponseWriter, no refusal) {
	s.mu.Lock()
	s.stats.Refused[no.code]++
	s.mu.Unlock()
	writeRefusal(w, no, s.cfg.Now().UTC().Format("2006-01-02 15:04:05Z"))
}

func writeRefusal(w http.ResponseWriter, no refusal, timestamp string) {
	trace, correlation := guid(), guid()
	writeJSON(w, no.status, map[string]any{
		"error": no.oauth,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			no.code, no.text, trace, correlation, timestamp),
		"error_codes":    []int{no.code},
		"timestamp":      timestamp,
		"trace_id":       trace,
		"correlation_id": correlation,
		"error_uri":      fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", no.code),
	})
}

func guid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
