package sanitize

import (
	"errors"

	"github.com/graphveil/graphveil/policy/plan"
)

// maxLevels is how deep bodies may be read within bodies: JSON in a string, or a
// probe.
const maxLevels = 8

// within returns the Rewriter for what is inside of a value, ready for a plan, or
// nil if it would be too deep. It is used for one thing at a time.
func (r *Rewriter) within(p *plan.Plan) *Rewriter {
	if r.level == maxLevels {
		return nil
	}
	if r.child == nil {
		r.child = &Rewriter{limits: r.limits, names: newNames(), level: r.level + 1}
	}
	r.child.Reset(p, r.tokens)
	return r.child
}

// probe reports whether a plan reaches a position that it keeps in the value that
// is made of two parts.
func (r *Rewriter) probe(p *plan.Plan, a, b []byte) (bool, *Error) {
	inner := r.within(p)
	if inner == nil {
		return false, &Error{Code: CodeDepth}
	}
	dst, err := inner.Append(r.made[:0], a)
	if err == nil {
		dst, err = inner.Append(dst[:0], b)
	}
	if err == nil {
		dst, err = inner.Finish(dst[:0])
	}
	r.made = dst[:0]
	if err != nil {
		if at := asError(err); at.Code != CodeRootDropped {
			return false, at
		}
	}
	return inner.reached, nil
}

// stepJSON rewrites the JSON text in a string. What the inner plan refuses is
// refused; what is no JSON, or what the inner plan drops, becomes null.
func (r *Rewriter) stepJSON(s *plan.Step, v *small) outcome {
	inner := r.within(s.Inner)
	if inner == nil {
		return refuse
	}
	dst, err := inner.all(r.room(v), v.text)
	if err != nil {
		r.pipe[v.side] = dst
		if err.Code == CodeMistyped || err.Code == CodeNoPlan {
			return refuse
		}
		v.mistyped = true
		v.null()
		return goOn
	}
	r.become(v, dst)
	v.hidden = v.hidden || inner.counts.pseudonymized()
	return goOn
}

// all rewrites a body that is there as a whole.
func (r *Rewriter) all(dst, body []byte) ([]byte, *Error) {
	out, err := r.Append(dst, body)
	if err == nil {
		out, err = r.Finish(out)
	}
	if err != nil {
		return dst, asError(err)
	}
	return out, nil
}

// asError is the error of a Rewriter, which has no other kind.
func asError(err error) *Error {
	var at *Error
	errors.As(err, &at)
	return at
}

// readInner rewrites the text of a string that gets an inner digest. If it is JSON
// in which something was digested, inner holds it, and ok is true.
func (r *Rewriter) readInner(p *plan.Plan, text []byte) (ok bool) {
	child := r.within(p)
	if child == nil {
		return false
	}
	if r.strict, ok = appendStrict(r.strict[:0], text, r.limits.Depth); !ok {
		return false
	}
	var err *Error
	r.inner, err = child.all(r.inner[:0], r.strict)
	return err == nil && child.digested
}
