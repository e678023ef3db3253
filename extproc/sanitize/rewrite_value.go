package sanitize

import (
	"bytes"

	"github.com/graphveil/graphveil/policy/plan"
)

// nameDone finds what the plan says of the member whose name, between its
// quotes, was read.
func (r *Rewriter) nameDone(raw []byte, escaped bool) error {
	name := raw
	if escaped {
		name, r.text = unescaped(raw, r.text)
	}
	f := r.top()
	f.field, r.node = nil, nil
	r.state = atColon
	if f.index++; f.index > r.limits.Members {
		return r.failAt(CodeLimit, r.token.at)
	}
	if f.live {
		if field := f.fields.Lookup(name); field != nil {
			f.field, r.node = field, field.Node
			if !r.see(f, field) {
				return r.failAt(CodeDuplicateKey, r.token.at)
			}
			return nil
		}
	}
	if !r.names.add(f.names, name) {
		return r.failAt(CodeDuplicateKey, r.token.at)
	}
	if r.names.room() > r.limits.Names {
		return r.failAt(CodeLimit, r.token.at)
	}
	if f.live {
		r.counts.unknown(f.pointer, name)
	}
	return nil
}

// keepName saves the name of a member whose value is not decided when the chunk
// ends.
func (r *Rewriter) keepName(chunk []byte) {
	if r.nameFrom >= 0 && r.node != nil && r.state.inside() {
		r.name = append(r.name[:0], chunk[r.nameFrom:r.nameTo]...)
	}
}

// prefix outputs what stands before a value that was decided to stay. It must be
// called once for each such value, before it.
//
// If a comma is needed it is the last one read: there is no other between it and
// the value.
func (r *Rewriter) prefix() {
	if len(r.stack) == 0 {
		r.released = true
		return
	}
	f := r.top()
	if f.written {
		r.out.mark(',', r.comma)
	}
	f.written = true
	if !f.object {
		return
	}
	if r.nameFrom >= 0 {
		r.out.span(r.nameFrom, r.nameTo)
	} else {
		r.out.bytes(r.name)
	}
	r.out.mark(':', r.colon)
}

// drop counts a value that is not output: because the plan says so, or because
// its type is not what the plan expects. A nil node is one that the plan does
// not know; that was counted when its name was read.
func (r *Rewriter) drop(n *plan.Node) {
	switch {
	case n == nil:
	case plan.Drop < n.Op && n.Op <= plan.Array:
		r.counts.at(n).Mistyped++
	default:
		r.counts.at(n).Dropped++
	}
}

// treatString says what happens to a string.
func treatString(n *plan.Node) treatment {
	if n == nil {
		return skip
	}
	switch n.Op {
	case plan.Keep:
		return keep
	case plan.Pseudonym, plan.Reversible, plan.JSONPseudonym, plan.JSONPseudonymOriginal, plan.MatchReplace, plan.Link:
		return decide
	}
	return skip
}

// decideString carries out the plan on a string whose bytes, between its quotes,
// were read.
func (r *Rewriter) decideString(raw []byte, escaped bool) {
	text := raw
	if escaped {
		text, r.text = unescaped(raw, r.text)
	}
	n := r.node
	switch n.Op {
	case plan.Link:
		link, ok := r.tokens.AppendLink(r.made[:0], text)
		r.made = link
		if !ok {
			r.drop(n)
			return
		}
		r.replace(n)
	case plan.MatchReplace:
		if !r.match(n.Match, text) {
			r.counts.at(n).Dropped++
			r.prefix()
			r.out.text("null")
			return
		}
		r.replace(n)
	default:
		if blank(text) {
			r.null(n)
			return
		}
		r.pseudonymize(n, text)
	}
}

