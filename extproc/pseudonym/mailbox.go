package pseudonym

import "bytes"

// mailbox is an e-mail address taken out of a value: `addr` or `phrase <addr>`, with comments and folding white space
// removed around its parts. The zero mailbox is none.
type mailbox struct {
	local  []byte // without quotes where the rest is a dot-atom, else as written
	domain []byte // as written, never empty
}

func (m *mailbox) found() bool { return len(m.domain) > 0 }

// parseMailbox reads value as exactly one mailbox of RFC 2822 section 3.4, narrowed to what Psoxy takes for one: no
// dots or non-ASCII in unquoted phrases, no address literals, no nested comments, and a domain of at least two labels
// whose last is 2 to 26 letters. Everything else is none. Whoever widens it splits people: their tokens before and after
// no longer join.
func parseMailbox(value []byte) mailbox {
	s := mailScanner{text: value}
	if m, ok := s.address(); ok && s.end() {
		return m
	}
	s.at = 0
	if _, ok := s.phrase(); !ok || !s.take('<') {
		return mailbox{}
	}
	m, ok := s.address()
	if !ok || !s.take('>') {
		return mailbox{}
	}
	if s.skip(); !s.end() {
		return mailbox{}
	}
	return m
}

// appendCanonical appends the text that is hashed for a mailbox: local part up to its first plus sign, at sign, domain,
// all in lower case. Both parts are ASCII by the grammar.
func (m *mailbox) appendCanonical(dst []byte, ignoreDots bool) []byte {
	for _, b := range m.local {
		if b == '+' {
			break
		}
		if b == '.' && ignoreDots {
			continue
		}
		dst = append(dst, lower(b))
	}
	dst = append(dst, '@')
	for _, b := range m.domain {
		dst = append(dst, lower(b))
	}
	return dst
}

// mailScanner reads text from at onwards. A method that returns false may have moved at.
type mailScanner struct {
	text []byte
	at   int
}

func (s *mailScanner) end() bool { return s.at == len(s.text) }

func (s *mailScanner) next(b byte) bool { return s.at < len(s.text) && s.text[s.at] == b }

func (s *mailScanner) take(b byte) bool {
	if !s.next(b) {
		return false
	}
	s.at++
	return true
}

// white consumes blanks, tabs, and line breaks that are followed by one of these, and reports whether there were any.
func (s *mailScanner) white() bool {
	start := s.at
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch {
		case rest[0] == ' ' || rest[0] == '\t':
			s.at++
		case len(rest) > 2 && rest[0] == '\r' && rest[1] == '\n' && (rest[2] == ' ' || rest[2] == '\t'):
			s.at += 3
		default:
			return s.at > start
		}
	}
	return s.at > start
}

// skip consumes white space and comments. It stops in front of a comment that does not end or holds another one.
func (s *mailScanner) skip() {
	for s.white() || s.comment() {
	}
}

func (s *mailScanner) comment() bool {
	start := s.at
	if !s.take('(') {
		return false
	}
	for !s.end() {
		switch b := s.text[s.at]; {
		case b == ')':
			s.at++
			return true
		case b == '\\' && s.pair(false):
		case s.white():
		case b == '(' || b == '\\' || b <= ' ' || b >= 0x7F:
			s.at = start
			return false
		default:
			s.at++
		}
	}
	s.at = start
	return false
}

// address reads local part, at sign and domain, each with comments and white space around it.
func (s *mailScanner) address() (mailbox, bool) {
	s.skip()
	var m mailbox
	start := s.at
	if s.next('"') {
		if !s.quoted(false) {
			return m, false
		}
		m.local = s.text[start:s.at]
		if inside := m.local[1 : len(m.local)-1]; dotAtom(inside) {
			m.local = inside
		}
	} else {
		for s.at < len(s.text) && (atomByte(s.text[s.at]) || s.text[s.at] == '.') {
			s.at++
		}
		if m.local = s.text[start:s.at]; !dotAtom(m.local) {
			return m, false
		}
	}
	s.skip()
	if !s.take('@') {
		return m, false
	}
	s.skip()
	start = s.at
	for s.at < len(s.text) && (alphanumeric(s.text[s.at]) || s.text[s.at] == '-' || s.text[s.at] == '.') {
		s.at++
	}
	m.domain = s.text[start:s.at]
	s.skip()
	return m, domainName(m.domain)
}

// phrase reads the words in front of an angle bracket or a colon; there may be none.
func (s *mailScanner) phrase() (words int, ok bool) {
	s.skip()
	for parted := true; !s.next('<') && !s.next('(') && !s.next(':'); parted = s.white() {
		if !parted || !s.word() {
			return words, false
		}
		words++
	}
	s.skip()
	return words, true
}

func (s *mailScanner) word() bool {
	if s.next('"') {
		return s.quoted(true)
	}
	start := s.at
	for s.at < len(s.text) && atomByte(s.text[s.at]) {
		s.at++
	}
	return s.at > start
}

// quoted reads a quoted string without controls; wide allows non-ASCII in it.
func (s *mailScanner) quoted(wide bool) bool {
	s.at++
	for !s.end() {
		switch b := s.text[s.at]; {
		case b == '"':
			s.at++
			return true
		case b == '\\':
			if !s.pair(wide) {
				return false
			}
		case b < ' ' || b == 0x7F || (b > 0x7F && !wide):
			return false
		default:
			s.at++
		}
	}
	return false
}

// pair reads a backslash and what it quotes: any byte but NUL and line breaks, non-ASCII only where wide.
func (s *mailScanner) pair(wide bool) bool {
	if s.at+1 >= len(s.text) {
		return false
	}
	switch b := s.text[s.at+1]; {
	case b == 0 || b == '\r' || b == '\n' || (b > 0x7F && !wide):
		return false
	}
	s.at += 2
	return true
}

// dotAtom reports whether b is atoms joined by single dots.
func dotAtom(b []byte) bool {
	atom := false
	for _, c := range b {
		switch {
		case c == '.' && atom:
			atom = false
		case c != '.' && atomByte(c):
			atom = true
		default:
			return false
		}
	}
	return atom
}

// domainName reports whether b is two or more labels of at most 63 bytes, the last of 2 to 26 letters.
func domainName(b []byte) bool {
	dot := bytes.LastIndexByte(b, '.')
	if dot < 0 {
		return false
	}
	if !topLabel(b[dot+1:]) {
		return false
	}
	for label := range bytes.SplitSeq(b[:dot], []byte{'.'}) {
		if !domainLabel(label) {
			return false
		}
	}
	return true
}

// domainLabel reports whether letters, digits and hyphens may be a label that is not the last.
func domainLabel(b []byte) bool {
	return len(b) > 0 && len(b) <= 63 && b[0] != '-' && b[len(b)-1] != '-'
}

// topLabel reports whether letters, digits and hyphens may be the last label.
func topLabel(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return len(b) >= 2 && len(b) <= 26
}

// atomByte reports whether c is atext of RFC 2822 section 3.2.4.
func atomByte(c byte) bool {
	if alphanumeric(c) {
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '/', '=', '?', '^', '_', '`', '{', '|', '}', '~':
		return true
	}
	return false
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
