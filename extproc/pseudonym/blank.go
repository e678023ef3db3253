package pseudonym

import "unicode/utf8"

// Blank reports whether value is empty or white space only, as Java's Character.isWhitespace sees it: the no-break
// spaces U+00A0, U+2007 and U+202F and the control U+0085 do not count as white space. Callers give no token to blank
// values; what they give instead depends on the operation.
func Blank(value []byte) bool {
	for len(value) > 0 {
		r, n := utf8.DecodeRune(value)
		if !whitespace(r) {
			return false
		}
		value = value[n:]
	}
	return true
}

func whitespace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r >= 0x1C && r <= ' ':
		return true
	case r >= 0x2000 && r <= 0x200A:
		return r != 0x2007
	}
	return r == 0x1680 || r == 0x2028 || r == 0x2029 || r == 0x205F || r == 0x3000
}
