package sanitize

// What Plan.Psoxy asks for. Psoxy-compat section 2 says all of it.

// nextText begins another JSON text of a body that may have several, at index i
// of the chunk. Only a number or literal needs white space behind it.
func (r *Rewriter) nextText(i int) error {
	if r.base+int64(i) == r.bareEnd {
		return r.fail(CodeTrailing, i)
	}
	r.texts++
	r.state, r.node = atValue, r.root
	r.released, r.plus = false, false
	return nil
}

// outNumber outputs a number of the body as Java spells it. One that is beyond
// the doubles is a string.
func (r *Rewriter) outNumber(number []byte) {
	r.text = appendNumberText(r.text[:0], number)
	if last := r.text[len(r.text)-1]; last == 'y' {
		r.out.quoted(r.text)
		return
	}
	r.out.bytes(r.text)
}

// appendPaired appends a string as it is spelled in the body, but with a question
// mark for each surrogate escape that has no partner.
func appendPaired(dst, raw []byte) []byte {
	done := 0
	for i := 0; i < len(raw); {
		switch {
		case raw[i] != '\\':
			i++
		case raw[i+1] != 'u':
			i += 2
		case !surrogate(raw[i:], 0xd8) && !surrogate(raw[i:], 0xdc):
			i += maxUnit
		case surrogate(raw[i:], 0xd8) && surrogate(raw[i+maxUnit:], 0xdc):
			i += 2 * maxUnit
		default:
			dst = append(append(dst, raw[done:i]...), '?')
			i += maxUnit
			done = i
		}
	}
	return append(dst, raw[done:]...)
}

// surrogate reports whether b begins with the escape of a surrogate: of a first
// half if half is 0xd8, of a second one if it is 0xdc.
func surrogate(b []byte, half uint16) bool {
	return len(b) >= maxUnit && b[0] == '\\' && b[1] == 'u' && uint16(hexDigit(b[2]))<<4|uint16(hexDigit(b[3]))&^3 == half
}

// hexDigit returns the value of a digit of an escape.
func hexDigit(c byte) int {
	if c <= '9' {
		return int(c - '0')
	}
	return int(c|0x20-'a') + 10
}
