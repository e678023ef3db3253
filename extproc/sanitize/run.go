package sanitize

import (
	"bytes"

	"github.com/graphveil/graphveil/policy/plan"
)

// small is a value on its way through the steps of a node.
type small struct {
	// kind is one of " 0 t f n { [, the first byte of such a value (0 for any
	// number). An object or array is known by its kind alone.
	kind byte
	// text is the unescaped text of a string, or the spelling of a number.
	text []byte
	// changed: text or kind are not the value's own any more.
	changed bool
	// hidden: a step put a token there, or a part of one.
	hidden bool
	// mistyped: a step met a type that it has no use for.
	mistyped bool
	// side is the buffer of Rewriter.pipe that text may be in.
	side int
}

// outcome says how a step or all of them ended.
type outcome uint8

const (
	goOn    outcome = iota // there is a value
	gone                   // it is dropped
	refuse                 // the body must be refused
	tooLong                // so it must, because the value grew beyond Limits.Hold
)

// room returns an empty buffer that does not hold the text of v.
func (r *Rewriter) room(v *small) []byte {
	v.side ^= 1
	return r.pipe[v.side][:0]
}

// become makes text, which was appended to what room returned, the value.
func (r *Rewriter) become(v *small, text []byte) {
	r.pipe[v.side] = text
	if v.kind == '"' && bytes.Equal(v.text, text) {
		v.side ^= 1 // the text stays where it is
		return
	}
	v.kind, v.text, v.changed = '"', text, true
}

// null makes the value null.
func (v *small) null() {
	if v.kind != 'n' {
		v.kind, v.text, v.changed = 'n', nil, true
	}
}

// numberText gives a number the text that it is hashed by.
func (r *Rewriter) numberText(v *small) {
	if v.kind == '0' {
		r.become(v, appendNumberText(r.room(v), v.text))
	}
}

// run puts a value through steps. Regular expressions may allocate, nothing else
// does. No steps decide nothing, so they refuse.
func (r *Rewriter) run(steps []plan.Step, v *small) outcome {
	if len(steps) == 0 {
		return refuse
	}
	for i := range steps {
		if o := r.step(&steps[i], v); o != goOn {
			return o
		}
		if len(v.text) > r.limits.Hold {
			return tooLong
		}
	}
	return goOn
}

// step carries out one step.
func (r *Rewriter) step(s *plan.Step, v *small) outcome {
	switch s.Do {
	case plan.StepDrop:
		return gone
	case plan.StepDropNull:
		if v.kind == 'n' {
			return gone
		}
		return goOn
	case plan.StepPseudonym, plan.StepReversible, plan.StepJSONPseudonym, plan.StepJSONOriginal,
		plan.StepJSONReversible, plan.StepJSONOriginalReversible, plan.StepHash:
		return r.stepToken(s.Do, v)
	case plan.StepMatch:
		return r.stepMatch(s, v)
	case plan.StepEmailHeader, plan.StepEmailHeaderJSON:
		return r.stepEmailHeader(s.Do, v)
	case plan.StepTokenize, plan.StepTokenizeMatch, plan.StepPhrases, plan.StepRemove, plan.StepOnly, plan.StepTokens,
		plan.StepHashIP, plan.StepEncryptIP:
		switch {
		case v.kind == 'n':
		case v.kind != '"':
			v.mistyped = true
			v.null()
		case s.Do == plan.StepHashIP, s.Do == plan.StepEncryptIP:
			made, ok := r.tokens.AppendIP(r.room(v), v.text, s.Do == plan.StepEncryptIP)
			r.becomeToken(v, made, ok)
		case !blank(v.text):
			return r.stepText(s, v)
		}
		return goOn
	case plan.StepJSON:
		if v.kind == '"' {
			return r.stepJSON(s, v)
		}
		if v.kind != 'n' {
			v.mistyped = true
			v.null()
		}
		return goOn
	case plan.StepDigest:
		r.digested = true
		if v.kind == '"' {
			var d digest
			d.text(v.text)
			r.become(v, d.append(r.room(v)))
		}
		return goOn
	case plan.StepString, plan.StepInteger, plan.StepNumber, plan.StepBoolean, plan.StepNull, plan.StepScalar,
		plan.StepObject, plan.StepArray:
		return r.stepType(s.Do, v)
	}
	return refuse
}

