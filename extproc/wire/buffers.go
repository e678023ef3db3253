package wire

import "sync"

// Buffers is a mem.BufferPool in four sizes. Unlike gRPC's own it does not clear
// a buffer before it gives it out: whoever gets one writes it before reading.
// The zero value is ready.
type Buffers struct {
	sizes [len(bufferSizes)]sync.Pool // of *[]byte, with at least that capacity
}

// bufferSizes: a head or a small chunk (gRPC gives buffers of up to 1 KiB to no
// pool); a DATA frame of HTTP/2, which gRPC limits to 16 KiB; what becomes of one; the
// largest chunk that Envoy takes.
var bufferSizes = [...]int{2 << 10, 16 << 10, 32 << 10, 64 << 10}

// Get returns a buffer of that length and unknown content. One that is larger
// than all sizes is not of the pool.
func (p *Buffers) Get(length int) *[]byte {
	for i, size := range bufferSizes {
		if length > size {
			continue
		}
		if b, ok := p.sizes[i].Get().(*[]byte); ok {
			*b = (*b)[:length]
			return b
		}
		b := make([]byte, length, size)
		return &b
	}
	b := make([]byte, length)
	return &b
}

// Put takes a buffer back, also one that has grown.
func (p *Buffers) Put(b *[]byte) {
	n := cap(*b)
	if n >= 2*bufferSizes[len(bufferSizes)-1] {
		return // too large to be kept
	}
	for i := len(bufferSizes) - 1; i >= 0; i-- {
		if n >= bufferSizes[i] {
			p.sizes[i].Put(b)
			return
		}
	}
}
