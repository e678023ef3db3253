package wire

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

func mutation(set []Header, remove ...string) *extprocv3.HeaderMutation {
	m := &extprocv3.HeaderMutation{RemoveHeaders: remove}
	for _, h := range set {
		m.SetHeaders = append(m.SetHeaders, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: h.Name, RawValue: []byte(h.Value)},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return m
}

func headers(m *extprocv3.HeaderMutation) *extprocv3.HeadersResponse {
	return &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{HeaderMutation: m}}
}

func streamed(body string, end bool) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{
		Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_StreamedResponse{
			StreamedResponse: &extprocv3.StreamedBodyResponse{Body: []byte(body), EndOfStream: end},
		}}},
	}}}
}

// TestReply: what is written is what the generated types say.
func TestReply(t *testing.T) {
	set := []Header{{":path", "/?\xff"}, {"empty", ""}, {"long", strings.Repeat("x", 70_000)}}
	body := func(n int, end bool) func(*Reply) {
		return func(r *Reply) { r.SetBody(append(r.Body(), strings.Repeat("b", n)...), end) }
	}
	for name, test := range map[string]struct {
		write func(*Reply)
		want  *extprocv3.ProcessingResponse
	}{
		"request headers": {
			func(r *Reply) {
				r.RequestHeaders(set, []string{"cookie", "te"})
				r.Metadata("space", Header{"a", "b"}, Header{"empty", ""})
			},
			&extprocv3.ProcessingResponse{
				Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: headers(mutation(set, "cookie", "te"))},
				DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{"space": structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
					"a": structpb.NewStringValue("b"), "empty": structpb.NewStringValue(""),
				}})}},
			},
		},
		"response headers": {
			func(r *Reply) { r.ResponseHeaders(nil, []string{"etag"}) },
			&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: headers(mutation(nil, "etag"))}},
		},
		"trailers": {
			func(r *Reply) { r.ResponseTrailers([]string{"grpc-status"}) },
			&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{
				ResponseTrailers: &extprocv3.TrailersResponse{HeaderMutation: mutation(nil, "grpc-status")},
			}},
		},
		"immediate": {
			func(r *Reply) { r.Immediate(403, set[:2], []byte(`{}`), "graphveil_x") },
			&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
				Status: &typev3.HttpStatus{Code: 403}, Headers: mutation(set[:2]), Body: []byte(`{}`), Details: "graphveil_x",
			}}},
		},
		"end":            {body(0, true), streamed("", true)},
		"empty":          {body(0, false), streamed("", false)},
		"tiny chunk":     {body(1, false), streamed("b", false)},
		"small last one": {body(600, true), streamed(strings.Repeat("b", 600), true)},
		"chunk":          {body(15_000, false), streamed(strings.Repeat("b", 15_000), false)},
		"largest":        {body(MaxChunk, true), streamed(strings.Repeat("b", MaxChunk), true)},
	} {
		var pool Buffers
		var reply Reply
		for _, size := range []int{100, 20_000, 60_000} {
			reply.Start(&pool, size)
			reply.Start(&pool, size) // instead of the one before
			test.write(&reply)
			data, err := NewCodec().Marshal(&reply)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if reply.Started() {
				t.Errorf("%s: there is something left to send", name)
			}
			if _, err := NewCodec().Marshal(&reply); err == nil {
				t.Errorf("%s: sent twice", name)
			}
			if n := data.Len(); strings.Contains(name, "largest") && n > 64_000 {
				t.Errorf("%s: %d bytes, more than Envoy takes", name, n)
			}
			got := &extprocv3.ProcessingResponse{}
			if err := proto.Unmarshal(data.Materialize(), got); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !proto.Equal(got, test.want) {
				t.Errorf("%s: got %v\nwant %v", name, got, test.want)
			}
			data.Free()
		}
	}
}

// TestReplyThatWasNotBegun cannot be sent.
func TestReplyThatWasNotBegun(t *testing.T) {
	if data, err := NewCodec().Marshal(&Reply{}); err == nil {
		t.Errorf("sent %d bytes", data.Len())
	}
	var pool Buffers
	var r Reply
	r.Start(&pool, 10)
	r.Free()
	if _, err := NewCodec().Marshal(&r); err == nil {
		t.Error("sent after it was freed")
	}
}

// TestCompact: what waits to be sent is not mostly empty buffer, however little a
// chunk left behind.
func TestCompact(t *testing.T) {
	var pool Buffers
	var r Reply
	for n := 1; n < MaxChunk; n += 1 + n/7 {
		r.Start(&pool, MaxChunk)
		r.SetBody(append(r.Body(), make([]byte, n)...), false)
		if length, held := len(r.b), cap(r.b); held > 8*length {
			t.Errorf("%d bytes in a buffer of %d", length, held)
		}
		r.Free()
	}
}

// TestOtherMessages: the health service, and whatever else, is gRPC's own codec's.
func TestOtherMessages(t *testing.T) {
	data, err := NewCodec().Marshal(&grpc_health_v1.HealthCheckRequest{Service: "a"})
	if err != nil {
		t.Fatal(err)
	}
	got := &grpc_health_v1.HealthCheckRequest{}
	if err := NewCodec().Unmarshal(data, got); err != nil || got.GetService() != "a" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := NewCodec().Unmarshal(data, new(int)); err == nil {
		t.Error("read into what is no message")
	}
}
