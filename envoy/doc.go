// Package envoy renders the Envoy bootstrap that Graphveil stands behind and
// supervises a real Envoy that runs it.
//
// Fill a [Config], call [Render] and print the result with [YAML], or find a
// binary with [Find] and hand both to [Start]. The facts that shape the
// bootstrap were measured with Envoy [Version]; other minor versions may refuse
// it, because unknown fields are errors to Envoy.
//
// What the bootstrap promises, each point tested with the real binary:
//
//   - A request goes upstream only if the processor answered it and set the
//     dynamic metadata graphveil/decision to allow (see [MetadataNamespace]).
//   - A response leaves only as bytes that the processor sent.
//   - No processor, no upstream, a wrong upstream name, too late: an error in
//     Graph's shape, made of constants.
//   - No path, query or header value is in the access log.
//
// The package does not decide anything about requests, holds no Graph path, and
// does not configure Envoys that somebody else runs (a service mesh, a gateway).
package envoy

// Version is the Envoy that the bootstrap is made for and tested with.
const Version = "1.40.0"
