// Package wire reads and writes the messages of ext_proc as they are on the wire,
// so that a body is copied neither on its way in nor on its way out.
//
// Codec is what a gRPC server is given (grpc.ForceServerCodecV2): it reads a
// Request in place, writes a Reply from the buffer in which it was built, and
// leaves every other message to gRPC's own codec. Buffers is the pool of both.
//
// Who owns a buffer, and how long:
//
//   - Received: gRPC takes it from the pool and drops its reference when Codec has
//     read it. A Request of a body holds one of its own until Free; its Body must
//     not be read afterwards. Everything else in a Request is a copy.
//   - Sent: a Reply takes it from the pool at Start and owns it until it is sent;
//     from then on gRPC does, which frees it when its bytes are on the wire. A Reply
//     that is not sent gives it back with Free.
//
// gRPC lets stats handlers, binary logs and tracing read a message after it was
// sent, so a server with this codec must have none of them.
//
// The package knows the encoding, not what a phase means: that is extproc's.
package wire
