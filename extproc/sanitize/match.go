package sanitize

import (
	"bytes"

	"github.com/graphveil/graphveil/policy/plan"
)

// match appends text with the parts that m finds pseudonymized. It returns false
// if there was none.
func (r *Rewriter) match(dst []byte, m *plan.Match, text []byte) ([]byte, bool) {
	if m == nil || m.Then != plan.Pseudonym && m.Then != plan.Reversible {
		return dst, false
	}
	if m.Prefix != "" {
		n := len(m.Prefix)
		if !hasPrefixFold(text, m.Prefix) || bytes.IndexByte(text[n:], '\n') >= 0 || blank(text[n:]) {
			return dst, false
		}
		return r.appendPart(append(dst, text[:n]...), m, text[n:]), true
	}
	if m.Regexp == nil {
		return dst, false
	}
	group := 0
	if m.Regexp.NumSubexp() > 0 {
		group = 1
	}
	done := 0
	for _, at := range m.Regexp.FindAllSubmatchIndex(text, -1) {
		from, to := at[2*group], at[2*group+1]
		if from < 0 || blank(text[from:to]) {
			continue
		}
		dst = r.appendPart(append(dst, text[done:from]...), m, text[from:to])
		done = to
	}
	if done == 0 {
		return dst, false
	}
	return append(dst, text[done:]...), true
}

// appendPart appends the token of a part.
func (r *Rewriter) appendPart(dst []byte, m *plan.Match, part []byte) []byte {
	if m.Then == plan.Reversible {
		return r.tokens.AppendReversible(dst, part)
	}
	return r.tokens.AppendPseudonym(dst, part)
}

// hasPrefixFold reports whether text begins with the lower-case prefix, without
// regard to ASCII case.
func hasPrefixFold(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && equalFold(text, prefix)
}
