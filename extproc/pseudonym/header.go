package pseudonym

// AppendEmailHeader appends the tokens of an address list (RFC 5322 section 3.4: mailboxes, and groups of them, parted by
// commas) in their order: those of AppendToken joined by commas, or with json an array of the objects of AppendJSON. As
// there, the array is the text: where it goes into a JSON string the caller escapes it once more. Names of people and of
// groups are left out, so an empty group leaves nothing.
//
// A blank value appends nothing. What is not an address list as a whole, also one with an empty item, gives dst as it
// was and false.
func (c *Codec) AppendEmailHeader(dst, value []byte, json bool) ([]byte, bool) {
	if Blank(value) {
		return dst, true
	}
	list, ok := parseAddressList(value)
	if !ok {
		return dst, false
	}
	if json {
		dst = append(dst, '[')
	}
	for i, m := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		sum := c.hashMailbox(&m)
		if json {
			dst = c.appendJSON(dst, nil, &sum, m.domain, JSONForm{})
		} else {
			dst = c.appendToken(dst, &sum, m.domain)
		}
	}
	if json {
		dst = append(dst, ']')
	}
	return dst, true
}

// parseAddressList reads value as mailboxes and groups parted by commas.
func parseAddressList(value []byte) (list []mailbox, ok bool) {
	s := mailScanner{text: value}
	for {
		if list, ok = s.item(list, true); !ok {
			return nil, false
		}
		if s.end() {
			return list, true
		}
		if !s.take(',') {
			return nil, false
		}
	}
}

// item reads one mailbox, or one group where groups may stand, with the white space around it, and adds its mailboxes
// to list.
func (s *mailScanner) item(list []mailbox, group bool) ([]mailbox, bool) {
	start := s.at
	if m, ok := s.address(); ok && (s.end() || s.next(',') || s.next(';')) {
		return append(list, m), true
	}
	s.at = start
	words, ok := s.phrase()
	if !ok {
		return list, false
	}
	if s.take('<') {
		m, ok := s.address()
		ok = ok && s.take('>')
		s.skip()
		return append(list, m), ok
	}
	if !group || words == 0 || !s.take(':') {
		return list, false
	}
	return s.group(list)
}

// group reads the mailboxes of a group, of which there may be none, up to and with its semicolon.
func (s *mailScanner) group(list []mailbox) ([]mailbox, bool) {
	s.skip()
	for more := !s.next(';'); more; more = s.take(',') {
		var ok bool
		if list, ok = s.item(list, false); !ok {
			return list, false
		}
	}
	if !s.take(';') {
		return list, false
	}
	s.skip()
	return list, true
}
