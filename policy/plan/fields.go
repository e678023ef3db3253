package plan

import "sort"

// Field is one member that an object shape names.
type Field struct {
	// Name is the member name, unescaped.
	Name string
	Node *Node
	// Index is the position of this field in Fields.All, for sets of fields.
	Index int
}

// Fields are the members that an object shape names. Members that are not
// among them get Rest, or are unknown: dropped and counted. A nil Fields knows
// none.
type Fields struct {
	// Rest decides the members that are not listed. Nil drops them and counts
	// them as unknown.
	Rest   *Node
	all    []Field
	byHead [64][]*Field
}

// NewFields makes the member table of an object shape.
func NewFields(nodes map[string]*Node) *Fields {
	f := &Fields{all: make([]Field, 0, len(nodes))}
	for name, node := range nodes {
		f.all = append(f.all, Field{Name: name, Node: node})
	}
	sort.Slice(f.all, func(i, j int) bool { return f.all[i].Name < f.all[j].Name })
	for i := range f.all {
		f.all[i].Index = i
		h := head(f.all[i].Name)
		f.byHead[h] = append(f.byHead[h], &f.all[i])
	}
	return f
}

// All returns the fields sorted by name. The caller must not change them.
func (f *Fields) All() []Field {
	if f == nil {
		return nil
	}
	return f.all
}

// Lookup finds the field with the given unescaped name, or nil. It does not
// allocate.
func (f *Fields) Lookup(name []byte) *Field {
	if f == nil {
		return nil
	}
	for _, field := range f.byHead[head(name)] {
		if field.Name == string(name) {
			return field
		}
	}
	return nil
}

// head spreads names over the buckets by length and the bytes in which
// sibling names differ most: first and last.
func head[T string | []byte](name T) int {
	n := len(name)
	if n == 0 {
		return 0
	}
	return (n ^ int(name[0])<<1 ^ int(name[n-1])<<2) & 63
}
