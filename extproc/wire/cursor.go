package wire

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// cursor reads a message that lies in several buffers.
//
// Invariant: left is len(here) and the length of all buffers in rest.
type cursor struct {
	here []byte
	rest mem.BufferSlice
	left int
}

// next reads the tag of a member, and its value if that is a number: length is then
// negative. Of bytes it reads the length, which is no more than what is left.
func (c *cursor) next() (num protowire.Number, value uint64, length int, err error) {
	tag, ok := c.varint()
	num, typ := protowire.DecodeTag(tag)
	if !ok || !num.IsValid() {
		return 0, 0, 0, errForm
	}
	switch typ {
	case protowire.VarintType:
		value, ok = c.varint()
		length = -1
	case protowire.BytesType:
		if value, ok = c.varint(); value > uint64(c.left) {
			return 0, 0, 0, errForm
		}
		length, value = int(value), 0
	case protowire.Fixed32Type, protowire.Fixed64Type: // no member that we read
		ok = c.skip(fixedSize(typ)) == nil
		length = -1
	default: // groups
		ok = false
	}
	if !ok {
		return 0, 0, 0, errForm
	}
	return num, value, length, nil
}

// fill makes here the next buffer that is not empty.
func (c *cursor) fill() bool {
	for len(c.here) == 0 {
		if len(c.rest) == 0 {
			return false
		}
		c.here, c.rest = c.rest[0].ReadOnlyData(), c.rest[1:]
	}
	return true
}

// advance passes over n bytes of here.
func (c *cursor) advance(n int) {
	c.here = c.here[n:]
	c.left -= n
}

func (c *cursor) varint() (uint64, bool) {
	if v, n := protowire.ConsumeVarint(c.here); n > 0 {
		c.advance(n)
		return v, true
	}
	// It spans two buffers, or is malformed.
	var whole [10]byte
	for i := range whole {
		if !c.fill() {
			return 0, false
		}
		whole[i] = c.here[0]
		c.advance(1)
		if whole[i] < 0x80 {
			v, n := protowire.ConsumeVarint(whole[:i+1])
			return v, n > 0
		}
	}
	return 0, false
}

func (c *cursor) skip(n int) error {
	for n > 0 {
		if !c.fill() {
			return errForm
		}
		m := min(n, len(c.here))
		c.advance(m)
		n -= m
	}
	return nil
}

// pieces appends the next n bytes to dst as they lie there.
func (c *cursor) pieces(n int, dst [][]byte) [][]byte {
	for n > 0 && c.fill() {
		m := min(n, len(c.here))
		dst = append(dst, c.here[:m])
		c.advance(m)
		n -= m
	}
	return dst
}

// take copies the next n bytes; of a number, where n is negative, there are none.
func (c *cursor) take(n int) (part, error) {
	if n < 0 {
		return part{}, errForm
	}
	if n <= len(c.here) {
		b := c.here[:n]
		c.advance(n)
		return newPart(b), nil
	}
	b := make([]byte, 0, n)
	for _, p := range c.pieces(n, nil) {
		b = append(b, p...)
	}
	if len(b) < n {
		return part{}, errForm
	}
	return newPart(b), nil
}

// part is a submessage in one piece. text is a copy of b, of which strings are cut
// without another. The zero part is none at all: b of an empty one is not nil.
type part struct {
	b    []byte
	text string
}

func newPart(b []byte) part {
	if b == nil {
		b = []byte{}
	}
	return part{b, string(b)}
}

// next reads a member: its value if it is a number, else inner.
func (p *part) next() (num protowire.Number, value uint64, inner part, err error) {
	num, typ, n := protowire.ConsumeTag(p.b)
	if n < 0 {
		return 0, 0, part{}, errForm
	}
	p.advance(n)
	switch typ {
	case protowire.VarintType:
		value, n = protowire.ConsumeVarint(p.b)
	case protowire.BytesType:
		var b []byte
		if b, n = protowire.ConsumeBytes(p.b); n >= 0 {
			inner = part{b, p.text[n-len(b) : n]}
		}
	case protowire.Fixed32Type, protowire.Fixed64Type: // no member that we read
		if n = fixedSize(typ); n > len(p.b) {
			n = -1
		}
	default: // groups
		n = -1
	}
	if n < 0 {
		return 0, 0, part{}, errForm
	}
	p.advance(n)
	return num, value, inner, nil
}

func (p *part) advance(n int) { p.b, p.text = p.b[n:], p.text[n:] }

func fixedSize(t protowire.Type) int {
	if t == protowire.Fixed32Type {
		return 4
	}
	return 8
}
