package psoxy

import (
	"fmt"
	"slices"
	"strings"
)

// imported is one endpoint of the connector.
type imported struct {
	id     string
	source *endpoint
	// from is what of the document it comes from, for its description.
	from    string
	path    template
	params  []param
	query   []option
	headers []string
	body    *body
}

type param struct {
	name string
	parameter
}

// body is the response of the endpoints that one endpoint of the document became.
type body struct {
	base  string // a shape in Rego
	rules []rule
	// open says that the base keeps everything.
	open bool
}

// endpoints makes the endpoints of the connector.
func (c *importer) endpoints(r *rules) []*imported {
	var out []*imported
	served := map[string]*imported{}
	for _, e := range r.endpoints {
		b := c.body(r, e)
		headers := c.headers(append(slices.Clone(r.headers), e.headers...))
		c.checkMethods(e)
		query := c.options(e)
		for _, t := range c.templates(e) {
			if other := served[t.key()]; other != nil {
				c.warn(e.line, "the path %s is also one of the endpoint in line %d, which serves it; of two that match, Psoxy takes any", t, other.source.line)
				continue
			}
			query := query
			if t.isDelta() {
				query = c.withoutSelect(e, query)
			}
			i := &imported{source: e, from: e.from(), path: t, query: query, headers: headers, body: b}
			i.id = uniqueID(out, idOf(t))
			i.params = c.params(e, t)
			served[t.key()] = i
			out = append(out, i)
		}
	}
	return out
}

func (e *endpoint) from() string {
	if e.template != nil {
		return "pathTemplate " + e.template.text
	}
	return "pathRegex " + e.regex.text
}

func (c *importer) checkMethods(e *endpoint) {
	if len(e.methods) == 0 {
		c.warn(e.line, "any method: without allowedMethods Psoxy lets requests through that change things; imported for GET only")
	}
	get := false
	for _, m := range e.methods {
		if strings.EqualFold(m.text, "GET") {
			get = true
		} else {
			c.warn(m.line, "the method %s is not imported: only reading is", strings.ToUpper(m.text))
		}
	}
	if len(e.methods) > 0 && !get {
		c.refuse(e.methods[0].line, "allowedMethods has no GET; only reading can be imported")
	}
}

// templates reads the path of an endpoint.
func (c *importer) templates(e *endpoint) []template {
	var all []template
	switch {
	case e.template != nil:
		var err error
		if all, err = parsePathTemplate(e.template.text); err != nil {
			c.refuse(e.template.line, "the pathTemplate \"%s\" cannot be imported: %v", e.template.text, err)
		}
	case e.regex != nil:
		w, err := parsePathRegex(e.regex.text)
		if err != nil {
			c.refuse(e.regex.line, "the pathRegex \"%s\" cannot be imported: %v", e.regex.text, err)
			return nil
		}
		for _, note := range w.notes {
			c.warn(e.regex.line, "pathRegex: %s", note)
		}
		all = w.templates
	}
	for _, t := range all {
		// Graph's own links may write a function with or without its brackets.
		if last := &t.segments[len(t.segments)-1]; last.literal == "delta" {
			last.literal = "delta()"
		}
	}
	return all
}

// params makes the rules of a path's parameters.
func (c *importer) params(e *endpoint, t template) []param {
	var out []param
	for _, s := range t.params() {
		p := param{name: s.param, parameter: parameter{token: s.reversible, pattern: s.pattern}}
		if e.params != nil {
			if schema := e.params.get(s.param); schema != nil {
				p.parameter = c.parameterSchema(schema)
			}
		}
		out = append(out, p)
	}
	if e.params == nil {
		return out
	}
	for _, k := range e.params.keys {
		if !slices.ContainsFunc(out, func(p param) bool { return p.name == k.text }) && e.template != nil && !strings.Contains(e.template.text, "{"+k.text+"?}") || e.template == nil {
			c.refuse(k.line, "the path has no parameter {%s}, so Psoxy never takes this endpoint", k.text)
		}
	}
	return out
}

// neverForwarded are request headers that belong to the connection, to Envoy or to
// the token that the sidecar sets.
var neverForwarded = []string{
	"accept-encoding", "authorization", "connection", "content-length", "cookie", "expect", "forwarded", "host", "keep-alive",
	"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via",
}

func (c *importer) headers(list words) []string {
	var out []string
	for _, w := range list {
		lower := strings.ToLower(w.text)
		switch {
		case lower == "" || strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "":
			c.refuse(w.line, "%q is no name of a header", w.text)
		case slices.Contains(neverForwarded, lower) || strings.HasPrefix(lower, "x-envoy-") || strings.HasPrefix(lower, "x-forwarded-"):
			c.warn(w.line, "the header %s is not imported: it is the sidecar's own", w.text)
		case !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, w.text) }):
			out = append(out, w.text)
		}
	}
	slices.Sort(out)
	return out
}

// body makes the response of an endpoint: what the schema keeps, or everything,
// with the page links sealed; changed by the transforms.
func (c *importer) body(r *rules, e *endpoint) *body {
	b := &body{}
	var links []string
	b.rules, links = c.transformRules(e)
	if e.schema != nil {
		c.warn(e.schema.line, "in Psoxy members that begin with + pass the responseSchema with all below them; here it filters them like others")
		s := shapes{importer: c, definitions: r.definitions, shape: r.shapes, used: r.used}
		b.base = "shape.schema(" + s.of(e.schema, links) + ")"
		r.used = s.used
		return b
	}
	b.open = true
	var members []string
	for _, l := range links {
		members = append(members, quote(l)+": shape.link")
	}
	b.base = "shape.any_with({" + strings.Join(members, ", ") + "})"
	return b
}

// idOf makes the name of an endpoint from its path, without the number of a
// version: users/{user}/messages is user_messages.
func idOf(t template) string {
	var words []string
	for i, s := range t.segments {
		if s.param != "" || i == 0 && len(t.segments) > 1 && isNumber(s.literal) {
			continue
		}
		name, _, _ := strings.Cut(s.literal, "(")
		if next := i + 1; next < len(t.segments) && t.segments[next].param != "" && singular(name) != "" {
			name = singular(name)
		}
		if word := snake(name); word != "" {
			words = append(words, word)
		}
	}
	id := strings.Join(words, "_")
	if !validName(id) {
		id = strings.TrimSuffix("endpoint_"+id, "_")
	}
	return id
}

// isNumber tells the number of a version, as v1.0.
func isNumber(segment string) bool {
	return len(segment) > 1 && segment[0]|0x20 == 'v' && '0' <= segment[1] && segment[1] <= '9'
}

func uniqueID(all []*imported, id string) string {
	unique := id
	for i := 2; slices.ContainsFunc(all, func(o *imported) bool { return o.id == unique }); i++ {
		unique = fmt.Sprintf("%s_%d", id, i)
	}
	return unique
}
