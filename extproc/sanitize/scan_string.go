package sanitize

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanned says why scanString stopped.
type scanned uint8

const (
	// scanMore: the chunk ended. What is left of it is nothing, or the beginning
	// of an escape or UTF-8 sequence, at most 5 bytes.
	scanMore scanned = iota
	// scanEnd: at the closing quote.
	scanEnd
	// scanSyntax: at a control character or an invalid escape.
	scanSyntax
	// scanUTF8: at a byte that begins no UTF-8 sequence.
	scanUTF8
)

// maxUnit is the length of the longest unit of a string: an escape like \u00e9.
const maxUnit = 6

// scanString reads the content of a string from b[i]. It consumes whole units
// only (a plain byte, an escape, a UTF-8 sequence), so that nothing needs to be
// remembered when a chunk ends but the few bytes of the last, incomplete unit.
//
// It returns the index at which it stopped, and whether there was an escape
// before it. An error is found at the first byte that cannot be right, however
// the body is cut, and its index is that of the unit.
func scanString(b []byte, i int) (end int, escaped bool, why scanned) {
	for {
		i += plainPrefix(b[i:])
		if i == len(b) {
			return i, escaped, scanMore
		}
		switch c := b[i]; {
		case c == '"':
			return i, escaped, scanEnd
		case c == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return i, escaped, scanMore
			}
			if n < 0 {
				return i, escaped, scanSyntax
			}
			escaped = true
			i += n
		case c < ' ':
			return i, escaped, scanSyntax
		default:
			// A run of other than ASCII.
			for i < len(b) && b[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && n == 1 {
					if utf8.FullRune(b[i:]) {
						return i, escaped, scanUTF8
					}
					return i, escaped, scanMore
				}
				i += n
			}
		}
	}
}

// plainPrefix returns how many bytes at the beginning of b are ASCII and stand
// for themselves in a string. It looks at eight bytes at a time.
func plainPrefix(b []byte) int {
	const (
		each = 0x0101010101010101
		high = 0x8080808080808080
	)
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// The high bit of a byte is set where that byte is below 0x20, is a
		// quote, is a backslash, or is not ASCII. The quote, 0x22, is the one byte
		// that flipping 0x02 makes 0x20; those below stay among themselves. A borrow
		// can set a bit wrongly only above a byte where it is set rightly, and the
		// lowest one counts.
		m := (x | ((x ^ 0x02*each) - 0x21*each) | ((x ^ '\\'*each) - each)) & high
		if m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// escapeLen returns the length of the escape at the beginning of b, 0 if more
// bytes are needed to tell, or -1 if it is invalid. Surrogates need no partner.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return -1
	}
	for i := 2; i < maxUnit; i++ {
		if i == len(b) {
			return 0
		}
		c := b[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return -1
		}
	}
	return maxUnit
}
