package graph

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	jsonContent = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
	// flushSize is how much of a document is collected before it goes to the transport.
	flushSize = 32 << 10
)

var errCut = errors.New("writing answer: cut by a fault")

// answer is one response on its way: document → splice → encodings → wire. All of them stop at the first error, after which more
// returns false and the generator can leave.
type answer struct {
	s *Server
	w http.ResponseWriter
	r *http.Request
	f *Fault

	requestID string
	doc       []byte // not yet written part of the document
	written   int    // bytes of the document before doc
	spliced   bool   // the rest of the document is discarded
	encoders  []*gzip.Writer
	out       io.Writer
	wire      wire
	started   bool
	err       error
}

func newAnswer(s *Server, w http.ResponseWriter, r *http.Request, f *Fault) *answer {
	a := &answer{s: s, w: w, r: r, f: f}
	a.requestID = string(s.keys.guid(kindRequest, s.served.Add(1)))
	a.wire = wire{a: a}
	a.doc = (*s.buffers.Get().(*[]byte))[:0]
	return a
}

// start sends nothing yet but decides status, headers and encodings.
func (a *answer) start(status int, contentType string) {
	a.started = true
	h := a.w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("request-id", a.requestID)
	h.Set("client-request-id", a.clientRequestID())
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"002","RoleInstance":"AM2PEPF00028E71"}}`)
	body := status != http.StatusNoContent && status != http.StatusNotModified
	encodings := a.f.Encodings
	if body {
		h.Set("Content-Type", contentType)
		h.Set("Vary", "Accept-Encoding")
		if encodings == nil && acceptsGzip(a.r) {
			encodings = []string{"gzip"}
		}
		if len(encodings) > 0 {
			h.Set("Content-Encoding", strings.Join(encodings, ", "))
		}
	}
	if status < 300 {
		h.Set("OData-Version", "4.0")
	}
	if a.f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.f.RetryAfter))
	}
	for name, values := range a.f.Header {
		h[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	a.out = &a.wire
	for _, encoding := range slices.Backward(encodings) {
		if body && encoding == "gzip" {
			z := a.s.compressors.Get().(*gzip.Writer)
			z.Reset(a.out)
			a.encoders, a.out = append(a.encoders, z), z
		}
	}
	a.w.WriteHeader(status)
}

func (a *answer) clientRequestID() string {
	if id := a.r.Header.Get("client-request-id"); id != "" {
		return id
	}
	return a.requestID
}

func acceptsGzip(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(header, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
			if strings.EqualFold(name, "gzip") && strings.ReplaceAll(weight, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}

// more is called after each record. It sends what has gathered and reports whether to go on.
func (a *answer) more() bool {
	perRecord := a.f.Delay > 0 && a.f.ChunkSize == 0
	if len(a.doc) >= flushSize || perRecord {
		a.send()
		if perRecord {
			for _, z := range slices.Backward(a.encoders) {
				_ = z.Flush() // an error is kept by the wire and seen below
			}
			a.wire.flush()
		}
	}
	return a.err == nil
}

func (a *answer) send() {
	_, _ = a.Write(a.doc) // the error is kept in a.err
	a.doc = a.doc[:0]
}

// Write takes bytes of the document. It is how a Fault's Body writes.
func (a *answer) Write(p []byte) (int, error) {
	n := len(p)
	if a.f.Splice != nil {
		left := a.f.SpliceAt - a.written
		a.written += n
		switch {
		case a.spliced:
			p = nil
		case left < n:
			p, a.spliced = slices.Concat(p[:left], a.f.Splice), true
		}
	}
	if a.err == nil && len(p) > 0 {
		_, a.err = a.out.Write(p)
	}
	return n, a.err
}

// finish ends the document, the encodings and the body; a document shorter than SpliceAt is spliced at its end. It is not called when
// a fault resets the stream.
func (a *answer) finish() {
	if a.started {
		a.send()
		if a.f.Splice != nil && !a.spliced && a.err == nil {
			_, a.err = a.out.Write(a.f.Splice)
		}
		for _, z := range slices.Backward(a.encoders) {
			_ = z.Close() // fails only when the client has left or a fault cut the body
			a.s.compressors.Put(z)
		}
		a.wire.end()
		for name, values := range a.f.Trailer {
			a.w.Header()[http.TrailerPrefix+http.CanonicalHeaderKey(name)] = values
		}
	}
	a.s.buffers.Put(&a.doc)
}

// wait pauses. When the client leaves, it aborts the answer, which must not look finished to whoever still listens.
func (a *answer) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// wire writes to the transport in the pieces and up to the point that the fault asks for.
type wire struct {
	a         *answer
	sent      int
	unflushed int
	stopped   bool // by a cut
}

func (w *wire) Write(p []byte) (int, error) {
	n, f := len(p), w.a.f
	for len(p) > 0 {
		if w.stopped {
			return 0, errCut
		}
		size := len(p)
		if f.ChunkSize > 0 {
			size = min(size, f.ChunkSize-w.unflushed)
		}
		if f.Cut != CutNone {
			size = min(size, f.CutAfter-w.sent)
		}
		if size > 0 {
			if _, err := w.a.w.Write(p[:size]); err != nil {
				return 0, err
			}
			p = p[size:]
			w.sent += size
			w.unflushed += size
		}
		if f.Cut != CutNone && w.sent >= f.CutAfter {
			w.cut()
		} else if f.ChunkSize > 0 && w.unflushed >= f.ChunkSize {
			w.flush()
		}
	}
	return n, nil
}

func (w *wire) flush() {
	w.unflushed = 0
	w.a.wait(w.a.f.Delay)
	_ = http.NewResponseController(w.a.w).Flush() // when the client has left, the next write says so
}

func (w *wire) cut() {
	w.stopped = true
	_ = http.NewResponseController(w.a.w).Flush()
	switch w.a.f.Cut {
	case CutReset:
		panic(http.ErrAbortHandler)
	case CutStall:
		<-w.a.r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// end applies a cut that lies behind the end of the body.
func (w *wire) end() {
	if w.a.f.Cut != CutNone && !w.stopped {
		w.cut()
	}
}

// entity writes an answer of one record.
func (a *answer) entity(context string, members func(b []byte) []byte) {
	a.complex(context+"/$entity", members)
}

// complex writes an answer that is one value, of a type without identity.
func (a *answer) complex(context string, members func(b []byte) []byte) {
	a.start(http.StatusOK, jsonContent)
	b := append(a.doc, `{"@odata.context":`...)
	b = appendString(b, a.s.metadata(a.r)+context)
	a.doc = append(members(append(b, ',')), '}')
}
