package sanitize

import (
	"bytes"
	"math/bits"

	"github.com/graphveil/graphveil/policy/plan"
)

// Graph writes the objects of an array with the same members in the same order. So
// each name is expected where it was before: if it stands there, byte for byte, all
// that is known of it (what the plan says, how its values look inside) is known
// without looking it up. What is learned is only where to look first. A name that
// stands elsewhere is searched, a new one is learned, and one that cannot be learned
// goes the long way (see Rewriter.spill).
//
// Only objects within an array have layouts, for no other place has two of them,
// and each outermost array learns anew.

const (
	// maxLayouts and maxEntries bound what is learned, maxLaidOut and maxText over
	// all layouts. A layout has a bit of frame.had for each entry.
	maxLayouts = 64
	maxEntries = 64
	maxLaidOut = 1 << 10
	maxText    = 16 << 10
	// maxLearned is the length of the longest name that is learned.
	maxLearned = 64
)

// place is where in the body objects were seen: as the value of one name in the
// objects of another layout, or as an element of an outermost array.
type place struct {
	// layouts are chained by next. There is one for each node that objects at this
	// place got.
	layouts *layout
}

// layout is what the objects at one place that got one node look like.
//
// Invariants: the entries are distinct names, without escapes, and none begins with
// "+". entries[0] is no name but the one before the first; from there next leads
// through all others, back to 0. No two open objects have the same layout, so only
// the innermost object changes one. That is how pointers to entries stay valid: they
// are of objects around it.
type layout struct {
	// node is that of the objects, nil if they are dropped.
	node *plan.Node
	next *layout
	// keys holds the nameKey of each entry.
	keys    []uint64
	entries []entry
}

// entry is one name of a layout.
type entry struct {
	place
	// spelled is the name with the quote and the colon after it.
	spelled []byte
	// field is what the plan knows of it, if anything; node decides it.
	field *plan.Field
	node  *plan.Node
	// room is what the name takes of Limits.Names.
	room int32
	// slot is where the name is counted if it is unknown.
	slot slot
	// next is the entry that is expected after this one.
	next uint8
}

// layouts are all of a Rewriter. What is not used is kept for reuse.
type layouts struct {
	all           []*layout
	used, entries int
	text          []byte
	root          place
}

// begin forgets all and begins an outermost array.
func (l *layouts) begin() *place {
	for _, at := range l.all[:l.used] {
		clear(at.entries)
		at.node, at.next = nil, nil
	}
	l.used, l.entries, l.text, l.root = 0, 0, l.text[:0], place{}
	return &l.root
}

// of returns the layout of the objects at a place that got a node, or nil if there
// are too many.
func (l *layouts) of(p *place, n *plan.Node) *layout {
	for at := p.layouts; at != nil; at = at.next {
		if at.node == n {
			return at
		}
	}
	if l.used == maxLayouts {
		return nil
	}
	if l.used == len(l.all) {
		l.all = append(l.all, &layout{})
	}
	made := l.all[l.used]
	l.used++
	made.node, made.next, p.layouts = n, p.layouts, made
	made.keys, made.entries = append(made.keys[:0], 0), append(made.entries[:0], entry{})
	return made
}

// find returns the index of a name, which is looked for from the entry at an index
// on, or 0.
func (l *layout) find(from int, name []byte) int {
	key := nameKey(name)
	for i, k := range l.keys[from:] {
		if k == key && l.has(from+i, name) {
			return from + i
		}
	}
	for i, k := range l.keys[:from] {
		if k == key && l.has(i, name) {
			return i
		}
	}
	return 0
}

// has reports whether an entry is of a name.
func (l *layout) has(i int, name []byte) bool {
	spelled := l.entries[i].spelled
	return i > 0 && bytes.Equal(spelled[:len(spelled)-len(`":`)], name)
}

// nameKey tells most names of one object apart.
func nameKey(name []byte) uint64 {
	n := len(name)
	if n >= 8 {
		return word(name, 0) ^ bits.RotateLeft64(word(name, n-8), 29) + uint64(n)
	}
	key := uint64(n)
	for _, c := range name {
		key = key<<8 | uint64(c)
	}
	return key
}

// learn adds a name to the layout of an object after the one that was last, and
// returns its entry, or 0 if it cannot be learned.
func (l *layouts) learn(f *frame, name []byte) int {
	at := f.layout
	n := len(at.entries)
	if len(name) > maxLearned || n == maxEntries || l.entries == maxLaidOut || len(l.text)+len(name)+len(`":`) > maxText {
		return 0
	}
	l.entries++
	from := len(l.text)
	l.text = append(append(l.text, name...), `":`...)
	e := entry{spelled: l.text[from:], next: at.entries[f.last].next}
	if f.node != nil {
		if e.field = f.node.Object.Lookup(name); e.field != nil {
			e.node = e.field.Node
		} else if f.node.Object != nil {
			e.node = f.node.Object.Rest
		}
	}
	if e.field == nil {
		e.room = int32(len(name) + nameOverhead)
	}
	at.entries[f.last].next = uint8(n)
	at.keys = append(at.keys, nameKey(name))
	at.entries = append(at.entries, e)
	return n
}
