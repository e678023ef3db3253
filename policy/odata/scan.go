package odata

import "strings"

// Size ceilings of option values.
const (
	// MaxDepth is how deep expressions and expansions may nest.
	MaxDepth = 16
	// MaxTokens is the largest number of tokens in one value.
	MaxTokens = 1024
)

// kind is the lexical class of a token.
type kind uint8

const (
	end kind = iota
	// identifier is a property, operator or function name.
	identifier
	// literal is a string, number, date, time or guid.
	literal
	// punctuation is one of ( ) , : / * ; =
	punctuation
)

type token struct {
	kind   kind
	text   string
	offset int
	// spaced is true if white space stood before the token.
	spaced bool
}

// scanner cuts an option value into tokens. White space is the space character
// alone: others were refused with the target, encoded or not.
type scanner struct {
	src    string
	at     int
	tokens int
	tok    token
	err    error
}

func newScanner(src string) *scanner {
	s := &scanner{src: src}
	s.next()
	return s
}

// fail keeps the first error and makes every further token the end.
func (s *scanner) fail(reason string) {
	if s.err == nil {
		s.err = &Error{Code: CodeQuery, Reason: reason, Offset: s.tok.offset}
	}
	s.at = len(s.src)
	s.tok = token{kind: end, offset: s.tok.offset}
}

// next moves to the next token.
func (s *scanner) next() {
	start := s.at
	for s.at < len(s.src) && s.src[s.at] == ' ' {
		s.at++
	}
	s.tok = token{kind: end, offset: s.at, spaced: s.at > start}
	if s.at == len(s.src) {
		return
	}
	if s.tokens++; s.tokens > MaxTokens {
		s.fail("value has too many tokens")
		return
	}
	rest := s.src[s.at:]
	length := 0
	switch c := rest[0]; {
	case strings.IndexByte("(),:/*;=", c) >= 0:
		s.tok.kind, length = punctuation, 1
	case c == '\'':
		s.tok.kind, length = literal, stringLength(rest)
	case guidLength(rest) > 0:
		s.tok.kind, length = literal, guidLength(rest)
	case c == '-' || '0' <= c && c <= '9':
		s.tok.kind, length = literal, numberLength(rest)
	case isAlnum(c) || c == '_' || c == '$' || c == '@':
		s.tok.kind, length = identifier, identifierLength(rest)
	}
	if length == 0 {
		s.fail("character or literal that is not understood")
		return
	}
	s.tok.text = rest[:length]
	s.at += length
}

// is tells whether the current token is that punctuation.
func (s *scanner) is(punct string) bool {
	return s.tok.kind == punctuation && s.tok.text == punct
}

// keyword tells whether the current token is that word, in any case: OData 4.01
// lets clients write operators so.
func (s *scanner) keyword(word string) bool {
	return s.tok.kind == identifier && equalASCII(s.tok.text, word)
}

// take moves past that punctuation if it is the current token.
func (s *scanner) take(punct string) bool {
	if !s.is(punct) {
		return false
	}
	s.next()
	return true
}

// expect moves past that punctuation or fails.
func (s *scanner) expect(punct string) {
	if !s.take(punct) {
		s.fail("expected " + punct)
	}
}

// finish returns the error, also if something is left over.
func (s *scanner) finish() error {
	if s.err == nil && s.tok.kind != end {
		s.fail("text after the end of the expression")
	}
	return s.err
}

// path reads a property path a/b/c. Segments are plain names; dotted names
// (type casts, qualified names) only where the caller allows them.
func (s *scanner) path(dotted bool) string {
	start := s.tok.offset
	for {
		if s.tok.kind != identifier || !isPropertyName(s.tok.text, dotted) {
			s.fail("expected a property name")
			return ""
		}
		stop := s.at
		s.next()
		if !s.is("/") {
			return s.src[start:stop]
		}
		if s.tok.spaced {
			s.fail("space in a property path")
			return ""
		}
		if s.next(); s.tok.spaced {
			s.fail("space in a property path")
			return ""
		}
	}
}

func isPropertyName(name string, dotted bool) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlnum(c) && c != '_' && !(dotted && c == '.' && i > 0 && i < len(name)-1) {
			return false
		}
	}
	return name != ""
}

func identifierLength(s string) int {
	n := 1
	for n < len(s) && (isAlnum(s[n]) || s[n] == '_' || s[n] == '.') {
		n++
	}
	return n
}

// stringLength is the length of a quoted string, its quotes doubled inside; 0 if it does
// not end.
func stringLength(s string) int {
	for n := 1; n < len(s); n++ {
		if s[n] != '\'' {
			continue
		}
		if n+1 == len(s) || s[n+1] != '\'' {
			return n + 1
		}
		n++
	}
	return 0
}

// guidLength is 36 if s begins with 8-4-4-4-12 hexadecimal digits.
func guidLength(s string) int {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(s) < len(form) || len(s) > len(form) && isWord(s[len(form)]) {
		return 0
	}
	for i := range len(form) {
		if form[i] == '-' && s[i] != '-' || form[i] == 'x' && !isHex(s[i]) {
			return 0
		}
	}
	return len(form)
}

// numberLength is the length of a number, date or date and time, 0 if it is
// none: -12, 1.5e3, 2024-01-31, 2024-01-31T08:30:00.5Z, 2024-01-31T08:30:00+01:00.
// Digits are not checked against the calendar; the shape is what keeps the
// reading unambiguous.
func numberLength(s string) int {
	n := 0
	for n < len(s) && (isWord(s[n]) || s[n] == '.' || s[n] == '-' || s[n] == '+' || s[n] == ':') {
		n++
	}
	for _, form := range [...]string{
		"0000-00-00T00:00:00#Z", "0000-00-00T00:00:00#+00:00", "0000-00-00T00:00Z",
		"0000-00-00T00:00+00:00", "0000-00-00", "00:00:00#", "-", "#",
	} {
		if matchesForm(s[:n], form) {
			return n
		}
	}
	return 0
}

// matchesForm compares with a form in which 0 is a digit, + a sign, # at the end
// of seconds an optional fraction, and the forms "-" and "#" a number.
func matchesForm(s, form string) bool {
	if form == "-" || form == "#" {
		return isNumber(s)
	}
	i := 0
	for j := 0; j < len(form); j++ {
		if form[j] == '#' {
			if i < len(s) && s[i] == '.' {
				digits := i + 1
				for i = digits; i < len(s) && isDigit(s[i]); i++ {
				}
				if i == digits {
					return false
				}
			}
			continue
		}
		if i == len(s) {
			return false
		}
		c := s[i]
		switch form[j] {
		case '0':
			if !isDigit(c) {
				return false
			}
		case '+':
			if c != '+' && c != '-' {
				return false
			}
		default:
			if c != form[j] {
				return false
			}
		}
		i++
	}
	return i == len(s)
}

func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	integer, fraction, hasFraction := strings.Cut(whole, ".")
	if hasExponent && !isDigits(strings.TrimLeft(exponent, "+-")) || len(exponent)-len(strings.TrimLeft(exponent, "+-")) > 1 {
		return false
	}
	return isDigits(integer) && (!hasFraction || isDigits(fraction))
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool { return isAlnum(c) || c == '_' }

// equalASCII compares without regard to the case of ASCII letters, and only of
// those: Unicode folding would make more spellings equal than Graph does.
func equalASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
