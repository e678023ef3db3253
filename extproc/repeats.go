package extproc

import (
	"bytes"
	"hash/maphash"
)

// Bounds of what repeats holds: about 19 KB for each body under way.
const (
	repeatSlots  = 256 // a power of two
	repeatBytes  = 16 << 10
	repeatValue  = 256     // longest value
	repeatRecord = 1 << 10 // longest value and token together
)

// repeats remembers the tokens made in one response body, where the same
// addresses and ids come back in many places: sender and from, mail and principal
// name, members, organizers.
//
// It serves one exchange at a time and is emptied in between: a table that
// exchanges shared would let a client tell by time whom others had asked for.
// Within one body it tells nothing, as equal values have equal tokens there for
// all to see. The hash has a seed, so that no one who writes into a body can choose
// values that take each other's place, and a value that is found is compared in full.
//
// Each value has one slot, and the latest value in a slot stays. When the bytes
// are used up all are forgotten.
type repeats struct {
	seed  maphash.Seed
	mask  uint64
	slots []slot
	bytes []byte // of each slot the value, then the token
	// used of the bytes are taken since all were forgotten, high at most since they were zero.
	used, high int
}

// slot is where the record of a value lies in the bytes. The zero slot is free.
type slot struct {
	at           uint16
	value, token uint16 // lengths
	op           operation
}

func newRepeats(slots, size int) *repeats {
	return &repeats{seed: maphash.MakeSeed(), mask: uint64(slots - 1), slots: make([]slot, slots), bytes: make([]byte, size)}
}

// find returns the token that an operation made of a value, and where to keep it
// if there is none. The place is nil for a value that is not to be kept.
func (r *repeats) find(op operation, value []byte) (token []byte, place *slot) {
	if len(value) == 0 || len(value) > repeatValue {
		return nil, nil
	}
	s := &r.slots[(maphash.Bytes(r.seed, value)+uint64(op))&r.mask]
	if s.op == op && int(s.value) == len(value) {
		record := r.bytes[s.at:]
		if bytes.Equal(record[:s.value], value) {
			return record[s.value:][:s.token], s
		}
	}
	return nil, s
}

// keep keeps the token of a value in the place that find returned.
func (r *repeats) keep(place *slot, op operation, value, token []byte) {
	size := len(value) + len(token)
	if place == nil || size > repeatRecord {
		return
	}
	if r.used+size > len(r.bytes) {
		clear(r.slots)
		r.used = 0
	}
	*place = slot{at: uint16(r.used), value: uint16(len(value)), token: uint16(len(token)), op: op}
	copy(r.bytes[r.used:], value)
	copy(r.bytes[r.used+len(value):], token)
	r.used += size
	r.high = max(r.high, r.used)
}

// empty forgets all and zeroes every byte that was written.
func (r *repeats) empty() {
	clear(r.slots)
	clear(r.bytes[:r.high])
	r.used, r.high = 0, 0
}