// pseudonymize outputs the token of a text.
func (r *Rewriter) pseudonymize(n *plan.Node, text []byte) {
	switch n.Op {
	case plan.Pseudonym:
		r.made = r.tokens.AppendPseudonym(r.made[:0], text)
	case plan.Reversible:
		r.made = r.tokens.AppendReversible(r.made[:0], text)
	case plan.JSONPseudonym:
		r.made = r.tokens.AppendJSON(r.made[:0], text, false)
	case plan.JSONPseudonymOriginal:
		r.made = r.tokens.AppendJSON(r.made[:0], text, true)
	}
	r.replace(n)
}

// replace outputs made in place of the value.
func (r *Rewriter) replace(n *plan.Node) {
	r.counts.at(n).Pseudonymized++
	r.prefix()
	r.out.quoted(r.made)
}

// null outputs what stands for null and for a blank string that would be
// pseudonymized.
func (r *Rewriter) null(n *plan.Node) {
	r.counts.at(n).Kept++
	r.prefix()
	if n.Op == plan.JSONPseudonym || n.Op == plan.JSONPseudonymOriginal {
		r.out.text(`"null"`)
		return
	}
	r.out.text("null")
}

// match puts text into made with the parts that m finds pseudonymized. It
// returns false if there was none.
func (r *Rewriter) match(m *plan.Match, text []byte) bool {
	r.made = r.made[:0]
	if m == nil || m.Then != plan.Pseudonym && m.Then != plan.Reversible {
		return false
	}
	if m.Prefix != "" {
		n := len(m.Prefix)
		if !hasPrefixFold(text, m.Prefix) || bytes.IndexByte(text[n:], '\n') >= 0 || blank(text[n:]) {
			return false
		}
		r.made = append(r.made, text[:n]...)
		r.appendPart(m, text[n:])
		return true
	}
	if m.Regexp == nil {
		return false
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
		r.made = append(r.made, text[done:from]...)
		r.appendPart(m, text[from:to])
		done = to
	}
	if done == 0 {
		return false
	}
	r.made = append(r.made, text[done:]...)
	return true
}

// appendPart appends the token of a part to made.
func (r *Rewriter) appendPart(m *plan.Match, part []byte) {
	if m.Then == plan.Reversible {
		r.made = r.tokens.AppendReversible(r.made, part)
		return
	}
	r.made = r.tokens.AppendPseudonym(r.made, part)
}

// hasPrefixFold reports whether text begins with the lower-case prefix, without
// regard to ASCII case.
func hasPrefixFold(text []byte, prefix string) bool {
	if len(text) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// numberDone carries out the plan on a number that ends before index to of the
// chunk and begins at from, or in an earlier chunk if from is -1.
func (r *Rewriter) numberDone(number []byte, from, to int) error {
	n := r.node
	switch {
	case n == nil:
	case n.Op == plan.Keep:
		r.counts.at(n).Kept++
		r.prefix()
		if from >= 0 {
			r.out.span(from, to)
		} else {
			r.out.bytes(number)
		}
	case n.Op == plan.Pseudonym, n.Op == plan.Reversible, n.Op == plan.JSONPseudonym, n.Op == plan.JSONPseudonymOriginal:
		r.text = appendNumberText(r.text[:0], number)
		r.pseudonymize(n, r.text)
	default:
		r.drop(n)
	}
	return r.done(to)
}

// literalDone carries out the plan on true, false or null, which ends before
// index to of the chunk and begins at from, or in an earlier chunk if from is -1.
func (r *Rewriter) literalDone(from, to int) error {
	n := r.node
	isNull := r.token.literal == "null"
	switch {
	case n == nil:
	case n.Op == plan.Keep, isNull && (n.Op == plan.Object || n.Op == plan.Array):
		r.counts.at(n).Kept++
		r.prefix()
		if from >= 0 {
			r.out.span(from, to)
		} else {
			r.out.text(r.token.literal)
		}
	case isNull && plan.Drop < n.Op && n.Op <= plan.Array:
		r.null(n)
	default:
		r.drop(n)
	}
	return r.done(to)
}
