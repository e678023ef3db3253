package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/graphveil/graphveil/extproc"
)

// graphContentType is what Graph sends with every JSON body.
const graphContentType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// scenarioAnswer is what the upstream is told to answer.
type scenarioAnswer struct {
	status   int
	headers  []extproc.Header
	trailers []extproc.Header
	body     []byte
	// cut is after how many bytes of the body the upstream breaks off; -1 is
	// never.
	cut int
	// short is how many bytes are missing at the end of the body, as it is sent,
	// and more is what follows it.
	short int
	more  []byte
	// split is how the body is delivered, nil for at once.
	split func(body []byte) [][]byte
}

// scenarioUpstream stands for Graph: it gives one answer to all requests until
// it is told another, and remembers what arrived.
type scenarioUpstream struct {
	mu      sync.Mutex
	answer  scenarioAnswer
	arrived []string
}

// tell sets the answer and forgets what arrived.
func (u *scenarioUpstream) tell(a scenarioAnswer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer, u.arrived = a, nil
}

// requests are those that arrived since the last answer was set, as text.
func (u *scenarioUpstream) requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.arrived)
}

func (u *scenarioUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	a := u.answer
	u.arrived = append(u.arrived, requestText(r))
	u.mu.Unlock()

	body := a.body
	for _, h := range a.headers {
		w.Header().Add(h.Name, h.Value)
		if h.Name == "content-encoding" && (h.Value == "gzip" || h.Value == "X-GZIP") {
			var zipped bytes.Buffer
			z := gzip.NewWriter(&zipped)
			z.Write(body)
			z.Close()
			body = zipped.Bytes()
		}
	}
	body = append(body[:len(body)-a.short:len(body)-a.short], a.more...)
	w.WriteHeader(a.status)
	if a.cut >= 0 {
		body = body[:a.cut]
	}
	if a.cut == 0 {
		http.NewResponseController(w).Flush()
	}
	chunks := [][]byte{body}
	if a.split != nil {
		chunks = a.split(body)
	}
	for _, chunk := range chunks {
		if len(chunk) > 0 {
			w.Write(chunk)
			http.NewResponseController(w).Flush()
		}
	}
	if a.cut >= 0 {
		panic(http.ErrAbortHandler)
	}
	for _, t := range a.trailers {
		w.Header().Add(http.TrailerPrefix+t.Name, t.Value)
	}
}

// requestText is a request as scenarios write it: all headers, sorted.
func requestText(r *http.Request) string {
	lines := []string{}
	for name, values := range r.Header {
		for _, value := range values {
			lines = append(lines, strings.ToLower(name)+": "+strings.ReplaceAll(value, userAgent(), "graphveil/VERSION"))
		}
	}
	slices.Sort(lines)
	lines = append([]string{r.Method + " " + r.RequestURI, "host: " + r.Host}, lines...)
	return strings.Join(lines, "\n") + "\n"
}

// scenarioDelivery is one way in which a body can arrive. All must give the same.
type scenarioDelivery struct {
	name  string
	split func(body []byte) [][]byte
}

var (
	wholeDelivery = scenarioDelivery{name: "whole"}
	byteDelivery  = scenarioDelivery{"byte by byte", func(body []byte) [][]byte { return slices.Collect(slices.Chunk(body, 1)) }}
)

// combTeeth is how far apart the cuts are in a body that is not cut at one byte
// only.
const combTeeth = 61

// splitDeliveries cut a body at every byte: up to 512 bytes in two parts, each
// time elsewhere; up to 4 KiB at every 61st byte, beginning each time elsewhere.
func splitDeliveries(size int) []scenarioDelivery {
	var all []scenarioDelivery
	switch {
	case size <= 512:
		for i := 1; i < size; i++ {
			all = append(all, scenarioDelivery{fmt.Sprintf("split at %d", i), func(body []byte) [][]byte {
				return [][]byte{body[:min(i, len(body))], body[min(i, len(body)):]}
			}})
		}
	case size < 4<<10:
		for i := range combTeeth {
			all = append(all, scenarioDelivery{fmt.Sprintf("split at every %dth byte from %d", combTeeth, i), func(body []byte) [][]byte {
				first := min(i, len(body))
				return append([][]byte{body[:first]}, slices.Collect(slices.Chunk(body[first:], combTeeth))...)
			}})
		}
	}
	return all
}

// randomDelivery has chunks of random sizes; the seed is in its name.
func randomDelivery(seed uint64) scenarioDelivery {
	return scenarioDelivery{fmt.Sprintf("random, seed %d", seed), func(body []byte) [][]byte {
		random := rand.New(rand.NewPCG(seed, 0))
		var chunks [][]byte
		for len(body) > 0 {
			n := min(len(body), 1+random.IntN(40))
			chunks, body = append(chunks, body[:n]), body[n:]
		}
		return chunks
	}}
}
