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
