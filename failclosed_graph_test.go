package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// secretRecord has both marks, for bodies that the tests make.
const secretRecord = `{"id":"` + personalMark + `","displayName":"` + personalMark + `","department":"` + sharedMark + `"}`

// secretHeaders are headers with marks that come with made bodies.
var secretHeaders = http.Header{"X-Secret": {personalMark + sharedMark}, "Set-Cookie": {"s=" + personalMark + sharedMark}}

func withHeaders(pairs ...string) http.Header {
	h := secretHeaders.Clone()
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

var graphFailures = []failure{
	{"connection refused", "before the request", turnedAway, func(r *rig, protocol string) wireResponse {
		r.relay.refuse()
		return r.ask(protocol)
	}, func(r *rig) { r.check(r.relay.listen()) }},
	{"connection reset", "before TLS", turnedAway, func(r *rig, protocol string) wireResponse {
		r.relay.lead("")
		return r.ask(protocol)
	}, (*rig).back},
	{"certificate of another name", "TLS handshake", turnedAway, func(r *rig, protocol string) wireResponse {
		certificate, err := r.CA.Issue("graph.example")
		r.check(err)
		r.graphWith(certificate, "h2")
		return r.ask(protocol)
	}, (*rig).back},
	{"certificate of an untrusted authority", "TLS handshake", turnedAway, func(r *rig, protocol string) wireResponse {
		ca, err := tenant.NewCA()
		r.check(err)
		certificate, err := ca.Issue("graph.microsoft.com")
		r.check(err)
		r.graphWith(certificate, "h2")
		return r.ask(protocol)
	}, (*rig).back},
	{"connection reset", "Graph has the request", turnedAway, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Hold: time.Hour, Times: -1})
		return r.meanwhile(protocol, r.arrived(), r.relay.cut)
	}, nil},
	{"connection reset", "in the middle of the body", cutOff, func(r *rig, protocol string) wireResponse {
		return r.midBody(protocol, r.relay.cut)
	}, nil},
	fault("stream reset", "before the response headers", turnedAway, graph.Fault{Body: func(io.Writer) error { panic(http.ErrAbortHandler) }}),
	fault("stream reset", "after the response headers", refusedOrCut, graph.Fault{Cut: graph.CutReset}),
	fault("stream reset", "in the middle of the body", refusedOrCut, graph.Fault{Cut: graph.CutReset, CutAfter: 15_000, ChunkSize: 3_000, Delay: 30 * time.Millisecond}),
	overHTTP1("connection reset, HTTP/1.1 to Graph", "in the middle of the body", refusedOrCut,
		graph.Fault{Cut: graph.CutReset, CutAfter: 15_000, ChunkSize: 3_000, Delay: 30 * time.Millisecond}),

	fault("silence", "before the response headers", turnedAway, graph.Fault{Hold: time.Hour}),
	fault("silence", "after the response headers", turnedAway, graph.Fault{Cut: graph.CutStall}),
	fault("silence", "in the middle of the body", cutOff, graph.Fault{Cut: graph.CutStall, CutAfter: 15_000}),

	fault("truncated, in due form for the transport", "before the first byte", turnedAway, graph.Fault{Cut: graph.CutEnd}),
	fault("truncated, in due form for the transport", "in the middle of the body", refusedOrCut, graph.Fault{Cut: graph.CutEnd, CutAfter: 15_000}),
	{"truncated by one byte, in due form for the transport", "at the end of the body", refusedOrCut, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Splice: []byte{}, SpliceAt: r.originalSize - 1})
		return r.ask(protocol)
	}, nil},
	fault("Content-Length larger than the body", "at the end of the body", refusedOrCut, graph.Fault{Encodings: []string{}, Header: http.Header{"Content-Length": {"10000000"}}}),
	fault("Content-Length smaller than the body", "in the middle of the body", refusedOrCut, graph.Fault{Header: http.Header{"Content-Length": {"1000"}}}),
	overHTTP1("Content-Length larger than the body, HTTP/1.1 to Graph", "at the end of the body", refusedOrCut, graph.Fault{Encodings: []string{}, Header: http.Header{"Content-Length": {"10000000"}}}),
	overHTTP1("Content-Length smaller than the body, HTTP/1.1 to Graph", "in the middle of the body", refusedOrCut, graph.Fault{Header: http.Header{"Content-Length": {"1000"}}}),

	body("not JSON at all", "first byte", turnedAway, personalMark+" "+sharedMark),
	body("JSON that is not what the endpoint gives", "first byte", turnedAway, `["`+personalMark+`","`+sharedMark+`"]`),
	body("a missing comma", "early in the body", turnedAway, `{"value":[`+secretRecord+secretRecord+`]}`),
	body("a second document", "at the end of the body", turnedAway, `{"value":[`+secretRecord+`]}`+secretRecord),
	body("a name that is there twice", "early in the body", turnedAway, `{"value":[{"id":"`+personalMark+`","id":"`+personalMark+`","department":"`+sharedMark+`"}]}`),
	body("nested 5,000 deep", "early in the body", turnedAway, strings.Repeat(`[`, 5000)+`"`+personalMark+sharedMark+`"`+strings.Repeat(`]`, 5000)),
	fault("invalid JSON", "in the middle of the body", refusedOrCut, graph.Fault{Splice: []byte(`}]` + personalMark), SpliceAt: 150_000}),
	fault("invalid UTF-8", "in the middle of the body", refusedOrCut, graph.Fault{Splice: []byte("\xff" + personalMark), SpliceAt: 150_000}),

	fault("a page for people (text/html) with 200", "response headers", turnedAway, graph.HTML(personalMark+sharedMark)),
	fault("a page for people that says it is JSON", "first byte", turnedAway,
		graph.Fault{Status: 200, Header: withHeaders(), Body: graph.Text("<html>" + personalMark + sharedMark + "</html>")}),
	fault("no Content-Type", "response headers", turnedAway, graph.Fault{Header: http.Header{"Content-Type": nil}}),
	fault("an unknown content encoding", "response headers", turnedAway, graph.Fault{Header: withHeaders(), Encodings: []string{"x-unknown"}}),
	fault("gzip twice", "response headers", turnedAway, graph.Fault{Header: withHeaders(), Encodings: []string{"gzip", "gzip"}}),
	fault("gzip, then brotli", "response headers", turnedAway, graph.Fault{Header: withHeaders(), Encodings: []string{"gzip", "br"}}),
	gzipped("truncated gzip, in due form for the transport", "early in the body", turnedAway, func(whole []byte) []byte { return whole[:len(whole)/2] }),
	gzipped("gzip without its last byte", "at the end of the body", turnedAway, func(whole []byte) []byte { return whole[:len(whole)-1] }),
	gzipped("gzip with a wrong checksum", "at the end of the body", turnedAway, func(whole []byte) []byte { whole[len(whole)-8]++; return whole }),
	gzipped("gzip with a second member", "at the end of the body", turnedAway, func(whole []byte) []byte { return append(whole, whole...) }),
	fault("a plain answer to who asked for gzip (nothing is broken)", "response headers", served, graph.Fault{Header: secretHeaders, Encodings: []string{}}),
	fault("a plain answer, truncated in due form for the transport", "in the middle of the body", refusedOrCut,
		graph.Fault{Encodings: []string{}, Cut: graph.CutEnd, CutAfter: 100_000}),
	fault("a plain answer, then silence", "in the middle of the body", cutOff, graph.Fault{Encodings: []string{}, Cut: graph.CutStall, CutAfter: 100_000}),
	fault("invalid JSON in a plain answer", "in the middle of the body", refusedOrCut,
		graph.Fault{Encodings: []string{}, Splice: []byte(`}]` + personalMark), SpliceAt: 150_000}),
	fault("a gzip bomb of 1 GB in a value that is kept", "early in the body", turnedAway, graph.Fault{Header: withHeaders(), Encodings: []string{"gzip"}, Body: graph.Bomb(1 << 30)}),
	fault("a gzip bomb of 1 GB in a value that is dropped", "after 64 MiB", refusedOrCut, graph.Fault{Header: withHeaders(), Encodings: []string{"gzip"},
		Body: graph.Within(`{"value":[{"aboutMe":"`+personalMark, 1<<30, `"}]}`)}),
	fault("gzip that does not say so", "first byte", turnedAway, graph.Fault{Header: withHeaders("Content-Type", "application/json"), Body: graph.Text("\x1f\x8b\x08\x00" + personalMark + sharedMark)}),
	fault("trailers", "after the body", served, graph.Fault{Header: secretHeaders, Trailer: http.Header{"X-Secret-Trailer": {personalMark}}}),

	fault("500 with a page for people", "response headers", turnedAway, graph.Fault{Status: 500, Header: withHeaders("Content-Type", "text/html"), Body: graph.Text(personalMark + sharedMark)}),
	fault("503 with a page for people", "response headers", turnedAway, graph.Fault{Status: 503, Header: withHeaders("Content-Type", "text/html"), Body: graph.Text(personalMark + sharedMark)}),
	fault("500 with Graph's error that quotes data", "response headers", turnedAway,
		graph.Fault{Status: 500, Header: withHeaders("Content-Type", "application/json"), Body: graph.Text(`{"error":{"code":"internalServerError","message":"` + personalMark + sharedMark + `"}}`)}),
	{"401: Graph does not take the token", "response headers", turnedAway, func(r *rig, protocol string) wireResponse {
		r.replace()
		r.Graph.Inject(graph.Fault{Status: 401, Times: -1, Header: withHeaders("WWW-Authenticate", personalMark)})
		return r.ask(protocol)
	}, nil},
	{"401: Graph takes the next token neither", "response headers", turnedAway, func(r *rig, protocol string) wireResponse {
		r.replace()
		r.Graph.Inject(graph.Fault{Status: 401, Times: -1, Header: withHeaders("WWW-Authenticate", personalMark)})
		for {
			if response := r.ask(protocol); response.status != http.StatusServiceUnavailable {
				return response
			}
		}
	}, nil},
	{"401 with a claims challenge: the token is revoked", "response headers", turnedAway, func(r *rig, protocol string) wireResponse {
		r.replace()
		r.Entra.Revoke(directoryClient)
		return r.ask(protocol)
	}, nil},
	fault("redirect with a Location", "response headers", turnedAway, graph.Fault{Status: 302, Header: withHeaders("Location", "https://elsewhere.example/"+personalMark+sharedMark)}),
	fault("204 without a body (nothing is broken)", "response headers", noContent, graph.Fault{Status: 204, Header: secretHeaders}),
}

