package sanitize

import "github.com/graphveil/graphveil/policy/plan"

// frame is one open object or array.
type frame struct {
	object bool
	// written: a member or element was output, so the next one needs a comma.
	written bool
	// plus: the name of a member that is not unknown begins with "+", so this object
	// gets no digests: one of the same name may be among its members.
	plus bool
	// repeats: this is an array, or within one.
	repeats bool
	// spilled: a name of this object is not in its layout, so it learns no more.
	spilled bool
	// last is the entry of the layout that was current last, and current that of the
	// current member; 0 if there is none.
	last, current uint8
	// node says what is in it: the plan descends into it, so its brackets are
	// output. It is nil if it is dropped, and then so it is in the frames above.
	node *plan.Node
	// index is the index of the current element of an array, or the number of
	// members read of an object.
	index int
	// place is where the objects in an array are, nil if they have no layouts.
	place *place

	// All that follows is of objects only.

	// field is the current member, nil if it is unknown.
	field *plan.Field
	// layout is that of the object, nil if it has none, and had has a bit for each of
	// its entries that was current.
	layout *layout
	had    uint64
	// room is what the names of this object in its layout take of Limits.Names.
	room int32
	// names is the mark of this object's names.
	names int32
	// seen is where this object's bits begin in Rewriter.seen: one for each field
	// of its node, set when that member was read and is in no layout. They are
	// there once there is one to set.
	seen int
	// digests is where this object's digests begin in Rewriter.digests.
	digests int
}

// items decides the elements of an array.
func (f *frame) items() *plan.Node {
	if f.node == nil {
		return nil
	}
	return f.node.Items
}

// top is the innermost frame. There must be one.
func (r *Rewriter) top() *frame { return &r.stack[len(r.stack)-1] }

// slot returns an empty frame that push will open.
func (r *Rewriter) slot(object bool) *frame {
	n := len(r.stack)
	if n == cap(r.stack) {
		r.stack = append(r.stack, frame{})[:n]
	}
	f := &r.stack[:n+1][n]
	*f = frame{object: object}
	return f
}

// push opens the frame that slot returned.
func (r *Rewriter) push(f *frame) {
	var at *place
	if n := len(r.stack); n > 0 {
		p := &r.stack[n-1]
		f.repeats = p.repeats
		switch {
		case !p.object:
			at = p.place
		case p.current > 0:
			at = &p.layout.entries[p.current].place
		}
	}
	switch {
	case f.object:
		f.names, f.seen, f.digests = int32(r.names.mark()), len(r.seen), len(r.digests)
		if at != nil {
			f.layout = r.layouts.of(at, f.node)
		}
	case !f.repeats:
		f.repeats, f.place = true, r.layouts.begin()
	default:
		f.place = at
	}
	r.stack = r.stack[:len(r.stack)+1]
}

// pop closes the innermost frame.
func (r *Rewriter) pop() {
	if f := r.top(); f.object {
		r.metRoom -= int(f.room)
		if r.names.mark() > int(f.names) {
			r.names.forget(int(f.names))
		}
		if len(r.seen) > f.seen {
			r.seen = r.seen[:f.seen]
		}
		if len(r.digests) > f.digests {
			r.digests = r.digests[:f.digests]
		}
	}
	r.stack = r.stack[:len(r.stack)-1]
}

// see notes a known member of an object that is in no layout. It returns false if
// that object has it already.
func (r *Rewriter) see(f *frame, field *plan.Field) bool {
	if len(r.seen) == f.seen {
		for n := len(f.node.Object.All()); n > 0; n -= 64 {
			r.seen = append(r.seen, 0)
		}
	}
	word := &r.seen[f.seen+field.Index>>6]
	bit := uint64(1) << (field.Index & 63)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
