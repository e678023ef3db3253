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
	var at *Error
	if errors.As(err, &at) && at.Code != CodeRootDropped {
		return false, at
	}
	return inner.reached, nil
}
