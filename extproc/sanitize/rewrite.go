package sanitize

import (
	"regexp"

	"github.com/graphveil/graphveil/policy/plan"
)

// state is what the grammar allows next, or the token that is under way. The
// zero state refuses everything.
type state uint8

const (
	refused       state = iota
	atValue             // a value
	atFirstValue        // a value or "]"
	atFirstMember       // a member name or "}"
	atMember            // a member name
	atColon             // ":"
	atComma             // "," or the end of the container
	atEnd               // nothing but white space
	inName              // in a member name that began in an earlier chunk
	inString            // the same of a string,
	inNumber            // a number,
	inLiteral           // or true, false, null
)

// inside reports whether the place is within a member or element of the
// innermost container, rather than between two of them.
func (s state) inside() bool {
	return s == atValue || s == atColon || s >= inString
}

// A Rewriter rewrites one body at a time by a plan. It must not be used by two
// goroutines at once.
//
// Invariants between two calls of Append:
//
//   - All output of the bytes read so far is given to the caller, except of the
//     value under way: its comma, name and colon go out with the first byte of
//     it, and that only when it is decided that it stays. Digests wait for the end
//     of their object, and what a Choose looks into for what decides it (hold).
//   - A string that is pseudonymized, matched, sealed or put through steps, a
//     number and a name are held whole in a buffer until they end. A kept string
//     is held up to holdKept bytes and passes in pieces only beyond, which is sound
//     because its decision is known before its first byte. Pieces end between
//     units.
//   - node is nil below everything that is dropped.
type Rewriter struct {
	limits Limits
	tokens Tokens
	err    error
	state  state
	// base is the offset in the body of the first byte of the chunk.
	base int64
	out  output

	stack []frame
	seen  []uint64
	names names
	// layouts is what is known of the objects read so far, and metRoom is what the names
	// in the layouts of all open objects take of Limits.Names.
	layouts layouts
	metRoom int
	// node decides the value that is next or under way; nil drops it.
	node *plan.Node
	// released: something of the root was output.
	released bool

	// comma and colon are the indexes in the chunk of the ones before the value
	// that is next or under way; -1 if they stood in an earlier chunk.
	comma, colon int
	// The current member name with its quotes is at these indexes of the chunk,
	// or if nameFrom is -1 in name.
	nameFrom, nameTo int
	name             []byte

	token token
	// text and made hold an unescaped value and the token made of it.
	text, made []byte
	// paired is a string that Psoxy reads, as it spells it.
	paired []byte
	// pipe holds a value between two steps. No step writes into the one that it
	// reads from.
	pipe [2][]byte
	// wholes are what whole made.
	wholes map[*regexp.Regexp]*regexp.Regexp
	// digest is that of the string under way; digests holds the members that wait
	// for the end of their objects.
	digest  digest
	digests []byte
	// inner is the rewritten text of a string that gets an inner digest, if innerOK;
	// strict is that text before.
	inner, strict []byte
	innerOK       bool

	// hold is what a Choose waits for.
	hold hold
	// child reads what is inside of values, and level is the number of Rewriters
	// around this one.
	child *Rewriter
	level int
	// reached: a position whose operation is Keep was reached; digested: a
	// StepDigest was carried out.
	reached, digested bool

	// psoxy is that of the plan, root its root. texts counts the JSON texts before
	// the current one, bareEnd is the offset after a number or literal that was a
	// text, and plus says that a name in this text began with "+".
	psoxy   bool
	root    *plan.Node
	texts   int
	bareEnd int64
	plus    bool
	// refuseNull is that of the plan.
	refuseNull bool

	counts Counts
}

// New makes a Rewriter. It refuses everything until Reset gives it a plan.
func New(limits Limits) *Rewriter {
	return &Rewriter{limits: limits.withDefaults(), names: newNames()}
}

