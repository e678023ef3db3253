package psoxy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// runes is a set of characters: ranges, sorted, apart from each other.
type runes []span

type span struct{ low, high rune }

func only(low, high rune) runes { return runes{{low, high}} }

// anyRune are all characters.
var anyRune = only(0, unicode.MaxRune)

// lineEnds are what Java's dot does not match.
var lineEnds = union(runes{{'\n', '\n'}}, runes{{'\r', '\r'}}, runes{{0x85, 0x85}}, runes{{0x2028, 0x2029}})

// classes are Java's predefined ones, without the flag UNICODE_CHARACTER_CLASS.
var classes = map[rune]runes{
	'd': only('0', '9'),
	's': union(only('\t', '\r'), only(' ', ' ')),
	'w': union(only('0', '9'), only('A', 'Z'), only('_', '_'), only('a', 'z')),
	'h': union(only('\t', '\t'), only(' ', ' '), only(0xa0, 0xa0), only(0x1680, 0x1680), only(0x180e, 0x180e), only(0x2000, 0x200a), only(0x202f, 0x202f), only(0x205f, 0x205f), only(0x3000, 0x3000)),
	'v': union(only('\n', '\r'), only(0x85, 0x85), only(0x2028, 0x2029)),
}

// posix are the names that \p{...} has in Java for ASCII.
var posix = map[string]runes{
	"Lower": only('a', 'z'), "Upper": only('A', 'Z'), "ASCII": only(0, 0x7f),
	"Alpha": union(only('A', 'Z'), only('a', 'z')), "Digit": only('0', '9'),
	"Alnum": union(only('0', '9'), only('A', 'Z'), only('a', 'z')),
	"Punct": union(only('!', '/'), only(':', '@'), only('[', '`'), only('{', '~')),
	"Graph": only('!', '~'), "Print": only(' ', '~'), "Blank": union(only('\t', '\t'), only(' ', ' ')),
	"Cntrl":  union(only(0, 0x1f), only(0x7f, 0x7f)),
	"XDigit": union(only('0', '9'), only('A', 'F'), only('a', 'f')), "Space": union(only('\t', '\r'), only(' ', ' ')),
}

func union(sets ...runes) runes {
	all := slices.Concat(sets...)
	slices.SortFunc(all, func(a, b span) int { return int(a.low - b.low) })
	var out runes
	for _, s := range all {
		if n := len(out); n > 0 && s.low <= out[n-1].high+1 {
			out[n-1].high = max(out[n-1].high, s.high)
		} else {
			out = append(out, s)
		}
	}
	return out
}

func (r runes) complement() runes {
	var out runes
	next := rune(0)
	for _, s := range r {
		if s.low > next {
			out = append(out, span{next, s.low - 1})
		}
		next = s.high + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, span{next, unicode.MaxRune})
	}
	return out
}

func (r runes) intersect(o runes) runes {
	return union(r.complement(), o.complement()).complement()
}

func (r runes) has(c rune) bool {
	return slices.ContainsFunc(r, func(s span) bool { return s.low <= c && c <= s.high })
}

func (r runes) equal(o runes) bool { return slices.Equal(r, o) }

// count is how many characters there are.
func (r runes) count() int {
	n := 0
	for _, s := range r {
		n += int(s.high-s.low) + 1
	}
	return n
}

// fold adds the other case of ASCII letters, as Java's CASE_INSENSITIVE does.
func (r runes) fold() runes {
	shift := func(set runes, by rune) runes {
		var out runes
		for _, s := range set {
			out = append(out, span{s.low + by, s.high + by})
		}
		return out
	}
	return union(r, shift(r.intersect(only('a', 'z')), 'A'-'a'), shift(r.intersect(only('A', 'Z')), 'a'-'A'))
}

// single returns the character of a set of one, or of one letter in both cases.
func (r runes) single() (rune, bool) {
	switch {
	case r.count() == 1:
		return r[0].low, true
	case r.count() == 2 && len(r) == 2 && r[1].low == r[0].low+'a'-'A' && unicode.IsLetter(r[0].low):
		return r[1].low, true
	}
	return 0, false
}

// re2 is the set as RE2 writes it.
func (r runes) re2() string {
	if len(r) == 0 {
		return `[^\x{0}-\x{10FFFF}]`
	}
	if r.count() == 1 {
		return quoteRune(r[0].low, `\.+*?()|[]{}^$`)
	}
	if r.equal(anyRune) {
		return `(?s:.)`
	}
	var b strings.Builder
	b.WriteByte('[')
	if r.has(unicode.MaxRune) {
		b.WriteByte('^')
		r = r.complement()
	}
	for _, s := range r {
		b.WriteString(quoteRune(s.low, `\]-^[`))
		if s.high > s.low {
			if s.high > s.low+1 {
				b.WriteByte('-')
			}
			b.WriteString(quoteRune(s.high, `\]-^[`))
		}
	}
	b.WriteByte(']')
	return b.String()
}

// quoteRune writes one character, with a backslash if it is special.
func quoteRune(c rune, special string) string {
	switch {
	case strings.ContainsRune(special, c):
		return `\` + string(c)
	case c == '\t':
		return `\t`
	case c == '\n':
		return `\n`
	case c == '\f':
		return `\f`
	case c == '\r':
		return `\r`
	case c == '\v':
		return `\v`
	case c >= ' ' && c < 0x7f, c > 0xa0 && unicode.IsPrint(c) && !unicode.IsSpace(c):
		return string(c)
	}
	return fmt.Sprintf(`\x{%X}`, c)
}
