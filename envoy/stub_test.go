package envoy_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// stub is a real ext_proc server that does what a test says. By default it
// allows every request and releases every body in capitals.
type stub struct {
	extprocv3.UnimplementedExternalProcessorServer

	// request answers request headers, response answers response headers. The
	// maps have the values under lower-case names.
	request  func(headers map[string]string) *extprocv3.ProcessingResponse
	response func(headers map[string]string) *extprocv3.ProcessingResponse

	// verbatim releases bodies as they are.
	verbatim bool

	// leave ends the stream cleanly at the first message, which no processor
	// may do.
	leave bool

	mu          sync.Mutex
	attributes  map[string]string
	requests    []map[string]string
	responses   []map[string]string
	endOfStream []bool // of the request headers
}

func (s *stub) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.leave {
			return nil
		}
		answer := s.answer(message)
		if answer == nil {
			return status.Error(codes.Internal, "told to fail")
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (s *stub) answer(message *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := message.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		s.attributes = map[string]string{}
		for name, value := range message.GetAttributes()["envoy.filters.http.ext_proc"].GetFields() {
			s.attributes[name] = value.GetStringValue()
		}
		headers := headerMap(m.RequestHeaders.GetHeaders())
		s.requests = append(s.requests, headers)
		s.endOfStream = append(s.endOfStream, m.RequestHeaders.GetEndOfStream())
		if s.request != nil {
			return s.request(headers)
		}
		return allow(nil)
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		headers := headerMap(m.ResponseHeaders.GetHeaders())
		s.responses = append(s.responses, headers)
		if s.response != nil {
			return s.response(headers)
		}
		return responseHeaders(nil)
	case *extprocv3.ProcessingRequest_ResponseBody:
		body := m.ResponseBody.GetBody()
		if !s.verbatim {
			body = upper(body)
		}
		return bodyChunk(body, m.ResponseBody.GetEndOfStream())
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{
			ResponseTrailers: &extprocv3.TrailersResponse{},
		}}
	}
	return nil
}

func headerMap(headers *corev3.HeaderMap) map[string]string {
	out := map[string]string{}
	for _, h := range headers.GetHeaders() {
		out[h.GetKey()] = string(h.GetRawValue())
	}
	return out
}

func upper(body []byte) []byte {
	out := make([]byte, len(body))
	for i, b := range body {
		if 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		out[i] = b
	}
	return out
}

// mutate builds a header mutation from alternating names and values; a value of
// "-" removes.
func mutate(pairs ...string) *extprocv3.HeaderMutation {
	m := &extprocv3.HeaderMutation{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			m.RemoveHeaders = append(m.RemoveHeaders, pairs[i])
			continue
		}
		m.SetHeaders = append(m.SetHeaders, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return m
}

func metadata(pairs ...string) *structpb.Struct {
	fields := map[string]*structpb.Value{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = structpb.NewStringValue(pairs[i+1])
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		envoy.MetadataNamespace: structpb.NewStructValue(&structpb.Struct{Fields: fields}),
	}}
}

// pass answers request headers without the decision that the guard asks for.
func pass(mutation *extprocv3.HeaderMutation) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestHeaders{
		RequestHeaders: &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{HeaderMutation: mutation}},
	}}
}

func allow(mutation *extprocv3.HeaderMutation) *extprocv3.ProcessingResponse {
	r := pass(mutation)
	r.DynamicMetadata = metadata(envoy.MetadataDecision, envoy.DecisionAllow,
		envoy.MetadataConnector, "a_connector", envoy.MetadataEndpoint, "an_endpoint",
		envoy.MetadataTenant, "a_tenant", envoy.MetadataApplication, "an_application", envoy.MetadataService, "a_service")
	return r
}

func responseHeaders(mutation *extprocv3.HeaderMutation) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseHeaders{
		ResponseHeaders: &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{HeaderMutation: mutation}},
	}}
}

