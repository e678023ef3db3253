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
		// The upstream may write the state of a delta into the call of its function,
		// delta(token='x'), which the policy has as delta().
		t.Segments = slices.Clone(t.Segments)
		for i, segment := range t.Segments {
			if len(segment.Arguments) > 0 && !slices.ContainsFunc(segment.Arguments, func(a odata.Argument) bool { return !s.deltaOptions[a.Name] }) {
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
