package wan

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// page is one answer of Graph, for as many users as are asked for in turn.
type page struct {
	size  string
	users []string       // ids
	bytes map[string]int // of an answer, on average, by subject
}

// records are how many sent messages, with their bodies, make a page of a size.
var records = map[string]int{"50KB": 12, "400KB": 95}

// users are asked for in turn.
const users = 8

// upstream answers from memory with pages that the synthetic tenant made, compressed for who asks for that. What compressing costs is
// Graph's, so it is done beforehand, at the level that servers take by default.
type upstream struct {
	*http.Server
	address string
	answers map[string][2][]byte // plain and in gzip, by path
	pages   []*page
}

func newUpstream(certificate tls.Certificate) (*upstream, error) {
	g, err := graph.New(graph.Config{
		Seed: 1, BaseURL: "https://graph.microsoft.com",
		// Mail.Read: the bodies of messages are there, and are most of the bytes.
		Authorize: func(string) ([]string, error) { return []string{"Mail.Read"}, nil },
	})
	if err != nil {
		return nil, err
	}
	u := &upstream{answers: map[string][2][]byte{}}
	for i, size := range []string{"50KB", "400KB"} {
		p := &page{size: size, bytes: map[string]int{}}
		for n := range users {
			id := g.UserID(i*users + n)
			path := "/v1.0/users/" + id + "/mailFolders/SentItems/messages"
			request := httptest.NewRequest(http.MethodGet, path+fmt.Sprintf("?$top=%d", records[size]), nil)
			request.Header.Set("Authorization", "Bearer any")
			answer := httptest.NewRecorder()
			g.ServeHTTP(answer, request)
			if answer.Code != http.StatusOK {
				return nil, fmt.Errorf("making a page: status %d", answer.Code)
			}
			plain := answer.Body.Bytes()
			var compressed bytes.Buffer // never fails
			z := gzip.NewWriter(&compressed)
			_, _ = z.Write(plain)
			_ = z.Close()
			u.answers[path] = [2][]byte{plain, compressed.Bytes()}
			p.users = append(p.users, id)
			p.bytes["plain"] += len(plain) / users
			p.bytes["gzip"] += compressed.Len() / users
		}
		u.pages = append(u.pages, p)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u.address = listener.Addr().String()
	u.Server = &http.Server{
		Handler:   http.HandlerFunc(u.answer),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ErrorLog:  log.New(io.Discard, "", 0), // whoever fails to get an answer reports it
	}
	go func() { _ = u.ServeTLS(listener, "", "") }() // until it is closed
	return u, nil
}

func (u *upstream) answer(w http.ResponseWriter, r *http.Request) {
	bodies, ok := u.answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	h.Set("Vary", "Accept-Encoding")
	body := bodies[0]
	if r.Header.Get("Accept-Encoding") == "gzip" {
		h.Set("Content-Encoding", "gzip")
		body = bodies[1]
	}
	_, _ = w.Write(body) // a client that has left is none of ours
}
