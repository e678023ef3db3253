package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// pathState says how far the paths of units have come at one value: a multiset of
// arrivals, sorted. A value that a unit finds twice is changed twice.
type pathState []arrival

type arrival struct {
	// unit is the index of the unit.
	unit int
	// segment is the segment of its path that comes next; the value is found if
	// there is none.
	segment int
	mode    mode
	count   int
}

type mode uint8

const (
	// arrived: the next segment is made from this value.
	arrived mode = iota
	// scanning: it is made from this value and from all below it.
	scanning
	// tested: the value is an element of an array, the next segment is the filter
	// that it must pass.
	tested
)

// maxVisits is how often a unit may change one value: $..a..[?] does it once for
// each a around it. More refuse the body.
const maxVisits = 3

// add puts an arrival into the state. Dropping and looking twice is as once, and so
// is a second digest.
func (st *pathState) add(units []pathUnit, one arrival) {
	if u := units[one.unit]; u.kind != unitChange || u.drops() {
		one.count = 1
	}
	if one.mode == arrived && one.segment < len(units[one.unit].path) && units[one.unit].path[one.segment].scan {
		one.mode = scanning
	}
	i, found := slices.BinarySearchFunc(*st, one, arrival.compare)
	switch {
	case !found:
		*st = slices.Insert(*st, i, one)
	case units[one.unit].kind == unitChange && !units[one.unit].drops():
		(*st)[i].count = min((*st)[i].count+one.count, maxVisits+1)
	}
}

func (a arrival) compare(b arrival) int {
	return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.segment, b.segment), cmp.Compare(a.mode, b.mode))
}

func (st pathState) key() string {
	var b strings.Builder
	for _, one := range st {
		for _, n := range []int{one.unit, one.segment, int(one.mode), one.count} {
			b.WriteString(strconv.Itoa(n))
			b.WriteByte('.')
		}
	}
	return b.String()
}

// passed adds to the state of an object the arrivals whose filter it passes. What
// follows a filter is a name, so one round finds all.
func (st pathState) passed(units []pathUnit, answers map[question]bool) pathState {
	all := slices.Clone(st)
	for _, one := range st {
		if q, ok := one.question(units); ok && q.all == "" && answers[q] {
			all.add(units, arrival{one.unit, one.segment + 1, arrived, one.count})
		}
	}
	return all
}

// member is the state of a member, of an object in the state st. An empty name
// stands for all members that no unit names.
func (st pathState) member(units []pathUnit, answers map[question]bool, name string) pathState {
	var below pathState
	for _, one := range st {
		path := units[one.unit].path
		if one.mode == scanning {
			below.add(units, one)
		}
		if one.segment == len(path) || one.mode == tested {
			continue
		}
		next := path[one.segment]
		q, asks := one.question(units)
		switch {
		case next.kind == byWildcard,
			next.kind == byName && slices.Contains(next.names, name) && (!asks || answers[q]):
			below.add(units, arrival{one.unit, one.segment + 1, arrived, one.count})
		}
	}
	return below
}

// element is the state of an element of an array in the state st.
func (st pathState) element(units []pathUnit) pathState {
	var below pathState
	for _, one := range st {
		path := units[one.unit].path
		switch {
		case one.mode == scanning:
			below.add(units, one)
		case one.segment == len(path) || one.mode == tested:
		case path[one.segment].kind == byWildcard:
			// A digest stands beside a member; an element has no place for one.
			if units[one.unit].kind != unitDigest || one.segment+1 < len(path) {
				below.add(units, arrival{one.unit, one.segment + 1, arrived, one.count})
			}
		case path[one.segment].kind == byFilter:
			below.add(units, arrival{one.unit, one.segment, tested, one.count})
		}
	}
	return below
}

// names are the members that units name next, each once.
func (st pathState) names(units []pathUnit) []string {
	var all []string
	for _, one := range st {
		if one.segment < len(units[one.unit].path) && one.mode != tested {
			all = append(all, units[one.unit].path[one.segment].names...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// found are the arrivals of units that find this very value.
func (st pathState) found(units []pathUnit) pathState {
	var all pathState
	for _, one := range st {
		if one.segment == len(units[one.unit].path) {
			all = append(all, one)
		}
	}
	return all
}
