package wire

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// view is what a processor sees of a message.
type view struct {
	Phase      Phase
	Headers    []Header
	End        bool
	Body       string
	Attributes map[string]string
	Observing  bool
	Modes      [2]filterv3.ProcessingMode_BodySendMode
}

// viewOf is the view of a message that protobuf read.
func viewOf(m *extprocv3.ProcessingRequest) view {
	v := view{
		Attributes: map[string]string{}, Observing: m.GetObservabilityMode(),
		Modes: [2]filterv3.ProcessingMode_BodySendMode{m.GetProtocolConfig().GetRequestBodyMode(), m.GetProtocolConfig().GetResponseBodyMode()},
	}
	headers := func(m *corev3.HeaderMap) {
		for _, h := range m.GetHeaders() {
			value := string(h.GetRawValue())
			if value == "" {
				value = h.GetValue()
			}
			v.Headers = append(v.Headers, Header{h.GetKey(), value})
		}
	}
	switch r := m.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		v.Phase, v.End = RequestHeaders, r.RequestHeaders.GetEndOfStream()
		headers(r.RequestHeaders.GetHeaders())
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		v.Phase, v.End = ResponseHeaders, r.ResponseHeaders.GetEndOfStream()
		headers(r.ResponseHeaders.GetHeaders())
	case *extprocv3.ProcessingRequest_RequestBody:
		v.Phase = RequestBody
	case *extprocv3.ProcessingRequest_ResponseBody:
		v.Phase, v.End, v.Body = ResponseBody, r.ResponseBody.GetEndOfStream(), string(r.ResponseBody.GetBody())
	case *extprocv3.ProcessingRequest_RequestTrailers:
		v.Phase = RequestTrailers
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		v.Phase = ResponseTrailers
		headers(r.ResponseTrailers.GetTrailers())
	}
	for name, value := range m.GetAttributes()[attributesKey].GetFields() {
		if s, ok := value.GetKind().(*structpb.Value_StringValue); ok {
			v.Attributes[name] = s.StringValue
		}
	}
	return v
}

// view is the same of a message that was read here.
func (r *Request) view() view {
	v := view{
		Phase: r.Phase, Headers: append([]Header(nil), r.Headers...), End: r.End, Body: string(bytes.Join(r.Body, nil)),
		Attributes: map[string]string{}, Observing: r.Observing,
		Modes: [2]filterv3.ProcessingMode_BodySendMode{r.RequestBodyMode, r.ResponseBodyMode},
	}
	for _, a := range r.Attributes {
		v.Attributes[a.Name] = a.Value
	}
	return v
}

// cut puts a message into buffers as random as the seed.
func cut(message []byte, seed uint64) mem.BufferSlice {
	random := rand.New(rand.NewPCG(seed, 0))
	var s mem.BufferSlice
	for len(message) > 0 {
		n := len(message)
		if seed > 0 {
			n = min(n, random.IntN(1+random.IntN(40)))
		}
		s = append(s, mem.SliceBuffer(message[:n]))
		message = message[n:]
	}
	return s
}

// anyRequest makes a message as random as r, of every member that exists.
func anyRequest(r *rand.Rand) *extprocv3.ProcessingRequest {
	text := func() string { return "äöü~ CANARY :path"[:[]int{0, 2, 6, 18}[r.IntN(4)]] }
	raw := func() []byte {
		b := make([]byte, r.IntN(300)/(1+r.IntN(30)))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	flag := func() bool { return r.IntN(2) == 0 }
	headers := func() *corev3.HeaderMap {
		if r.IntN(8) == 0 {
			return nil
		}
		m := &corev3.HeaderMap{}
		for range r.IntN(6) {
			m.Headers = append(m.Headers, &corev3.HeaderValue{Key: text(), Value: text(), RawValue: raw()})
		}
		return m
	}
	value := func() *structpb.Value {
		return []*structpb.Value{
			structpb.NewStringValue(text()), structpb.NewStringValue(text()), structpb.NewNumberValue(1.5), structpb.NewBoolValue(true),
			structpb.NewNullValue(), {}, structpb.NewListValue(&structpb.ListValue{}), structpb.NewStructValue(&structpb.Struct{}),
		}[r.IntN(8)]
	}
	attributes := func() map[string]*structpb.Struct {
		m := map[string]*structpb.Struct{}
		for _, key := range []string{attributesKey, "other"} {
			s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
			for range r.IntN(4) {
				s.Fields[fmt.Sprint(r.IntN(9))] = value()
			}
			if flag() {
				m[key] = s
			}
		}
		return m
	}
	m := &extprocv3.ProcessingRequest{ObservabilityMode: r.IntN(5) == 0}
	if flag() {
		m.Attributes = attributes()
	}
	if flag() {
		m.MetadataContext = &corev3.Metadata{FilterMetadata: attributes()}
		if claims, there := m.MetadataContext.FilterMetadata[attributesKey]; there {
			m.MetadataContext.FilterMetadata[claimsNamespace] = claims
		}
	}
	if flag() {
		m.ProtocolConfig = &extprocv3.ProtocolConfiguration{
			RequestBodyMode:                         filterv3.ProcessingMode_BodySendMode(r.IntN(6)),
			ResponseBodyMode:                        filterv3.ProcessingMode_BodySendMode(r.IntN(6)),
			SendBodyWithoutWaitingForHeaderResponse: flag(),
		}
	}
	head := &extprocv3.HttpHeaders{Headers: headers(), EndOfStream: flag()}
	head.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 100, protowire.BytesType), raw()))
	body := &extprocv3.HttpBody{Body: raw(), EndOfStream: flag(), EndOfStreamWithoutMessage: flag(), GrpcMessageCompressed: flag(), DrainComplete: flag()}
	trailers := &extprocv3.HttpTrailers{Trailers: headers()}
	switch r.IntN(7) {
	case 0:
		m.Request = &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: head}
	case 1:
		m.Request = &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: head}
	case 2:
		m.Request = &extprocv3.ProcessingRequest_RequestBody{RequestBody: body}
	case 3:
		m.Request = &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: body}
	case 4:
		m.Request = &extprocv3.ProcessingRequest_RequestTrailers{RequestTrailers: trailers}
	case 5:
		m.Request = &extprocv3.ProcessingRequest_ResponseTrailers{ResponseTrailers: trailers}
	}
	return m
}

