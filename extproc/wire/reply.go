package wire

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// MaxChunk is the largest chunk of a body in one reply: Envoy allows 64 KB in mode
// FULL_DUPLEX_STREAMED, framing included.
const MaxChunk = 62_000

// BodyRoom is what must be left free before the bytes of a body: tag and length of
// the messages around it.
const BodyRoom = 5 * (1 + lengthSize)

// lengthSize is the size of every length that is written here: it is known only
// after what it is the length of, so it gets that much room, and is padded. Every
// protobuf parser takes a number with leading zeros.
const lengthSize = 4

// Field numbers of the messages of a reply, in external_processor.proto,
// config/core/v3/base.proto, type/v3/http_status.proto and google/protobuf/struct.proto.
const (
	replyRequestHeaders   = 1
	replyResponseHeaders  = 2
	replyResponseBody     = 4
	replyResponseTrailers = 6
	replyImmediate        = 7
	replyMetadata         = 8
	commonResponse        = 1 // of HeadersResponse, and of BodyResponse
	commonHeaderMutation  = 2
	commonBodyMutation    = 3
	trailersMutation      = 1
	mutationSet           = 1
	mutationRemove        = 2
	mutationStreamed      = 3
	streamedBody          = 1
	streamedEnd           = 2
	optionHeader          = 1
	optionAction          = 3
	immediateStatus       = 1
	immediateHeaders      = 2
	immediateBody         = 3
	immediateDetails      = 5
	statusCode            = 1
)

// Reply is a message to Envoy, a ProcessingResponse. It is begun by Start, written
// by one of RequestHeaders, ResponseHeaders, SetBody, ResponseTrailers and
// Immediate, and then either sent, once, or freed. It can be used again after that.
type Reply struct {
	pool   mem.BufferPool
	buffer *[]byte // nil: not begun, or sent
	b      []byte  // what is written, in buffer or what that has grown to
}

// Start takes a buffer of the pool with room for about size bytes. A reply that was
// begun is freed.
func (r *Reply) Start(pool mem.BufferPool, size int) {
	r.Free()
	r.pool, r.buffer = pool, pool.Get(size)
	r.b = (*r.buffer)[:0]
}

// Started says that there is something to send.
func (r *Reply) Started() bool { return r.buffer != nil }

// Free gives the buffer back, if the reply was not sent.
func (r *Reply) Free() {
	if r.buffer == nil {
		return
	}
	*r.buffer = r.b
	r.pool.Put(r.buffer)
	r.buffer, r.b = nil, nil
}

// RequestHeaders lets the request go on, with these changes of its head.
func (r *Reply) RequestHeaders(set []Header, remove []string) {
	r.head(replyRequestHeaders, set, remove)
}

// ResponseHeaders lets the response go on, with these changes of its head.
func (r *Reply) ResponseHeaders(set []Header, remove []string) {
	r.head(replyResponseHeaders, set, remove)
}

func (r *Reply) head(num protowire.Number, set []Header, remove []string) {
	message := r.open(num)
	common := r.open(commonResponse)
	r.mutation(commonHeaderMutation, set, remove)
	r.close(common)
	r.close(message)
}

// ResponseTrailers lets the response end, without these trailers.
func (r *Reply) ResponseTrailers(remove []string) {
	message := r.open(replyResponseTrailers)
	r.mutation(trailersMutation, nil, remove)
	r.close(message)
}

// Immediate answers the client instead of the upstream.
func (r *Reply) Immediate(status int, set []Header, body []byte, details string) {
	message := r.open(replyImmediate)
	code := r.open(immediateStatus)
	r.number(statusCode, uint64(status))
	r.close(code)
	r.mutation(immediateHeaders, set, nil)
	r.tag(immediateBody, protowire.BytesType)
	r.b = protowire.AppendBytes(r.b, body)
	r.text(immediateDetails, details)
	r.close(message)
}

