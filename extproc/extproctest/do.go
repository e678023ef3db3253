package extproctest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/extproc"
)

// errEOF is how a stream ends that the processor closed without an error.
var errEOF = io.EOF

// timeout bounds one exchange.
const timeout = 30 * time.Second

// Request is what a client sends to Envoy.
type Request struct {
	Method string
	// Target is path and query as sent.
	Target string
	// Headers are in lower case.
	Headers []extproc.Header
	// HasBody says that a body follows the head; it goes nowhere.
	HasBody bool
	// SPIFFEID is the URI of the client's certificate, "" if it showed none.
	SPIFFEID string
}

// Response is what the client gets.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Trailer is empty if the response had none.
	Trailer http.Header
	// Cut says that the body broke off: a reset, no regular end.
	Cut bool
	// Local says that Envoy answered by itself, without or in spite of the
	// processor.
	Local bool
	// Metadata is what the processor told Envoy's guard and access log.
	Metadata map[string]string
}

// Do carries one exchange through, as Envoy would. The error says what the
// processor did that Envoy would punish or, worse, let pass; a response that is
// an error, or is cut off, is no error of Do.
func (e *Envoy) Do(ctx context.Context, r Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stream, err := e.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the stream: %w", err)
	}
	x := &exchange{stream: stream, response: &Response{}}
	target, ok := normalize(r.Target)
	if !ok {
		return x.response, x.refusedByEnvoy()
	}
	head := requestHead(r, target)
	message := RequestHeaders(head, !r.HasBody)
	SetAttributes(message, attributes(r))
	head, done, err := x.request(message, head)
	if done || err != nil {
		if r.Method == http.MethodHead {
			x.response.Body = nil
		}
		return x.response, err
	}
	// What the filter behind the guard does.
	head = append(without(without(head, "x-request-id"), "accept-encoding"), extproc.Header{Name: "accept-encoding", Value: "gzip"})
	a, err := e.call(head)
	if err != nil {
		return nil, fmt.Errorf("calling the upstream: %w", err)
	}
	return x.response, x.answer(a, nil, e.SeparateEnd)
}

func requestHead(r Request, target string) []extproc.Header {
	head := []extproc.Header{
		{Name: ":authority", Value: "localhost"}, {Name: ":path", Value: target},
		{Name: ":method", Value: r.Method}, {Name: ":scheme", Value: "https"},
	}
next:
	for _, h := range r.Headers {
		for _, prefix := range removedAtEntrance {
			if strings.HasPrefix(h.Name, prefix) {
				continue next
			}
		}
		head = append(head, h)
	}
	return append(head, extproc.Header{Name: "x-request-id", Value: "7b0ee6c5-9a8b-9a3c-8f4e-0f2d3c4b5a69"})
}

func attributes(r Request) map[string]string {
	values := map[string]string{"source.address": "127.0.0.1:50000"}
	if r.SPIFFEID != "" {
		values["connection.uri_san_peer_certificate"] = r.SPIFFEID
	}
	return values
}

// refusedByEnvoy is an exchange with a request that Envoy refuses before its
// filters: its answer passes the response half of ext_proc all the same, on a
// stream that saw no request.
func (x *exchange) refusedByEnvoy() error {
	own := local(400, "badRequest")
	a := &answer{status: own.Status, headers: lower(own.Header), chunks: [][]byte{own.Body}}
	return x.answer(a, RequestHeaders(nil, true).ProtocolConfig, false)
}

// local is an answer of Envoy itself.
func local(status int, code string) *Response {
	return &Response{
		Status: status,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   fmt.Appendf(nil, `{"error":{"code":%q,"message":"Envoy's own words."}}`, code),
		Local:  true,
	}
}

// exchange is the client's side of one stream.
type exchange struct {
	stream   extprocv3.ExternalProcessor_ProcessClient
	response *Response
}

// request sends the head and takes the verdict. done says that the client has
// its response already; else the mutated head goes upstream.
func (x *exchange) request(m *extprocv3.ProcessingRequest, head []extproc.Header) (_ []extproc.Header, done bool, err error) {
	if err := x.stream.Send(m); err != nil && !errors.Is(err, errEOF) {
		return nil, false, fmt.Errorf("sending the request headers: %w", err)
	}
	reply, err := x.stream.Recv()
	if errors.Is(err, errEOF) {
		return nil, false, errors.New("leak: the processor ended the stream cleanly at the request headers; Envoy would send the client's request on")
	}
	if err != nil {
		*x.response = *local(502, "badGateway")
		return nil, true, nil
	}
	x.response.Metadata = metadata(reply)
	if i := reply.GetImmediateResponse(); i != nil {
		if err := x.immediate(i); err != nil {
			return nil, false, err
		}
		return nil, true, x.close()
	}
	common := reply.GetRequestHeaders().GetResponse()
	if reply.GetRequestHeaders() == nil || reply.GetModeOverride() != nil || reply.GetOverrideMessageTimeout() != nil ||
		common.GetStatus() != extprocv3.CommonResponse_CONTINUE || common.GetBodyMutation() != nil || common.GetClearRouteCache() {
		return nil, false, fmt.Errorf("spurious reply to the request headers: %T", reply.GetResponse())
	}
	head, err = mutate(head, common.GetHeaderMutation())
	if err != nil {
		return nil, false, fmt.Errorf("request headers: %w", err)
	}
	if x.response.Metadata["decision"] != "allow" { // the guard
		metadata := x.response.Metadata
		*x.response = *local(403, "notAllowed")
		x.response.Metadata = metadata
		return nil, true, x.close()
	}
	return head, false, nil
}

// immediate is an answer in the processor's own words.
func (x *exchange) immediate(i *extprocv3.ImmediateResponse) error {
	if !strings.HasPrefix(i.GetDetails(), "graphveil_") {
		return fmt.Errorf("the details of an immediate response are %q: Envoy's local replies would replace its body", i.GetDetails())
	}
	headers, err := mutate(nil, i.GetHeaders())
	if err != nil {
		return fmt.Errorf("immediate response: %w", err)
	}
	x.response.Status = int(i.GetStatus().GetCode())
	x.response.Header = httpHeader(headers)
	x.response.Body = i.GetBody()
	return nil
}

// close ends the stream from Envoy's side. The processor must then end it too,
// without an error if the exchange was complete.
func (x *exchange) close() error {
	if err := x.stream.CloseSend(); err != nil {
		return fmt.Errorf("ending the stream: %w", err)
	}
	rest := Collect(x.stream)
	if len(rest.All) > 0 {
		return fmt.Errorf("spurious reply after the end of the exchange: %T", rest.All[0].GetResponse())
	}
	if rest.Err != nil && !x.response.Cut && !x.response.Local {
		return fmt.Errorf("the processor ended a complete exchange with an error: %w", rest.Err)
	}
	return nil
}

func metadata(r *extprocv3.ProcessingResponse) map[string]string {
	out := map[string]string{}
	for name, value := range r.GetDynamicMetadata().GetFields()["graphveil"].GetStructValue().GetFields() {
		out[name] = value.GetStringValue()
	}
	return out
}
