package extproc

import "github.com/graphveil/graphveil/extproc/pseudonym"

// tokens gives the sanitizer the pseudonyms and links of one exchange.
type tokens struct{ *Exchange }

func (t tokens) AppendPseudonym(dst, value []byte) []byte {
	return t.gateway.codec.AppendToken(dst, value)
}

func (t tokens) AppendReversible(dst, value []byte) []byte {
	return t.gateway.codec.AppendReversible(dst, value)
}

func (t tokens) AppendJSON(dst, value []byte, original, reversible bool) []byte {
	return t.gateway.codec.AppendJSON(dst, value, pseudonym.JSONForm{Original: original, Reversible: reversible})
}

func (t tokens) AppendHash(dst, value []byte) []byte {
	return t.gateway.codec.AppendHash(dst, value)
}

func (t tokens) AppendTokenized(dst, value []byte) []byte {
	return t.gateway.codec.AppendTokenized(dst, value)
}

func (t tokens) AppendEmailHeader(dst, value []byte, inJSON bool) ([]byte, bool) {
	return t.gateway.codec.AppendEmailHeader(dst, value, inJSON)
}

func (t tokens) AppendIP(dst, value []byte, encrypt bool) ([]byte, bool) {
	return t.gateway.codec.AppendIP(dst, value, encrypt)
}
