package sanitize

import (
	"strconv"
	"unicode/utf8"

	"github.com/graphveil/graphveil/policy/plan"
)

// digest counts the UTF-16 units and the words of a text as it comes, so that the
// text need not be held. Words are what Java's trim and split at \s+ leave, as
// Psoxy counts them: a text of blanks has one, an empty one has none. The zero
// value is that of the empty text.
type digest struct {
	units, words int
	// pending are words that stand only if a visible character follows, because
	// trim takes control characters from the end.
	pending int
	// inWord: the last character was none that \s matches.
	inWord bool
}

// raw reads on in the content of a JSON string, which must be valid and made of
// whole units.
func (d *digest) raw(b []byte) {
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c != '\\':
			i += d.next(b[i:])
		case b[i+1] == 'u':
			d.escape(b[i+2 : i+maxUnit])
			i += maxUnit
		default:
			visible := b[i+1] == '"' || b[i+1] == '\\' || b[i+1] == '/'
			d.unit(visible, !visible && b[i+1] != 'b')
			i += 2
		}
	}
}

// text reads on in unescaped text.
func (d *digest) text(b []byte) {
	for i := 0; i < len(b); {
		i += d.next(b[i:])
	}
}

// next reads the character at the beginning of b and returns its length.
func (d *digest) next(b []byte) int {
	c := b[0]
	if c < utf8.RuneSelf {
		d.unit(c > ' ', javaSpace(c))
		return 1
	}
	_, n := utf8.DecodeRune(b)
	d.unit(true, false)
	if n == utf8.UTFMax {
		d.units++ // a pair of surrogates
	}
	return n
}

// escape reads the four digits of an escape. Each half of a pair is a unit.
func (d *digest) escape(digits []byte) {
	value := 0
	for _, c := range digits {
		value = value<<4 | hexDigit(c)
	}
	d.unit(value > ' ', value <= ' ' && javaSpace(byte(value)))
}

// unit counts a character: visible says that trim would not take it, space that
// \s matches it.
func (d *digest) unit(visible, space bool) {
	d.units++
	if visible && d.words == 0 {
		// Nothing before it was a word.
		d.words, d.pending, d.inWord = 1, 0, true
		return
	}
	if space {
		d.inWord = false
		return
	}
	if !d.inWord {
		d.inWord = true
		d.pending++
	}
	if visible {
		d.words += d.pending
		d.pending = 0
	}
}

// append appends the digest as JSON.
func (d *digest) append(dst []byte) []byte {
	words := d.words
	if words == 0 && d.units > 0 {
		words = 1
	}
	dst = append(dst, `{"length":`...)
	dst = strconv.AppendInt(dst, int64(d.units), 10)
	dst = append(dst, `,"word_count":`...)
	dst = strconv.AppendInt(dst, int64(words), 10)
	return append(dst, '}')
}

// addDigest adds the digest of the string that just ended to its object.
func (r *Rewriter) addDigest(d *plan.Digest) error {
	if d.Inner != nil && r.digest.units > 0 && !r.innerOK {
		return nil
	}
	f := r.top()
	if r.nameFrom >= 0 {
		r.name = append(r.name[:0], r.out.chunk[r.nameFrom:r.nameTo]...)
	}
	if len(r.digests) > f.digests {
		r.digests = append(r.digests, ',')
	}
	r.digests = append(r.digests, `"+`...)
	r.digests = append(r.digests, r.name[1:len(r.name)-1]...)
	r.digests = append(r.digests, `:textDigest":`...)
	if d.Inner == nil || r.digest.units == 0 {
		r.digests = r.digest.append(r.digests)
	} else {
		r.digests = append(r.digests, '"')
		r.digests = appendEscaped(r.digests, r.inner)
		r.digests = append(r.digests, '"')
	}
	if len(r.digests) > r.limits.Hold {
		return r.failAt(CodeLimit, r.token.at)
	}
	return nil
}

// seePlus notes a member name that begins with "+".
func (r *Rewriter) seePlus(f *frame, name []byte) {
	r.plus = r.plus || r.psoxy
	if f.node != nil && (f.node.Object.Lookup(name) != nil || f.node.Object != nil && f.node.Object.Rest != nil) {
		f.plus = true
	}
}

// outDigests outputs the digests of a live object before its end.
func (r *Rewriter) outDigests(f *frame) {
	if len(r.digests) == f.digests || f.plus || r.plus {
		return
	}
	if f.written {
		r.out.text(",")
	}
	f.written = true
	r.out.bytes(r.digests[f.digests:])
}
