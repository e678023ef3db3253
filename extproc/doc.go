// Package extproc is Envoy's external processor: one gRPC stream is one HTTP
// exchange between a client and the upstream API.
//
// Start with NewGateway, which joins policy, pseudonyms and sealed links, and
// give it to NewServer; Envoy calls the server that its method NewGRPC makes. An
// Exchange is the same work without Envoy and gRPC: commands that sanitize one
// body offline use it directly.
//
// Messages are read and written by package wire, in buffers that exchanges hand on to
// each other, and a body that comes in gzip is inflated by package inflate.
//
// The package decides nothing by itself (package policy does), changes no JSON
// (package sanitize does), and knows no path, option or field of the API.
//
// A request that the upstream answered 401 to is not sent again with another token:
// the client is asked to (503 with Retry-After), once the token source expects a
// better one. Envoy has no way to do it here. What its router repeats has the token
// of the first try, for ext_proc is a filter before the router and is not asked
// again (TestEnvoyRepeatsTheToken). As an upstream filter it would be, for each try;
// but that is a second gRPC stream for every request, and one stream is already the
// larger part of what the sidecar costs (bench/RESULTS.md, Envoy alone against the
// no-op processor), for the sake of an event that comes a few times in a year.
//
// Envoy must run the response body in mode FULL_DUPLEX_STREAMED: the only one in
// which bytes leave solely because the processor sent them. A stream that
// announces another mode is refused.
package extproc
