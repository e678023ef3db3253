package graph

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault changes one answer. The zero Fault changes nothing; fields combine. A Fault with a Status or a Body answers before the token
// is looked at; the others work on the answer that the request would have had.
type Fault struct {
	// Match limits an injected fault to some requests; nil takes any.
	Match func(*http.Request) bool
	// Times is how many requests an injected fault serves; 0 means one, a negative number means every one until ClearFaults.
	Times int

	// Hold waits before anything is answered (or until the client leaves).
	Hold time.Duration
	// Status replaces the status. From 400 on the body is Graph's error for it, unless Body is set; 204 and 304 have none.
	Status int
	// RetryAfter is the Retry-After header in seconds; 0 sends none.
	RetryAfter int
	// Header overrides response headers: Location, Content-Type, a wrong Content-Length. A name with no values removes the header.
	Header http.Header
	// Trailer is sent after the body.
	Trailer http.Header
	// Body replaces the body. It is called once, in the middle of the answer, and may write without end.
	Body func(io.Writer) error

	// Records makes a page have that many records, whatever $top says, starting over at the end of the collection.
	Records int
	// EmptyPage makes a page have no records and a nextLink that continues where this page would have begun.
	EmptyPage bool
	// Splice, when not nil, cuts the document after SpliceAt bytes and ends it with these. Compression comes after it.
	Splice   []byte
	SpliceAt int

	// Encodings are applied in this order and announced in Content-Encoding: "gzip" compresses, any other name leaves the bytes as they
	// are. Nil compresses with gzip when the client accepts it.
	Encodings []string
	// ChunkSize flushes after so many bytes; with 0 and a Delay, after each record.
	ChunkSize int
	// Delay waits before each flush.
	Delay time.Duration
	// Cut ends the body after CutAfter bytes as sent, that is after compression.
	Cut      Cut
	CutAfter int
}

// Cut is how a body ends early.
type Cut int

// The ways to end early. CutEnd looks like success to the transport; CutReset closes an HTTP/1.1 connection and resets an HTTP/2
// stream; CutStall sends nothing more and waits for the client to leave.
const (
	CutNone Cut = iota
	CutEnd
	CutReset
	CutStall
)

// Throttled is the fault of n requests refused with 429 and Retry-After.
func Throttled(n, seconds int) Fault {
	return Fault{Times: n, Status: http.StatusTooManyRequests, RetryAfter: seconds}
}

// HTML answers 200 with a page for people, as a gateway or captive portal does.
func HTML(text string) Fault {
	return Fault{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: Text("<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + text + "</body></html>")}
}

// Text is a body of these bytes.
func Text(body string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, body)
		return err
	}
}

// Nested is a body that is well-formed JSON, depth arrays within each other, around inner, which is JSON too.
func Nested(depth int, inner string) func(io.Writer) error {
	return Text(strings.Repeat("[", depth) + inner + strings.Repeat("]", depth))
}

// Bomb is a body of one JSON string with size equal letters: with gzip about a thousandth of that on the wire.
func Bomb(size int) func(io.Writer) error { return Within(`{"value":[{"id":"`, size, `"}]}`) }

// Within is a body of size equal letters between two texts.
func Within(before string, size int, after string) func(io.Writer) error {
	return func(w io.Writer) error {
		block := []byte(strings.Repeat("a", 1<<16))
		_, err := io.WriteString(w, before)
		for left := size; left > 0 && err == nil; left -= len(block) {
			_, err = w.Write(block[:min(left, len(block))])
		}
		if err == nil {
			_, err = io.WriteString(w, after)
		}
		return err
	}
}

type faults struct {
	mu     sync.Mutex
	queue  []Fault
	choose func(*http.Request) *Fault
}

func (f *faults) pick(r *http.Request) *Fault {
	f.mu.Lock()
	for i := range f.queue {
		fault := &f.queue[i]
		if fault.Match != nil && !fault.Match(r) {
			continue
		}
		picked := *fault
		if fault.Times == 0 || fault.Times == 1 {
			f.queue = slices.Delete(f.queue, i, i+1)
		} else if fault.Times > 0 {
			fault.Times--
		}
		f.mu.Unlock()
		return &picked
	}
	choose := f.choose
	f.mu.Unlock()
	if choose == nil {
		return nil
	}
	return choose(r)
}

// Inject queues a fault: the first queued fault that matches a request serves it. Match must not call the Server.
func (s *Server) Inject(f Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.queue = append(s.faults.queue, f)
}

// SetFault sets a function that is asked about each request that no injected fault serves; it may return nil. Nil removes it.
func (s *Server) SetFault(choose func(*http.Request) *Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.choose = choose
}

// ClearFaults forgets all faults.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.queue, s.faults.choose = nil, nil
}
