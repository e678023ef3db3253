package extproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/policy"
)

// maxChunk is the largest body chunk of one reply: Envoy allows 64 KB in mode
// FULL_DUPLEX_STREAMED, framing included.
const maxChunk = 62_000

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
	grpc     extprocv3.ExternalProcessor_ProcessServer
	exchange *Exchange
	idle     *time.Timer
	held     *extprocv3.ProcessingResponse
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
	s.server.config.Metrics.observe(&record)
	record.Log(context.WithoutCancel(s.grpc.Context()), s.server.config.Log)
	return err
}

// receive handles messages until the stream ends.
func (s *stream) receive() (err error) {
	defer s.recoverTo(&err)
	for {
		m, err := s.grpc.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.touch()
		if err := s.message(m); err != nil {
			return err
		}
	}
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

func (s *stream) send(r *extprocv3.ProcessingResponse) error {
	err := s.grpc.Send(r)
	s.touch()
	return err
}

func (s *stream) message(m *extprocv3.ProcessingRequest) error {
	if !s.modeSeen {
		if err := checkMode(m.GetProtocolConfig()); err != nil {
			s.exchange.Refuse(&Refusal{Code: "internal"})
			return err
		}
		s.modeSeen = true
	}
	if s.answered {
		return nil
	}
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return s.requestHeaders(m, r.RequestHeaders)
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return s.responseHeaders(r.ResponseHeaders)
	case *extprocv3.ProcessingRequest_ResponseBody:
		return s.responseBody(r.ResponseBody)
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return s.responseTrailers(r.ResponseTrailers)
	}
	s.exchange.Refuse(&Refusal{Code: "internal"})
	return status.Error(codes.InvalidArgument, "receiving a message: not a phase that is served")
}

// checkMode refuses every mode in which Envoy would let undecided bytes pass.
// Envoy announces the mode in the first message of each stream.
func checkMode(c *extprocv3.ProtocolConfiguration) error {
	switch {
	case c.GetResponseBodyMode() != filterv3.ProcessingMode_FULL_DUPLEX_STREAMED:
		return status.Error(codes.FailedPrecondition, "receiving the first message: response_body_mode must be FULL_DUPLEX_STREAMED; use the bootstrap of `graphveil envoy config`")
	case c.GetRequestBodyMode() != filterv3.ProcessingMode_NONE:
		return status.Error(codes.FailedPrecondition, "receiving the first message: request_body_mode must be NONE; use the bootstrap of `graphveil envoy config`")
	}
	return nil
}

func (s *stream) requestHeaders(m *extprocv3.ProcessingRequest, h *extprocv3.HttpHeaders) error {
	ctx, cancel := context.WithTimeout(s.grpc.Context(), s.server.config.RequestTimeout)
	defer cancel()

	head := requestHead(h)
	head.Caller = callerOf(m)
	forward, refusal := s.exchange.Request(ctx, head)
	if refusal != nil {
		return s.refuse(refusal)
	}
	token, err := s.server.config.Tokens.Token(ctx, forward.Connector)
	if err != nil {
		refusal := &Refusal{Code: "token_unavailable", RetryAfter: 5 * time.Second}
		var later interface{ RetryAfter() time.Duration }
		if errors.As(err, &later) && later.RetryAfter() > 0 {
			refusal.RetryAfter = later.RetryAfter()
		}
		return s.refuse(s.exchange.Refuse(refusal))
	}

	set := append(forward.Headers, Header{"authorization", "Bearer " + token}, Header{":path", forward.Path})
	mutation := &extprocv3.HeaderMutation{}
	for _, h := range set {
		mutation.SetHeaders = append(mutation.SetHeaders, setHeader(h))
	}
	mutation.RemoveHeaders = unforwarded(head.Headers, set)
	return s.send(&extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{
			Response: &extprocv3.CommonResponse{HeaderMutation: mutation},
		}},
		DynamicMetadata: s.metadata("allow"),
	})
}

// unforwarded lists what the client sent and the policy does not forward.
func unforwarded(sent, set []Header) []string {
	var remove []string
next:
	for _, h := range sent {
		for _, f := range set {
			if f.Name == h.Name {
				continue next
			}
		}
		if envoysOwn[h.Name] {
			continue
		}
		remove = append(remove, h.Name)
	}
	return remove
}

func (s *stream) responseHeaders(h *extprocv3.HttpHeaders) error {
	head := responseHead(h)
	backward, refusal := s.exchange.Response(head)
	if refusal != nil {
		return s.refuse(refusal)
	}
	mutation := &extprocv3.HeaderMutation{RemoveHeaders: backward.Remove}
	for _, h := range backward.Set {
		mutation.SetHeaders = append(mutation.SetHeaders, setHeader(h))
	}
	s.held = &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{
			Response: &extprocv3.CommonResponse{HeaderMutation: mutation},
		}},
	}
	if head.End {
		return s.release()
	}
	return nil
}

