package policy

import (
	"cmp"
	"slices"

	"github.com/graphveil/graphveil/policy/odata"
)

// maxNear is how many endpoints a denial names.
const maxNear = 3

// likeness says how near an endpoint's path is to that of a request.
type likeness struct {
	endpoint *endpoint
	// shared is how many segments from the root on are the same.
	shared int
	// distance is the edit distance of the first segment that is not; a segment that
	// the endpoint does not have differs by its length.
	distance int
	// later is how many of the segments after it are the same.
	later int
	// length is how many segments one has more than the other.
	length int
}

// near finds the endpoints whose paths are most like the one that none has, the
// nearest first. A path that already begins otherwise is like none. They are those
// of the connectors that are served, so nothing is named that does not exist here.
func (s *Snapshot) near(t odata.Target) []EndpointInfo {
	var all []likeness
	for _, e := range s.endpoints {
		if l := s.router.likeness(e, t); e.info.ServedBy == "" && (l.shared > 0 || l.distance <= 2) {
			all = append(all, l)
		}
	}
	slices.SortStableFunc(all, func(a, b likeness) int {
		return cmp.Or(
			cmp.Compare(b.shared, a.shared), cmp.Compare(a.distance, b.distance), cmp.Compare(b.later, a.later), cmp.Compare(a.length, b.length),
			cmp.Compare(a.endpoint.info.Path, b.endpoint.info.Path),
		)
	})
	var near []EndpointInfo
	for _, l := range all[:min(maxNear, len(all))] {
		near = append(near, l.endpoint.info)
	}
	return near
}

func (r *router) likeness(e *endpoint, t odata.Target) likeness {
	l := likeness{endpoint: e, length: max(len(t.Segments)-len(e.template), len(e.template)-len(t.Segments))}
	differ := false
	for i, segment := range e.template[:min(len(e.template), len(t.Segments))] {
		same := r.same(segment, t.Segments[i])
		switch {
		case same && differ:
			l.later++
		case same:
			l.shared++
		case !differ:
			differ = true
			l.distance = textDistance(segment, foldASCII(t.Segments[i].Value))
		}
	}
	if !differ && len(t.Segments) > len(e.template) {
		l.distance = textDistance(templateSegment{}, t.Segments[len(e.template)].Value)
	}
	return l
}

// same tells whether a segment of a request is what a template has there.
func (r *router) same(s templateSegment, given odata.Segment) bool {
	switch s.kind {
	case parameter:
		return !given.Call
	case function:
		return s.key() == r.callKey(given)
	}
	return !given.Call && foldASCII(given.Value) == s.key()
}

// textDistance is the edit distance to a literal or a function's name. What is much
// longer than any of them is just far away.
func textDistance(s templateSegment, text string) int {
	const longest = 64
	if s.kind == parameter || len(text) > longest {
		return longest
	}
	return editDistance(text, foldASCII(s.text))
}