// Reset makes the Rewriter ready for a new body. Without a plan that has a root,
// and without tokens, it refuses every body. It may hold on to
// both until it is Reset without them.
func (r *Rewriter) Reset(p *plan.Plan, t Tokens) {
	r.tokens, r.err, r.base = t, nil, 0
	r.stack, r.seen = r.stack[:0], r.seen[:0]
	r.names.forget(0)
	r.metRoom = 0
	r.digests = r.digests[:0]
	r.hold.reset()
	for c := r; c != nil; c = c.child {
		c.trim()
	}
	r.reached, r.digested = false, false
	r.texts, r.bareEnd, r.plus = 0, -1, false
	r.released = false
	if p == nil || p.Root == nil || t == nil {
		r.state, r.node = refused, nil
		r.psoxy, r.root, r.refuseNull = false, nil, false
		r.counts.reset(0)
		clear(r.stack[:cap(r.stack)])
		r.layouts.begin()
		if r.child != nil {
			r.child.Reset(nil, nil)
		}
		return
	}
	r.state, r.node = atValue, p.Root
	r.psoxy, r.root, r.refuseNull = p.Psoxy, p.Root, p.RefuseNull
	r.counts.reset(len(p.Pointers))
}

// keepBuffer is the size up to which a buffer is kept for the next body.
const keepBuffer = 1 << 20

// trim lets go of buffers that only an unusual body needs.
func (r *Rewriter) trim() {
	for _, b := range [...]*[]byte{&r.hold.buf, &r.hold.spare, &r.token.held, &r.text, &r.made, &r.paired, &r.pipe[0], &r.pipe[1], &r.inner, &r.strict, &r.digests} {
		if cap(*b) > keepBuffer {
			*b = nil
		}
	}
}

// Counts says what was done to the body so far. It is valid until the next
// Reset; after an error it counts what was decided before the error.
func (r *Rewriter) Counts() *Counts { return &r.counts }

// Append reads the next chunk of the body and appends to dst the output that is
// decided with it. The chunk may have any length, also 0; it is not changed, not
// kept, and must not overlap dst.
//
// An error is an *Error. Then dst comes back as it was, and so it does from
// every further call until Reset: what was appended before must not be taken for
// a whole body.
func (r *Rewriter) Append(dst, chunk []byte) ([]byte, error) {
	if err := r.begin(dst, chunk); err != nil {
		return dst, err
	}
	if err := r.read(chunk); err != nil {
		return dst, r.refuse(err)
	}
	r.keepName(chunk)
	r.base += int64(len(chunk))
	return r.out.end(), nil
}

// Finish says that the body is at its end and appends the last output. It is an
// error if the body is incomplete. After it the Rewriter refuses everything
// until Reset.
func (r *Rewriter) Finish(dst []byte) ([]byte, error) {
	if err := r.begin(dst, nil); err != nil {
		return dst, err
	}
	if err := r.finish(); err != nil {
		return dst, r.refuse(err)
	}
	r.state = refused
	return r.out.end(), nil
}

// begin starts a call.
func (r *Rewriter) begin(dst, chunk []byte) error {
	if r.err != nil {
		return r.err
	}
	if r.state == refused {
		return r.refuse(r.fail(CodeNoPlan, 0))
	}
	r.out.begin(dst, chunk)
	r.comma, r.colon, r.nameFrom = -1, -1, -1
	return nil
}

func (r *Rewriter) finish() error {
	if r.state == inNumber && len(r.stack) == 0 && r.token.number.complete() {
		// Only here can a number end without a byte after it.
		if err := r.numberDone(r.token.held, -1, 0); err != nil {
			return err
		}
	}
	switch {
	case r.state == atEnd, r.psoxy && r.state == atValue && len(r.stack) == 0:
		return nil
	case r.state == atValue && len(r.stack) == 0:
		return r.fail(CodeEmpty, 0)
	default:
		return r.fail(CodeTruncated, 0)
	}
}

// refuse makes the error stick.
func (r *Rewriter) refuse(err error) error {
	r.out.end()
	r.err, r.state = err, refused
	return err
}

// read reads one chunk.
func (r *Rewriter) read(chunk []byte) error {
	if room := r.limits.Body - r.base; int64(len(chunk)) > room {
		// An error before the limit is the same however the body is cut.
		if err := r.walk(chunk[:room]); err != nil {
			return err
		}
		return r.fail(CodeLimit, int(room))
	}
	return r.walk(chunk)
}
