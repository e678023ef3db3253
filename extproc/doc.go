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
// Envoy must run the response body in mode FULL_DUPLEX_STREAMED: the only one in
// which bytes leave solely because the processor sent them. A stream that
// announces another mode is refused.
package extproc
