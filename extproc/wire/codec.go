package wire

import (
	"errors"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Codec is a gRPC codec for Request, Reply and every protobuf message.
type Codec struct{ other encoding.CodecV2 }

// NewCodec returns the codec. It may be used by any number of servers.
func NewCodec() Codec { return Codec{encoding.GetCodecV2(proto.Name)} }

// Name is that of gRPC's own codec: the encoding is the same.
func (Codec) Name() string { return proto.Name }

// Unmarshal reads a message. The error of a Request holds nothing of it.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*Request); ok {
		return r.unmarshal(data)
	}
	return c.other.Unmarshal(data, v)
}

// Marshal gives the buffer of a Reply away, so a Reply can be sent once.
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	r, ok := v.(*Reply)
	if !ok {
		return c.other.Marshal(v)
	}
	if r.buffer == nil {
		return nil, errors.New("writing a reply: it was sent, or never begun")
	}
	*r.buffer = r.b
	data := mem.BufferSlice{mem.NewBuffer(r.buffer, r.pool)}
	r.buffer, r.b = nil, nil
	return data, nil
}
