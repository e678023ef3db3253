package extproctest

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/extproc"
)

// attributesKey is where Envoy puts request attributes.
const attributesKey = "envoy.filters.http.ext_proc"

// RequestHeaders is the first message of a stream: what the client sent, in the
// body modes of our bootstrap. end says that no body follows.
func RequestHeaders(headers []extproc.Header, end bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{
		Request: &extprocv3.ProcessingRequest_RequestHeaders{
			RequestHeaders: &extprocv3.HttpHeaders{Headers: headerMap(headers), EndOfStream: end},
		},
		ProtocolConfig: &extprocv3.ProtocolConfiguration{
			RequestBodyMode:  filterv3.ProcessingMode_NONE,
			ResponseBodyMode: filterv3.ProcessingMode_FULL_DUPLEX_STREAMED,
		},
	}
}

// SetAttributes adds request attributes to a message, as the bootstrap asks
// Envoy to.
func SetAttributes(m *extprocv3.ProcessingRequest, values map[string]string) {
	fields := map[string]*structpb.Value{}
	for name, value := range values {
		fields[name] = structpb.NewStringValue(value)
	}
	m.Attributes = map[string]*structpb.Struct{attributesKey: {Fields: fields}}
}

// ResponseHeaders is what the upstream answered. end says that no body follows.
func ResponseHeaders(status int, headers []extproc.Header, end bool) *extprocv3.ProcessingRequest {
	all := append([]extproc.Header{{Name: ":status", Value: strconv.Itoa(status)}}, headers...)
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{Headers: headerMap(all), EndOfStream: end},
	}}
}

// ResponseBody is one chunk of the upstream's body.
func ResponseBody(chunk []byte, end bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
		ResponseBody: &extprocv3.HttpBody{Body: chunk, EndOfStream: end},
	}}
}

// ResponseTrailers ends a response that has trailers; no chunk before it had
// the end of the stream.
func ResponseTrailers(trailers []extproc.Header) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseTrailers{
		ResponseTrailers: &extprocv3.HttpTrailers{Trailers: headerMap(trailers)},
	}}
}

// headerMap writes values as Envoy does, in raw_value.
func headerMap(headers []extproc.Header) *corev3.HeaderMap {
	m := &corev3.HeaderMap{}
	for _, h := range headers {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: h.Name, RawValue: []byte(h.Value)})
	}
	return m
}
