package opatest

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Token is the bearer token that the server asks for. It is a canary: no log may
// have it.
const Token = "CANARYtokenOfTheControlPlane"

// Server serves bundles at /bundles/NAME and takes what is posted to /status and
// /logs.
type Server struct {
	*httptest.Server
	t  testing.TB
	mu sync.Mutex
	// bundles are files by name.
	bundles map[string][]byte
	served  map[string]int // those that were sent, 304 aside
	down    bool
	// changed is closed when a bundle is set, waiting are the requests that long polling
	// holds until then.
	changed   chan struct{}
	waiting   int
	statuses  []string
	decisions []Event
	raw       strings.Builder
}

// Event is a decision as the server got it.
type Event struct {
	Labels     map[string]string
	DecisionID string `json:"decision_id"`
	Path       string
	Bundles    map[string]struct{ Revision string }
	Input      map[string]any
	Result     map[string]any
	Erased     []string
	Timestamp  string
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	s := &Server{t: t, bundles: map[string][]byte{}, served: map[string]int{}, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bundles/{name}", s.bundle)
	mux.HandleFunc("POST /status", s.status)
	mux.HandleFunc("POST /logs", s.logs)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		down := s.down
		s.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer "+Token:
			http.Error(w, "no token", http.StatusUnauthorized)
		case down && strings.HasPrefix(r.URL.Path, "/bundles/"):
			http.Error(w, "down", http.StatusServiceUnavailable)
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// Config is an OPA configuration with the server as service control, and the key. The
// rest comes after it.
func (s *Server) Config(key *Key, rest string) string {
	return "services:\n  control:\n    url: " + s.URL + "\n    response_header_timeout_seconds: 5\n    credentials: {bearer: {token: " + Token + "}}\n" +
		"keys:\n  " + KeyID + ":\n    algorithm: ES256\n    key: |\n" + indent(key.Public, "      ") + "\n" + rest
}

// BundleSection configures bundles of those names that are signed and asked for each second.
func BundleSection(names ...string) string {
	text := "bundles:\n"
	for _, name := range names {
		text += "  " + name + ":\n    service: control\n    signing: {keyid: " + KeyID + "}\n    polling: {min_delay_seconds: 1, max_delay_seconds: 1}\n"
	}
	return text
}

// Set serves a bundle from now on.
func (s *Server) Set(name string, file []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bundles[name] = file
	close(s.changed)
	s.changed = make(chan struct{})
}

// Waiting is how many requests wait for a bundle to change.
func (s *Server) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// SetDown makes the server answer 503 when it is asked for bundles, or serve again.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Served is how often the bundle was sent.
func (s *Server) Served(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served[name]
}

// Status is the last status report, as JSON.
func (s *Server) Status() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.statuses) == 0 {
		return ""
	}
	return s.statuses[len(s.statuses)-1]
}

// Decisions are all that came.
func (s *Server) Decisions() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.decisions...)
}

// Received is the text of all reports and decisions.
func (s *Server) Received() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.String()
}

func (s *Server) bundle(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	polled := strings.Contains(r.Header.Get("Prefer"), "wait=")
	for {
		s.mu.Lock()
		file, ok := s.bundles[name]
		changed := s.changed
		if !ok {
			s.mu.Unlock()
			http.NotFound(w, r)
			return
		}
		sum := sha256.Sum256(file)
		etag := `"` + hex.EncodeToString(sum[:8]) + `"`
		same := r.Header.Get("If-None-Match") == etag
		if polled && same { // long polling: there is an answer when there is something new
			s.waiting++
			s.mu.Unlock()
			select {
			case <-changed:
			case <-r.Context().Done():
			}
			s.mu.Lock()
			s.waiting--
			s.mu.Unlock()
			if r.Context().Err() != nil {
				return
			}
			continue
		}
		if !same {
			s.served[name]++
		}
		s.mu.Unlock()
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/gzip")
		if polled {
			w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
		}
		if same {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(file)
		return
	}
}

func (s *Server) body(r *http.Request) []byte {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			s.t.Error("a body that is no gzip", err)
			return nil
		}
		from = unzipped
	}
	text, err := io.ReadAll(from)
	if err != nil {
		s.t.Error("reading a body", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(text)
	return text
}

func (s *Server) status(_ http.ResponseWriter, r *http.Request) {
	text := s.body(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses = append(s.statuses, string(text))
}

func (s *Server) logs(_ http.ResponseWriter, r *http.Request) {
	var events []Event
	if err := json.Unmarshal(s.body(r), &events); err != nil {
		s.t.Error("decisions that are no array", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decisions = append(s.decisions, events...)
}
