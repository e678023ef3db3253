package sanitize

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// scanSlow is scanString, one unit after the other.
func scanSlow(b []byte, i int) (end int, escaped bool, why scanned) {
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i, escaped, scanEnd
		case c < ' ':
			return i, escaped, scanSyntax
		case c == '\\':
			digits := 0
			for at, d := range b[i+1:] {
				switch {
				case at == 0 && d == 'u', at > 0 && at < 5 && strings.IndexByte("0123456789abcdefABCDEF", d) >= 0:
					if digits++; digits == 5 {
						goto whole
					}
				case at == 0 && strings.IndexByte(`"\/bfnrt`, d) >= 0:
					digits = 1
					goto whole
				default:
					return i, escaped, scanSyntax
				}
			}
			return i, escaped, scanMore
		whole:
			escaped = true
			i += 1 + digits
		case c < utf8.RuneSelf:
			i++
		case !utf8.FullRune(b[i:]):
			return i, escaped, scanMore
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return i, escaped, scanUTF8
			}
			i += n
		}
	}
	return i, escaped, scanMore
}

// units are all bytes, all escapes of one, and what is at the borders of UTF-8 and of
// longer escapes, also cut and wrong.
func units() []string {
	all := []string{`\u00e9`, `\ud83d\ude00`, `\uD800`, `\uABCf`, `\u`, `\u0`, `\u00`, `\u000`, `\u000g`, `\u00G0`, `\u0:00`, `\u@000`, `\u"`, `\\u`, `\\"`, `\n\n`, `\n"`, "\\\x00",
		"\u0080", "\u07ff", "\u0800", "\u0fff", "\u1000", "\ucfff", "\ud7ff", "\ue000", "\ufffd", "\uffff", "\U00010000", "\U0010ffff", "é漢😀é", "漢\"", "é\\n",
		"\xc0\x80", "\xc1\xbf", "\xc2\x7f", "\xc2\xc0", "\xdf\xc0", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe1\x80\x7f", "\xe1\x80\xc0", "\xe1\xc0\x80", "\xec\x80\xff", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xef\xbf\xc0", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f", "\xf0\x9f\x98", "\xc3\"", "\xe2\x82\"", "\xf0\x9f\x98\"", "é\x80", "漢\x80"}
	for c := range 256 {
		all = append(all, string([]byte{byte(c)}), string([]byte{'\\', byte(c)}))
	}
	return all
}

// Wherever a unit stands among plain bytes, it is read as if the bytes were read one
// by one.
func TestScanString(t *testing.T) {
	check := func(b []byte) {
		for _, from := range []int{0, min(3, len(b))} {
			end, escaped, why := scanString(b, from)
			wantEnd, wantEscaped, want := scanSlow(b, from)
			if end != wantEnd || escaped != wantEscaped || why != want {
				t.Fatalf("%q from %d: ended at %d, escaped %v, why %d; want %d, %v, %d", b, from, end, escaped, why, wantEnd, wantEscaped, want)
			}
		}
	}
	plain := bytes.Repeat([]byte("ab#!]~[ "), 10)
	for _, unit := range units() {
		for before := range 42 {
			for _, after := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 40} {
				check(slices.Concat(plain[:before], []byte(unit), plain[:after]))
			}
		}
	}
	rng := newRand(7)
	all := units()
	for range 50_000 {
		var b []byte
		for range 1 + rng.IntN(6) {
			b = append(append(b, plain[:rng.IntN(40)]...), all[rng.IntN(len(all))]...)
		}
		check(b)
	}
}
