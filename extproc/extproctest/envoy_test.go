package extproctest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
)

type reply = extprocv3.ProcessingResponse

// processor is a server that answers each kind of message as a test says. What a
// test does not say is done right, with bodies in capitals.
type processor struct {
	extprocv3.UnimplementedExternalProcessorServer
	request, head, body, trailers func() ([]*reply, error)
}

func (p *processor) Process(s extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var replies []*reply
		own := p.request
		switch r := m.Request.(type) {
		case *extprocv3.ProcessingRequest_RequestHeaders:
			replies = []*reply{allow(nil)}
		case *extprocv3.ProcessingRequest_ResponseHeaders:
			own, replies = p.head, []*reply{responseHead(nil)}
		case *extprocv3.ProcessingRequest_ResponseBody:
			own, replies = p.body, []*reply{chunk(strings.ToUpper(string(r.ResponseBody.GetBody())), r.ResponseBody.GetEndOfStream())}
		case *extprocv3.ProcessingRequest_ResponseTrailers:
			own, replies = p.trailers, []*reply{trailers(&extprocv3.HeaderMutation{RemoveHeaders: []string{"x-sum"}})}
		}
		if own != nil {
			if replies, err = own(); replies == nil {
				return err // nil is a clean end
			}
		}
		for _, r := range replies {
			if err := s.Send(r); err != nil {
				return err
			}
		}
	}
}

func allow(m *extprocv3.HeaderMutation) *reply {
	decision, err := structpb.NewStruct(map[string]any{"graphveil": map[string]any{"decision": "allow"}})
	if err != nil {
		panic(err)
	}
	return &reply{DynamicMetadata: decision, Response: &extprocv3.ProcessingResponse_RequestHeaders{
		RequestHeaders: &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{HeaderMutation: m}},
	}}
}

func responseHead(m *extprocv3.HeaderMutation) *reply {
	return &reply{Response: &extprocv3.ProcessingResponse_ResponseHeaders{
		ResponseHeaders: &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{HeaderMutation: m}},
	}}
}

func chunk(body string, end bool) *reply {
	return &reply{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{
		Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
			Mutation: &extprocv3.BodyMutation_StreamedResponse{
				StreamedResponse: &extprocv3.StreamedBodyResponse{Body: []byte(body), EndOfStream: end},
			},
		}},
	}}}
}

func trailers(m *extprocv3.HeaderMutation) *reply {
	return &reply{Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{HeaderMutation: m}}}
}

func immediate(details string, headers ...*corev3.HeaderValueOption) *reply {
	return &reply{Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
		Status: &typev3.HttpStatus{Code: 403}, Headers: &extprocv3.HeaderMutation{SetHeaders: headers}, Details: details, Body: []byte("no"),
	}}}
}

func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, RawValue: []byte(value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func setting(o *corev3.HeaderValueOption) *extprocv3.HeaderMutation {
	return &extprocv3.HeaderMutation{SetHeaders: []*corev3.HeaderValueOption{o}}
}

func says(replies ...*reply) func() ([]*reply, error) {
	return func() ([]*reply, error) { return replies, nil }
}

func ends() ([]*reply, error)   { return nil, nil }
func silent() ([]*reply, error) { return []*reply{}, nil }
func fails() ([]*reply, error)  { return nil, status.Error(codes.Internal, "told to fail") }

// serve starts a processor before an upstream that answers in two chunks.
func serve(t *testing.T, p *processor, change ...func(http.ResponseWriter)) *extproctest.Envoy {
	g := grpc.NewServer()
	extprocv3.RegisterExternalProcessorServer(g, p)
	return extproctest.Serve(t, g, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.RequestURI)
		io.WriteString(w, "hello, ")
		w.(http.Flusher).Flush()
		io.WriteString(w, "world")
		for _, f := range change {
			f(w)
		}
	}))
}

func withTrailer(w http.ResponseWriter) { w.Header().Set(http.TrailerPrefix+"X-Sum", "1") }
func breakOff(http.ResponseWriter)      { panic(http.ErrAbortHandler) }

func do(t *testing.T, e *extproctest.Envoy) (*extproctest.Response, error) {
	return e.Do(t.Context(), extproctest.Request{Method: "GET", Target: "/a", Headers: []extproc.Header{{Name: "accept", Value: "x"}}})
}

