package extproctest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/extproc"
)

// answer is an upstream's response, chunk by chunk.
type answer struct {
	status   int
	headers  []extproc.Header
	chunks   [][]byte
	trailers []extproc.Header
	// reset says that the upstream broke off after the last chunk.
	reset bool
}

// call runs the upstream for what the processor let through.
func (e *Envoy) call(headers []extproc.Header) (*answer, error) {
	target := get(headers, ":path")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	r := httptest.NewRequest(get(headers, ":method"), "/", nil)
	r.URL, r.RequestURI = u, target
	r.Host = e.UpstreamHost
	r.Header = httpHeader(headers)
	w := &recorder{header: http.Header{}}
	func() {
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler {
					panic(p)
				}
				w.reset = true
			}
		}()
		e.Upstream.ServeHTTP(w, r)
	}()
	return w.answer(), nil
}

// recorder is an http.ResponseWriter that keeps chunks apart.
type recorder struct {
	header http.Header
	sent   http.Header // header as it was when the head was written
	status int
	chunks [][]byte
	open   bool // the last chunk is not flushed yet
	reset  bool
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if len(p) == 0 {
		return 0, nil
	}
	if !w.open {
		w.chunks = append(w.chunks, nil)
		w.open = true
	}
	last := len(w.chunks) - 1
	w.chunks[last] = append(w.chunks[last], p...)
	return len(p), nil
}

// Flush implements http.Flusher.
func (w *recorder) Flush() {
	w.WriteHeader(http.StatusOK)
	w.open = false
}

func (w *recorder) answer() *answer {
	w.WriteHeader(http.StatusOK)
	a := &answer{status: w.status, chunks: w.chunks, reset: w.reset}
	for _, h := range lower(w.sent) {
		if !strings.HasPrefix(h.Name, strings.ToLower(http.TrailerPrefix)) {
			a.headers = append(a.headers, h)
		}
	}
	for _, h := range lower(w.header) {
		if name, ok := strings.CutPrefix(h.Name, strings.ToLower(http.TrailerPrefix)); ok {
			a.trailers = append(a.trailers, extproc.Header{Name: name, Value: h.Value})
		}
	}
	return a
}

func sortedKeys(header http.Header) []string {
	var keys []string
	for name := range header {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}
