package sanitize

import (
	"errors"
	"slices"

	"github.com/graphveil/graphveil/policy/plan"
)

// hold is an object or array that is read before it is decided, because a Choose
// looks into it. It is walked as something that is dropped, so that all of it is
// checked and nothing is output or counted, and its bytes are held until what
// decides is known. Then the Rewriter goes back to its first byte and reads them
// again with the node that was chosen. That may hold it anew for another Choose.
//
// Bytes of the current chunk are held where they are; only at the end of a chunk
// are they copied. So nothing is copied if a chunk has all that decides.
//
// Invariants: what is held is buf and then chunk[from:]. buf is empty unless
// early. While something is held no other Choose is met, for what is in it has no
// node yet, and stack[depth] is its frame.
type hold struct {
	// node is the Choose, nil if nothing is held.
	node *plan.Node
	// depth is the index in the stack of the frame that is held.
	depth int
	// at is the offset of its first byte in the body; again counts the Choose
	// nodes that held the same byte before.
	at    int64
	again int
	// early: it began in an earlier chunk.
	early bool
	from  int
	buf   []byte
	// spare is the buffer that was read again last.
	spare []byte
	// comma and so on are those of the Rewriter before the value.
	comma, colon, nameFrom, nameTo int
	name                           []byte

	// read counts the bytes of the body that were read again.
	read int64
	// hit: the value of the member that decides is next or under way.
	hit bool
	// names is how many of Choice.All were read.
	names int
	// decided: chosen is the node that it gets.
	decided bool
	chosen  *plan.Node
}

// errTurn stops the walk, because something begins to be held or is decided. It
// never leaves the Rewriter.
var errTurn = errors.New("turn")

// maxChoices is how many Choose nodes may follow each other at one value. A plan
// in which one leads back to itself decides nothing.
const maxChoices = 1000

// reset forgets what is held.
func (h *hold) reset() {
	*h = hold{at: -1, buf: h.buf[:0], spare: h.spare[:0], name: h.name[:0]}
}

// choose replaces the Choose node of the value that begins at index i of the
// chunk, or begins to hold the value.
func (r *Rewriter) choose(kind byte, i int) error {
	for range maxChoices {
		n := r.node
		if n == nil || n.Op != plan.Choose {
			return nil
		}
		c := n.Choice
		if c != nil && (kind == '{' || kind == '[' && c.Probe != nil) {
			return r.beginHold(n, i)
		}
		r.node = nil
		if c != nil {
			r.node = c.Else
		}
		if r.node == nil {
			r.counts.at(n).Dropped++
		}
	}
	return r.fail(CodeNoPlan, i)
}

// chooseScalar replaces the Choose node of a scalar. One that leads back to itself
// drops it.
func (r *Rewriter) chooseScalar() {
	if err := r.choose('"', 0); err != nil {
		r.counts.at(r.node).Dropped++
		r.node = nil
	}
}

// beginHold begins to hold the value that begins at index i of the chunk.
func (r *Rewriter) beginHold(n *plan.Node, i int) error {
	h := &r.hold
	at := r.base + int64(i)
	if h.again++; h.at != at {
		h.again = 0
	}
	if h.again > maxChoices {
		return r.fail(CodeNoPlan, i)
	}
	h.node, h.depth, h.at, h.early, h.from = n, len(r.stack), at, false, i
	h.buf = h.buf[:0]
	h.comma, h.colon, h.nameFrom, h.nameTo = r.comma, r.colon, r.nameFrom, r.nameTo
	if r.nameFrom < 0 {
		h.name = append(h.name[:0], r.name...)
	}
	h.hit, h.names, h.decided, h.chosen = false, 0, false, nil
	r.node = nil
	return errTurn
}

// walkHold reads a chunk on from index i where something is held or turned.
func (r *Rewriter) walkHold(chunk []byte, i int, err error) error {
	for err == nil || err == errTurn {
		err = nil
		b := r.holdRoom(chunk)
		switch {
		case r.hold.decided:
			if !r.mayReadAgain(i) {
				return r.fail(CodeLimit, i)
			}
			i, err = r.rewind(chunk)
		case i < len(b):
			i, err = r.follow(b, i)
		case len(b) < len(chunk):
			return r.fail(CodeLimit, i)
		default:
			if r.hold.node != nil {
				r.cutHold(chunk)
			}
			return nil
		}
	}
	return err
}