// TestDo is a processor that does all right.
func TestDo(t *testing.T) {
	for name, test := range map[string]struct {
		p        processor
		upstream func(http.ResponseWriter)
		status   int
		body     string
		cut      bool
	}{
		"plain":            {processor{}, nil, 200, "HELLO, WORLD", false},
		"trailers":         {processor{}, withTrailer, 200, "HELLO, WORLD", false},
		"path":             {processor{request: says(allow(setting(set(":path", "/b"))))}, nil, 200, "HELLO, WORLD", false},
		"denied":           {processor{request: says(immediate("graphveil_no", set("retry-after", "1")))}, nil, 403, "no", false},
		"replaced":         {processor{head: says(immediate("graphveil_no")), body: silent}, nil, 403, "no", false},
		"no decision":      {processor{request: says(&reply{Response: allow(nil).Response})}, nil, 403, "", false},
		"error at request": {processor{request: fails}, nil, 502, "", false},
		"error at head":    {processor{head: fails}, nil, 502, "", false},
		"error at body":    {processor{body: fails}, nil, 200, "", true},
		"upstream resets":  {processor{}, breakOff, 200, "HELLO, WORLD", true},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(http.ResponseWriter)
			if test.upstream != nil {
				change = append(change, test.upstream)
			}
			r, err := do(t, serve(t, &test.p, change...))
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != test.status || r.Cut != test.cut || !r.Local && string(r.Body) != test.body || len(r.Trailer) > 0 {
				t.Errorf("got %+v, body %q", r, r.Body)
			}
			if name == "path" && r.Header.Get("X-Path") != "/b" {
				t.Errorf("the upstream got %q", r.Header.Get("X-Path"))
			}
		})
	}
}

// TestDoIsStrict is a processor that does one thing which Envoy would punish or,
// worse, let pass.
func TestDoIsStrict(t *testing.T) {
	big := strings.Repeat("x", 64<<10+1)
	override := allow(nil)
	override.ModeOverride = &filterv3.ProcessingMode{}
	patient := responseHead(nil)
	patient.OverrideMessageTimeout = durationpb.New(1)
	replaced := responseHead(nil)
	replaced.GetResponseHeaders().Response.Status = extprocv3.CommonResponse_CONTINUE_AND_REPLACE
	unmutated := &reply{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{}}}
	ignored := set("accept", "")
	ignored.Header.Value, ignored.Header.RawValue = "y", nil
	appended := set("accept", "y")
	appended.AppendAction = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD

	for name, test := range map[string]struct {
		p    processor
		want string
		with func(http.ResponseWriter)
	}{
		"clean end at request":    {processor{request: ends}, "leak", nil},
		"clean end at head":       {processor{head: ends}, "leak", nil},
		"clean end at body":       {processor{body: ends}, "leak", nil},
		"clean end at trailers":   {processor{trailers: ends}, "leak", withTrailer},
		"mode override":           {processor{request: says(override)}, "spurious", nil},
		"timeout override":        {processor{head: says(patient)}, "spurious", nil},
		"reply to another phase":  {processor{request: says(responseHead(nil))}, "spurious", nil},
		"head twice":              {processor{head: says(responseHead(nil), responseHead(nil))}, "spurious", nil},
		"head replaced":           {processor{head: says(replaced)}, "spurious", nil},
		"body before head":        {processor{head: says(chunk("x", false))}, "spurious", nil},
		"trailers nobody sent":    {processor{body: says(trailers(nil))}, "spurious", nil},
		"body without mutation":   {processor{body: says(unmutated)}, "streamed_response", nil},
		"chunk too large":         {processor{body: says(chunk(big, false))}, "bytes", nil},
		"end before trailers":     {processor{body: says(chunk("x", true))}, "end_of_stream", withTrailer},
		"end of a reset upstream": {processor{body: says(chunk("x", true))}, "end_of_stream", breakOff},
		"immediate too late":      {processor{body: says(immediate("graphveil_no"))}, "after the head", nil},
		"details":                 {processor{request: says(immediate("no"))}, "details", nil},
		"reply after the end":     {processor{request: says(immediate("graphveil_no"), allow(nil))}, "spurious", nil},
		"protected request":       {processor{request: says(allow(setting(set(":method", "DELETE"))))}, "must not be changed", nil},
		"protected response":      {processor{head: says(responseHead(setting(set(":status", "200"))))}, "must not be changed", nil},
		"protected removal":       {processor{request: says(allow(&extprocv3.HeaderMutation{RemoveHeaders: []string{"content-length"}}))}, "must not be changed", nil},
		"value that is ignored":   {processor{request: says(allow(setting(ignored)))}, "raw_value", nil},
		"appended":                {processor{request: says(allow(setting(appended)))}, "appended", nil},
		"line break":              {processor{request: says(allow(setting(set("accept", "a\r\nb: c"))))}, "refuses", nil},
		"capitals":                {processor{request: says(allow(setting(set("Accept", "y"))))}, "lower case", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(http.ResponseWriter)
			if test.with != nil {
				change = append(change, test.with)
			}
			r, err := do(t, serve(t, &test.p, change...))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q; response %+v", err, test.want, r)
			}
		})
	}
}

// TestPlay sends what Envoy never would.
func TestPlay(t *testing.T) {
	e := serve(t, &processor{})
	r, err := e.Play(t.Context(), extproctest.ResponseBody([]byte("a"), false), extproctest.ResponseBody([]byte("b"), true))
	if err != nil {
		t.Fatal(err)
	}
	if r.Err != nil || string(r.Body()) != "AB" || r.Immediate() != nil {
		t.Errorf("got %+v, body %q", r, r.Body())
	}
	r, err = serve(t, &processor{request: fails}).Play(t.Context(), extproctest.RequestHeaders(nil, true), extproctest.ResponseBody(nil, true))
	if err != nil || status.Code(r.Err) != codes.Internal {
		t.Errorf("got %+v, %v", r, err)
	}
}
