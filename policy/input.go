package policy

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/odata"
)

// Input is what a request is decided by.
type Input struct {
	Method string
	Target odata.Target
	// Headers are the client's, by name in lower case; repeated fields joined by
	// ", " (RFC 9110 section 5.3). Authorization and cookies are not shown to the
	// policy.
	Headers map[string]string
	Caller  Caller
	// Sealed says that Target.Options come from a page link that the upstream
	// wrote and the sidecar sealed. Its paging options are then allowed.
	Sealed bool
	// Reveal turns a token back into its value, or returns false. It is asked for
	// tokens in options, once the policy has allowed the request. Nil reveals none.
	Reveal func(token string) (value string, ok bool)
}

// Caller is who asks, as far as it was verified. Empty members are absent for
// the policy.
type Caller struct {
	// SPIFFEID is from the client certificate.
	SPIFFEID string
	Subject  string
	// Address is the network address.
	Address string
	// JWT are the claims of a verified token, as encoding/json decodes them.
	JWT map[string]any
}

// secretHeaders are never shown to the policy: what a rule sees, it can put into
// a reason.
var secretHeaders = map[string]bool{"authorization": true, "proxy-authorization": true, "cookie": true}

type item = [2]*ast.Term

// vocabulary holds the terms that inputs have in common: names of members, and
// words of the policy. It does not change once the policy is loaded.
type vocabulary map[string]*ast.Term

func (v vocabulary) add(words ...string) {
	for _, word := range words {
		if v[word] == nil {
			v[word] = ast.StringTerm(word)
		}
	}
}

// shareWords gives the endpoints one vocabulary of all their words.
func (s *Snapshot) shareWords() {
	v := vocabulary{}
	for _, e := range s.endpoints {
		v.add(e.info.Connector, e.info.ID)
		v.add(e.info.Methods...)
		v.add(e.headers...)
		v.add(e.template.params()...)
		for _, segment := range e.template {
			v.add(segment.text)
		}
		for name := range e.options {
			v.add(name)
		}
		for _, p := range e.record {
			v.add(p.spelling)
		}
	}
	for _, e := range s.endpoints {
		e.words = v
	}
}

// terms makes the terms of one input, many with one allocation.
type terms struct {
	words vocabulary
	free  []ast.Term
}

func (t *terms) of(v ast.Value) *ast.Term {
	if len(t.free) == 0 {
		t.free = make([]ast.Term, 24)
	}
	term := &t.free[0]
	t.free = t.free[1:]
	term.Value = v
	return term
}

func (t *terms) object(items ...item) *ast.Term {
	if len(items) == 0 {
		return ast.InternedEmptyObject
	}
	return t.of(ast.NewObject(items...))
}

func (t *terms) array(elements ...*ast.Term) *ast.Term {
	if len(elements) == 0 {
		return ast.InternedEmptyArray
	}
	return t.of(ast.NewArray(elements...))
}

// text is a string of the request.
func (t *terms) text(s string) *ast.Term { return t.of(ast.String(s)) }

// word is a string that the policy may know.
func (t *terms) word(s string) *ast.Term {
	if known := t.words[s]; known != nil {
		return known
	}
	return t.text(s)
}

func (t *terms) list(strings []string) *ast.Term {
	elements := make([]*ast.Term, len(strings))
	for i, s := range strings {
		elements[i] = t.word(s)
	}
	return t.array(elements...)
}

// member is the name of a member of the input or of the decision.
func member(name string) *ast.Term { return members[name] }

// members are the names of all of them.
var members = func() vocabulary {
	v := vocabulary{}
	v.add("request", "method", "path", "segments", "query", "headers", "sealed", "endpoint", "connector", "id", "params", "odata",
		"select", "expand", "filter", "orderby", "top", "skip", "count", "search", "malformed", "properties", "functions", "lambdas",
		"depth", "comparisons", "others", "property", "operator", "descending", "options", "caller", "spiffe_id", "subject", "address", "jwt", "allow", "reasons")
	return v
}()

