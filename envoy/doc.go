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
//   - A response leaves only as bytes that the processor sent, as long as the
//     processor keeps the first point below.
//   - No processor, no upstream, a wrong upstream name, too late: an error in
//     Graph's shape, made of constants.
//   - No path, query or header value is in the access log.
//
// What a processor behind it has to know:
//
//   - It must not end its stream with status OK before Envoy does, ever: what is
//     left of a response would pass as it is, whatever failure_mode_allow says.
//   - It may set and remove every header that it sees but pseudo headers, of
//     which only :path may be set. Others fail the exchange with 502, as does
//     naming a header of the connection (content-length, transfer-encoding,
//     connection, upgrade), host, or x-envoy-*, none of which it sees.
//   - An ImmediateResponse keeps its body only if its details begin with
//     [DetailsPrefix]. Its headers are held to the same rules; the first that
//     breaks them ends the list, and the answer goes out all the same.
//   - Errors that Envoy makes pass the response half, in Graph's shape. A stream
//     that begins with response headers is about a request that Envoy refused
//     before anybody saw it.
//   - Bodies come as Graph sends them: in gzip, which is what Graph is asked for unless
//     upstream.compression is none. What leaves must be plain, without
//     Content-Encoding; Envoy compresses it for callers that accept that.
//   - The gRPC server must permit pings every five seconds.
//   - Messages of gRPC errors get into Envoy's log and access log.
//
// The package does not decide anything about requests, holds no Graph path, and
// does not configure Envoys that somebody else runs (a service mesh, a gateway).
package envoy

// Version is the Envoy that the bootstrap is made for and tested with.
const Version = "1.40.0"