// TestRequest reads random messages, cut at random, into the same Request: it sees
// what protobuf sees.
func TestRequest(t *testing.T) {
	var got Request
	c := NewCodec()
	for seed := range uint64(20_000) {
		m := anyRequest(rand.New(rand.NewPCG(seed, 1)))
		encoded, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Unmarshal(cut(encoded, seed%10), &got); err != nil {
			t.Fatalf("seed %d: %v: %v", seed, err, m)
		}
		if got, want := got.view(), viewOf(m); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got %+v\nwant %+v", seed, got, want)
		}
		claims := &structpb.Struct{}
		if err := proto.Unmarshal([]byte(got.Claims), claims); err != nil {
			t.Fatalf("seed %d: claims: %v", seed, err)
		}
		want := m.GetMetadataContext().GetFilterMetadata()[claimsNamespace]
		if m.GetRequestHeaders() == nil || want == nil {
			want = &structpb.Struct{}
		}
		if !proto.Equal(claims, want) {
			t.Fatalf("seed %d: got claims %v\nwant %v", seed, claims, want)
		}
	}
}

// TestRequestRefused are messages that protobuf accepts and that Envoy does not
// write: a processor that read them another way than Envoy means them would be fooled.
func TestRequestRefused(t *testing.T) {
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	twice := func(m proto.Message) []byte { return append(encode(m), encode(m)...) }
	member := func(num protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), content)
	}
	headers := &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{EndOfStream: true}}
	body := &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: &extprocv3.HttpBody{Body: []byte("a")}}
	attribute := &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewStringValue("b")}}
	whole := &extprocv3.HttpBody{Body: []byte("a"), EndOfStream: true}
	for name, message := range map[string][]byte{
		"headers twice":    twice(&extprocv3.ProcessingRequest{Request: headers}),
		"body twice":       twice(&extprocv3.ProcessingRequest{Request: body}),
		"headers and body": append(encode(&extprocv3.ProcessingRequest{Request: headers}), encode(&extprocv3.ProcessingRequest{Request: body})...),
		"config twice":     twice(&extprocv3.ProcessingRequest{ProtocolConfig: &extprocv3.ProtocolConfiguration{}}),
		"observing twice":  twice(&extprocv3.ProcessingRequest{ObservabilityMode: true}),
		"attributes twice": twice(&extprocv3.ProcessingRequest{Attributes: map[string]*structpb.Struct{attributesKey: {}}}),
		"attribute twice":  member(requestAttributes, append(member(entryKey, []byte(attributesKey)), member(entryValue, twice(attribute))...)),
		"metadata twice":   append(encode(&extprocv3.ProcessingRequest{Request: headers}), twice(&extprocv3.ProcessingRequest{MetadataContext: &corev3.Metadata{}})...),
		"claims twice": append(encode(&extprocv3.ProcessingRequest{Request: headers}), member(requestMetadata,
			twice(&corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{claimsNamespace: {}}}))...),
		"bytes twice":       member(protowire.Number(ResponseBody), twice(&extprocv3.HttpBody{Body: []byte("a")})),
		"end twice":         member(protowire.Number(ResponseBody), twice(&extprocv3.HttpBody{EndOfStream: true})),
		"header end twice":  member(protowire.Number(ResponseHeaders), twice(&extprocv3.HttpHeaders{EndOfStream: true})),
		"header map twice":  member(protowire.Number(ResponseHeaders), twice(&extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{}})),
		"header name twice": member(protowire.Number(ResponseHeaders), member(headersMap, member(mapHeaders, twice(&corev3.HeaderValue{Key: "a"})))),
		"header name":       member(protowire.Number(ResponseHeaders), member(headersMap, member(mapHeaders, member(headerKey, []byte("\xff"))))),
		"cut off":           member(protowire.Number(ResponseBody), encode(whole)[:4]),
		"beyond":            encode(&extprocv3.ProcessingRequest{Request: body})[:4],
		"group":             protowire.AppendTag(nil, 100, protowire.StartGroupType),
		"no such member":    {0, 0},
	} {
		for seed := range uint64(5) {
			got := Request{Phase: RequestHeaders, End: true, Observing: true}
			if err := got.unmarshal(cut(message, seed)); err == nil {
				t.Errorf("%s: read %+v", name, got.view())
			} else if !reflect.DeepEqual(got, Request{}) {
				t.Errorf("%s: refused, but left %+v", name, got.view())
			}
		}
	}
}

