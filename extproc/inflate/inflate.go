// Package inflate takes gzip (RFC 1952) off a body that comes in chunks, and
// gives it back in pieces of bounded size: nobody has to hold what a chunk
// inflates to, which may be a thousand times its length.
//
// Make an Inflater with New and keep it, for it owns the buffers. For each body
// call Start; for each chunk Push, and then Next until it has no piece; Finish
// after the last chunk; Close in any case.
//
// The last byte of a body is given back only when its checksum and length are
// right and nothing has followed, so that no text is complete that was not checked.
//
// A body is exactly one member. RFC 1952 allows several in a row, but no server
// writes them into a response, and decoders do not agree on what follows the
// first: some read on, some stop, some ignore what is no member. So whatever
// follows is refused. The names and comments that a header may carry are read over.
//
// The library that inflates pulls from an io.Reader, while chunks are pushed. The
// two meet in a coroutine (iter.Pull), which is switched to and never runs at the
// same time. Close ends it.
package inflate

import (
	"bufio"
	"errors"
	"io"
	"iter"

	"github.com/klauspost/compress/gzip"
)

// How far a body may inflate: to Free bytes, and beyond that to Ratio times what
// has come.
//
// Pages of the synthetic tenant inflate to 2 to 8 times their length, a page of one
// property that is always the same to 64 times. A single mail may do so much more:
// of blanks, deflate makes a thousandth. Whoever can send somebody a
// mail must not be able to make the mailbox unreadable, so the ratio begins to
// count where one mail ends: Exchange Online takes mails of 35 MB by default.
// It bounds time, not memory: 64 MiB take a tenth of a second.
const (
	Free  = 64 << 20
	Ratio = 100
)

// PieceSize is the length of the longest piece. It is that of deflate's window, in
// which the library gathers what it gives: a piece comes when that is full, when
// the other side flushes, and at the end.
const PieceSize = 32 << 10

// Why a body is refused. None of them holds a byte of it.
var (
	// ErrMalformed: the body is not gzip, its checksum or length is wrong, or
	// something follows its end.
	ErrMalformed = errors.New("inflating the body: malformed gzip")
	// ErrTruncated: the body ended before the end of its gzip.
	ErrTruncated = errors.New("inflating the body: truncated gzip")
	// ErrRatio: the body inflates to more than Free bytes and Ratio times its length.
	ErrRatio = errors.New("inflating the body: more than is accepted")

	errClosed = errors.New("inflating the body: not started, or closed")
)

// Inflater inflates one body after the other. It takes about 90 KB. It is not safe for
// concurrent use.
type Inflater struct {
	chunk []byte // what has been pushed and not been read
	// source is between chunk and gzip, which has a fast path for this type.
	source  bufio.Reader
	gzip    gzip.Reader
	piece   [PieceSize]byte // begins with the byte held back from the piece before
	in, out int64           // bytes pushed, and given back
	// next runs the coroutine until it has a piece, or nil for want of a chunk. It
	// returns false once the body has ended, well if err is nil.
	next func() ([]byte, bool)
	stop func()
	err  error
	// complete says that the member ended and its checksum and length are right.
	complete bool
}

// New returns an Inflater that is to be started.
func New() *Inflater { return &Inflater{err: errClosed} }

// Start begins a body.
func (z *Inflater) Start() {
	z.Close()
	z.in, z.out, z.err, z.complete = 0, 0, nil, false
	z.next, z.stop = iter.Pull(z.run)
}

// Push gives the next chunk of the body. It must stay as it is until Next has no
// piece, and must not be pushed before.
func (z *Inflater) Push(chunk []byte) {
	z.chunk = chunk
	z.in += int64(len(chunk))
}

// Next returns the next piece of what the chunks inflate to, or nil if another
// chunk is needed. It is good until the next call. After an error, which is one
// of those of this package, there are no more pieces.
func (z *Inflater) Next() ([]byte, error) {
	if z.err != nil {
		return nil, z.err
	}
	piece, more := z.next()
	if z.out += int64(len(piece)); z.out > max(Free, Ratio*z.in) {
		z.err = ErrRatio
	}
	if !more && len(z.chunk) > 0 {
		z.err = ErrMalformed // something follows the member
	}
	if z.err != nil {
		return nil, z.err
	}
	return piece, nil
}

// Finish returns nil if the body is complete and its checksum right. It belongs
// after the last chunk, when Next has no piece.
func (z *Inflater) Finish() error {
	if z.err == nil && !z.complete {
		z.err = ErrTruncated
	}
	return z.err
}

// Close ends the body, wherever it is. The Inflater can be started again.
func (z *Inflater) Close() {
	if z.stop != nil {
		z.stop()
	}
	z.chunk, z.next, z.stop, z.err = nil, nil, nil, errClosed
}

// run is the coroutine.
func (z *Inflater) run(yield func([]byte) bool) {
	z.source.Reset(&chunks{z, yield})
	if err := z.inflate(yield); err != nil {
		z.err = ErrMalformed
	}
}

func (z *Inflater) inflate(yield func([]byte) bool) error {
	if err := z.gzip.Reset(&z.source); err != nil {
		return err
	}
	z.gzip.Header = gzip.Header{} // up to 64 KB that nobody reads
	z.gzip.Multistream(false)
	held := 0 // bytes of piece that are not given back yet: 1 after the first
	for {
		n, err := z.gzip.Read(z.piece[held:])
		if err != nil && err != io.EOF {
			return err
		}
		n += held
		if err == io.EOF {
			return z.end(n, yield)
		}
		if n > 1 && !yield(z.piece[:n-1]) {
			return errClosed
		}
		if n > 0 {
			held = copy(z.piece[:1], z.piece[n-1:n])
		}
	}
}

// end gives back the last n bytes of piece, if nothing follows the member.
func (z *Inflater) end(n int, yield func([]byte) bool) error {
	if z.source.Buffered() > 0 || len(z.chunk) > 0 {
		return ErrMalformed
	}
	z.complete = true
	if n > 0 && !yield(z.piece[:n]) {
		return errClosed
	}
	return nil
}

// chunks reads what is pushed. It has no end: while there is nothing, the
// coroutine rests.
type chunks struct {
	*Inflater
	yield func([]byte) bool
}

func (c *chunks) Read(p []byte) (int, error) {
	for len(c.chunk) == 0 {
		if !c.yield(nil) {
			return 0, errClosed
		}
	}
	n := copy(p, c.chunk)
	c.chunk = c.chunk[n:]
	return n, nil
}
