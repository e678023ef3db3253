package sanitize

// Tokens makes what stands for a value. A value is text: the unescaped string,
// with U+FFFD for an unpaired surrogate, or the text of a number (integers as
// spelled but "0" for "-0", others as Java's Double.toString). What is appended
// is text too; it is escaped here. A value is valid only during the call.
type Tokens interface {
	// AppendPseudonym appends the one-way token of a value.
	AppendPseudonym(dst, value []byte) []byte
	// AppendReversible appends the reversible token of a value.
	AppendReversible(dst, value []byte) []byte
	// AppendJSON appends the JSON form of a value's pseudonym, with the value
	// itself inside if original is set, and its reversible token if reversible is.
	AppendJSON(dst, value []byte, original, reversible bool) []byte
	// AppendHash appends the hash of a value alone.
	AppendHash(dst, value []byte) []byte
	// AppendTokenized appends the reversible token of a value as it is, without
	// regard to addresses.
	AppendTokenized(dst, value []byte) []byte
	// AppendEmailHeader appends the one-way tokens of the addresses in an RFC 5322
	// address list, joined by commas, or an array of their JSON forms if inJSON is
	// set. It returns false if the value is no such list.
	AppendEmailHeader(dst, value []byte, inJSON bool) ([]byte, bool)
	// AppendIP appends the token of an IP address, a reversible one if encrypt is
	// set. It returns false if the value is none.
	AppendIP(dst, value []byte, encrypt bool) ([]byte, bool)
	// AppendLink appends a sealed link that stands for a URL of the upstream. It
	// returns false if the value is none that can be sealed.
	AppendLink(dst, url []byte) ([]byte, bool)
}