// What is held within something held is read again for each level, and for each
// Choose at one value. So that a body cannot cost its square, the bytes that are
// read again are bounded by those that came: a plan that asks a few questions at
// each of a dozen levels stays below, one body full of nothing but levels does not.
const (
	readAgainFree  = 1 << 20
	readAgainRatio = 64
)

// mayReadAgain counts what is read again from the first byte of what is held to
// index i of the chunk.
func (r *Rewriter) mayReadAgain(i int) bool {
	at := r.base + int64(i)
	r.hold.read += at - r.hold.at
	return r.hold.read <= readAgainFree+readAgainRatio*at
}

// holdRoom returns the part of a chunk that may be read before it is decided.
func (r *Rewriter) holdRoom(chunk []byte) []byte {
	if r.hold.node == nil {
		return chunk
	}
	if room := r.hold.at + int64(r.limits.Hold) - r.base; room < int64(len(chunk)) {
		return chunk[:room]
	}
	return chunk
}

// cutHold notes that the chunk ended in what is held.
func (r *Rewriter) cutHold(chunk []byte) {
	h := &r.hold
	if !h.early && h.nameFrom >= 0 {
		h.name = append(h.name[:0], chunk[h.nameFrom:h.nameTo]...)
	}
	h.buf = append(h.buf, chunk[h.from:]...)
	h.early, h.from = true, 0
}

// decide chooses the node of what is held.
func (r *Rewriter) decide(n *plan.Node) error {
	r.hold.decided, r.hold.chosen = true, n
	return errTurn
}

// holdsName looks at the name of a member of what is held.
func (r *Rewriter) holdsName(name []byte) error {
	h := &r.hold
	switch c := h.node.Choice; {
	case c.Probe != nil:
	case c.All != nil:
		// Names are distinct, or the body is refused.
		if slices.Contains(c.All, string(name)) {
			if h.names++; h.names == len(c.All) {
				return r.decide(c.Then)
			}
		}
	case string(name) == c.Member:
		h.hit = true
	}
	return nil
}

// holdsNoString looks at a dropped value that is no string, which may be the one
// that decides.
func (r *Rewriter) holdsNoString() error {
	if r.hold.hit {
		return r.decide(r.hold.node.Choice.Else)
	}
	return nil
}

// holdsString looks at the string that decides.
func (r *Rewriter) holdsString(text []byte) error {
	c := r.hold.node.Choice
	n, ok := c.Cases[string(text)]
	if !ok {
		n = c.Else
	}
	return r.decide(n)
}

// holdEnds decides at the end of what is held, whose closing bracket is b[i].
func (r *Rewriter) holdEnds(b []byte, i int) error {
	h := &r.hold
	c := h.node.Choice
	if c.Probe == nil {
		return r.decide(c.Else)
	}
	found, err := r.probe(c.Probe, h.buf, b[h.from:i+1])
	if err != nil {
		return r.failAt(err.Code, h.at+err.Offset)
	}
	if found {
		return r.decide(c.Then)
	}
	return r.decide(c.Else)
}

// rewind goes back to the first byte of what was held, to read it by the node
// that was chosen. It returns the index at which chunk is read on; all before it
// was read again.
func (r *Rewriter) rewind(chunk []byte) (int, error) {
	h := &r.hold
	for len(r.stack) > h.depth {
		r.pop()
	}
	if h.chosen == nil {
		r.counts.at(h.node).Dropped++
	}
	r.state, r.node = atValue, h.chosen
	h.node, h.hit, h.decided = nil, false, false
	r.comma, r.colon, r.nameFrom, r.nameTo = h.comma, h.colon, h.nameFrom, h.nameTo
	if !h.early {
		if h.nameFrom < 0 {
			r.name = append(r.name[:0], h.name...)
		}
		return h.from, nil
	}
	r.name = append(r.name[:0], h.name...)
	base := r.base
	buf := h.buf
	h.buf, h.spare = h.spare[:0], nil
	r.base = h.at
	r.turnTo(buf)
	if err := r.walk(buf); err != nil {
		return 0, err
	}
	r.keepName(buf)
	h.spare = buf
	r.base = base
	r.turnTo(chunk)
	if r.state >= inName {
		return r.resume(r.holdRoom(chunk))
	}
	return 0, nil
}

// turnTo makes a chunk the current one.
func (r *Rewriter) turnTo(chunk []byte) {
	r.out.turnTo(chunk)
	r.comma, r.colon, r.nameFrom = -1, -1, -1
}
