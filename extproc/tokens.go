package extproc

import "github.com/graphveil/graphveil/extproc/pseudonym"

// tokens gives the sanitizer the pseudonyms and links of one exchange. What its
// body repeats is made once.
type tokens struct{ *Exchange }

// operation is a way to make a token.
type operation uint8

const (
	_ operation = iota // none: the zero slot
	opPseudonym
	opReversible
	opHash
	opTokenized
	opEmailHeader
	opEmailHeaderJSON
	opIP
	opIPEncrypted
	opJSON // and the three behind it
)

const (
	jsonOriginal   = 1
	jsonReversible = 2
)

// append appends the token of a value. It returns false if the value has none.
func (t tokens) append(op operation, dst, value []byte) ([]byte, bool) {
	token, place := t.repeats.find(op, value)
	if token != nil {
		return append(dst, token...), true
	}
	n := len(dst)
	dst, ok := t.keys.appendToken(op, dst, value)
	if ok {
		t.repeats.keep(place, op, value, dst[n:])
	}
	return dst, ok
}

func (k *keys) appendToken(op operation, dst, value []byte) ([]byte, bool) {
	switch op {
	case opPseudonym:
		return k.codec.AppendToken(dst, value), true
	case opReversible:
		return k.codec.AppendReversible(dst, value), true
	case opHash:
		return k.codec.AppendHash(dst, value), true
	case opTokenized:
		return k.codec.AppendTokenized(dst, value), true
	case opEmailHeader, opEmailHeaderJSON:
		return k.codec.AppendEmailHeader(dst, value, op == opEmailHeaderJSON)
	case opIP, opIPEncrypted:
		return k.codec.AppendIP(dst, value, op == opIPEncrypted)
	}
	form := op - opJSON
	return k.codec.AppendJSON(dst, value, pseudonym.JSONForm{Original: form&jsonOriginal != 0, Reversible: form&jsonReversible != 0}), true
}

func (t tokens) AppendPseudonym(dst, value []byte) []byte {
	dst, _ = t.append(opPseudonym, dst, value)
	return dst
}

func (t tokens) AppendReversible(dst, value []byte) []byte {
	dst, _ = t.append(opReversible, dst, value)
	return dst
}

func (t tokens) AppendJSON(dst, value []byte, original, reversible bool) []byte {
	op := opJSON
	if original {
		op += jsonOriginal
	}
	if reversible {
		op += jsonReversible
	}
	dst, _ = t.append(op, dst, value)
	return dst
}

func (t tokens) AppendHash(dst, value []byte) []byte {
	dst, _ = t.append(opHash, dst, value)
	return dst
}

func (t tokens) AppendTokenized(dst, value []byte) []byte {
	dst, _ = t.append(opTokenized, dst, value)
	return dst
}

func (t tokens) AppendEmailHeader(dst, value []byte, inJSON bool) ([]byte, bool) {
	if inJSON {
		return t.append(opEmailHeaderJSON, dst, value)
	}
	return t.append(opEmailHeader, dst, value)
}

func (t tokens) AppendIP(dst, value []byte, encrypt bool) ([]byte, bool) {
	if encrypt {
		return t.append(opIPEncrypted, dst, value)
	}
	return t.append(opIP, dst, value)
}