func bodyChunk(body []byte, end bool) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{
		ResponseBody: &extprocv3.BodyResponse{Response: &extprocv3.CommonResponse{
			BodyMutation: &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_StreamedResponse{
				StreamedResponse: &extprocv3.StreamedBodyResponse{Body: body, EndOfStream: end},
			}},
		}},
	}}
}

func immediate(code int, details, body string, headers ...string) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(code)},
			Headers: mutate(headers...),
			Body:    []byte(body),
			Details: details,
		}},
		DynamicMetadata: metadata(envoy.MetadataDecision, "deny", envoy.MetadataCode, "a_code"),
	}
}

// serve runs the stub on a socket and returns its path.
func (s *stub) serve(t *testing.T) string {
	t.Helper()
	path := envoytest.Socket(t)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
		MinTime:             time.Second,
		PermitWithoutStream: true,
	}))
	extprocv3.RegisterExternalProcessorServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return path
}

// onRequest changes what is answered to request headers from now on.
func (s *stub) onRequest(f func(map[string]string) *extprocv3.ProcessingResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request = f
}

// onResponse changes what is answered to response headers from now on.
func (s *stub) onResponse(f func(map[string]string) *extprocv3.ProcessingResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.response = f
}

// seen is the request headers that arrived up to now.
func (s *stub) seen() []map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]map[string]string(nil), s.requests...)
}

// attribute is one of the request attributes that the stub saw last.
func (s *stub) attribute(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attributes[name]
}

// lastEndOfStream says whether the last request had no body.
func (s *stub) lastEndOfStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endOfStream[len(s.endOfStream)-1]
}

// lastRequest is the request headers that the stub saw last.
func (s *stub) lastRequest() map[string]string {
	requests := s.seen()
	if len(requests) == 0 {
		return nil
	}
	return requests[len(requests)-1]
}

const upstreamName = "graph.example"

// upstream is a server with a certificate for upstreamName.
type upstream struct {
	*httptest.Server
	address string

	mu       sync.Mutex
	requests []*http.Request
	times    []time.Time
}

// newUpstream serves handler over TLS, with HTTP/2 unless told otherwise. names
// are what the certificate is for, upstreamName if there are none.
func newUpstream(t *testing.T, a *envoytest.Authority, http2 bool, handler http.HandlerFunc, names ...string) *upstream {
	t.Helper()
	if len(names) == 0 {
		names = []string{upstreamName}
	}
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.requests = append(u.requests, r.Clone(r.Context()))
		u.times = append(u.times, time.Now())
		u.mu.Unlock()
		handler(w, r)
	}))
	u.TLS = &tls.Config{Certificates: []tls.Certificate{a.Issue(t, names...).TLS}}
	u.EnableHTTP2 = http2
	u.StartTLS()
	t.Cleanup(u.Close)
	u.address = u.Listener.Addr().String()
	return u
}

// seen is the requests that arrived up to now.
func (u *upstream) seen() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*http.Request(nil), u.requests...)
}

// hello answers with a small JSON object, in small letters.
func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"value":"hello"}`)
}

// rig is Envoy between a client, the stub and an upstream.
type rig struct {
	*envoytest.Envoy
	authority *envoytest.Authority
	stub      *stub
	upstream  *upstream
}

// newRig starts everything; handler is the upstream's, change adjusts the
// configuration.
func newRig(t *testing.T, s *stub, handler http.HandlerFunc, change ...func(*envoy.Config)) *rig {
	t.Helper()
	a := envoytest.NewAuthority(t)
	u := newUpstream(t, a, true, handler)
	config := envoy.Config{
		Processor: s.serve(t),
		Upstream:  envoy.Upstream{Host: upstreamName, Address: u.address},
	}
	for _, f := range change {
		f(&config)
	}
	return &rig{Envoy: envoytest.Start(t, a, config), authority: a, stub: s, upstream: u}
}
