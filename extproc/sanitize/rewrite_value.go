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
