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
	if len(name) > 0 && name[0] == '+' {
		r.seePlus(f, name)
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
	if !f.live {
		if r.hold.node != nil && len(r.stack)-1 == r.hold.depth {
			return r.holdsName(name)
		}
		return nil
	}
	if f.fields != nil {
		r.node = f.fields.Rest
	}
	if r.node == nil {
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
		if r.texts > 0 {
			r.out.text("\n")
		}
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

// drop counts a value that is not output, and whose first byte is at an offset:
// because the plan says so, or because its type is not what the plan expects. A
// nil node is one that the plan does not know; that was counted when its name was
// read.
func (r *Rewriter) drop(n *plan.Node, at int64) error {
	switch {
	case n == nil:
	case n.Op == plan.Drop, n.Op == plan.Run, n.Op > plan.Choose:
		r.counts.at(n).Dropped++
	default:
		return r.mistyped(n, at)
	}
	return nil
}

// mistyped does what the plan says of a value of the wrong type.
func (r *Rewriter) mistyped(n *plan.Node, at int64) error {
	r.counts.at(n).Mistyped++
	r.reached = r.reached || n.Op == plan.Keep
	switch n.Mistyped {
	case plan.FallNull:
		r.outNull()
	case plan.FallRefuse:
		return r.failAt(CodeMistyped, at)
	}
	return nil
}

// kept counts a scalar that passes as it is.
func (r *Rewriter) kept(n *plan.Node) {
	r.counts.at(n).Kept++
	r.reached = r.reached || n.Op == plan.Keep
}

// compact reports whether the value is an element of an array that holds no null.
func (r *Rewriter) compact() bool {
	return len(r.stack) > 0 && r.top().compact
}

// outNull outputs null where it has a place.
func (r *Rewriter) outNull() {
	if !r.compact() {
		r.prefix()
		r.out.text("null")
	}
}

// keptNull counts and outputs a null of the body that the plan lets pass.
func (r *Rewriter) keptNull(n *plan.Node) {
	if r.compact() {
		r.counts.at(n).Dropped++
		return
	}
	r.kept(n)
	r.prefix()
	r.out.text("null")
}

// stringLimit is the limit of a string that is decided as a whole.
func (r *Rewriter) stringLimit(n *plan.Node) int {
	switch {
	case n == nil:
	case r.psoxy, n.Digest != nil && n.Digest.Inner != nil:
		return r.limits.Hold
	case n.Op == plan.Run:
		for i := range n.Steps {
			if n.Steps[i].Do == plan.StepJSON {
				return r.limits.Hold
			}
		}
	}
	return r.limits.String
}

// treatString says what happens to a string that begins.
func (r *Rewriter) treatString() treatment {
	n := r.node
	r.token.digest = false
	if n == nil {
		if r.hold.hit {
			return decide
		}
		return skip
	}
	if n.Digest != nil {
		r.token.digest = len(r.stack) > 0 && r.top().object
		if r.token.digest && n.Digest.Inner != nil {
			return decide
		}
	}
	switch n.Op {
	case plan.Keep, plan.Any:
		if r.psoxy {
			return decide
		}
		return keep
	case plan.Run:
		if len(n.Steps) > 0 && n.Steps[0].Do == plan.StepDrop {
			return skip
		}
		return decide
	case plan.Pseudonym, plan.Reversible, plan.JSONPseudonym, plan.JSONPseudonymOriginal, plan.MatchReplace, plan.Link:
		return decide
	case plan.Choose:
		r.chooseScalar()
		return r.treatString()
	}
	return skip
}

// decideString carries out the plan on a string whose bytes, between its quotes,
// were read. raw has its quotes around it.
func (r *Rewriter) decideString(raw []byte, escaped bool) error {
	text := raw[1 : len(raw)-1]
	if escaped {
		text, r.text = unescaped(text, r.text)
	}
	n := r.node
	if n == nil {
		return r.holdsString(text)
	}
	if r.token.digest && n.Digest.Inner != nil {
		r.innerOK = r.readInner(n.Digest.Inner, text)
	}
	switch n.Op {
	case plan.Keep, plan.Any:
		r.kept(n)
		r.prefix()
		r.outRaw(raw)
	case plan.Run:
		v := small{kind: '"', text: text}
		return r.ran(n, &v, raw, r.token.at)
	case plan.Link:
		link, ok := r.tokens.AppendLink(r.made[:0], text)
		r.made = link
		if !ok {
			return r.mistyped(n, r.token.at)
		}
		r.replace(n)
	case plan.MatchReplace:
		made, ok := r.match(r.made[:0], n.Match, text)
		r.made = made
		if !ok {
			r.counts.at(n).Dropped++
			r.outNull()
			return nil
		}
		r.replace(n)
	case plan.Pseudonym, plan.Reversible, plan.JSONPseudonym, plan.JSONPseudonymOriginal:
		if blank(text) {
			r.null(n)
			return nil
		}
		r.pseudonymize(n, text)
	default:
		return r.drop(n, r.token.at)
	}
	return nil
}

// outRaw outputs a scalar of the body that stays.
func (r *Rewriter) outRaw(raw []byte) {
	switch c := raw[0]; {
	case r.psoxy && c == '"':
		r.outPaired(raw)
	case r.psoxy && (c == '-' || '0' <= c && c <= '9'):
		r.outNumber(raw)
	default:
		r.out.bytes(raw)
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
		r.made = r.tokens.AppendJSON(r.made[:0], text, false, false)
	case plan.JSONPseudonymOriginal:
		r.made = r.tokens.AppendJSON(r.made[:0], text, true, false)
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
	if n.Op == plan.JSONPseudonym || n.Op == plan.JSONPseudonymOriginal {
		r.counts.at(n).Kept++
		r.prefix()
		r.out.text(`"null"`)
		return
	}
	r.keptNull(n)
}

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

// numberDone carries out the plan on a number that ends before index to of the
// chunk and begins at from, or in an earlier chunk if from is -1.
func (r *Rewriter) numberDone(number []byte, from, to int) error {
	n := r.node
	err := error(nil)
	switch {
	case n == nil:
		err = r.holdsNoString()
	case n.Op == plan.Keep, n.Op == plan.Any:
		r.kept(n)
		r.prefix()
		if from >= 0 && !r.psoxy {
			r.out.span(from, to)
		} else {
			r.outRaw(number)
		}
	case n.Op == plan.Pseudonym, n.Op == plan.Reversible, n.Op == plan.JSONPseudonym, n.Op == plan.JSONPseudonymOriginal:
		r.text = appendNumberText(r.text[:0], number)
		r.pseudonymize(n, r.text)
	case n.Op == plan.Run:
		v := small{kind: '0', text: number}
		err = r.ran(n, &v, number, r.token.at)
	case n.Op == plan.Choose:
		r.chooseScalar()
		return r.numberDone(number, from, to)
	default:
		err = r.drop(n, r.token.at)
	}
	if err != nil {
		return err
	}
	r.bareEnd = r.base + int64(to)
	return r.done(to)
}

// literalDone carries out the plan on true, false or null, which ends before
// index to of the chunk and begins at from, or in an earlier chunk if from is -1.
func (r *Rewriter) literalDone(from, to int) error {
	n := r.node
	err := error(nil)
	isNull := r.token.literal == "null"
	switch {
	case n == nil:
		err = r.holdsNoString()
	case n.Op == plan.Run:
		r.text = append(r.text[:0], r.token.literal...)
		v := small{kind: r.text[0], text: r.text}
		err = r.ran(n, &v, r.text, r.token.at)
	case n.Op == plan.Choose:
		r.chooseScalar()
		return r.literalDone(from, to)
	case isNull && n.Op != plan.Drop && n.Op < plan.Run:
		r.null(n)
	case n.Op == plan.Keep, n.Op == plan.Any:
		r.kept(n)
		r.prefix()
		if from >= 0 {
			r.out.span(from, to)
		} else {
			r.out.text(r.token.literal)
		}
	default:
		err = r.drop(n, r.token.at)
	}
	if err != nil {
		return err
	}
	r.bareEnd = r.base + int64(to)
	return r.done(to)
}
