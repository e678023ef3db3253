package extproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/graphveil/graphveil/extproc/wire"
)

// flushAt is how much of a body may wait before it is sent: one message of Envoy
// may hold many pieces of a body, and memory must not grow with it.
const flushAt = 32 << 10

// MetadataNamespace holds what Envoy's guard, route and access log read:
// decision ("allow" or absent), connector, endpoint, code.
const MetadataNamespace = "graphveil"

// stream is the gRPC side of one exchange.
//
// Invariants:
//   - receive, and so run, returns nil only on io.EOF from Recv.
//   - held is the reply to the response headers until the first output;
//     released says that it was sent. Before, a refusal is a clean error
//     response; afterwards only an error of the stream, a reset at the client.
//   - after answered, an ImmediateResponse is out and every message is ignored.
type stream struct {
	server   *Server
	grpc     grpc.ServerStream
	idle     *time.Timer
	done     chan<- error // how the exchange ended
	exchange *Exchange
	request  wire.Request // the message that is handled
	reply    wire.Reply   // the one that is written
	held     wire.Reply
	token    string  // that the request was sent with, until it was answered
	traced   *traced // nil without tracing
	released bool
	modeSeen bool
	answered bool
}

// run serves the exchange to its end and records it. No panic gets out: it would
// end the process, and with it every other exchange.
func (s *stream) run() (err error) {
	defer s.recoverTo(&err)
	s.exchange = s.server.config.Gateway.NewExchange()
	err = s.receive()
	record := s.exchange.Close()
	s.traced.finish(&record)
	s.server.config.Metrics.observe(&record)
	record.Log(context.WithoutCancel(s.grpc.Context()), s.server.config.Log)
	if decided := s.server.config.Decided; decided != nil {
		kept := record
		decided(&kept)
	}
	return err
}

// finish says how the exchange ended, and leaves what was allocated to another.
func (s *stream) finish(err error) {
	done := s.done
	s.request.Forget()
	*s = stream{server: s.server, request: s.request}
	s.server.streams.Put(s)
	done <- err
}

// receive handles messages until the stream ends.
func (s *stream) receive() (err error) {
	defer s.free()
	defer s.recoverTo(&err)
	for {
		err := s.grpc.RecvMsg(&s.request)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.touch()
		if err := s.message(&s.request); err != nil {
			return err
		}
		s.request.Free()
	}
}

// free gives back what a broken exchange holds.
func (s *stream) free() {
	s.request.Free()
	s.reply.Free()
	s.held.Free()
}

