package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// place is a value that a path found: a member or element of parent.
type place struct {
	parent *tree
	name   string
	index  int
}

// tree is decoded JSON: an object, an array, or a scalar.
type tree struct {
	members  map[string]*tree
	elements []*tree
	scalar   any
}

func (v *tree) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case '{':
		v.members = map[string]*tree{}
		return json.Unmarshal(text, &v.members)
	case '[':
		v.elements = []*tree{}
		return json.Unmarshal(text, &v.elements)
	}
	return json.Unmarshal(text, &v.scalar)
}

func (v *tree) MarshalJSON() ([]byte, error) {
	switch {
	case v == nil:
		return []byte("null"), nil
	case v.members != nil:
		return json.Marshal(v.members)
	case v.elements != nil:
		return json.Marshal(v.elements)
	}
	return json.Marshal(v.scalar)
}

// decode reads JSON. What encoding/json leaves nil for null is a value here.
func decode(t *testing.T, text string) *tree {
	t.Helper()
	v := &tree{}
	if text != "null" {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatal(err)
		}
	}
	v.fillNull()
	return v
}

func (v *tree) fillNull() {
	for name, m := range v.members {
		if m == nil {
			v.members[name] = &tree{}
		}
		v.members[name].fillNull()
	}
	for i, e := range v.elements {
		if e == nil {
			v.elements[i] = &tree{}
		}
		v.elements[i].fillNull()
	}
}

// children are the members or elements.
func (v *tree) children() []place {
	var all []place
	for _, name := range slices.Sorted(maps.Keys(v.members)) {
		all = append(all, place{parent: v, name: name})
	}
	for i := range v.elements {
		all = append(all, place{parent: v, index: i})
	}
	return all
}

func (p place) get() *tree {
	if p.parent.members != nil {
		return p.parent.members[p.name]
	}
	return p.parent.elements[p.index]
}

// findAll calls found for each value of a path. self is the place of v.
func findAll(v *tree, self place, path jsonPath, found func(place)) {
	if len(path) == 0 {
		found(self)
		return
	}
	findNext(v, self, path, found)
	if path[0].scan {
		for _, c := range v.children() {
			findAll(c.get(), c, path, found)
		}
	}
}

// findNext makes the next step of a path from v alone.
func findNext(v *tree, self place, path jsonPath, found func(place)) {
	next, rest := path[0], path[1:]
	passes := func(v *tree) bool {
		m := v.members[next.test.member]
		return v.members != nil && (m != nil && m.scalar == next.test.value) != next.test.unequal
	}
	switch next.kind {
	case byWildcard:
		for _, c := range v.children() {
			findAll(c.get(), c, rest, found)
		}
	case byFilter:
		if passes(v) {
			findAll(v, self, rest, found)
		}
		for i, e := range v.elements {
			if !next.scan && passes(e) {
				findAll(e, place{parent: v, index: i}, rest, found)
			}
		}
	default:
		for _, name := range next.names {
			if next.scan && v.members[name] == nil {
				return // an object has all names or none
			}
		}
		for _, name := range next.names {
			if c := v.members[name]; c != nil {
				findAll(c, place{parent: v, name: name}, rest, found)
			}
		}
	}
}
