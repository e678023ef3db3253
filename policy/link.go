package policy

import (
	"regexp"
	"slices"

	"github.com/graphveil/graphveil/policy/odata"
)

// Link is where a link of the upstream leads. The zero Link leads nowhere.
type Link struct {
	// Route is the way that a client takes to it. The values of its parameters are
	// the upstream's own: those that are reversible are no tokens yet.
	Route Route
	// Delta says that it asks for what has changed since.
	Delta bool
}

// Link finds where a link of the upstream, with plain ids in it, leads. It must
// be an endpoint of that connector that serves GET, and the link's path must be one
// that a client may ask for, with tokens for ids: each other parameter has a value
// that its rule allows.
func (s *Snapshot) Link(connector string, t odata.Target) (Link, bool) {
	link := Link{Delta: slices.ContainsFunc(t.Options, func(o odata.Option) bool { return s.deltaOptions[o.Name] })}
	node := s.find(t)
	if node == nil {
		t.Segments = slices.Clone(t.Segments)
		for i, segment := range t.Segments {
			isOther := func(a odata.Argument) bool { return !s.deltaOptions[a.Name] }
			switch {
			case len(segment.Arguments) == 0:
			case slices.ContainsFunc(segment.Arguments, isOther):
				t.Segments[i].Arguments = s.renamed(connector, t.Segments, i)
			default:
				// The state of a delta may stand in the call of its function,
				// delta(token='x'), which the policy has as delta().
				t.Segments[i].Arguments, link.Delta = nil, true
			}
		}
		node = s.find(t)
	}
	if node == nil {
		return Link{}, false
	}
	e := node.endpoints["GET"]
	if e == nil || e.info.Connector != connector {
		return Link{}, false
	}
	link.Route = e.route(t)
	for _, p := range link.Route.Params {
		if !p.Reversible && !e.rules[p.Name].allows(p.Value) {
			return Link{}, false
		}
	}
	return link, true
}

// renamed returns the arguments of a call under the names that the policy has for
// them, in their order: the upstream's links name some otherwise than its requests
// do (Microsoft's reference of the logs of calls asks for fromDateTime, and is led on
// with from). They stay as they are unless there is one such function.
func (s *Snapshot) renamed(connector string, segments []odata.Segment, i int) []odata.Argument {
	given := segments[i].Arguments
	name := s.router.unqualified(segments[i].Value)
	var found []odata.Argument
	for _, e := range s.endpoints {
		if e.info.Connector != connector || len(e.template) != len(segments) {
			continue
		}
		f := e.template[i]
		if f.kind != function || foldASCII(f.text) != name || len(f.arguments) != len(given) {
			continue
		}
		if found != nil {
			return given
		}
		found = slices.Clone(given)
		for j := range found {
			found[j].Name = foldASCII(f.arguments[j].name)
		}
	}
	if found == nil {
		return given
	}
	return found
}

// paramRule is the rule of a parameter that is not reversible. The zero rule allows
// every value.
type paramRule struct {
	values  []any // in lower case
	pattern *regexp.Regexp
}

func (r paramRule) allows(value string) bool {
	switch {
	case r.values != nil:
		return slices.Contains(r.values, any(foldASCII(value)))
	case r.pattern != nil:
		return r.pattern.MatchString(value)
	}
	return true
}
