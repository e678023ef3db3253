package ladder

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// upstreamFile says in the upstream's folder what to serve.
const upstreamFile = "upstream.json"

type upstreamConfig struct {
	CertFile, KeyFile string
	Documents         []document
}

// serveUpstream answers with ready-made pages from memory, over TLS and HTTP/2, as fast as it can. It asks for no token.
func serveUpstream(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, upstreamFile))
	if err != nil {
		return err
	}
	var c upstreamConfig
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	answers := map[string]*answer{}
	for _, d := range c.Documents {
		body, err := os.ReadFile(filepath.Join(folder, d.File))
		if err != nil {
			return err
		}
		for _, request := range d.Requests {
			answers[request] = &answer{d, body}
		}
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
		ErrorLog:  log.New(io.Discard, "", 0), // whoever fails to get an answer reports it
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := answers[requestKey(r.URL)]
			if a == nil {
				http.NotFound(w, r)
				return
			}
			a.send(w)
		}),
	}
	fmt.Println(listener.Addr())
	return server.ServeTLS(listener, "", "")
}

type answer struct {
	document
	body []byte
}

func (a *answer) send(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	h.Set("Cache-Control", "private")
	h.Set("OData-Version", "4.0")
	if a.Gzip {
		h.Set("Content-Encoding", "gzip")
	}
	switch {
	case a.Times > 0:
		w.Write(a.body[:a.To])
		for range a.Times - 1 {
			io.WriteString(w, ",")
			if _, err := w.Write(a.body[a.From:a.To]); err != nil {
				return
			}
		}
		w.Write(a.body[a.To:])
	case a.Delay > 0:
		a.sendSlowly(w)
	default:
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
		w.Write(a.body)
	}
}

func (a *answer) sendSlowly(w http.ResponseWriter) {
	sent := 0
	for _, end := range append(a.Ends, len(a.body)) {
		if sent > 0 {
			time.Sleep(a.Delay)
		}
		end = min(end, len(a.body))
		if _, err := w.Write(a.body[sent:end]); err != nil {
			return
		}
		http.NewResponseController(w).Flush() // when the client has left, the next write says so
		sent = end
	}
}
