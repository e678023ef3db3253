package platform

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// metadata is what the metadata services of the clouds have in common here: faults on demand, and a memory of what they gave out.
type metadata struct {
	mu       sync.Mutex
	fault    Fault
	requests int
	issued   []string
}

// Fault is an answer in place of the real one.
type Fault struct {
	// Status of the answer. Zero: none, the connection stays open without a word.
	Status int
	// RetryAfter is sent in whole seconds if it is not zero.
	RetryAfter time.Duration
	// Body of the answer.
	Body string
	// Times is how many requests meet the fault. Zero: no fault.
	Times int
}

// Break makes the next requests meet the fault.
func (m *metadata) Break(fault Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}

// Requests counts all requests, refused ones included.
func (m *metadata) Requests() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests
}

// Issued returns every token that was handed out.
func (m *metadata) Issued() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.issued...)
}

func (m *metadata) handOut(token string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.issued = append(m.issued, token)
}

// meet counts the request and reports whether a fault answered it.
func (m *metadata) meet(w http.ResponseWriter, r *http.Request) bool {
	m.mu.Lock()
	m.requests++
	fault := m.fault
	if fault.Times > 0 {
		m.fault.Times--
	}
	m.mu.Unlock()
	switch {
	case fault.Times == 0:
		return false
	case fault.Status == 0:
		<-r.Context().Done()
		return true
	}
	if fault.RetryAfter != 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(fault.RetryAfter.Seconds())))
	}
	w.WriteHeader(fault.Status)
	_, _ = w.Write([]byte(fault.Body)) // the client is gone: nobody is left to tell
	return true
}
