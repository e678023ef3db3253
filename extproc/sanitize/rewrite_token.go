package sanitize

import "github.com/graphveil/graphveil/policy/plan"

// holdKept is the length, in bytes with the opening quote, up to which a kept
// string that straddles chunks is held back until it ends.
const holdKept = 4 << 10

// treatment says what is done with the bytes of a string.
type treatment uint8

const (
	skip   treatment = iota // drop them
	decide                  // hold them until the string ends
	keep                    // hold them too, up to holdKept
	pass                    // output them: a kept string that was too long to hold
)

// token is the one token that a chunk may end in.
type token struct {
	// at is the offset of its first byte in the body.
	at int64
	// held is the token so far, with the opening quote of a string; of a
	// string that is skipped or passed there is nothing in it.
	held []byte
	// partial is the beginning of an escape or UTF-8 sequence that the chunk
	// cut. It is not in held.
	partial   []byte
	escaped   bool
	treatment treatment
	// digest: the string gets one.
	digest bool
	number numberState
	// literal is the word, of which the first matched bytes were read.
	literal string
	matched int
}

// beginName reads the member name that begins at b[i].
func (r *Rewriter) beginName(b []byte, i int) (int, error) {
	end, escaped, why := scanString(b, i+1)
	r.token.at = r.base + int64(i)
	switch {
	case end-(i+1) > r.limits.Name:
		return i, r.fail(CodeLimit, i)
	case why == scanEnd:
		r.nameFrom, r.nameTo = i, end+1
		return end + 1, r.nameDone(b[i+1:end], escaped)
	case why != scanMore:
		return i, r.failString(why, end)
	}
	r.state = inName
	r.name = append(r.name[:0], b[i:end]...)
	r.nameFrom = -1
	r.cut(b[end:], escaped)
	return len(b), nil
}

// beginString reads the string that begins at b[i], of which scanString has found
// the end.
func (r *Rewriter) beginString(b []byte, i, end int, escaped bool, why scanned) (int, error) {
	r.state = inString
	t := &r.token
	t.at = r.base + int64(i)
	switch n := r.node; {
	case n != nil && n.Op <= plan.Keep && n.Digest == nil && !r.psoxy:
		// The usual treatments, without a call.
		t.treatment, t.digest = skip, false
		if n.Op == plan.Keep {
			t.treatment = keep
		}
	default:
		t.treatment = r.treatString()
	}
	if t.digest {
		r.digest = digest{}
		r.digest.raw(b[i+1 : end])
	}
	switch {
	case t.treatment == decide && end-(i+1) > r.stringLimit(r.node):
		return i, r.fail(CodeLimit, i)
	case why == scanEnd:
		err := error(nil)
		switch t.treatment {
		case skip:
			err = r.drop(r.node, t.at)
		case keep:
			r.kept(r.node)
			r.prefix()
			r.out.span(i, end+1)
		default:
			err = r.decideString(b[i:end+1], escaped)
		}
		if t.digest && err == nil {
			err = r.addDigest(r.node.Digest)
		}
		if err != nil {
			return i, err
		}
		return end + 1, r.done(end + 1)
	case why != scanMore:
		return i, r.failString(why, end)
	}
	t.held = t.held[:0]
	r.take(b, i, end)
	r.cut(b[end:], escaped)
	return len(b), nil
}

// cut notes that the chunk ended in a string, with its last bytes.
func (r *Rewriter) cut(rest []byte, escaped bool) {
	r.token.partial = append(r.token.partial[:0], rest...)
	r.token.escaped = escaped
}

// take takes b[from:to] of the string under way as its treatment demands.
func (r *Rewriter) take(b []byte, from, to int) {
	t := &r.token
	switch t.treatment {
	case keep:
		if len(t.held)+to-from > holdKept {
			r.prefix()
			r.out.bytes(t.held)
			r.out.span(from, to)
			t.treatment = pass
			return
		}
		t.held = append(t.held, b[from:to]...)
	case decide:
		t.held = append(t.held, b[from:to]...)
	case pass:
		r.out.span(from, to)
	}
}

// resume reads on in a token that an earlier chunk ended in.
func (r *Rewriter) resume(b []byte) (int, error) {
	i := 0
	t := &r.token
	switch r.state {
	case inNumber:
		end, state, ended := scanNumber(b, 0, t.number)
		t.held = append(t.held, b[:min(end, r.limits.Number+1)]...)
		if len(t.held) > r.limits.Number {
			return 0, r.failAt(CodeLimit, t.at)
		}
		t.number = state
		if !ended {
			return end, nil
		}
		if !state.complete() {
			return 0, r.fail(CodeSyntax, end)
		}
		return end, r.numberDone(t.held, -1, end)
	case inLiteral:
		for ; i < len(b) && t.matched < len(t.literal); i++ {
			if b[i] != t.literal[t.matched] {
				return 0, r.fail(CodeSyntax, i)
			}
			t.matched++
		}
		if t.matched < len(t.literal) {
			return i, nil
		}
		return i, r.literalDone(-1, i)
	case inName:
		return r.resumeName(b)
	default:
		return r.resumeString(b)
	}
}