// Metadata adds dynamic metadata: strings, under a namespace.
func (r *Reply) Metadata(namespace string, values ...Header) {
	message := r.open(replyMetadata)
	space := r.open(structFields)
	r.text(entryKey, namespace)
	value := r.open(entryValue)
	fields := r.open(valueStruct)
	for _, v := range values {
		field := r.open(structFields)
		r.text(entryKey, v.Name)
		value := r.open(entryValue)
		r.text(valueString, v.Value)
		r.close(value)
		r.close(field)
	}
	r.close(fields)
	r.close(value)
	r.close(space)
	r.close(message)
}

// Body is where a body is appended to: empty but for BodyRoom bytes, which are the
// reply's. What was appended is given to SetBody, and belongs to the reply from then on.
func (r *Reply) Body() []byte { return r.b[:BodyRoom:cap(r.b)] }

// SetBody writes a chunk of a body around the bytes that were appended to Body: at
// most MaxChunk of them. end says that it is the last chunk.
func (r *Reply) SetBody(b []byte, end bool) {
	r.b = b
	if end {
		r.number(streamedEnd, 1)
	}
	r.compact()
	around := [...]protowire.Number{replyResponseBody, commonResponse, commonBodyMutation, mutationStreamed, streamedBody}
	for i, num := range around {
		at := i * (1 + lengthSize)
		length := len(r.b) - at - (1 + lengthSize)
		if i == len(around)-1 {
			length = len(b) - BodyRoom // without what says that it is the end
		}
		r.b[at] = byte(protowire.EncodeTag(num, protowire.BytesType))
		putLength(r.b[at+1:], length)
	}
}

// compact moves what is written out of a buffer that would be sent mostly empty:
// what waits for a slow client is counted by its length.
func (r *Reply) compact() {
	n := len(r.b)
	if n > cap(r.b)/4 {
		return
	}
	var smaller *[]byte
	if n < bufferSizes[0]/4 {
		b := make([]byte, n) // gRPC gives buffers of so few bytes to no pool
		smaller = &b
	} else {
		smaller = r.pool.Get(n)
	}
	copy(*smaller, r.b)
	*r.buffer = r.b
	r.pool.Put(r.buffer)
	r.buffer, r.b = smaller, *smaller
}

// mutation writes a HeaderMutation.
func (r *Reply) mutation(num protowire.Number, set []Header, remove []string) {
	message := r.open(num)
	for _, h := range set {
		option := r.open(mutationSet)
		header := r.open(optionHeader)
		r.text(headerKey, h.Name)
		r.text(headerRawValue, h.Value) // raw_value only: Envoy drops value
		r.close(header)
		r.number(optionAction, uint64(corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
		r.close(option)
	}
	for _, name := range remove {
		r.text(mutationRemove, name)
	}
	r.close(message)
}

func (r *Reply) tag(num protowire.Number, typ protowire.Type) {
	r.b = protowire.AppendTag(r.b, num, typ)
}

func (r *Reply) number(num protowire.Number, value uint64) {
	r.tag(num, protowire.VarintType)
	r.b = protowire.AppendVarint(r.b, value)
}

func (r *Reply) text(num protowire.Number, s string) {
	r.tag(num, protowire.BytesType)
	r.b = protowire.AppendString(r.b, s)
}

// open begins a submessage and returns where its content does.
func (r *Reply) open(num protowire.Number) int {
	r.tag(num, protowire.BytesType)
	r.b = slices.Grow(r.b, lengthSize)
	r.b = r.b[:len(r.b)+lengthSize]
	return len(r.b)
}

// close ends the submessage whose content began at from.
func (r *Reply) close(from int) { putLength(r.b[from-lengthSize:], len(r.b)-from) }

// putLength writes a number in lengthSize bytes, padded.
func putLength(b []byte, n int) {
	if n >= 1<<(7*lengthSize) {
		panic("a reply of more than 256 MiB")
	}
	for i := range lengthSize - 1 {
		b[i] = byte(n) | 0x80
		n >>= 7
	}
	b[lengthSize-1] = byte(n)
}
