package extproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
	"github.com/graphveil/graphveil/extproc/wire"
)

// fragments of a body. Whatever they are put together to, no value that the plan
// keeps holds a canary.
var fragments = []string{
	`{"value":[`, `{`, `}`, `[`, `]`, `]}`, `,`, `"id":`, `"owner":`, `"secret":`, `"CANARY"`, `"CANARY@acme.com"`,
	`"CAN`, `ARY"`, `\u0043ANARY`, `{"id":"CANARY","secret":"CANARY","owner":"CANARY@acme.com"}`, `null`, `1.50`, ` `,
	`"@odata.nextLink":"https://graph.example/v1.0/things?$skiptoken=CANARY"`, `"new":"CANARY"`, "\xff", `"\ud800"`,
	gzipPage, gzipPage[:40], gzipPage[40:], gzipPage[:len(gzipPage)-8], gzipPage[len(gzipPage)-8:], "\x1f\x8b\x08\x00",
}

// gzipPage is a page in gzip.
var gzipPage = zipped(`{"value":[{"id":"CANARY","secret":"CANARY",`, `"owner":"CANARY@acme.com"}]}`)

// fuzzMessage makes one message of two bytes. Its parts are drawn so that
// regular exchanges are frequent.
func fuzzMessage(kind, detail byte) message {
	targets := []string{"/v1.0/things", "/v1.0/things?$top=5", "/v1.0/things/CANARY", "/v1.0/things?$expand=CANARY", "/CANARY", "", "/v1.0/things?$skiptoken=gv~CANARY"}
	headers := [][]extproc.Header{jsonHeaders, nil, {{Name: "content-type", Value: "text/plain"}}, {{Name: "content-type", Value: "application/json"}, {Name: "content-encoding", Value: "CANARY"}},
		{{Name: "content-type", Value: "application/json"}, {Name: "content-encoding", Value: "gzip"}}}
	statuses := []int{200, 200, 200, 404, 204, 302, 401, 500, 0}
	d := int(detail)
	switch kind % 6 {
	case 0:
		return extproctest.RequestHeaders([]extproc.Header{
			{Name: ":method", Value: []string{"GET", "GET", "POST"}[d%3]}, {Name: ":path", Value: targets[d/3%len(targets)]},
			{Name: "cookie", Value: canary},
		}, d < 240)
	case 1:
		return extproctest.ResponseHeaders(statuses[d%len(statuses)], headers[d/16%len(headers)], d >= 240)
	case 2, 3:
		return extproctest.ResponseBody([]byte(fragments[d%len(fragments)]), d >= 200)
	case 4:
		return extproctest.ResponseTrailers([]extproc.Header{{Name: "x-trailer", Value: canary}})
	}
	return []message{
		{}, {Request: &extprocv3.ProcessingRequest_RequestHeaders{}},
		{Request: &extprocv3.ProcessingRequest_RequestBody{RequestBody: &extprocv3.HttpBody{Body: []byte(canary), EndOfStream: true}}},
		{Request: &extprocv3.ProcessingRequest_RequestTrailers{}},
		{Request: &extprocv3.ProcessingRequest_ResponseHeaders{}},
		{Request: &extprocv3.ProcessingRequest_ResponseBody{}},
	}[d%6]
}

