package policy

import (
	"maps"
	"slices"

	"github.com/graphveil/graphveil/policy/plan"
)

// record is the shape of one item that an endpoint returns, seen as property
// paths: each by the path in lower case.
type record map[string]property

// property is what is known of one path.
type property struct {
	// spelling is the path as the shape has it.
	spelling string
	// kept says whether every spelling of it is kept.
	kept bool
	// reversible says whether every spelling of it is a reversible token.
	reversible bool
	// released says whether anything of it leaves, in whatever form.
	released bool
}

// recordOf finds the item: the elements of the top-level "value" array, which is
// where OData puts a collection (OData JSON Format 4.01 section 14), or else the
// whole body.
func recordOf(p *plan.Plan) record {
	r := record{}
	if p.Psoxy {
		return r // rules at any depth know no paths
	}
	root := p.Root
	if root != nil && root.Op == plan.Object {
		if f := root.Object.Lookup([]byte("value")); f != nil && f.Node != nil && f.Node.Op == plan.Array {
			root = f.Node.Items
		}
	}
	r.collect(alternatives(nil, root), "")
	return r
}

// collect adds what is below a value that gets one of several nodes. Elements of
// arrays count as their array: what a condition on them could tell, the response
// shows. A property is kept only if every one of the nodes keeps it. It returns
// whether anything leaves.
func (r record) collect(nodes []*plan.Node, path string) bool {
	any := slices.ContainsFunc(nodes, releases)
	for _, name := range names(nodes) {
		below := name
		if path != "" {
			below = path + "/" + name
		}
		var inner []*plan.Node
		kept, reversible := true, true
		for _, n := range nodes {
			var member []*plan.Node
			if f := fieldOf(n, name); f != nil {
				member = alternatives(nil, f.Node)
			}
			for _, m := range member {
				kept = kept && m != nil && m.Op == plan.Keep
				reversible = reversible && isReversible(m)
			}
			kept, reversible = kept && member != nil, reversible && member != nil
			inner = append(inner, member...)
		}
		lower := foldASCII(below)
		p := property{spelling: below, kept: kept, reversible: reversible}
		if before, twice := r[lower]; twice {
			p.spelling, p.kept, p.reversible, p.released = before.spelling, kept && before.kept, reversible && before.reversible, before.released
		}
		p.released = r.collect(inner, below) || p.released
		r[lower] = p
		any = any || p.released
	}
	return any
}

// releases tells whether a node by itself lets something leave.
func releases(n *plan.Node) bool {
	switch {
	case n == nil:
		return false
	case n.Digest != nil:
		return true
	case n.Op == plan.Run:
		return !slices.ContainsFunc(n.Steps, func(s plan.Step) bool { return s.Do == plan.StepDrop || s.Do == plan.StepRefuse })
	}
	return n.Op != plan.Drop && n.Op != plan.Object
}

// isReversible tells whether a value leaves as a token that a request may bring back.
func isReversible(n *plan.Node) bool {
	if n == nil {
		return false
	}
	step := len(n.Steps) == 1 && (n.Steps[0].Do == plan.StepTokenize || n.Steps[0].Do == plan.StepReversible)
	return n.Op == plan.Reversible || n.Op == plan.Run && step
}

// alternatives adds the nodes that a value, or the elements of an array, may get.
func alternatives(all []*plan.Node, n *plan.Node) []*plan.Node {
	switch {
	case n != nil && n.Op == plan.Array:
		return alternatives(all, n.Items)
	case n != nil && n.Op == plan.Choose:
		for _, value := range slices.Sorted(maps.Keys(n.Choice.Cases)) {
			all = alternatives(all, n.Choice.Cases[value])
		}
		return alternatives(all, n.Choice.Else)
	}
	return append(all, n)
}

// names are the members that object shapes list, each once. What Any or Rest
// lets pass has no name here, so that a cycle is never entered.
func names(nodes []*plan.Node) []string {
	var all []string
	for _, n := range nodes {
		if n != nil && n.Op == plan.Object {
			for _, f := range n.Object.All() {
				all = append(all, f.Name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func fieldOf(n *plan.Node, name string) *plan.Field {
	if n == nil || n.Op != plan.Object {
		return nil
	}
	return n.Object.Lookup([]byte(name))
}

// spell gives a property path the spelling of the shape. A path that the shape
// does not have comes in lower case.
func (r record) spell(path string) string {
	var folded [128]byte
	if known, ok := r[string(appendFolded(folded[:0], path))]; ok {
		return known.spelling
	}
	return foldASCII(path)
}

// paths lists the spellings of those of which something holds, sorted.
func (r record) paths(holds func(property) bool) []string {
	var paths []string
	for _, p := range r {
		if holds(p) {
			paths = append(paths, p.spelling)
		}
	}
	slices.Sort(paths)
	return paths
}

// anyOf is for all paths, inClear for those that stay in clear, open for those of
// which something leaves.
func anyOf(property) bool     { return true }
func inClear(p property) bool { return p.kept }
func open(p property) bool    { return p.released }