// value builds the input of data.graphveil.decision, as schemas/input.json
// describes it.
func (in Input) value(route Route) (ast.Value, error) {
	path := route.AppendPath(nil, func(i int) string { return route.Params[i].Value })
	if path == nil {
		return nil, errors.New("the route has a parameter that can be no segment")
	}
	t := &terms{words: route.endpoint.words}
	query := make([]item, len(in.Target.Options))
	for i, o := range in.Target.Options {
		query[i] = item{t.word(o.Name), t.text(o.Value)}
	}
	headers := make([]item, 0, len(in.Headers))
	for name, value := range in.Headers {
		if !secretHeaders[name] {
			headers = append(headers, item{t.word(name), t.text(value)})
		}
	}
	params := make([]item, len(route.Params))
	for i, p := range route.Params {
		params[i] = item{t.word(p.Name), t.text(p.Value)}
	}
	caller, err := in.Caller.term(t)
	if err != nil {
		return nil, err
	}
	return ast.NewObject(
		item{member("request"), t.object(
			item{member("method"), t.word(in.Method)},
			item{member("path"), t.text(string(path))},
			item{member("segments"), t.list(route.segments())},
			item{member("query"), t.object(query...)},
			item{member("headers"), t.object(headers...)},
			item{member("sealed"), ast.InternedTerm(in.Sealed)},
		)},
		item{member("endpoint"), t.object(
			item{member("connector"), t.word(route.Connector)},
			item{member("id"), t.word(route.Endpoint)},
			item{member("params"), t.object(params...)},
		)},
		item{member("odata"), t.odata(in.Target.Options, route.endpoint.record)},
		item{member("caller"), caller},
	), nil
}

func (c Caller) term(t *terms) (*ast.Term, error) {
	var items []item
	for _, given := range [...]struct{ name, value string }{{"spiffe_id", c.SPIFFEID}, {"subject", c.Subject}, {"address", c.Address}} {
		if given.value != "" {
			items = append(items, item{member(given.name), t.text(given.value)})
		}
	}
	if c.JWT != nil {
		claims, err := ast.InterfaceToValue(c.JWT)
		if err != nil {
			return nil, err
		}
		items = append(items, item{member("jwt"), t.of(claims)})
	}
	return t.object(items...), nil
}

// odata parses the system query options. Those that do not parse are listed as
// malformed.
func (t *terms) odata(options []odata.Option, r record) *ast.Term {
	items := make([]item, 0, len(options)+1)
	var malformed []string
	for _, o := range options {
		term, err := t.option(o, r)
		switch {
		case err != nil:
			malformed = append(malformed, o.Name)
		case term != nil:
			items = append(items, item{member(o.Name), term})
		}
	}
	return t.object(append(items, item{member("malformed"), t.list(malformed)})...)
}

// option returns nil for an option that has no grammar of its own.
func (t *terms) option(o odata.Option, r record) (*ast.Term, error) {
	switch o.Name {
	case "select":
		paths, err := odata.ParseSelect(o.Value)
		return t.properties(paths, r), err
	case "expand":
		items, err := odata.ParseExpand(o.Value)
		return t.array(t.expansions(nil, items, "", r)...), err
	case "filter":
		f, err := odata.ParseFilter(o.Value)
		return t.object(
			item{member("properties"), t.properties(f.Properties, r)},
			item{member("functions"), t.list(f.Functions)},
			item{member("lambdas"), ast.InternedTerm(f.Lambdas)},
			item{member("depth"), ast.InternedTerm(f.Depth)},
			item{member("comparisons"), t.comparisons(f, r)},
			item{member("others"), t.properties(f.Others, r)},
		), err
	case "orderby":
		orders, err := odata.ParseOrderBy(o.Value)
		list := make([]*ast.Term, len(orders))
		for i, order := range orders {
			list[i] = t.object(item{member("property"), t.word(r.spell(order.Property))}, item{member("descending"), ast.InternedTerm(order.Descending)})
		}
		return t.array(list...), err
	case "top", "skip":
		n, err := odata.ParseInteger(o.Value)
		return ast.InternedTerm(n), err
	case "count":
		b, err := odata.ParseCount(o.Value)
		return ast.InternedTerm(b), err
	case "search":
		text, err := odata.ParseSearch(o.Value)
		return t.text(text), err
	}
	return nil, nil
}

// comparisons are those of properties with literals, without the literals.
func (t *terms) comparisons(f odata.Filter, r record) *ast.Term {
	list := make([]*ast.Term, len(f.Comparisons))
	for i, c := range f.Comparisons {
		list[i] = t.object(item{member("property"), t.word(r.spell(c.Property))}, item{member("operator"), t.word(c.Operator)})
	}
	return t.array(list...)
}

// properties spells property paths as the response does.
func (t *terms) properties(paths []string, r record) *ast.Term {
	list := make([]*ast.Term, len(paths))
	for i, path := range paths {
		list[i] = t.word(r.spell(path))
	}
	return t.array(list...)
}

// expansions flattens nested expansions, each with its path from the outermost.
func (t *terms) expansions(dst []*ast.Term, list []odata.Expansion, above string, r record) []*ast.Term {
	for _, e := range list {
		path := strings.TrimPrefix(above+"/"+e.Path, "/")
		dst = append(dst, t.object(
			item{member("path"), t.word(r.spell(path))},
			item{member("select"), t.properties(e.Select, r)},
			item{member("options"), t.list(e.Options)},
		))
		dst = t.expansions(dst, e.Expand, path, r)
	}
	return dst
}
