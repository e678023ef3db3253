package sanitize

import (
	"bytes"
	"unicode/utf8"
)

// appendStrict appends text that is almost JSON as JSON: names and strings
// without quotes or with single ones get double ones, and control characters in
// strings are escaped, as json-smart takes them; of the escapes that are there only
// those stay that JSON needs. A name without quotes goes to the next colon, a
// string to the next comma or bracket that closes what it is in; white space around
// them is not theirs. It returns false for what it cannot read; what it appends may
// still be no JSON.
func appendStrict(dst, text []byte, depth int) ([]byte, bool) {
	l := lenient{dst: dst, rest: text, depth: depth}
	l.space()
	if !l.value(0) {
		return l.dst, false
	}
	l.space()
	return l.dst, len(l.rest) == 0
}

type lenient struct {
	dst, rest []byte
	depth     int // how many more objects and arrays may be open
}

// space skips white space.
func (l *lenient) space() { l.rest = bytes.TrimLeft(l.rest, " \t\r\n") }

// skip skips one byte if it is the next.
func (l *lenient) skip(c byte) bool {
	if len(l.rest) == 0 || l.rest[0] != c {
		return false
	}
	l.rest = l.rest[1:]
	return true
}

// value reads a value in an object or array that ends with a bracket, 0 at the
// root.
func (l *lenient) value(end byte) bool {
	if len(l.rest) == 0 {
		return false
	}
	switch c := l.rest[0]; c {
	case '{':
		return l.container('{', '}')
	case '[':
		return l.container('[', ']')
	case '"', '\'':
		return l.quoted(c)
	}
	n := len(l.rest)
	if end != 0 {
		n = bytes.IndexFunc(l.rest, func(r rune) bool { return r == ',' || r == rune(end) })
		if n < 0 {
			return false
		}
	}
	word := l.word(n)
	if len(word) == 0 {
		return false
	}
	if isBare(word) {
		l.dst = append(l.dst, word...)
		return true
	}
	l.text(word)
	return true
}

// container reads an object or array.
func (l *lenient) container(begin, end byte) bool {
	if l.depth--; l.depth < 0 {
		return false
	}
	l.skip(begin)
	l.dst = append(l.dst, begin)
	l.space()
	for first := true; !l.skip(end); first = false {
		if !first {
			if !l.skip(',') {
				return false
			}
			l.dst = append(l.dst, ',')
			l.space()
		}
		if begin == '{' && !l.name() || !l.value(end) {
			return false
		}
		l.space()
	}
	l.dst = append(l.dst, end)
	l.depth++
	return true
}

// name reads a member name and the colon.
func (l *lenient) name() bool {
	if len(l.rest) == 0 {
		return false
	}
	if c := l.rest[0]; c == '"' || c == '\'' {
		if !l.quoted(c) {
			return false
		}
		l.space()
	} else {
		n := bytes.IndexByte(l.rest, ':')
		if n <= 0 {
			return false
		}
		l.text(l.word(n))
	}
	if !l.skip(':') {
		return false
	}
	l.dst = append(l.dst, ':')
	l.space()
	return true
}

// word takes n bytes and returns them without the white space around them.
func (l *lenient) word(n int) []byte {
	word := bytes.Trim(l.rest[:n], " \t\r\n")
	l.rest = l.rest[n:]
	return word
}

// text appends a string of the given text.
func (l *lenient) text(text []byte) {
	l.dst = append(l.dst, '"')
	l.dst = appendEscaped(l.dst, text)
	l.dst = append(l.dst, '"')
}

// quoted reads a string with quotes of one kind.
func (l *lenient) quoted(quote byte) bool {
	l.skip(quote)
	l.dst = append(l.dst, '"')
	from, escaped := len(l.dst), false
	for len(l.rest) > 0 {
		c := l.rest[0]
		if c == quote {
			l.rest = l.rest[1:]
			if escaped {
				text, _ := unescaped(appendPaired(nil, l.dst[from:]), nil)
				l.dst = appendEscaped(l.dst[:from], text)
			}
			l.dst = append(l.dst, '"')
			return true
		}
		n := 1
		switch {
		case c == '\\' && len(l.rest) > 1 && l.rest[1] == '\'':
			l.dst = append(l.dst, '\'')
			n = 2
		case c == '\\':
			if n = escapeLen(l.rest); n <= 0 {
				return false
			}
			escaped = true
			l.dst = append(l.dst, l.rest[:n]...)
		case c < ' ' || c == '"':
			l.dst = appendEscaped(l.dst, l.rest[:1])
		default:
			_, n = utf8.DecodeRune(l.rest)
			l.dst = append(l.dst, l.rest[:n]...)
		}
		l.rest = l.rest[n:]
	}
	return false
}

// isBare reports whether a word is a number, true, false or null.
func isBare(word []byte) bool {
	switch string(word) {
	case "true", "false", "null":
		return true
	}
	end, state, _ := scanNumber(word, 0, numberStart)
	return end == len(word) && state.complete()
}