// release sends the held reply to the response headers.
func (s *stream) release() error {
	if s.held == nil {
		return nil
	}
	held := s.held
	s.held, s.released = nil, true
	return s.send(held)
}

func (s *stream) responseBody(b *extprocv3.HttpBody) error {
	out, refusal := s.exchange.Body(nil, b.GetBody())
	if refusal == nil && b.GetEndOfStream() {
		out, refusal = s.exchange.End(out)
	}
	if refusal != nil {
		return s.refuse(refusal)
	}
	return s.sendBody(out, b.GetEndOfStream())
}

// responseTrailers ends a body that was followed by trailers: the end of the
// stream is then announced here, not with the last chunk. No trailer is passed on.
func (s *stream) responseTrailers(t *extprocv3.HttpTrailers) error {
	out, refusal := s.exchange.End(nil)
	if refusal != nil {
		return s.refuse(refusal)
	}
	if err := s.sendBody(out, false); err != nil {
		return err
	}
	if err := s.release(); err != nil {
		return err
	}
	mutation := &extprocv3.HeaderMutation{}
	for _, h := range t.GetTrailers().GetHeaders() {
		mutation.RemoveHeaders = append(mutation.RemoveHeaders, h.GetKey())
	}
	return s.send(&extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{HeaderMutation: mutation}},
	})
}

// sendBody sends decided bytes, after the held headers, in chunks that Envoy
// accepts.
func (s *stream) sendBody(out []byte, end bool) error {
	if len(out) == 0 && !end {
		return nil
	}
	if err := s.release(); err != nil {
		return err
	}
	for {
		n := min(len(out), maxChunk)
		last := end && n == len(out)
		err := s.send(&extprocv3.ProcessingResponse{
			Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{
				Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
					Mutation: &extprocv3.BodyMutation_StreamedResponse{StreamedResponse: &extprocv3.StreamedBodyResponse{
						Body: out[:n], EndOfStream: last,
					}},
				}},
			}},
		})
		out = out[n:]
		if err != nil || len(out) == 0 {
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
	s.held = nil
	s.answered = true
	headers := &extprocv3.HeaderMutation{SetHeaders: []*corev3.HeaderValueOption{setHeader(Header{"content-type", "application/json"})}}
	if after := r.retryAfter(); after != "" {
		headers.SetHeaders = append(headers.SetHeaders, setHeader(Header{"retry-after", after}))
	}
	return s.send(&extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(r.status())},
			Headers: headers,
			Body:    r.appendBody(nil),
			Details: MetadataNamespace + "_" + r.Code,
		}},
		DynamicMetadata: s.metadata("deny"),
	})
}

// metadata is what Envoy's guard and access log see. Only ids of the policy.
func (s *stream) metadata(decision string) *structpb.Struct {
	r := &s.exchange.record
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		MetadataNamespace: structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"decision":  structpb.NewStringValue(decision),
			"connector": structpb.NewStringValue(r.Connector),
			"endpoint":  structpb.NewStringValue(r.Endpoint),
			"code":      structpb.NewStringValue(r.Code),
		}}),
	}}
}

func setHeader(h Header) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		// raw_value only: Envoy drops value.
		Header:       &corev3.HeaderValue{Key: h.Name, RawValue: []byte(h.Value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func requestHead(h *extprocv3.HttpHeaders) RequestHead {
	head := RequestHead{HasBody: !h.GetEndOfStream()}
	for _, f := range h.GetHeaders().GetHeaders() {
		name, value := f.GetKey(), headerValue(f)
		switch name {
		case ":method":
			head.Method = value
		case ":path":
			head.Target = value
		case ":scheme":
			head.Scheme = value
		case ":authority":
			head.Authority = value
		default:
			if !strings.HasPrefix(name, ":") {
				head.Headers = append(head.Headers, Header{name, value})
			}
		}
	}
	return head
}

func responseHead(h *extprocv3.HttpHeaders) ResponseHead {
	head := ResponseHead{End: h.GetEndOfStream()}
	for _, f := range h.GetHeaders().GetHeaders() {
		name, value := f.GetKey(), headerValue(f)
		if name == ":status" {
			head.Status = parseStatus(value)
		}
		head.Headers = append(head.Headers, Header{name, value})
	}
	return head
}

func headerValue(h *corev3.HeaderValue) string {
	if len(h.GetRawValue()) > 0 {
		return string(h.GetRawValue())
	}
	return h.GetValue()
}

// callerOf reads who calls from the attributes that Envoy was asked to send.
func callerOf(m *extprocv3.ProcessingRequest) policy.Caller {
	attributes := m.GetAttributes()["envoy.filters.http.ext_proc"].GetFields()
	caller := policy.Caller{
		Address: attributes["source.address"].GetStringValue(),
		Subject: attributes["connection.subject_peer_certificate"].GetStringValue(),
	}
	if uri := attributes["connection.uri_san_peer_certificate"].GetStringValue(); strings.HasPrefix(uri, "spiffe://") {
		caller.SPIFFEID = uri
	}
	return caller
}