// schema says which members of a message are read: by number, with the schema of
// those that are messages themselves. A nil schema is of a member that is read
// whole.
type schema map[protowire.Number]schema

var (
	leaf      schema
	skipped   = schema{}
	headerMap = schema{mapHeaders: {headerKey: leaf, headerValue: leaf, headerRawValue: leaf}}
	readBy    = schema{
		2: {headersMap: headerMap, headersEnd: leaf}, 3: {headersMap: headerMap, headersEnd: leaf}, 4: skipped, 5: {bodyBytes: leaf, bodyEnd: leaf}, 6: skipped, 7: {headersMap: headerMap},
		requestAttributes: {entryKey: leaf, entryValue: {structFields: {entryKey: leaf, entryValue: {1: leaf, 2: leaf, 3: leaf, 4: leaf, 5: skipped, 6: skipped}}}},
		requestMetadata:   {metadataFilters: {entryKey: leaf, entryValue: skipped}},
		requestConfig:     {configRequestBody: leaf, configResponseBody: leaf}, requestObservability: leaf,
	}
)

// strip takes out of a message what is not read, for that may be malformed.
func (s schema) strip(b []byte) (out []byte) {
	var phase protowire.Number // known when metadata is met
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		_, _, m := protowire.ConsumeField(b)
		if m < 0 {
			return nil
		}
		field := b[:m]
		b = b[m:]
		inner, known := s[num]
		if whole := len(s) == len(readBy); whole && num == requestMetadata && phase != 0 && phase != protowire.Number(RequestHeaders) {
			continue
		} else if whole && num >= protowire.Number(RequestHeaders) && num <= protowire.Number(ResponseTrailers) {
			phase = num
		}
		if !known {
			continue
		}
		if inner == nil || typ != protowire.BytesType {
			out = append(out, field...)
			continue
		}
		content, _ := protowire.ConsumeBytes(field[n:])
		if num == requestAttributes && len(s) == len(readBy) {
			if name, _, err := entry(newPart(content)); err == nil && name != attributesKey {
				continue
			}
		}
		out = protowire.AppendBytes(protowire.AppendTag(out, num, typ), inner.strip(content))
	}
	return out
}

// FuzzRequest reads any bytes, cut anyhow: they are refused, or read as protobuf
// reads them, and the same however they are cut.
func FuzzRequest(f *testing.F) {
	for seed := range uint64(200) {
		encoded, err := proto.Marshal(anyRequest(rand.New(rand.NewPCG(seed, 2))))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded, seed)
	}
	f.Fuzz(func(t *testing.T, message []byte, seed uint64) {
		var whole, got Request
		wholeErr := whole.unmarshal(cut(message, 0))
		err := got.unmarshal(cut(message, seed))
		if (wholeErr == nil) != (err == nil) || !reflect.DeepEqual(whole.view(), got.view()) {
			t.Fatalf("whole: %+v, %v\ncut: %+v, %v", whole.view(), wholeErr, got.view(), err)
		}
		if err != nil {
			return
		}
		want := &extprocv3.ProcessingRequest{}
		if err := proto.Unmarshal(readBy.strip(message), want); err != nil {
			t.Fatalf("read %+v, which protobuf refuses: %v", got.view(), err)
		}
		if got, want := got.view(), viewOf(want); !reflect.DeepEqual(got, want) || !maps.Equal(got.Attributes, want.Attributes) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}
