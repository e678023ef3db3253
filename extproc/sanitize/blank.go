package sanitize

import "unicode/utf8"

// blank reports whether text is empty or white space only, by the rule of Java's
// Character.isWhitespace: Unicode separators without the three that do not break
// (U+00A0, U+2007, U+202F), tab to carriage return, and U+001C to U+001F.
// U+0085 is not among them.
func blank(text []byte) bool {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c != ' ' && (c < '\t' || c > '\r') && (c < 0x1c || c > 0x1f) {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == 0x1680, 0x2000 <= r && r <= 0x200a && r != 0x2007,
			r == 0x2028, r == 0x2029, r == 0x205f, r == 0x3000:
		default:
			return false
		}
		i += size
	}
	return true
}
