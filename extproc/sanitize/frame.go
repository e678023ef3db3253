package sanitize

import "github.com/graphveil/graphveil/policy/plan"

// frame is one open object or array.
type frame struct {
	object bool
	// live: the plan descends into it, so its brackets are output. The frames
	// above a dead one are dead.
	live bool
	// written: a member or element was output, so the next one needs a comma.
	written bool
	// compact: the array has no null.
	compact bool
	// plus: the name of a member that is not unknown begins with "+", so this object
	// gets no digests: one of the same name may be among its members.
	plus bool
	// index is the index of the current element of an array, or the number of
	// members read of an object.
	index int
	// items decides the elements of a live array.
	items *plan.Node
	// fields are what a live object knows.
	fields *plan.Fields
	// field is the current member of an object, nil if it is unknown.
	field *plan.Field
	// pointer is the position of a live object in the plan.
	pointer int
	// names is the mark of this object's names.
	names int
	// seen is where this object's bits begin in Rewriter.seen: one for each of
	// fields, set when that member was read.
	seen int
	// digests is where this object's digests begin in Rewriter.digests.
	digests int
}

// top is the innermost frame. There must be one.
func (r *Rewriter) top() *frame { return &r.stack[len(r.stack)-1] }

// push opens a frame.
func (r *Rewriter) push(f frame) {
	f.names = r.names.mark()
	f.seen = len(r.seen)
	f.digests = len(r.digests)
	for n := len(f.fields.All()); n > 0; n -= 64 {
		r.seen = append(r.seen, 0)
	}
	r.stack = append(r.stack, f)
}

// pop closes the innermost frame.
func (r *Rewriter) pop() {
	f := r.top()
	r.names.forget(f.names)
	r.seen = r.seen[:f.seen]
	if len(r.digests) > f.digests {
		r.digests = r.digests[:f.digests]
	}
	r.stack = r.stack[:len(r.stack)-1]
}

// see notes a known member of an object. It returns false if that object has it
// already.
func (r *Rewriter) see(f *frame, field *plan.Field) bool {
	word := &r.seen[f.seen+field.Index>>6]
	bit := uint64(1) << (field.Index & 63)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