// completePartial reads the rest of the unit that the chunk before cut. It
// returns the index after it; the unit is in partial then, and whole is true. If
// the chunk is too short for it whole is false.
func (r *Rewriter) completePartial(b []byte) (i int, whole bool, err error) {
	t := &r.token
	for i < len(b) {
		t.partial = append(t.partial, b[i])
		i++
		end, escaped, why := scanString(t.partial, 0)
		if why != scanMore {
			return 0, false, r.failString(why, i-len(t.partial))
		}
		if end > 0 {
			t.escaped = t.escaped || escaped
			return i, true, nil
		}
	}
	return i, false, nil
}

func (r *Rewriter) resumeName(b []byte) (int, error) {
	t := &r.token
	i := 0
	if len(t.partial) > 0 {
		var whole bool
		var err error
		if i, whole, err = r.completePartial(b); !whole {
			return i, err
		}
		r.name = append(r.name, t.partial...)
	}
	end, escaped, why := scanString(b, i)
	if len(r.name)-1+end-i > r.limits.Name {
		return 0, r.failAt(CodeLimit, t.at)
	}
	r.name = append(r.name, b[i:end]...)
	escaped = escaped || t.escaped
	switch why {
	case scanMore:
		r.cut(b[end:], escaped)
		return len(b), nil
	case scanEnd:
		r.name = append(r.name, '"')
		return end + 1, r.nameDone(r.name[1:len(r.name)-1], escaped)
	}
	return 0, r.failString(why, end)
}

func (r *Rewriter) resumeString(b []byte) (int, error) {
	t := &r.token
	i := 0
	if len(t.partial) > 0 {
		var whole bool
		var err error
		if i, whole, err = r.completePartial(b); !whole {
			return i, err
		}
		if t.digest {
			r.digest.raw(t.partial)
		}
		switch t.treatment {
		case keep, decide:
			t.held = append(t.held, t.partial...)
		case pass:
			r.out.bytes(t.partial)
		}
	}
	end, escaped, why := scanString(b, i)
	if t.digest {
		r.digest.raw(b[i:end])
	}
	if t.treatment == decide && len(t.held)-1+end-i > r.stringLimit(r.node) {
		return 0, r.failAt(CodeLimit, t.at)
	}
	escaped = escaped || t.escaped
	switch why {
	case scanMore:
		r.take(b, i, end)
		r.cut(b[end:], escaped)
		return len(b), nil
	case scanEnd:
		err := error(nil)
		switch t.treatment {
		case skip:
			err = r.drop(r.node, t.at)
		case keep:
			r.kept(r.node)
			r.prefix()
			r.out.bytes(t.held)
			r.out.span(i, end+1)
		case pass:
			r.kept(r.node)
			r.out.span(i, end+1)
		default:
			t.held = append(t.held, b[i:end+1]...)
			err = r.decideString(t.held, escaped)
		}
		if t.digest && err == nil {
			err = r.addDigest(r.node.Digest)
		}
		if err != nil {
			return 0, err
		}
		return end + 1, r.done(end + 1)
	}
	return 0, r.failString(why, end)
}

func (r *Rewriter) failString(why scanned, i int) error {
	if why == scanUTF8 {
		return r.fail(CodeUTF8, i)
	}
	return r.fail(CodeSyntax, i)
}

// beginNumber reads the number that begins at b[i].
func (r *Rewriter) beginNumber(b []byte, i int) (int, error) {
	end, state, ended := scanNumber(b, i, numberStart)
	r.state = inNumber
	t := &r.token
	t.at = r.base + int64(i)
	switch {
	case end-i > r.limits.Number:
		return i, r.fail(CodeLimit, i)
	case ended && state.complete():
		return end, r.numberDone(b[i:end], i, end)
	case ended:
		return i, r.fail(CodeSyntax, end)
	}
	t.number = state
	t.held = append(t.held[:0], b[i:]...)
	return len(b), nil
}

// beginLiteral reads the literal that begins at b[i].
func (r *Rewriter) beginLiteral(b []byte, i int, literal string) (int, error) {
	r.state = inLiteral
	t := &r.token
	t.at = r.base + int64(i)
	t.literal = literal
	if len(b)-i >= len(literal) && string(b[i:i+len(literal)]) == literal {
		return i + len(literal), r.literalDone(i, i+len(literal))
	}
	t.matched = 0
	for ; i < len(b); i++ {
		if b[i] != literal[t.matched] {
			return i, r.fail(CodeSyntax, i)
		}
		t.matched++
	}
	return i, nil
}
