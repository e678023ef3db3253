package sanitize

import "github.com/graphveil/graphveil/policy/plan"

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
	if escaped && r.psoxy {
		r.paired = appendPaired(r.paired[:0], raw)
		raw = r.paired
	}
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
	if c := raw[0]; r.psoxy && (c == '-' || '0' <= c && c <= '9') {
		r.outNumber(raw)
		return
	}
	r.out.bytes(raw)
}

// pseudonymize outputs the token of a text.
func (r *Rewriter) pseudonymize(n *plan.Node, text []byte) {
	r.counts.at(n).Pseudonymized++
	r.prefix()
	dst := r.out.open()
	from := len(dst)
	switch n.Op {
	case plan.Pseudonym:
		dst = r.tokens.AppendPseudonym(dst, text)
	case plan.Reversible:
		dst = r.tokens.AppendReversible(dst, text)
	case plan.JSONPseudonym:
		dst = r.tokens.AppendJSON(dst, text, false, false)
	case plan.JSONPseudonymOriginal:
		dst = r.tokens.AppendJSON(dst, text, true, false)
	}
	if made := dst[from:]; plainPrefix(made) < len(made) {
		r.made = append(r.made[:0], made...)
		dst = appendEscaped(dst[:from], r.made)
	}
	r.out.close(dst)
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
	case isNull && r.refuseNull && len(r.stack) == 0:
		err = r.failAt(CodeMistyped, r.token.at)
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