// FuzzProcess sends any messages in any order. Whatever they are, the stream
// ends without a panic, cleanly only after the client ended it, with replies in
// the order that Envoy expects, and without a byte that was not decided.
func FuzzProcess(f *testing.F) {
	page := []byte{0, 0, 1, 0, 2, 0, 3, 15, 2, 5, 2, 250}
	f.Add(page)
	f.Add([]byte{0, 0, 1, 0, 2, 0, 3, 1, 2, 7, 2, 12, 3, 13, 2, 2, 3, 4, 3, 2, 4, 0})
	f.Add([]byte{0, 9, 1, 3, 2, 250})
	f.Add([]byte{0, 0, 1, 64, 2, 24, 3, 25, 2, 250})
	f.Add([]byte{0, 0, 1, 64, 2, 26, 3, 27, 4, 0})
	f.Add([]byte{1, 0, 2, 250})
	f.Add([]byte{5, 0, 5, 1, 0, 0})
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		s := &script2stream{context: t.Context()}
		for i := 0; i+1 < len(script) && i < 200; i += 2 {
			m := fuzzMessage(script[i], script[i+1])
			if i == 0 {
				configured(m)
			}
			s.messages = append(s.messages, m)
		}
		// How the client ends the stream.
		s.last = io.EOF
		if len(script)%2 == 1 {
			s.last = status.Error(codes.Canceled, "the client went away")
		}
		err := w.server.Process(&grpc.GenericServerStream[extprocv3.ProcessingRequest, extprocv3.ProcessingResponse]{ServerStream: s})
		if err == nil && !errors.Is(s.ended, io.EOF) {
			t.Error("a clean end before the client's: Envoy would go on without us")
		}
		if strings.Contains(w.log.String(), "panic in an exchange") {
			t.Fatalf("a panic:\n%s", w.log)
		}
		if err := s.check(); err != nil {
			t.Error(err)
		}
		if strings.Contains(w.log.String(), canary) || err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("a canary in the log or the error: %v", err)
		}
		w.log.Reset()
	})
}

// script2stream is the server's end of a stream whose client sends a script and
// reads everything.
type script2stream struct {
	grpc.ServerStream
	context  context.Context
	messages []message
	last     error // after the messages
	ended    error // what the processor was told of the end
	endSent  bool  // the upstream's response has ended
	replies  []*extprocv3.ProcessingResponse
	early    bool // the processor ended the response before the upstream did
}

func (s *script2stream) Context() context.Context { return s.context }

// RecvMsg hands a message over as gRPC does: encoded, and cut anywhere.
func (s *script2stream) RecvMsg(into any) error {
	if len(s.messages) == 0 {
		s.ended = s.last
		return s.last
	}
	m := s.messages[0]
	s.messages = s.messages[1:]
	s.endSent = s.endSent || m.GetResponseBody().GetEndOfStream() || m.GetResponseHeaders().GetEndOfStream() || m.GetResponseTrailers() != nil
	encoded, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	half := len(encoded) / 2
	return wire.NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(encoded[:half]), mem.SliceBuffer(encoded[half:])}, into)
}

func (s *script2stream) SendMsg(m any) error {
	encoded, err := wire.NewCodec().Marshal(m)
	if err != nil {
		return err
	}
	r := &extprocv3.ProcessingResponse{}
	if err := proto.Unmarshal(encoded.Materialize(), r); err != nil {
		return err
	}
	encoded.Free()
	end := r.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetEndOfStream() || r.GetResponseTrailers() != nil
	s.early = s.early || end && !s.endSent
	s.replies = append(s.replies, r)
	return nil
}

// check looks at the replies as Envoy would.
func (s *script2stream) check() error {
	const (
		start = iota
		allowed
		head
		body
		ended
	)
	state := start
	for i, r := range s.replies {
		if strings.Contains(r.String(), canary) && r.GetRequestHeaders() == nil {
			return fmt.Errorf("reply %d has a canary: %v", i, r)
		}
		next := map[string]int{
			"*ext_procv3.ProcessingResponse_RequestHeaders":   allowed,
			"*ext_procv3.ProcessingResponse_ResponseHeaders":  head,
			"*ext_procv3.ProcessingResponse_ResponseBody":     body,
			"*ext_procv3.ProcessingResponse_ResponseTrailers": ended,
		}[fmt.Sprintf("%T", r.GetResponse())]
		if r.GetImmediateResponse() != nil {
			if state >= head {
				return fmt.Errorf("reply %d is an answer of our own after the head has left", i)
			}
			state = ended
			continue
		}
		orderly := next == state+1 || next == body && state == body || next == ended && state == head || next == ended && state == body
		if !orderly || next == 0 {
			return fmt.Errorf("reply %d (%T) in state %d", i, r.GetResponse(), state)
		}
		state = next
		if next == body && r.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetEndOfStream() {
			state = ended
		}
	}
	if s.early {
		return errors.New("the response was ended before the upstream ended it")
	}
	return nil
}
