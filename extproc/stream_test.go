package extproc

import (
	"reflect"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/extproc/wire"
)

// TestFinishedStreamIsForgotten: what is left of a stream for the next exchange is
// allocated memory. Nothing of the old one is in it, though its last messages had fewer
// header fields than its first.
func TestFinishedStreamIsForgotten(t *testing.T) {
	headers := &corev3.HeaderMap{}
	for range 5 {
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: "authorization", RawValue: []byte("Bearer CANARY")})
	}
	done := make(chan error, 1)
	s := &stream{server: &Server{}, done: done, exchange: &Exchange{}, released: true, modeSeen: true, answered: true}
	for _, m := range []*extprocv3.ProcessingRequest{
		{
			Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{Headers: headers}},
			Attributes: map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: map[string]*structpb.Value{
				"source.address": structpb.NewStringValue("CANARY"),
			}}},
		},
		{Request: &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: &extprocv3.HttpBody{Body: []byte("CANARY"), EndOfStream: true}}},
	} {
		encoded, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(encoded)}, &s.request); err != nil {
			t.Fatal(err)
		}
	}
	server := s.server
	s.finish(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	left := s.request
	for _, list := range [][]wire.Header{left.Headers[:cap(left.Headers)], left.Attributes[:cap(left.Attributes)]} {
		if len(list) == 0 {
			t.Error("nothing is left that was allocated")
		}
		for _, h := range list {
			if h != (wire.Header{}) {
				t.Errorf("%+v is left", h)
			}
		}
	}
	for _, piece := range left.Body[:cap(left.Body)] {
		if piece != nil {
			t.Errorf("%q is left", piece)
		}
	}
	left.Headers, left.Attributes, left.Body = nil, nil, nil
	if !reflect.DeepEqual(left, wire.Request{}) {
		t.Errorf("%+v is left of the message", left)
	}
	s.request = wire.Request{}
	if !reflect.DeepEqual(*s, stream{server: server}) {
		t.Errorf("%+v is left", *s)
	}
}
