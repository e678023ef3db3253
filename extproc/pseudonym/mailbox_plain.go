package pseudonym

import (
	"encoding/binary"
	"math/bits"
)

// onStack is the length of value and salt up to which they are hashed in one piece: two blocks of SHA-256.
const onStack = 119

// scratch is where they are put together, in whole words.
type scratch [(onStack + 7) &^ 7]byte

// canonicalPlain writes the canonical form of value to text, without leaving out dots, and gives the place of the at
// sign, for the addresses that nearly all values with an at sign are: dot-atom, at sign, domain, no plus sign, no longer
// than onStack. What it takes the grammar reads in the same way; for the rest, of which it writes some, it gives false.
//
// It looks at the few bytes alone that are no letters, digits or hyphens: branches at each byte of a name are guessed
// wrong too often.
func canonicalPlain(text *scratch, value []byte) (at int, ok bool) {
	if len(value) > onStack {
		return 0, false
	}
	copy(text[:], value)
	at = -1
	label := 0 // the label or atom begins here
	for word := 0; word < len(value); word += 8 {
		to := text[word:][:8]
		x := binary.LittleEndian.Uint64(to)
		upper, rest := classes(x)
		binary.LittleEndian.PutUint64(to, x|upper>>2) // 0x80 to 0x20, which makes a capital small
		for ; rest != 0; rest &= rest - 1 {
			i := word + bits.TrailingZeros64(rest)/8
			if i >= len(value) {
				break
			}
			switch b := value[i]; {
			case b == '.' && i > label:
				if at >= 0 && !domainLabel(value[label:i]) {
					return 0, false
				}
				label = i + 1
			case b == '@' && i > label && at < 0:
				at, label = i, i+1
			case b == '.' || b == '+' || at >= 0 || !atomByte(b):
				return 0, false
			}
		}
	}
	return at, at >= 0 && label > at+1 && topLabel(value[label:])
}

// classes looks at eight bytes at once and gives 0x80 in place of each that is a capital letter, and of each that is
// no ASCII letter, digit or hyphen.
func classes(x uint64) (upper, rest uint64) {
	const each, high = 0x0101010101010101, 0x8080808080808080
	low := x &^ high                                                                 // sums of two bytes below 0x80 do not carry into the next
	from := func(text uint64, c byte) uint64 { return text + (0x80-uint64(c))*each } // high where a byte is c or above
	small := low | 0x20*each
	letter := from(small, 'a') &^ from(small, 'z'+1)
	digit := from(low, '0') &^ from(low, '9'+1)
	other := from(low^'-'*each, 1) // high where a byte is no hyphen
	upper = letter &^ (x << 2) & ^x & high
	rest = (^(letter|digit)&other | x) & high
	return upper, rest
}
