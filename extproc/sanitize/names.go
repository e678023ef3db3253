package sanitize

import (
	"bytes"
	"hash/maphash"
)

// names remembers the member names of the open objects that no plan knows and that
// are in no layout, to find duplicates. The others are remembered by a bit each
// (frame.seen, frame.had) and never come here.
//
// It is a hash table with chains that is also a stack: the names of an object
// lie above those of the objects around it, and go with it.
//
// Invariants: the indexes along a chain fall, so the newest entry is the head,
// and taking entries away from the top restores the heads. Entries from a
// frame's mark upwards are of the innermost open object.
type names struct {
	// seed keeps a body from choosing names that collide.
	seed    maphash.Seed
	text    []byte
	entries []nameEntry
	// heads holds for each bucket the index+1 of its newest entry. Its length is
	// a power of two.
	heads []int32
}

type nameEntry struct {
	hash     uint32
	next     int32 // index+1 of the next older entry of the bucket
	from, to int32 // in text
}

// nameOverhead is what an entry takes besides its text.
const nameOverhead = 16

func newNames() names {
	return names{seed: maphash.MakeSeed(), heads: make([]int32, 64)}
}

// mark returns the place above which the names of a new object go.
func (n *names) mark() int { return len(n.entries) }

// room returns how many bytes are taken.
func (n *names) room() int { return len(n.text) + nameOverhead*len(n.entries) }

// add remembers a name of the innermost object, whose mark is given. It returns
// false if that object has it already.
func (n *names) add(mark int, name []byte) bool {
	hash := uint32(maphash.Bytes(n.seed, name))
	head := &n.heads[hash&uint32(len(n.heads)-1)]
	for e := int(*head); e > mark; e = int(n.entries[e-1].next) {
		entry := &n.entries[e-1]
		if entry.hash == hash && bytes.Equal(n.text[entry.from:entry.to], name) {
			return false
		}
	}
	from := int32(len(n.text))
	n.text = append(n.text, name...)
	n.entries = append(n.entries, nameEntry{hash: hash, next: *head, from: from, to: int32(len(n.text))})
	*head = int32(len(n.entries))
	if len(n.entries) > len(n.heads) {
		n.grow()
	}
	return true
}

// grow doubles the buckets.
func (n *names) grow() {
	n.heads = make([]int32, 2*len(n.heads))
	for i := range n.entries {
		e := &n.entries[i]
		head := &n.heads[e.hash&uint32(len(n.heads)-1)]
		e.next = *head
		*head = int32(i + 1)
	}
}

// forget takes away the names above mark.
func (n *names) forget(mark int) {
	for len(n.entries) > mark {
		e := &n.entries[len(n.entries)-1]
		n.heads[e.hash&uint32(len(n.heads)-1)] = e.next
		n.text = n.text[:e.from]
		n.entries = n.entries[:len(n.entries)-1]
	}
}
