package extproc

import (
	"iter"
	"strings"

	"github.com/graphveil/graphveil/extproc/sanitize"
	"github.com/graphveil/graphveil/policy/plan"
)

// Fields counts what happened to members, by JSON Pointer (RFC 6901) with "*" for
// any array index. A member that the plan does not know is named only where its
// name looks like a property of the API; others are "*", for the key of a
// dictionary may be somebody's name.
type Fields struct {
	Kept, Dropped, Pseudonymized, Mistyped, Unknown map[string]uint64
}

// fieldsOf sums the sanitizer's counts up by pointer.
func fieldsOf(p *plan.Plan, c *sanitize.Counts) Fields {
	var f Fields
	for i := range c.Positions {
		n, at := &c.Positions[i], p.Pointers[i]
		add(&f.Kept, at, n.Kept)
		add(&f.Dropped, at, n.Dropped)
		add(&f.Pseudonymized, at, n.Pseudonymized)
		add(&f.Mistyped, at, n.Mistyped)
		add(&f.Unknown, at+"/*", n.Unknown)
	}
	for _, u := range c.UnknownNames() {
		parent := p.Pointers[u.Pointer]
		name := strings.NewReplacer("~", "~0", "/", "~1").Replace(u.Name)
		if u.Name == "*" {
			continue
		}
		add(&f.Unknown, parent+"/"+name, u.Count)
		if f.Unknown[parent+"/*"] -= u.Count; f.Unknown[parent+"/*"] == 0 {
			delete(f.Unknown, parent+"/*")
		}
	}
	return f
}

func add(m *map[string]uint64, at string, n uint64) {
	if n == 0 {
		return
	}
	if *m == nil {
		*m = map[string]uint64{}
	}
	(*m)[at] += n
}

// classes yields the counts by name, in a fixed order.
func (f *Fields) classes() iter.Seq2[string, map[string]uint64] {
	return func(yield func(string, map[string]uint64) bool) {
		_ = yield("kept", f.Kept) && yield("dropped", f.Dropped) && yield("pseudonymized", f.Pseudonymized) &&
			yield("mistyped", f.Mistyped) && yield("unknown", f.Unknown)
	}
}