// stepToken carries out the steps that put a token in place of a string or
// number.
func (r *Rewriter) stepToken(do plan.StepOp, v *small) outcome {
	inJSON := do != plan.StepPseudonym && do != plan.StepReversible && do != plan.StepHash
	if v.kind == 'n' || v.kind == '"' && blank(v.text) {
		switch {
		case do == plan.StepHash:
			return refuse
		case inJSON:
			r.become(v, append(r.room(v), "null"...))
		default:
			v.null()
		}
		return goOn
	}
	if v.kind != '"' && v.kind != '0' {
		return refuse
	}
	r.numberText(v)
	dst := r.room(v)
	switch do {
	case plan.StepPseudonym:
		dst = r.tokens.AppendPseudonym(dst, v.text)
	case plan.StepReversible:
		dst = r.tokens.AppendReversible(dst, v.text)
	case plan.StepHash:
		dst = r.tokens.AppendHash(dst, v.text)
	default:
		original := do == plan.StepJSONOriginal || do == plan.StepJSONOriginalReversible
		reversible := do == plan.StepJSONReversible || do == plan.StepJSONOriginalReversible
		dst = r.tokens.AppendJSON(dst, v.text, original, reversible)
	}
	r.become(v, dst)
	v.hidden = true
	return goOn
}

// stepMatch pseudonymizes the parts of a string that an expression finds.
func (r *Rewriter) stepMatch(s *plan.Step, v *small) outcome {
	switch {
	case v.kind == 'n':
		return goOn
	case v.kind != '"':
		return refuse
	case blank(v.text):
		v.null()
		return goOn
	}
	made, ok := r.match(r.room(v), s.Match, v.text)
	r.becomeToken(v, made, ok)
	return goOn
}

// stepEmailHeader pseudonymizes the addresses of a list.
func (r *Rewriter) stepEmailHeader(do plan.StepOp, v *small) outcome {
	switch {
	case v.kind == 'n':
	case v.kind != '"':
		return refuse
	case blank(v.text):
		r.become(v, r.room(v))
	default:
		made, ok := r.tokens.AppendEmailHeader(r.room(v), v.text, do == plan.StepEmailHeaderJSON)
		r.becomeToken(v, made, ok)
	}
	return goOn
}

// becomeToken makes what was appended to what room returned the value if ok, and
// null if not.
func (r *Rewriter) becomeToken(v *small, made []byte, ok bool) {
	if !ok {
		r.pipe[v.side] = made
		v.null()
		return
	}
	r.become(v, made)
	v.hidden = true
}

// stepText carries out the steps that want a string that is not blank.
func (r *Rewriter) stepText(s *plan.Step, v *small) outcome {
	switch s.Do {
	case plan.StepTokenize:
		r.become(v, r.tokens.AppendTokenized(r.room(v), v.text))
		v.hidden = true
	case plan.StepTokenizeMatch:
		return r.stepTokenizeMatch(s, v)
	case plan.StepPhrases:
		r.become(v, appendPhrases(r.room(v), v.text, s.Phrases))
	case plan.StepRemove:
		for _, re := range s.Patterns {
			r.become(v, appendWithout(r.room(v), v.text, re))
		}
	case plan.StepOnly:
		r.become(v, appendOnly(r.room(v), v.text, s.Patterns))
	case plan.StepTokens:
		r.stepTokens(s, v)
	}
	return goOn
}

// ran carries out the steps of a node on a scalar of the body and outputs what
// comes out. raw is the value as it was spelled, to be output if nothing changed.
func (r *Rewriter) ran(n *plan.Node, v *small, raw []byte, at int64) error {
	switch r.run(n.Steps, v) {
	case gone:
		r.counts.at(n).Dropped++
		return nil
	case refuse:
		return r.failAt(CodeMistyped, at)
	case tooLong:
		return r.failAt(CodeLimit, at)
	}
	r.emit(n, v, raw)
	return nil
}

// emit counts and outputs a value that went through steps.
func (r *Rewriter) emit(n *plan.Node, v *small, raw []byte) {
	switch c := r.counts.at(n); {
	case v.mistyped:
		c.Mistyped++
	case v.hidden:
		c.Pseudonymized++
	case v.changed, v.kind == 'n' && r.compact():
		c.Dropped++
	default:
		c.Kept++
	}
	switch {
	case v.kind == 'n':
		r.outNull()
	case v.kind == '"' && v.changed:
		r.prefix()
		r.out.quoted(v.text)
	case v.changed:
		r.prefix()
		r.out.bytes(v.text)
	default:
		r.prefix()
		r.outRaw(raw)
	}
}
