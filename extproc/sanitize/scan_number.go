package sanitize

// numberState is how far a number has been read (RFC 8259 section 6).
type numberState uint8

const (
	numberStart    numberState = iota
	numberMinus                // after "-", a digit must follow
	numberZero                 // after a leading zero, complete
	numberInt                  // in the integer part, complete
	numberPoint                // after ".", a digit must follow
	numberFrac                 // in the fraction, complete
	numberE                    // after "e", a sign or digit must follow
	numberSign                 // after the sign of the exponent, a digit must follow
	numberExponent             // in the exponent, complete
)

// complete reports whether a number may end here.
func (s numberState) complete() bool {
	return s == numberInt || s == numberZero || s == numberFrac || s == numberExponent
}

// scanNumber reads a number on from state s at b[i]. It returns the index of the
// first byte that does not belong to it, and whether there was one; if not, the
// number may go on in the next chunk.
func scanNumber(b []byte, i int, s numberState) (end int, next numberState, ended bool) {
	for ; i < len(b); i++ {
		c := b[i]
		digit := '0' <= c && c <= '9'
		switch {
		case digit && (s == numberInt || s == numberFrac || s == numberExponent):
		case digit && s <= numberMinus:
			s = numberInt
			if c == '0' {
				s = numberZero
			}
		case digit && s == numberPoint:
			s = numberFrac
		case digit && (s == numberE || s == numberSign):
			s = numberExponent
		case c == '-' && s == numberStart:
			s = numberMinus
		case c == '.' && (s == numberInt || s == numberZero):
			s = numberPoint
		case c|0x20 == 'e' && (s == numberInt || s == numberZero || s == numberFrac):
			s = numberE
		case (c == '+' || c == '-') && s == numberE:
			s = numberSign
		default:
			return i, s, true
		}
	}
	return i, s, false
}
