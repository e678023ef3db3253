package entra

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// Fault is what the server does instead of, or before, its work. The zero value does nothing.
type Fault struct {
	// Delay passes before anything else; it ends early when the client goes away.
	Delay time.Duration
	// Drop closes the connection without an answer.
	Drop bool
	// Status is answered with Body, or with an Entra error about a transient failure if Body is empty. Zero with a Body: 200.
	// Zero without: the request is served, only later.
	Status int
	// RetryAfter is the text of a Retry-After header: seconds, an HTTP date, or nonsense. Empty: no header.
	RetryAfter string
	// Body is sent as it is, labelled JSON whatever it holds.
	Body string
}

// Break makes every request from now on, discovery included, meet the fault. It replaces an earlier one.
func (s *Server) Break(fault Fault) { s.fault.Store(&fault) }

// Repair ends what [Server.Break] began.
func (s *Server) Repair() { s.fault.Store(nil) }

// serve applies the fault and reports whether the request is dealt with.
func (f *Fault) serve(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return true
		}
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 && f.Body == "" {
		return false
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	if f.Body == "" {
		writeRefusal(w, refusal{90033, status, "temporarily_unavailable", "A transient error has occurred. Please try again."},
			time.Now().UTC().Format("2006-01-02 15:04:05Z"))
		return true
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, f.Body) // the client is gone: nobody is left to tell
	return true
}

// Stats counts what the server was asked and how it answered.
type Stats struct {
	// TokenRequests arrived at the token endpoint, those that met a fault included; OtherRequests anywhere else.
	TokenRequests, OtherRequests int
	// Issued counts access tokens given out by the token endpoint.
	Issued int
	// Refused counts refusals by AADSTS number. Faults are not in it.
	Refused map[int]int
}

// Stats returns a copy of the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Refused = maps.Clone(s.stats.Refused)
	return stats
}

func (s *Server) count(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		s.stats.TokenRequests++
	} else {
		s.stats.OtherRequests++
	}
}