// fault is a failure of Graph's answer alone.
func fault(what, when string, want ending, f graph.Fault) failure {
	f.Times = -1
	return failure{what, when, want, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(f)
		return r.ask(protocol)
	}, nil}
}

// body is a failure in which Graph answers 200 with this, as JSON.
func body(what, when string, want ending, text string) failure {
	return fault(what, when, want, graph.Fault{Status: 200, Header: withHeaders("Content-Type", "application/json"), Body: graph.Text(text)})
}

// gzipped is a failure in which Graph answers 200 with a small page in gzip,
// and something was done to that.
func gzipped(what, when string, want ending, spoil func(whole []byte) []byte) failure {
	var b bytes.Buffer // never fails
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, `{"value":[`+secretRecord+`]}`)
	_ = z.Close()
	return fault(what, when, want, graph.Fault{Status: 200, Header: withHeaders("Content-Type", "application/json", "Content-Encoding", "gzip"),
		Encodings: []string{}, Body: graph.Text(string(spoil(b.Bytes())))})
}

// overHTTP1 is fault with a Graph that does not speak HTTP/2.
func overHTTP1(what, when string, want ending, f graph.Fault) failure {
	f.Times = -1
	return failure{what, when, want, func(r *rig, protocol string) wireResponse {
		certificate, err := r.CA.Issue("graph.microsoft.com")
		r.check(err)
		r.graphWith(certificate, "h1")
		r.Graph.Inject(f)
		return r.ask(protocol)
	}, (*rig).back}
}

// back leads Envoy to the usual Graph.
func (r *rig) back() { r.relay.lead(r.GraphAddr) }
