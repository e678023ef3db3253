package sanitize

import (
	"bytes"
	"slices"

	"github.com/graphveil/graphveil/policy/plan"
)

// Count says what happened to the values at one position of a plan. A value is
// counted in exactly one of the first four.
type Count struct {
	// Kept values passed as they were, or were null or blank and had nothing to
	// hide. An object or array that the plan descends into is kept.
	Kept uint64
	// Dropped values were removed because the plan says so, became null because a
	// match found nothing in them, or were reduced by steps to a part or a digest.
	Dropped uint64
	// Pseudonymized values were replaced by a token or a sealed link, whole or
	// in part.
	Pseudonymized uint64
	// Mistyped values were removed, or became null, because they had another type
	// than the plan expects.
	Mistyped uint64
	// Unknown members of the object at this position were removed because the
	// plan does not name them.
	Unknown uint64
}

// Counts says what was done to one body.
type Counts struct {
	// Positions has one Count for each of Plan.Pointers. A node whose Pointer is
	// none of them is not counted.
	Positions []Count

	names [maxUnknownNames]unknownName
	used  int
	// uncounted takes what has no position.
	uncounted Count
}

// maxUnknownNames is how many distinct unknown member names are told apart.
const maxUnknownNames = 32

// maxReportedName is the length of the longest name that is reported as it is.
const maxReportedName = 65

type unknownName struct {
	pointer int
	count   uint64
	length  int
	name    [maxReportedName]byte
}

// UnknownName is a member name that the plan does not know: drift of the API,
// or of the policy.
type UnknownName struct {
	// Pointer is the index in Plan.Pointers of the object that had the member.
	Pointer int
	// Name is the member name if it looks like one that an API chose: letters, the
	// first one small, or an annotation. Any other is "*": the key of a dictionary
	// may be the name or the address of a person.
	Name  string
	Count uint64
}

// UnknownNames returns the unknown member names in order of appearance, at most
// 32 distinct ones. Count.Unknown counts them all.
func (c *Counts) UnknownNames() []UnknownName {
	var all []UnknownName
	for i := range c.names[:c.used] {
		n := &c.names[i]
		all = append(all, UnknownName{Pointer: n.pointer, Name: string(n.name[:n.length]), Count: n.count})
	}
	return all
}

func (c *Counts) reset(positions int) {
	if cap(c.Positions) < positions {
		c.Positions = make([]Count, positions)
	}
	c.Positions = c.Positions[:positions]
	clear(c.Positions)
	c.used = 0
	c.uncounted = Count{}
}

// pseudonymized reports whether any value was.
func (c *Counts) pseudonymized() bool {
	for i := range c.Positions {
		if c.Positions[i].Pseudonymized > 0 {
			return true
		}
	}
	return c.uncounted.Pseudonymized > 0
}

// at returns the Count of a node.
func (c *Counts) at(n *plan.Node) *Count {
	return c.position(n.Pointer)
}

func (c *Counts) position(pointer int) *Count {
	if uint(pointer) < uint(len(c.Positions)) {
		return &c.Positions[pointer]
	}
	return &c.uncounted
}

// slot is where an unknown name is counted: nowhere yet, beyond the names that are
// told apart, or at an index from firstSlot on in Counts.names. It is valid until the
// next reset.
type slot uint8

const (
	noSlot slot = iota
	lastSlot
	firstSlot
)

// unknown counts a member that the object at a position does not know. Its slot, if
// there is one, is looked for once.
func (c *Counts) unknown(pointer int, name []byte, at *slot) {
	c.position(pointer).Unknown++
	s := noSlot
	if at != nil {
		s = *at
	}
	if s == noSlot {
		s = c.slot(pointer, name)
	}
	if s >= firstSlot {
		c.names[s-firstSlot].count++
	}
	if at != nil {
		*at = s
	}
}

// slot returns where an unknown name is counted.
func (c *Counts) slot(pointer int, name []byte) slot {
	if !reportable(name) {
		name = anyName
	}
	for i := range c.names[:c.used] {
		n := &c.names[i]
		if n.pointer == pointer && bytes.Equal(n.name[:n.length], name) {
			return firstSlot + slot(i)
		}
	}
	if c.used == len(c.names) {
		return lastSlot
	}
	n := &c.names[c.used]
	n.pointer, n.count, n.length = pointer, 0, copy(n.name[:], name)
	c.used++
	return firstSlot + slot(c.used-1)
}

var anyName = []byte("*")

// annotations are the namespaces of names with an "@" that are reported.
var annotations = [][]byte{[]byte("odata."), []byte("microsoft.graph.")}

// reportable reports whether a name is a property's, ^[a-z][A-Za-z]*$, an annotation of
// OData or of the API, as "@odata.etag", or an annotation of a property. An e-mail
// address, or another name with a dot in it, is not.
func reportable(name []byte) bool {
	if len(name) == 0 || len(name) > maxReportedName {
		return false
	}
	property, annotation, annotated := bytes.Cut(name, []byte("@"))
	if annotated {
		i := slices.IndexFunc(annotations, func(a []byte) bool { return bytes.HasPrefix(annotation, a) })
		if i < 0 || !letters(annotation[len(annotations[i]):]) {
			return false
		}
	}
	return len(property) == 0 && annotated || letters(property)
}

// letters reports whether a word matches ^[a-z][A-Za-z]*$.
func letters(word []byte) bool {
	if len(word) == 0 || word[0] < 'a' || word[0] > 'z' {
		return false
	}
	for _, c := range word {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}
