package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/odata"
)

// router finds the endpoint of a path: a tree with one level for each segment.
// At each level a literal comes before a function, and that before a parameter.
type router struct {
	root     *routeNode
	refusals []refusal
	// namespaces are those that a function's name may be qualified with, in lower
	// case, each with a dot after it.
	namespaces []string
}

type routeNode struct {
	literals  map[string]*routeNode // by key
	functions map[string]*routeNode // by key
	param     *routeNode
	// endpoints end here, by method.
	endpoints map[string]*endpoint
}

// refusal is a part of the upstream that is known and not served, with the
// reason.
type refusal struct {
	connector string
	prefix    template
	code      string
	message   string
}

// newRouter builds the tree and reports endpoints between which it would have to
// guess. Where two connectors serve exactly the same, the first by name does.
func (p *problems) newRouter(c *compiled, endpoints []*endpoint, refusals []refusal, namespaces []string) *router {
	r := &router{root: &routeNode{}, refusals: refusals}
	for _, name := range namespaces {
		r.namespaces = append(r.namespaces, foldASCII(name)+".")
	}
	slices.SortStableFunc(r.refusals, func(a, b refusal) int { // the longest first
		return cmp.Or(cmp.Compare(len(b.prefix), len(a.prefix)), cmp.Compare(a.connector, b.connector))
	})
	for i, e := range endpoints {
		for _, other := range endpoints[:i] {
			if reason := conflict(other, e); reason != "" {
				at := position{c: c, rule: []string{"graphveil", "connectors", e.info.Connector, "endpoints", e.info.ID}}
				p.add(at.error("ambiguous_endpoints", fmt.Sprintf("%s %s.endpoints[%q], path %s", reason, other.info.Connector, other.info.ID, other.info.Path), "one request could be read as either"))
			}
		}
		r.root.add(e)
	}
	return r
}

func (n *routeNode) add(e *endpoint) {
	for _, s := range e.template {
		next := n.below(s)
		if next == nil {
			next = &routeNode{}
			switch s.kind {
			case parameter:
				n.param = next
			case function:
				put(&n.functions, s.key(), next)
			default:
				put(&n.literals, s.key(), next)
			}
		}
		n = next
	}
	if n.endpoints == nil {
		n.endpoints = map[string]*endpoint{}
	}
	for _, method := range e.info.Methods {
		if n.endpoints[method] == nil {
			n.endpoints[method] = e
		}
	}
}

func put(m *map[string]*routeNode, key string, n *routeNode) {
	if *m == nil {
		*m = map[string]*routeNode{}
	}
	(*m)[key] = n
}

// below is the node of a segment of a template, or nil.
func (n *routeNode) below(s templateSegment) *routeNode {
	switch s.kind {
	case parameter:
		return n.param
	case function:
		return n.functions[s.key()]
	}
	return n.literals[s.key()]
}

// conflict says why one request could match both endpoints with neither being
// the more literal one, or "".
func conflict(a, b *endpoint) string {
	if len(a.template) != len(b.template) || len(a.template) == 0 { // a bad path has no template
		return ""
	}
	var aMore, bMore, mixed bool
	for i, s := range a.template {
		t := b.template[i]
		switch {
		case s.kind == parameter && t.kind == parameter:
		case s.kind == parameter:
			bMore = true
		case t.kind == parameter:
			aMore = true
		case s.kind != t.kind && strings.TrimSuffix(s.key(), "()") == strings.TrimSuffix(t.key(), "()"):
			mixed = true // delta is a call of delta() too
		case s.kind != t.kind || s.key() != t.key():
			return ""
		}
	}
	switch {
	case aMore && bMore:
		return "the path is neither more nor less literal than that of"
	case aMore || bMore:
		return ""
	case mixed:
		return "the path has a segment as a literal and as a function, with"
	case !slices.ContainsFunc(a.info.Methods, func(m string) bool { return slices.Contains(b.info.Methods, m) }):
		return ""
	case a.info.Connector != b.info.Connector && a.source.Diff(aside).Compare(b.source.Diff(aside)) == 0:
		return ""
	}
	return "the same path and method as"
}

// aside are the keys of an endpoint that no client notices.
var aside = ast.NewObject(ast.Item(ast.StringTerm("permissions"), ast.NullTerm()), ast.Item(ast.StringTerm("probe"), ast.NullTerm()))

// find returns the node where the segments end, the most literal one, or nil.
func (r *router) find(n *routeNode, segments []odata.Segment) *routeNode {
	if len(segments) == 0 {
		if n.endpoints == nil {
			return nil
		}
		return n
	}
	s, rest := segments[0], segments[1:]
	if !s.Call {
		var folded [64]byte
		if next := n.literals[string(appendFolded(folded[:0], s.Value))]; next != nil {
			if found := r.find(next, rest); found != nil {
				return found
			}
		}
	}
	if n.functions != nil {
		if next := n.functions[r.callKey(s)]; next != nil {
			if found := r.find(next, rest); found != nil {
				return found
			}
		}
	}
	if n.param == nil || s.Call {
		return nil
	}
	return r.find(n.param, rest)
}

// callKey is the key of the function that a segment calls: delta, delta(),
// f(b=1,a=2), also with a namespace. An unquoted key, users(1), has none.
func (r *router) callKey(s odata.Segment) string {
	names := make([]string, len(s.Arguments))
	for i, a := range s.Arguments {
		if a.Name == "" {
			return ""
		}
		names[i] = a.Name
	}
	return callKey(r.unqualified(s.Value), names)
}

// unqualified is the name of a function in lower case, without a namespace that it
// may have.
func (r *router) unqualified(name string) string {
	name = foldASCII(name)
	for _, namespace := range r.namespaces {
		if bare, ok := strings.CutPrefix(name, namespace); ok && !strings.Contains(bare, ".") {
			return bare
		}
	}
	return name
}

// refused returns the refusal whose prefix the path has, or nil.
func (r *router) refused(segments []odata.Segment) *refusal {
	for i := range r.refusals {
		if r.refusals[i].prefix.isPrefixOf(segments) {
			return &r.refusals[i]
		}
	}
	return nil
}

func (t template) isPrefixOf(segments []odata.Segment) bool {
	if len(segments) < len(t) {
		return false
	}
	for i, s := range t {
		if s.kind != parameter && foldASCII(segments[i].Value) != foldASCII(s.text) {
			return false
		}
	}
	return true
}
