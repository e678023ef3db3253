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
//
// Names and values are short, and in long strings (an HTML body) a quote or a line
// break is escaped every few words. So each word is asked on its own whether it
// is plain, and a short escape leads right back to the next.
func scanString(b []byte, i int) (end int, escaped bool, why scanned) {
	for {
		for len(b)-i >= 32 {
			w := b[i : i+32 : i+32]
			m := special(word(w, 0))
			if m != 0 {
				goto found
			}
			if m = special(word(w, 8)); m != 0 {
				i += 8
				goto found
			}
			if m = special(word(w, 16)); m != 0 {
				i += 16
				goto found
			}
			if m = special(word(w, 24)); m != 0 {
				i += 24
				goto found
			}
			i += 32
			continue
		found:
			i += bits.TrailingZeros64(m) >> 3
			if b[i] != '\\' || i+1 == len(b) || !shortEscape[b[i+1]] {
				goto unit
			}
			escaped = true
			i += 2
		}
		if i += plainRest(b, i); i == len(b) {
			return i, escaped, scanMore
		}
	unit:
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
			if i, why = scanRunes(b, i); why != scanEnd {
				return i, escaped, why
			}
		}
	}
}

// scanRunes reads a run of other than ASCII. It ends with scanEnd before the first
// ASCII byte, which is there.
func scanRunes(b []byte, i int) (end int, why scanned) {
	for i < len(b) {
		c := b[i]
		if c < utf8.RuneSelf {
			return i, scanEnd
		}
		// Most of what is not English is of these two forms (RFC 3629 section 4).
		if 0xc2 <= c && c <= 0xdf && i+1 < len(b) && tail(b[i+1]) {
			i += 2
			continue
		}
		if 0xe1 <= c && c <= 0xec && i+2 < len(b) && tail(b[i+1]) && tail(b[i+2]) {
			i += 3
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			if utf8.FullRune(b[i:]) {
				return i, scanUTF8
			}
			return i, scanMore
		}
		i += n
	}
	return i, scanMore
}

// tail reports whether a byte goes on in a UTF-8 sequence.
func tail(c byte) bool { return c&0xc0 == 0x80 }

// plain reports whether a byte is ASCII and stands for itself in a string.
func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// word is the eight bytes from b[i].
func word(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// special returns 0 if all bytes of a word are plain, else a word whose lowest bit
// is the high bit of the lowest byte that is not.
func special(x uint64) uint64 {
	const (
		each = 0x0101010101010101
		high = 0x8080808080808080
	)
	// The high bit of a byte is set where that byte is below 0x20, is a quote, is
	// a backslash, or is not ASCII. The quote, 0x22, is the one byte that flipping
	// 0x02 makes 0x20; those below stay among themselves. A borrow can set a bit
	// wrongly only above a byte where it is set rightly, and the lowest one counts.
	return (x | ((x ^ 0x02*each) - 0x21*each) | ((x ^ '\\'*each) - each)) & high
}

// plainPrefix returns how many bytes at the beginning of b are plain.
func plainPrefix(b []byte) int {
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		if m := special(word(b, i)); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && plain(b[i]) {
		i++
	}
	return i
}

// plainRest is plainPrefix of b[i:]. The last bytes are read with those before them.
func plainRest(b []byte, i int) int {
	from := i
	for ; len(b)-i >= 8; i += 8 {
		if m := special(word(b, i)); m != 0 {
			return i - from + bits.TrailingZeros64(m)>>3
		}
	}
	if len(b) < 8 {
		return i - from + plainPrefix(b[i:])
	}
	// Zeros come in above the last bytes, and are not plain.
	if rest := len(b) - i; rest > 0 {
		m := special(word(b, len(b)-8) >> (64 - 8*rest))
		i += bits.TrailingZeros64(m) >> 3
	}
	return i - from
}

// shortEscape says which bytes make an escape with a backslash before them.
var shortEscape = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// escapeLen returns the length of the escape at the beginning of b, 0 if more
// bytes are needed to tell, or -1 if it is invalid. Surrogates need no partner.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if shortEscape[b[1]] {
		return 2
	}
	if b[1] != 'u' {
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
