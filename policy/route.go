package policy

import (
	"strings"

	"github.com/graphveil/graphveil/policy/odata"
)

// Route is a request's way to an endpoint. The zero Route leads nowhere.
type Route struct {
	// Connector and Endpoint are the ids that the policy gave.
	Connector, Endpoint string
	// Service is the service of the upstream that counts the request, "" if unknown.
	Service string
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
	// Quoted says that the value is an argument of a function and came in quotes.
	Quoted bool
	// Reversible says that Value is a token. Tokenized says that it is one made
	// without regard to addresses (plan.StepTokenize).
	Reversible, Tokenized bool
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
	// Near are endpoints whose paths are like the one that no endpoint has, the
	// nearest first, at most three; for path_not_allowed.
	Near []EndpointInfo
}

// Route finds the endpoint of a request: by path, the most literal one, then by
// method. It returns either a route or a denial.
func (s *Snapshot) Route(method string, t odata.Target) (Route, *Denial) {
	e, denial := s.match(method, t)
	if denial != nil {
		return Route{}, denial
	}
	route := e.route(t)
	for _, p := range route.Params {
		code := ""
		switch {
		case p.Reversible && !isToken(p.Value):
			code = "id_not_pseudonymous"
		case !p.Reversible && !safeSegment(p.Value):
			code = "id_not_allowed"
		}
		if code != "" {
			return Route{}, &Denial{Code: code, Reasons: []string{code + ":" + p.Name}, Connector: route.Connector, Endpoint: route.Endpoint}
		}
	}
	return route, nil
}

// route reads the parameters from a target that matches the endpoint.
func (e *endpoint) route(t odata.Target) Route {
	route := Route{Connector: e.info.Connector, Endpoint: e.info.ID, Service: e.info.Limit.Service, endpoint: e}
	add := func(p Param) {
		p.Reversible, p.Tokenized = e.reversible[p.Name], e.tokenized[p.Name]
		route.Params = append(route.Params, p)
	}
	for i, segment := range e.template {
		if segment.kind == parameter {
			add(Param{Name: segment.text, Value: t.Segments[i].Value, Segment: i})
		}
		for _, a := range segment.arguments {
			for _, given := range t.Segments[i].Arguments {
				if given.Name == foldASCII(a.name) {
					add(Param{Name: a.param, Value: given.Value, Segment: i, Quoted: given.Quoted})
				}
			}
		}
	}
	return route
}

// find returns the node where the path of a target ends, or nil.
func (s *Snapshot) find(t odata.Target) *routeNode {
	if len(t.Segments) == 0 {
		return nil
	}
	return s.router.find(s.router.root, t.Segments)
}

func (s *Snapshot) match(method string, t odata.Target) (*endpoint, *Denial) {
	node := s.find(t)
	if node == nil {
		if r := s.router.refused(t.Segments); r != nil {
			return nil, &Denial{Code: r.code, Reasons: []string{r.code}, Connector: r.connector, Message: r.message}
		}
		return nil, &Denial{Code: "path_not_allowed", Reasons: []string{"path_not_allowed"}, Near: s.near(t)}
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

// AppendPath appends the path for the upstream: the literals and functions as the
// policy spells them, and for each parameter what value returns for its index in
// Params, encoded afresh. It returns nil if a revealed value cannot be a path
// segment (empty, a dot segment, with a slash, backslash or control character in
// it, or of a form that names no id), or no argument without quotes: such a request
// must be denied.
func (r Route) AppendPath(dst []byte, value func(i int) string) []byte {
	if r.endpoint == nil {
		return nil
	}
	param := 0
	for _, segment := range r.endpoint.template {
		dst = append(dst, '/')
		switch segment.kind {
		case literal:
			dst = append(dst, segment.text...)
		case parameter:
			v := value(param)
			param++
			if !safeSegment(v) {
				return nil
			}
			dst = odata.AppendSegment(dst, v)
		case function:
			if len(segment.arguments) == 0 {
				dst = append(dst, segment.text...)
				continue
			}
			arguments := make([]odata.Argument, len(segment.arguments))
			for i, a := range segment.arguments {
				arguments[i] = odata.Argument{Name: a.name, Value: value(param), Quoted: r.Params[param].Quoted}
				param++
				if v := arguments[i].Value; !safeSegment(v) || !arguments[i].Quoted && strings.ContainsAny(v, "',\" ") {
					return nil
				}
			}
			dst = odata.AppendCall(dst, segment.text, arguments)
		}
	}
	return dst
}

// segments are the segments of the path as AppendPath spells them, decoded.
func (r Route) segments() []string {
	var segments []string
	params := r.Params
	for _, s := range r.endpoint.template {
		segment := odata.Segment{Value: s.text, Call: len(s.arguments) > 0}
		if s.kind == parameter {
			segment.Value, params = params[0].Value, params[1:]
		}
		for i, a := range s.arguments {
			segment.Arguments = append(segment.Arguments, odata.Argument{Name: a.name, Value: params[i].Value, Quoted: params[i].Quoted})
		}
		segments, params = append(segments, segment.String()), params[len(s.arguments):]
	}
	return segments
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
