package sanitize

import (
	"encoding/binary"

	"github.com/graphveil/graphveil/policy/plan"
)

// rush reads on from the name or value that begins at b[i], as follow does, as long
// as the tokens are where they usually are: next to each other, and in the chunk. It
// leaves everything else to follow, and returns the index at which that goes on.
//
// Invariant: at each return Rewriter.state says what is next. In between it is set
// only before what may fail or look at it.
func (r *Rewriter) rush(b []byte, i int) (int, error) {
	var (
		f       *frame
		n       *plan.Node
		err     error
		end     int
		escaped bool
		why     scanned
	)
	if r.state == atValue || r.state == atFirstValue {
		goto value
	}

name:
	f = r.top()
	if k := f.expected(b, i+1); k > 0 && f.index < r.limits.Members {
		e := &f.layout.entries[k]
		end = i + 1 + len(e.spelled)
		r.nameFrom, r.nameTo, r.colon = i, end-1, end-1
		f.index++
		if bit := uint64(1) << k; e.field != nil && f.had&bit == 0 {
			// This is all that meet does with it.
			f.had |= bit
			f.last, f.current = uint8(k), uint8(k)
			f.field, r.node = e.field, e.node
		} else {
			r.token.at = r.base + int64(i)
			r.state = atColon
			if err = r.meet(f, k, b[i+1:end-2]); err != nil {
				return end - 1, err
			}
		}
		i = end
	} else {
		if i, err = r.beginName(b, i); err != nil || i == len(b) || b[i] != ':' {
			return i, err
		}
		r.colon = i
		i++
	}
	r.state = atValue
	if i == len(b) {
		return i, nil
	}

value:
	n = r.node
	switch b[i] {
	case '"':
		end, escaped, why = scanString(b, i+1)
		if why == scanEnd && (r.simple(n, i, end+1) || !escaped && r.plainToken(n, b[i+1:end])) {
			i = end + 1
			goto after
		}
		i, err = r.beginString(b, i, end, escaped, why)
	case '{', '[':
		if i, err = r.open(b, i); err != nil || i == len(b) {
			return i, err
		}
		switch c := b[i]; {
		case r.state == atFirstMember && c == '"':
			goto name
		case r.state == atFirstValue && c > ' ' && c != ']':
			goto value
		}
		return i, nil
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		i, err = r.beginNumber(b, i)
	case 't', 'f', 'n':
		end = literalEnd(b, i)
		if end > 0 && (b[i] == 'n' && r.simpleNull(n, i, end) || b[i] != 'n' && r.simple(n, i, end)) {
			i = end
			goto after
		}
		i, err = r.beginLiteral(b, i, literalOf(b[i]))
	case ' ', '\t', '\r', '\n':
		return i, nil
	default:
		return i, r.fail(CodeSyntax, i)
	}
	if err != nil || r.state != atComma {
		return i, err
	}

after:
	r.state = atComma
	if i == len(b) {
		return i, nil
	}
	f = r.top()
	switch c := b[i]; {
	case c == ',' && f.object:
		r.comma = i
		r.state = atMember
		if i++; i < len(b) && b[i] == '"' {
			goto name
		}
	case c == ',':
		r.comma = i
		r.state, r.node = atValue, f.items()
		f.index++
		if i++; i < len(b) {
			goto value
		}
	case c == '}' && f.object, c == ']' && !f.object:
		if i, err = r.close(b, i); err == nil && len(r.stack) > 0 {
			goto after
		}
	}
	return i, err
}

// simple carries out the plan on a string, true or false, chunk[from:to], if that is
// just to keep or to drop it. Else, and for the root, it does nothing and returns
// false.
func (r *Rewriter) simple(n *plan.Node, from, to int) bool {
	switch {
	case len(r.stack) == 0:
		return false
	case n == nil:
		return !r.hold.hit
	case n.Op > plan.Keep || n.Digest != nil:
		return false
	case n.Op == plan.Drop:
		r.counts.at(n).Dropped++
		return true
	case r.psoxy:
		return false
	}
	r.kept(n)
	r.prefix()
	r.out.span(from, to)
	return true
}

// simpleNull does the same with null, where the plan is to let it pass.
func (r *Rewriter) simpleNull(n *plan.Node, from, to int) bool {
	switch {
	case len(r.stack) == 0 || r.compact():
		return false
	case n == nil:
		return !r.hold.hit
	case n.Op == plan.Drop:
		r.counts.at(n).Dropped++
		return true
	case n.Op >= plan.Run || n.Op == plan.JSONPseudonym || n.Op == plan.JSONPseudonymOriginal:
		return false
	}
	r.kept(n)
	r.prefix()
	r.out.span(from, to)
	return true
}

// plainToken does what simple does with a string without escapes, if the plan is to put its
// token in its place.
func (r *Rewriter) plainToken(n *plan.Node, text []byte) bool {
	if n == nil || n.Op != plan.Pseudonym && n.Op != plan.Reversible || n.Digest != nil || r.psoxy ||
		len(r.stack) == 0 || len(text) > r.limits.String || blank(text) {
		return false
	}
	r.pseudonymize(n, text)
	return true
}

// literalEnd returns the index behind the literal that begins at b[i], or 0 if there
// is none, or if it is too near to the end of b to tell at once.
func literalEnd(b []byte, i int) int {
	if len(b)-i < 5 {
		return 0
	}
	switch binary.LittleEndian.Uint32(b[i:]) {
	case 't' | 'r'<<8 | 'u'<<16 | 'e'<<24, 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24:
		return i + 4
	case 'f' | 'a'<<8 | 'l'<<16 | 's'<<24:
		if b[i+4] == 'e' {
			return i + 5
		}
	}
	return 0
}

// literalOf returns the literal that begins with a byte.
func literalOf(c byte) string {
	switch c {
	case 't':
		return "true"
	case 'f':
		return "false"
	default:
		return "null"
	}
}

// expected returns the entry of the name that begins at b[i] if it is the one that
// is expected, with a colon behind it and a byte behind that, else 0.
func (f *frame) expected(b []byte, i int) int {
	if f.layout == nil {
		return 0
	}
	k := f.layout.entries[f.last].next
	spelled := f.layout.entries[k].spelled
	n := len(spelled)
	if k == 0 || i+n >= len(b) {
		return 0
	}
	b = b[i : i+n]
	if n < 8 {
		if string(b) != string(spelled) {
			return 0
		}
		return int(k)
	}
	// The last word overlaps the one before.
	if word(b, n-8) != word(spelled, n-8) {
		return 0
	}
	for at := 0; at < n-8; at += 8 {
		if word(b, at) != word(spelled, at) {
			return 0
		}
	}
	return int(k)
}
