package graph

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Request is what arrived at the Graph, as it arrived: path and query are not decoded, and the headers include the token.
type Request struct {
	Method, Host, Path, RawQuery, Proto string
	Header                              http.Header
}

type requestLog struct {
	limit int
	mu    sync.Mutex
	list  []Request
}

func (l *requestLog) add(r *http.Request) {
	if l.limit <= 0 {
		return
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	entry := Request{Method: r.Method, Host: r.Host, Path: path, RawQuery: query, Proto: r.Proto, Header: r.Header.Clone()}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == l.limit {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, entry)
}

// Requests returns the latest requests, oldest first, as many as Config.Record allows.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.list)
}

// ForgetRequests empties the list that Requests returns.
func (s *Server) ForgetRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.list = nil
}