// recoverTo turns a panic into an error of the stream. The panic's value may hold
// data: only its type and the stack, which has no values, are logged.
func (s *stream) recoverTo(err *error) {
	p := recover()
	if p == nil {
		return
	}
	s.server.config.Log.LogAttrs(s.grpc.Context(), slog.LevelError, "panic in an exchange",
		slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
	if s.exchange != nil {
		s.exchange.Refuse(&Refusal{Code: "internal"})
	}
	*err = status.Error(codes.Internal, "ending the exchange: internal error")
}

// touch restarts the idle timer.
func (s *stream) touch() { s.idle.Reset(s.server.config.IdleTimeout) }

func (s *stream) send(r *wire.Reply) error {
	err := s.grpc.SendMsg(r)
	s.touch()
	return err
}

func (s *stream) message(m *wire.Request) error {
	if s.answered {
		return nil
	}
	if unsafe, found := unsafeMode(m, !s.modeSeen); found {
		return s.refuseMode(unsafe)
	}
	s.modeSeen = true
	switch m.Phase {
	case wire.RequestHeaders:
		err := s.requestHeaders(m)
		s.exchange.record.Decision = time.Since(s.exchange.record.Start)
		return err
	case wire.ResponseHeaders:
		return s.responseHeaders(m)
	case wire.ResponseBody:
		return s.responseBody(m)
	case wire.ResponseTrailers:
		return s.responseTrailers(m)
	}
	return s.refuse(s.exchange.Refuse(&Refusal{Code: "internal"})) // a phase that nobody asked for
}

func (s *stream) requestHeaders(m *wire.Request) error {
	ctx, cancel := context.WithTimeout(s.grpc.Context(), s.server.config.RequestTimeout)
	defer cancel()

	head, err := requestHead(m)
	if err != nil {
		return s.refuse(s.exchange.Refuse(&Refusal{Code: "internal"}))
	}
	s.traced = s.server.trace(s.grpc.Context(), head.Headers)
	s.traced.next(stepDecision)
	forward, refusal := s.exchange.Request(ctx, head)
	if refusal != nil {
		return s.refuse(refusal)
	}
	s.traced.next(stepToken)
	token, err := s.server.config.Tokens.Token(ctx, forward.Connector)
	if err != nil {
		refusal := &Refusal{Code: "token_unavailable", RetryAfter: 5 * time.Second}
		var later interface{ RetryAfter() time.Duration }
		if errors.As(err, &later) && later.RetryAfter() > 0 {
			refusal.RetryAfter = later.RetryAfter()
		}
		return s.refuse(s.exchange.Refuse(refusal))
	}

	s.token = token
	set := append(forward.Headers, Header{Name: "authorization", Value: "Bearer " + token}, Header{Name: ":path", Value: forward.Path})
	s.reply.Start(s.server.buffers, headRoom)
	s.reply.RequestHeaders(set, unforwarded(head.Headers, set))
	s.metadata("allow", s.quota(forward)...)
	s.traced.next(stepUpstream)
	return s.send(&s.reply)
}

func (s *stream) responseHeaders(m *wire.Request) error {
	s.traced.next(stepResponse)
	head := responseHead(m)
	if head.Status == http.StatusUnauthorized && s.token != "" {
		// Envoy cannot send the request again with another token: the router's own
		// retries repeat the header that it has. So the client is asked to.
		head.Again, head.After = s.server.config.Tokens.Rejected(s.exchange.record.Connector, s.token, claimsOf(head.Headers))
	}
	s.token = ""
	backward, refusal := s.exchange.Response(head)
	if refusal != nil {
		return s.refuse(refusal)
	}
	s.held.Start(s.server.buffers, headRoom)
	s.held.ResponseHeaders(backward.Set, backward.Remove)
	if head.End {
		return s.release()
	}
	return nil
}

// release sends the held reply to the response headers.
func (s *stream) release() error {
	if !s.held.Started() {
		return nil
	}
	s.released = true
	return s.send(&s.held)
}

// responseBody sanitizes a chunk piece by piece, as it lies in gRPC's buffers,
// straight into the buffer that is sent.
func (s *stream) responseBody(m *wire.Request) error {
	size := 0
	for _, piece := range m.Body {
		size += len(piece)
	}
	size = wire.BodyRoom + size + size/2 // pseudonyms are longer than what they stand for
	if s.exchange.Compressed() {
		size = wire.MaxChunk
	}
	out := s.body(size)
	for i, piece := range m.Body {
		for more := true; more; piece = nil {
			var refusal *Refusal
			if out, refusal = s.exchange.Body(out, piece); refusal != nil {
				return s.refuse(refusal)
			}
			more = s.exchange.Pending()
			if len(out) >= flushAt && (more || i < len(m.Body)-1) {
				if err := s.sendBody(out, false); err != nil {
					return err
				}
				out = s.body(size)
			}
		}
	}
	m.Free() // sending may take long
	if m.End {
		var refusal *Refusal
		if out, refusal = s.exchange.End(out); refusal != nil {
			return s.refuse(refusal)
		}
	}
	return s.sendBody(out, m.End)
}

// responseTrailers ends a body that was followed by trailers: the end of the
// stream is then announced here, not with the last chunk. No trailer is passed on.
func (s *stream) responseTrailers(m *wire.Request) error {
	out, refusal := s.exchange.End(s.body(wire.BodyRoom))
	if refusal != nil {
		return s.refuse(refusal)
	}
	if err := s.sendBody(out, false); err != nil {
		return err
	}
	if err := s.release(); err != nil {
		return err
	}
	var names []string
	for _, t := range m.Headers {
		names = append(names, t.Name)
	}
	s.reply.Start(s.server.buffers, headRoom)
	s.reply.ResponseTrailers(names)
	return s.send(&s.reply)
}

// headRoom is for a reply without a body; it may take more.
const headRoom = 1 << 10

// body begins a reply and returns where its bytes are appended to.
func (s *stream) body(size int) []byte {
	s.reply.Start(s.server.buffers, min(size, wire.MaxChunk))
	return s.reply.Body()
}

// sendBody sends decided bytes, after the held headers, in chunks that Envoy
// accepts. They were appended to what body gave, and are the reply's now.
func (s *stream) sendBody(out []byte, end bool) error {
	if len(out) == wire.BodyRoom && !end {
		return nil
	}
	if err := s.release(); err != nil {
		return err
	}
	rest := out[wire.BodyRoom:]
	if len(rest) <= wire.MaxChunk {
		s.reply.SetBody(out, end)
		return s.send(&s.reply)
	}
	// What waited to be decided may be that long. It happens seldom enough to copy.
	whole := s.reply
	s.reply = wire.Reply{}
	defer whole.Free()
	for {
		n := min(len(rest), wire.MaxChunk)
		chunk := append(s.body(wire.BodyRoom+n), rest[:n]...)
		rest = rest[n:]
		s.reply.SetBody(chunk, end && len(rest) == 0)
		if err := s.send(&s.reply); err != nil || len(rest) == 0 {
			return err
		}
	}
}

// refuse answers the client in our own words as long as no response byte has
// left; afterwards only an error of the stream stops the response, which resets
// it at the client.
func (s *stream) refuse(r *Refusal) error {
	if s.released {
		return status.Error(codes.Aborted, "ending the exchange: "+r.Code)
	}
	s.held.Free()
	s.answered = true
	headers := []Header{{Name: "content-type", Value: "application/json"}}
	if after := r.retryAfter(); after != "" {
		headers = append(headers, Header{Name: "retry-after", Value: after})
	}
	s.reply.Start(s.server.buffers, headRoom)
	s.reply.Immediate(r.status(), headers, r.appendBody(nil), MetadataNamespace+"_"+r.Code)
	s.metadata("deny")
	return s.send(&s.reply)
}

// metadata adds to the reply what Envoy's guard and access log see, and more. Only
// ids of the policy.
func (s *stream) metadata(decision string, more ...Header) {
	r := &s.exchange.record
	values := [...]Header{{Name: "decision", Value: decision}, {Name: "connector", Value: r.Connector}, {Name: "endpoint", Value: r.Endpoint}, {Name: "code", Value: r.Code}}
	s.reply.Metadata(MetadataNamespace, append(values[:], more...)...)
}

// quota is whose quota of the upstream the request takes, for Envoy's rate limit
// service; nil if there is none.
func (s *stream) quota(f Forward) []Header {
	q, ok := s.server.config.Quotas[f.Connector]
	if !ok {
		return nil
	}
	return []Header{{Name: "tenant", Value: q.Tenant}, {Name: "application", Value: q.Application}, {Name: "service", Value: f.Service}}
}
