package policy

import (
	"maps"
	"slices"

	"github.com/graphveil/graphveil/policy/plan"
)

// record is the shape of one item that an endpoint returns, seen as property
// paths.
type record struct {
	// spelling is the path as the shape has it, by the path in lower case.
	spelling map[string]string
	// kept says for the path in lower case whether every spelling of it is kept.
	kept map[string]bool
}

// recordOf finds the item: the elements of the top-level "value" array, which is
// where OData puts a collection (OData JSON Format 4.01 section 14), or else the
// whole body.
func recordOf(p *plan.Plan) record {
	r := record{spelling: map[string]string{}, kept: map[string]bool{}}
	root := p.Root
	if root != nil && root.Op == plan.Object {
		if f := root.Object.Lookup([]byte("value")); f != nil && f.Node != nil && f.Node.Op == plan.Array {
			root = f.Node.Items
		}
	}
	r.collect(root, "")
	return r
}

// collect adds what is below a node. Elements of arrays count as their
// array: what a condition on them could tell, the response shows.
func (r record) collect(n *plan.Node, path string) {
	for n != nil && n.Op == plan.Array {
		n = n.Items
	}
	if n == nil || n.Op != plan.Object {
		return
	}
	for _, f := range n.Object.All() {
		below := f.Name
		if path != "" {
			below = path + "/" + f.Name
		}
		inner := f.Node
		for inner != nil && inner.Op == plan.Array {
			inner = inner.Items
		}
		lower := foldASCII(below)
		kept := inner != nil && inner.Op == plan.Keep
		if before, twice := r.kept[lower]; twice {
			kept = kept && before
		} else {
			r.spelling[lower] = below
		}
		r.kept[lower] = kept
		r.collect(inner, below)
	}
}

// spell gives a property path the spelling of the shape. A path that the shape
// does not have comes in lower case.
func (r record) spell(path string) string {
	lower := foldASCII(path)
	if known, ok := r.spelling[lower]; ok {
		return known
	}
	return lower
}

// clear lists the paths that stay in clear.
func (r record) clear() []string {
	var paths []string
	for lower, kept := range r.kept {
		if kept {
			paths = append(paths, r.spelling[lower])
		}
	}
	slices.Sort(paths)
	return paths
}

func (r record) paths() []string { return slices.Sorted(maps.Values(r.spelling)) }
