package extproctest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/extproc"
)

// maxChunk is what Envoy takes as one chunk in mode FULL_DUPLEX_STREAMED
// (external_processor.proto, StreamedBodyResponse: 64 KB).
const maxChunk = 64 << 10

// assembly puts the client's response together from the replies to an
// upstream's answer.
type assembly struct {
	*exchange
	answer *answer
	// sentEnd says that the end of the upstream's answer is on its way to the
	// processor: only then may the processor end the response.
	sentEnd atomic.Bool
	// started says that the response's head has left, ended that all of it has.
	started, ended bool
}

// answer feeds the upstream's answer to the processor and assembles what the
// client gets. Envoy does not wait for replies in between.
// config is sent along if this is the beginning of the stream.
func (x *exchange) answer(a *answer, config *extprocv3.ProtocolConfiguration, separateEnd bool) error {
	as := &assembly{exchange: x, answer: a}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		as.send(config, separateEnd)
	}()
	if err := as.receive(); err != nil {
		return err
	}
	<-sent
	return x.close()
}

// send plays the upstream's answer; an upstream that resets gets no end.
func (as *assembly) send(config *extprocv3.ProtocolConfiguration, separateEnd bool) {
	a := as.answer
	messages := []*extprocv3.ProcessingRequest{ResponseHeaders(a.status, a.visible(), a.bodyless())}
	messages[0].ProtocolConfig = config
	for i, chunk := range a.chunks {
		end := !separateEnd && !a.reset && len(a.trailers) == 0 && i == len(a.chunks)-1
		messages = append(messages, ResponseBody(chunk, end))
	}
	switch {
	case a.reset || a.bodyless():
	case len(a.trailers) > 0:
		messages = append(messages, ResponseTrailers(a.trailers))
	case separateEnd:
		messages = append(messages, ResponseBody(nil, true))
	}
	for i, m := range messages {
		if i == len(messages)-1 && !a.reset {
			as.sentEnd.Store(true)
		}
		if as.stream.Send(m) != nil {
			return // the status comes with Recv
		}
	}
	if a.reset {
		as.stream.CloseSend()
	}
}

// bodyless says that the head ends the answer.
func (a *answer) bodyless() bool { return len(a.chunks) == 0 && len(a.trailers) == 0 && !a.reset }

// visible is the headers as the processor sees them: ext_proc removes the
// length, which nobody knows any more, and a filter before it the orders to Envoy.
func (a *answer) visible() []extproc.Header {
	var seen []extproc.Header
	for _, h := range a.headers {
		if h.Name != "content-length" && !strings.HasPrefix(h.Name, "x-envoy-") {
			seen = append(seen, h)
		}
	}
	return seen
}

// receive takes replies until the response has ended one way or the other.
func (as *assembly) receive() error {
	for !as.ended {
		reply, err := as.stream.Recv()
		if errors.Is(err, errEOF) && !as.answer.reset {
			return errors.New("leak: the processor ended the stream cleanly before the end of the response; Envoy would release the rest as it is")
		}
		if err != nil { // an error of the processor, or the upstream broke off and Envoy with it
			as.broken()
			return nil
		}
		if i := reply.GetImmediateResponse(); i != nil {
			if as.started {
				return errors.New("an immediate response after the head has left: Envoy would send it raw or reset")
			}
			as.ended = true
			return as.immediate(i)
		}
		if reply.GetModeOverride() != nil || reply.GetOverrideMessageTimeout() != nil {
			return errors.New("spurious mode or timeout in a reply to a response")
		}
		switch r := reply.GetResponse().(type) {
		case *extprocv3.ProcessingResponse_ResponseHeaders:
			err = as.head(r.ResponseHeaders.GetResponse())
		case *extprocv3.ProcessingResponse_ResponseBody:
			err = as.chunk(r.ResponseBody.GetResponse())
		case *extprocv3.ProcessingResponse_ResponseTrailers:
			err = as.trailers(r.ResponseTrailers.GetHeaderMutation())
		default:
			err = fmt.Errorf("spurious reply to a response: %T", r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// broken is what the client sees when the stream ended too early.
func (as *assembly) broken() {
	if as.started {
		as.response.Cut = true
		return
	}
	*as.response = *local(502, "badGateway")
}

func (as *assembly) head(common *extprocv3.CommonResponse) error {
	if as.started || common.GetStatus() != extprocv3.CommonResponse_CONTINUE || common.GetBodyMutation() != nil {
		return errors.New("spurious reply to the response headers")
	}
	headers, err := mutate(as.answer.visible(), common.GetHeaderMutation())
	if err != nil {
		return fmt.Errorf("response headers: %w", err)
	}
	as.response.Status, as.response.Header = as.answer.status, httpHeader(headers)
	as.started, as.ended = true, as.answer.bodyless()
	return nil
}

func (as *assembly) chunk(common *extprocv3.CommonResponse) error {
	s := common.GetBodyMutation().GetStreamedResponse()
	switch {
	case !as.started || as.answer.bodyless():
		return errors.New("spurious body: the reply to the headers is missing, or there is no body")
	case s == nil || common.GetHeaderMutation() != nil || common.GetStatus() != extprocv3.CommonResponse_CONTINUE:
		return errors.New("a body reply without streamed_response, or with more than that")
	case len(s.GetBody()) > maxChunk:
		return fmt.Errorf("a chunk of %d bytes, more than Envoy takes", len(s.GetBody()))
	case s.GetEndOfStream() && (!as.sentEnd.Load() || len(as.answer.trailers) > 0):
		return errors.New("end_of_stream that the upstream did not send: a truncated body would pass for a complete one")
	}
	as.response.Body = append(as.response.Body, s.GetBody()...)
	as.ended = s.GetEndOfStream()
	return nil
}

func (as *assembly) trailers(m *extprocv3.HeaderMutation) error {
	if !as.started || len(as.answer.trailers) == 0 {
		return errors.New("spurious trailers")
	}
	trailers, err := mutate(as.answer.trailers, m)
	if err != nil {
		return fmt.Errorf("response trailers: %w", err)
	}
	as.response.Trailer = httpHeader(trailers)
	as.ended = true
	return nil
}
