package wire

import (
	"errors"
	"unicode/utf8"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Header is one header field. Name is in lower case.
type Header struct{ Name, Value string }

// Phase is what a message is about. The zero Phase is none.
type Phase uint8

// The phases are the field numbers of the oneof in ProcessingRequest.
const (
	RequestHeaders   Phase = 2
	ResponseHeaders  Phase = 3
	RequestBody      Phase = 4
	ResponseBody     Phase = 5
	RequestTrailers  Phase = 6
	ResponseTrailers Phase = 7
)

// Field numbers of envoy/service/ext_proc/v3/external_processor.proto,
// config/core/v3/base.proto and google/protobuf/struct.proto.
const (
	requestMetadata      = 8
	requestAttributes    = 9
	requestObservability = 10
	requestConfig        = 11
	configRequestBody    = 1
	configResponseBody   = 2
	headersMap           = 1 // of HttpHeaders, and of HttpTrailers
	headersEnd           = 3
	mapHeaders           = 1
	headerKey            = 1
	headerValue          = 2
	headerRawValue       = 3
	bodyBytes            = 1
	bodyEnd              = 2
	entryKey             = 1 // of every map
	entryValue           = 2
	metadataFilters      = 1
	structFields         = 1
	valueString          = 3
	valueStruct          = 5
	valueLast            = 6
)

// attributesKey is where Envoy puts the attributes that it was asked for.
const attributesKey = "envoy.filters.http.ext_proc"

// claimsNamespace is where Envoy's filter jwt_authn puts the claims of a verified token.
const claimsNamespace = "envoy.filters.http.jwt_authn"

// Request is a message of Envoy, a ProcessingRequest as far as a processor needs
// it. One Request is used for message after message: each read replaces all of it.
type Request struct {
	Phase Phase
	// Headers are the header fields, or trailers, in the order received.
	Headers []Header
	// End says that the request, or the response, ends with this message.
	End bool
	// Body are the bytes of a response's chunk, in the pieces in which they arrived.
	// They are gRPC's: not to be changed, and not to be read after Free.
	Body [][]byte
	// Attributes are those attributes of Envoy that are strings.
	Attributes []Header
	// Claims is the metadata of Envoy's filter jwt_authn, an encoded google.protobuf.Struct.
	// It comes with every message and is read of RequestHeaders only.
	Claims string
	// Observing says that Envoy will not wait for replies, nor heed them.
	Observing bool
	// RequestBodyMode and ResponseBodyMode are in the first message of a stream only.
	RequestBodyMode, ResponseBodyMode filterv3.ProcessingMode_BodySendMode

	buffers    mem.BufferSlice // what Body points into
	configured bool
	attributed bool
	described  bool // has metadata
}

// Free gives the buffers of Body back.
func (r *Request) Free() {
	clear(r.Body)
	r.Body = r.Body[:0]
	r.buffers.Free()
	r.buffers = nil
}

// Forget frees the Request and zeroes all that it has read of messages. It keeps what
// was allocated.
func (r *Request) Forget() {
	r.Free()
	clear(r.Headers[:cap(r.Headers)]) // a message with fewer leaves those of the one before
	clear(r.Attributes[:cap(r.Attributes)])
	*r = Request{Headers: r.Headers[:0], Body: r.Body, Attributes: r.Attributes[:0]}
}

// errForm is the error of every message that is not as Envoy writes them. It may
// be malformed, or a form that protobuf allows and nobody writes: a member twice,
// of which the last would count, or a submessage in two parts.
var errForm = errors.New("reading a message: malformed, or not in the form in which Envoy writes it")

// unmarshal reads a message. Members that nobody asked for are skipped.
func (r *Request) unmarshal(data mem.BufferSlice) error {
	r.Free()
	*r = Request{Headers: r.Headers[:0], Body: r.Body, Attributes: r.Attributes[:0]}
	if err := r.read(&cursor{rest: data, left: data.Len()}); err != nil {
		*r = Request{}
		return err
	}
	if len(r.Body) > 0 {
		data.Ref()
		r.buffers = data
	}
	return nil
}

func (r *Request) read(c *cursor) error {
	observed := false
	for c.left > 0 {
		num, value, length, err := c.next()
		if err != nil {
			return err
		}
		switch num {
		case protowire.Number(RequestHeaders), protowire.Number(ResponseHeaders), protowire.Number(RequestBody),
			protowire.Number(ResponseBody), protowire.Number(RequestTrailers), protowire.Number(ResponseTrailers):
			if r.Phase != 0 || length < 0 {
				return errForm
			}
			r.Phase = Phase(num)
			err = r.content(c, length)
		case requestAttributes, requestConfig, requestMetadata:
			if num == requestMetadata && r.Phase != 0 && r.Phase != RequestHeaders { // as of each piece of a body
				err = c.skip(max(length, 0))
				break
			}
			var p part
			if p, err = c.take(length); err != nil {
				return err
			}
			switch num {
			case requestConfig:
				err = r.config(p)
			case requestAttributes:
				err = r.attributes(p)
			default:
				err = r.metadata(p)
			}
		case requestObservability:
			if observed || length >= 0 {
				return errForm
			}
			observed, r.Observing = true, protowire.DecodeBool(value)
		default:
			err = c.skip(max(length, 0))
		}
		if err != nil {
			return err
		}
	}
	if r.Phase != RequestHeaders {
		r.Claims = ""
	}
	return nil
}

// content reads what the message is about.
func (r *Request) content(c *cursor, length int) error {
	switch r.Phase {
	case ResponseBody:
		return r.body(c, length)
	case RequestBody, RequestTrailers: // which are not asked for
		return c.skip(length)
	}
	p, err := c.take(length)
	if err != nil {
		return err
	}
	seen, ended := false, false
	for len(p.b) > 0 {
		num, value, inner, err := p.next()
		if err != nil {
			return err
		}
		switch {
		case num == headersMap:
			if seen || inner.b == nil {
				return errForm
			}
			seen = true
			if err := r.headers(inner); err != nil {
				return err
			}
		case num == headersEnd && r.Phase != ResponseTrailers:
			if ended || inner.b != nil {
				return errForm
			}
			ended, r.End = true, protowire.DecodeBool(value)
		}
	}
	return nil
}

// body reads an HttpBody where it lies.
func (r *Request) body(c *cursor, length int) error {
	after := c.left - length
	seen, ended := false, false
	for c.left > after {
		num, value, n, err := c.next()
		if err != nil || c.left < after || n > c.left-after {
			return errForm
		}
		switch num {
		case bodyBytes:
			if seen || n < 0 {
				return errForm
			}
			seen, r.Body = true, c.pieces(n, r.Body)
		case bodyEnd:
			if ended || n >= 0 {
				return errForm
			}
			ended, r.End = true, protowire.DecodeBool(value)
		default:
			if err := c.skip(max(n, 0)); err != nil {
				return err
			}
		}
	}
	return nil
}

// headers reads a HeaderMap.
func (r *Request) headers(p part) error {
	for len(p.b) > 0 {
		num, _, inner, err := p.next()
		if err != nil {
			return err
		}
		if num != mapHeaders {
			continue
		}
		if inner.b == nil {
			return errForm
		}
		h, err := header(inner)
		if err != nil {
			return err
		}
		r.Headers = append(r.Headers, h)
	}
	return nil
}

// header reads a HeaderValue. Envoy writes raw_value; where that is empty, value
// counts.
func header(p part) (Header, error) {
	var text [headerRawValue + 1]part
	for len(p.b) > 0 {
		num, _, inner, err := p.next()
		if err != nil {
			return Header{}, err
		}
		if num > headerRawValue {
			continue
		}
		if inner.b == nil || text[num].b != nil || num != headerRawValue && !utf8.Valid(inner.b) {
			return Header{}, errForm
		}
		text[num] = inner
	}
	h := Header{Name: text[headerKey].text, Value: text[headerRawValue].text}
	if h.Value == "" {
		h.Value = text[headerValue].text
	}
	return h, nil
}
