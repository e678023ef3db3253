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

func (t tokens) AppendJSON(dst, value []byte, original bool) []byte {
	return t.gateway.codec.AppendJSON(dst, value, pseudonym.JSONForm{Original: original})
}
