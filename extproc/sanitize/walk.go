package sanitize

import "github.com/graphveil/graphveil/policy/plan"

// walk reads one chunk.
func (r *Rewriter) walk(chunk []byte) error {
	i, err := 0, error(nil)
	if r.state >= inName {
		i, err = r.resume(r.holdRoom(chunk))
	}
	if err == nil && i < len(chunk) && r.hold.node == nil {
		i, err = r.follow(chunk, i)
	}
	if err == errTurn || err == nil && r.hold.node != nil {
		return r.walkHold(chunk, i, err)
	}
	return err
}

// follow follows the grammar from b[i] until the end of b, or until something
// begins to be held or is decided. Between white space rush does.
func (r *Rewriter) follow(b []byte, i int) (int, error) {
	err := error(nil)
	for err == nil && i < len(b) {
		c := b[i]
		if c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
			i++
			continue
		}
		switch r.state {
		case atFirstMember, atMember:
			switch {
			case c == '"':
				i, err = r.rush(b, i)
			case c == '}' && r.state == atFirstMember:
				i, err = r.close(b, i)
			default:
				return i, r.fail(CodeSyntax, i)
			}
		case atColon:
			if c != ':' {
				return i, r.fail(CodeSyntax, i)
			}
			r.colon = i
			r.state = atValue
			i++
		case atFirstValue:
			if c == ']' {
				i, err = r.close(b, i)
				continue
			}
			i, err = r.rush(b, i)
		case atValue:
			i, err = r.rush(b, i)
		case atComma:
			f := r.top()
			switch {
			case c == ',' && f.object:
				r.comma = i
				r.state = atMember
				i++
			case c == ',':
				r.comma = i
				r.state, r.node = atValue, f.items()
				f.index++
				i++
			case c == '}' && f.object, c == ']' && !f.object:
				i, err = r.close(b, i)
			default:
				return i, r.fail(CodeSyntax, i)
			}
		case atEnd:
			if !r.psoxy {
				return i, r.fail(CodeTrailing, i)
			}
			err = r.nextText(i)
		default:
			return i, r.fail(CodeNoPlan, i)
		}
	}
	return i, err
}

// open reads the opening bracket at b[i].
func (r *Rewriter) open(b []byte, i int) (int, error) {
	if len(r.stack) >= r.limits.Depth {
		r.state = atValue
		return i, r.fail(CodeDepth, i)
	}
	f := r.slot(b[i] == '{')
	n := r.node
	if n == nil && r.hold.hit {
		return i, r.holdsNoString()
	}
	err := error(nil)
	switch {
	case n == nil:
	case n.Op == plan.Object && f.object, n.Op == plan.Array && !f.object:
		r.live(f, n, i)
	default:
		if err = r.enter(f, n, b[i], i); err != nil && err != errTurn {
			r.state = atValue
			return i, err
		}
	}
	r.push(f)
	if f.object {
		r.state, r.node = atFirstMember, nil
	} else {
		r.state, r.node = atFirstValue, f.items()
	}
	return i + 1, err
}

// live lets the object or array at index i of the chunk live.
func (r *Rewriter) live(f *frame, n *plan.Node, i int) {
	f.node = n
	r.counts.at(n).Kept++
	r.prefix()
	r.out.span(i, i+1)
}

// enter carries out the plan on the object or array that begins at index i of the
// chunk with one byte.
func (r *Rewriter) enter(f *frame, n *plan.Node, kind byte, i int) error {
	at := r.base + int64(i)
	switch n.Op {
	case plan.Choose:
		if err := r.choose(kind, i); err != nil || r.node == nil {
			return err
		}
		return r.enter(f, r.node, kind, i)
	case plan.Object, plan.Array:
		if f.object == (n.Op == plan.Object) {
			r.live(f, n, i)
			return nil
		}
	case plan.Any:
		if r.descends(f, n) {
			r.live(f, n, i)
			return nil
		}
	case plan.Run:
		v := small{kind: kind}
		switch r.run(n.Steps, &v) {
		case gone:
			r.counts.at(n).Dropped++
			return nil
		case refuse:
			return r.failAt(CodeMistyped, at)
		}
		switch {
		case v.kind != kind:
			r.emit(n, &v, nil)
		case r.descends(f, n):
			r.live(f, n, i)
		default:
			return r.mistyped(n, at)
		}
		return nil
	}
	return r.drop(n, at)
}

// descends reports whether an Any or Run says what is in an object or array.
func (r *Rewriter) descends(f *frame, n *plan.Node) bool {
	if f.object {
		return n.Object != nil
	}
	return n.Items != nil
}

// close reads the closing bracket at b[i].
func (r *Rewriter) close(b []byte, i int) (int, error) {
	if f := r.top(); f.node != nil {
		if f.object {
			r.outDigests(f)
		}
		r.out.span(i, i+1)
	}
	if r.hold.node != nil && len(r.stack)-1 == r.hold.depth {
		return i + 1, r.holdEnds(b, i)
	}
	r.pop()
	return i + 1, r.done(i + 1)
}

// done ends a value before index i of the chunk.
func (r *Rewriter) done(i int) error {
	if len(r.stack) > 0 {
		r.state = atComma
		return nil
	}
	r.state = atEnd
	if !r.released {
		return r.fail(CodeRootDropped, i)
	}
	return nil
}
