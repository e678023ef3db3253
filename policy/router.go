package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy/odata"
)

// router finds the endpoint of a path: a tree with one level for each segment.
// At each level a literal comes before a parameter.
type router struct {
	root     *routeNode
	refusals []refusal
}

type routeNode struct {
	literals map[string]*routeNode // by text in lower case
	param    *routeNode
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
func (p *problems) newRouter(c *compiled, endpoints []*endpoint, refusals []refusal) *router {
	r := &router{root: &routeNode{}, refusals: refusals}
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
		var next *routeNode
		if s.param {
			if n.param == nil {
				n.param = &routeNode{}
			}
			next = n.param
		} else {
			text := foldASCII(s.text)
			if next = n.literals[text]; next == nil {
				next = &routeNode{}
				if n.literals == nil {
					n.literals = map[string]*routeNode{}
				}
				n.literals[text] = next
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

// conflict says why one request could match both endpoints with neither being
// the more literal one, or "".
func conflict(a, b *endpoint) string {
	if len(a.template) != len(b.template) || len(a.template) == 0 { // a bad path has no template
		return ""
	}
	var aMore, bMore bool
	for i, s := range a.template {
		t := b.template[i]
		switch {
		case !s.param && !t.param:
			if foldASCII(s.text) != foldASCII(t.text) {
				return ""
			}
		case !s.param:
			aMore = true
		case !t.param:
			bMore = true
		}
	}
	switch {
	case aMore && bMore:
		return "the path is neither more nor less literal than that of"
	case aMore || bMore:
		return ""
	case !slices.ContainsFunc(a.info.Methods, func(m string) bool { return slices.Contains(b.info.Methods, m) }):
		return ""
	case a.info.Connector != b.info.Connector && a.source.Compare(b.source) == 0:
		return ""
	}
	return "the same path and method as"
}

// find returns the node where the segments end, the most literal one.
func (n *routeNode) find(segments []odata.Segment) *routeNode {
	if len(segments) == 0 {
		if n.endpoints == nil {
			return nil
		}
		return n
	}
	if next := n.literals[foldASCII(segments[0].Value)]; next != nil {
		if found := next.find(segments[1:]); found != nil {
			return found
		}
	}
	if n.param == nil {
		return nil
	}
	return n.param.find(segments[1:])
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
		if !s.param && foldASCII(segments[i].Value) != foldASCII(s.text) {
			return false
		}
	}
	return true
}

// Route is a request's way to an endpoint. The zero Route leads nowhere.
type Route struct {
	// Connector and Endpoint are the ids that the policy gave.
	Connector, Endpoint string
	// Params are the path parameters, in the order of the path.
	Params []Param

	endpoint *endpoint
}

// Param is a path parameter.
type Param struct {
	Name string
	// Value is what the client sent, decoded once. For a reversible parameter it
	// is a token, p~… or p~…@domain, to be revealed before the path is built.
	Value string
	// Segment is the index into Target.Segments.
	Segment int
	// Reversible says that Value is a token.
	Reversible bool
}

// Denial says why a request has no route.
type Denial struct {
	// Code is stable: path_not_allowed, method_not_allowed, id_not_pseudonymous,
	// id_not_allowed, or what the policy's refusal says.
	Code    string
	Reasons []string
	// Connector and Endpoint are set as far as they are known.
	Connector, Endpoint string
	// Message is the policy's own sentence for the client, or "".
	Message string
}

// Route finds the endpoint of a request: by path, the most literal one, then by
// method. It returns either a route or a denial.
func (s *Snapshot) Route(method string, t odata.Target) (Route, *Denial) {
	e, denial := s.match(method, t)
	if denial != nil {
		return Route{}, denial
	}
	route := Route{Connector: e.info.Connector, Endpoint: e.info.ID, endpoint: e}
	for i, segment := range e.template {
		if !segment.param {
			continue
		}
		p := Param{Name: segment.text, Value: t.Segments[i].Value, Segment: i, Reversible: e.reversible[segment.text]}
		if p.Reversible && !isToken(p.Value) {
			return Route{}, &Denial{Code: "id_not_pseudonymous", Reasons: []string{"id_not_pseudonymous:" + p.Name}, Connector: route.Connector, Endpoint: route.Endpoint}
		}
		if !p.Reversible && !safeSegment(p.Value) {
			return Route{}, &Denial{Code: "id_not_allowed", Reasons: []string{"id_not_allowed:" + p.Name}, Connector: route.Connector, Endpoint: route.Endpoint}
		}
		route.Params = append(route.Params, p)
	}
	return route, nil
}

func (s *Snapshot) match(method string, t odata.Target) (*endpoint, *Denial) {
	var node *routeNode
	if len(t.Segments) > 0 {
		node = s.router.root.find(t.Segments)
	}
	if node == nil {
		if r := s.router.refused(t.Segments); r != nil {
			return nil, &Denial{Code: r.code, Reasons: []string{r.code}, Connector: r.connector, Message: r.message}
		}
		return nil, &Denial{Code: "path_not_allowed", Reasons: []string{"path_not_allowed"}}
	}
	if e := node.endpoints[method]; e != nil {
		return e, nil
	}
	denial := &Denial{Code: "method_not_allowed", Reasons: []string{"method_not_allowed"}}
	for _, e := range node.endpoints {
		if denial.Endpoint == "" || e.info.ID < denial.Endpoint {
			denial.Connector, denial.Endpoint = e.info.Connector, e.info.ID
		}
	}
	return nil, denial
}

// SameEndpoint tells whether a link of the upstream, with plain ids in it, leads
// to that endpoint: a page link must not lead to another one.
func (s *Snapshot) SameEndpoint(connector, id string, t odata.Target) bool {
	if len(t.Segments) == 0 {
		return false
	}
	node := s.router.root.find(t.Segments)
	if node == nil {
		return false
	}
	for _, e := range node.endpoints {
		if e.info.Connector == connector && e.info.ID == id {
			return true
		}
	}
	return false
}

// isToken tells the form of a reversible token: p~, base64url of a hash and at
// least one block, and a domain or none. Whether it is genuine shows when it is
// revealed.
func isToken(value string) bool {
	body, ok := strings.CutPrefix(value, "p~")
	if !ok {
		return false
	}
	body, domain, hasDomain := strings.Cut(body, "@")
	if len(body) < 43 || hasDomain && domain == "" {
		return false
	}
	for i := 0; i < len(body); i++ {
		if c := body[i]; !isAlnum(c) && c != '-' && c != '_' {
			return false
		}
	}
	for i := 0; i < len(domain); i++ {
		if c := domain[i]; !isAlnum(c) && strings.IndexByte(".-~_", c) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// AppendPath appends the path for the upstream: the literals as the policy
// spells them, and for each parameter what value returns for its index in
// Params, encoded afresh. It returns nil if a revealed value cannot be a path
// segment (empty, a dot segment, with a slash, backslash or control character in
// it, or of a form that names no id): such a request must be denied.
func (r Route) AppendPath(dst []byte, value func(i int) string) []byte {
	if r.endpoint == nil {
		return nil
	}
	param := 0
	for _, segment := range r.endpoint.template {
		dst = append(dst, '/')
		if !segment.param {
			dst = append(dst, segment.text...)
			continue
		}
		v := value(param)
		param++
		if !safeSegment(v) {
			return nil
		}
		dst = odata.AppendSegment(dst, v)
	}
	return dst
}

// safeSegment refuses what a server may read as something else than an id, also
// when it is encoded.
func safeSegment(v string) bool {
	if strings.Trim(v, ". ") == "" || v[0] == '$' {
		return false
	}
	for i := 0; i < len(v); i++ {
		if v[i] < 0x20 || v[i] == 0x7f || strings.IndexByte(`/\;()`, v[i]) >= 0 {
			return false
		}
	}
	return true
}
