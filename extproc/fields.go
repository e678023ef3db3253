package extproc

import (
	"iter"

	"github.com/graphveil/graphveil/extproc/sanitize"
	"github.com/graphveil/graphveil/policy/plan"
)

// Fields counts what happened to members, by JSON Pointer (RFC 6901) with "*" for
// any array index. A member that the plan does not know is named only where its
// name looks like a property of the API; others are "*", for the key of a
// dictionary may be somebody's name.
type Fields struct {
	Kept, Dropped, Pseudonymized, Mistyped, Unknown []FieldCount
}

// FieldCount is how many members at Pointer met the same fate. A list has each
// pointer once, and no count of 0.
type FieldCount struct {
	Pointer string
	Count   uint64
}

// fieldsOf sums the sanitizer's counts up by pointer.
func fieldsOf(p *plan.Plan, c *sanitize.Counts) Fields {
	var f Fields
	names := c.UnknownNames()
	for i := range c.Positions {
		n := &c.Positions[i]
		if n.Kept|n.Dropped|n.Pseudonymized|n.Mistyped|n.Unknown == 0 {
			continue // a page has few of the members that a plan knows
		}
		at := p.Pointers[i]
		f.Kept = add(f.Kept, at, n.Kept)
		f.Dropped = add(f.Dropped, at, n.Dropped)
		f.Pseudonymized = add(f.Pseudonymized, at, n.Pseudonymized)
		f.Mistyped = add(f.Mistyped, at, n.Mistyped)
		if n.Unknown > 0 {
			f.unknown(i, p, c, names)
		}
	}
	return f
}

// unknown adds the unknown members of one position: by name those that have one.
func (f *Fields) unknown(i int, p *plan.Plan, c *sanitize.Counts, names []sanitize.UnknownName) {
	at, rest := p.Pointers[i], c.Positions[i].Unknown
	for _, u := range names {
		if u.Pointer == i && u.Name != "*" {
			f.Unknown = add(f.Unknown, at+"/"+u.Name, u.Count) // no such name needs to be escaped
			rest -= u.Count
		}
	}
	f.Unknown = add(f.Unknown, at+"/*", rest)
}

// add counts; positions may share a pointer.
func add(list []FieldCount, at string, n uint64) []FieldCount {
	if n == 0 {
		return list
	}
	for i := range list {
		if list[i].Pointer == at {
			list[i].Count += n
			return list
		}
	}
	return append(list, FieldCount{at, n})
}

// classes yields the counts by name, in a fixed order.
func (f *Fields) classes() iter.Seq2[string, []FieldCount] {
	return func(yield func(string, []FieldCount) bool) {
		_ = yield("kept", f.Kept) && yield("dropped", f.Dropped) && yield("pseudonymized", f.Pseudonymized) &&
			yield("mistyped", f.Mistyped) && yield("unknown", f.Unknown)
	}
}
