package sanitize

import "github.com/graphveil/graphveil/policy/plan"

// nameDone finds what the plan says of the member whose name, between its
// quotes, was read.
func (r *Rewriter) nameDone(raw []byte, escaped bool) error {
	name := raw
	if escaped {
		name, r.text = unescaped(raw, r.text)
		if r.psoxy {
			r.paired = append(appendPaired(append(r.paired[:0], '"'), raw), '"')
			r.name, r.nameFrom = append(r.name[:0], r.paired...), -1
		}
	}
	f := r.top()
	f.field, f.current, r.node = nil, 0, nil
	r.state = atColon
	if f.index++; f.index > r.limits.Members {
		return r.failAt(CodeLimit, r.token.at)
	}
	plus := len(name) > 0 && name[0] == '+'
	if plus {
		r.seePlus(f, name)
	}
	if f.layout != nil {
		k := int(f.layout.entries[f.last].next)
		if !f.layout.has(k, name) {
			k = f.layout.find(int(f.last), name)
		}
		if k == 0 && !escaped && !plus && !f.spilled {
			k = r.layouts.learn(f, name)
		}
		if k > 0 {
			return r.meet(f, k, name)
		}
	}
	return r.spill(f, name)
}

// meet makes an entry of the layout of an object, whose name was read, its current
// member.
func (r *Rewriter) meet(f *frame, k int, name []byte) error {
	e := &f.layout.entries[k]
	f.field, r.node = e.field, e.node
	bit := uint64(1) << k
	if f.had&bit != 0 {
		return r.failAt(CodeDuplicateKey, r.token.at)
	}
	f.had |= bit
	f.last, f.current = uint8(k), uint8(k)
	if e.field != nil {
		return nil
	}
	f.room += e.room
	r.metRoom += int(e.room)
	return r.unlisted(f, name, &e.slot)
}

// spill finds what the plan says of a name that is in no layout.
//
// A name is remembered once: by the bit of its entry, or, if there was no entry when
// it was read, here. As nothing is learned after that, it finds its like here again.
func (r *Rewriter) spill(f *frame, name []byte) error {
	f.spilled = true
	if f.node != nil {
		if field := f.node.Object.Lookup(name); field != nil {
			f.field, r.node = field, field.Node
			if !r.see(f, field) {
				return r.failAt(CodeDuplicateKey, r.token.at)
			}
			return nil
		}
	}
	if !r.names.add(int(f.names), name) {
		return r.failAt(CodeDuplicateKey, r.token.at)
	}
	if f.node != nil && f.node.Object != nil {
		r.node = f.node.Object.Rest
	}
	return r.unlisted(f, name, nil)
}

// unlisted does what is left to do with the name of a member that the plan does not
// name.
func (r *Rewriter) unlisted(f *frame, name []byte, at *slot) error {
	if r.names.room()+r.metRoom > r.limits.Names {
		return r.failAt(CodeLimit, r.token.at)
	}
	switch {
	case f.node != nil:
		if r.node == nil {
			r.counts.unknown(f.node.Pointer, name, at)
		}
	case r.hold.node != nil && len(r.stack)-1 == r.hold.depth:
		return r.holdsName(name)
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
	written := f.written
	f.written = true
	if f.object && r.nameFrom >= 0 && r.colon == r.nameTo {
		// As is usual, all of it stands together.
		if !written {
			r.out.span(r.nameFrom, r.colon+1)
			return
		}
		if r.comma >= 0 && r.comma+1 == r.nameFrom {
			r.out.span(r.comma, r.colon+1)
			return
		}
	}
	if written {
		r.out.mark(',', r.comma)
	}
	switch {
	case !f.object:
	case r.nameFrom >= 0:
		r.out.span(r.nameFrom, r.nameTo)
		r.out.mark(':', r.colon)
	default:
		r.out.bytes(r.name)
		r.out.mark(':', r.colon)
	}
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
	if len(r.stack) == 0 {
		return false
	}
	f := r.top()
	return !f.object && f.node != nil && f.node.Compact
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
