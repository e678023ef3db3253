package graph

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkPages makes pages without a network: what the Graph costs as an upstream.
func BenchmarkPages(b *testing.B) {
	s, err := New(Config{Authorize: func(string) ([]string, error) { return everyRole, nil }})
	if err != nil {
		b.Fatal(err)
	}
	for name, target := range map[string]string{
		"users":    "/v1.0/users?$top=250",
		"chat":     "/v1.0/chats/" + s.ChatIDs(0)[0] + "/messages?$top=30",
		"events":   "/v1.0/users/" + s.UserID(0) + "/events?$top=60",
		"messages": "/v1.0/users/" + s.UserID(0) + "/mailFolders/SentItems/messages?$top=100",
	} {
		b.Run(name, func(b *testing.B) {
			req := httptest.NewRequest(http.MethodGet, target, nil)
			req.Header.Set("Authorization", "Bearer all")
			w := &discard{header: http.Header{}}
			for b.Loop() {
				clear(w.header)
				s.ServeHTTP(w, req)
			}
			b.SetBytes(int64(w.size / b.N))
			b.ReportAllocs()
		})
	}
}

type discard struct {
	header http.Header
	size   int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { d.size += len(p); return len(p), nil }
