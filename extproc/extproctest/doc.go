// Package extproctest plays Envoy for tests of the external processor: the same
// messages over the same gRPC protocol, without an Envoy.
//
// Start with New, which serves an extproc.Server in memory; then Envoy.Do
// sends one request through it, on to an http.Handler that stands for the
// upstream, and gives back what a client would get. Do does what Envoy does with
// the bootstrap of package envoy, and is strict where Envoy would be lenient to
// our harm: a reply that no message asked for, an end of the stream that the
// processor chose, or bytes after the end are errors of Do.
//
// For a client side that misbehaves there is Envoy.Play, which sends any
// messages in any order.
//
// It has no sockets, TLS, HTTP codecs, retries, timeouts or compression: for
// these there is package envoytest, with a real Envoy.
package extproctest
