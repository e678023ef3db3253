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
	JWT any
}

// secretHeaders are never shown to the policy: what a rule sees, it can put into
// a reason.
var secretHeaders = map[string]bool{"authorization": true, "proxy-authorization": true, "cookie": true}

type item = [2]*ast.Term

func str(s string) *ast.Term { return ast.StringTerm(s) }

func strs(list []string) *ast.Term {
	terms := make([]*ast.Term, len(list))
	for i, s := range list {
		terms[i] = str(s)
	}
	return ast.ArrayTerm(terms...)
}

// value builds the input of data.graphveil.decision, as schemas/input.json
// describes it.
func (in Input) value(route Route) (ast.Value, error) {
	path := route.AppendPath(nil, func(i int) string { return route.Params[i].Value })
	if path == nil {
		return nil, errors.New("the route has a parameter that can be no segment")
	}
	query := make([]item, len(in.Target.Options))
	for i, o := range in.Target.Options {
		query[i] = item{str(o.Name), str(o.Value)}
	}
	headers := make([]item, 0, len(in.Headers))
	for name, value := range in.Headers {
		if !secretHeaders[name] {
			headers = append(headers, item{str(name), str(value)})
		}
	}
	params := make([]item, len(route.Params))
	for i, p := range route.Params {
		params[i] = item{str(p.Name), str(p.Value)}
	}
	caller, err := in.Caller.value()
	if err != nil {
		return nil, err
	}
	return ast.NewObject(
		item{ast.InternedTerm("request"), ast.ObjectTerm(
			item{ast.InternedTerm("method"), str(in.Method)},
			item{ast.InternedTerm("path"), str(string(path))},
			item{ast.InternedTerm("segments"), strs(route.segments())},
			item{ast.InternedTerm("query"), ast.ObjectTerm(query...)},
			item{ast.InternedTerm("headers"), ast.ObjectTerm(headers...)},
			item{ast.InternedTerm("sealed"), ast.InternedTerm(in.Sealed)},
		)},
		item{ast.InternedTerm("endpoint"), ast.ObjectTerm(
			item{ast.InternedTerm("connector"), str(route.Connector)},
			item{ast.InternedTerm("id"), str(route.Endpoint)},
			item{ast.InternedTerm("params"), ast.ObjectTerm(params...)},
		)},
		item{ast.InternedTerm("odata"), odataTerm(in.Target.Options, route.endpoint.record)},
		item{ast.InternedTerm("caller"), caller},
	), nil
}

func (c Caller) value() (*ast.Term, error) {
	var items []item
	for _, member := range [...]struct{ name, value string }{{"spiffe_id", c.SPIFFEID}, {"subject", c.Subject}, {"address", c.Address}} {
		if member.value != "" {
			items = append(items, item{str(member.name), str(member.value)})
		}
	}
	if c.JWT != nil {
		claims, err := ast.InterfaceToValue(c.JWT)
		if err != nil {
			return nil, err
		}
		items = append(items, item{str("jwt"), ast.NewTerm(claims)})
	}
	return ast.ObjectTerm(items...), nil
}

// odataTerm parses the system query options. Those that do not parse are listed
// as malformed.
func odataTerm(options []odata.Option, r record) *ast.Term {
	items := make([]item, 0, len(options)+1)
	malformed := []string{}
	for _, o := range options {
		term, err := optionTerm(o, r)
		switch {
		case err != nil:
			malformed = append(malformed, o.Name)
		case term != nil:
			items = append(items, item{str(o.Name), term})
		}
	}
	return ast.ObjectTerm(append(items, item{ast.InternedTerm("malformed"), strs(malformed)})...)
}

// optionTerm returns nil for an option that has no grammar of its own.
func optionTerm(o odata.Option, r record) (*ast.Term, error) {
	switch o.Name {
	case "select":
		paths, err := odata.ParseSelect(o.Value)
		return r.terms(paths), err
	case "expand":
		items, err := odata.ParseExpand(o.Value)
		return ast.ArrayTerm(expansions(nil, items, "", r)...), err
	case "filter":
		f, err := odata.ParseFilter(o.Value)
		return ast.ObjectTerm(
			item{str("properties"), r.terms(f.Properties)},
			item{str("functions"), strs(f.Functions)},
			item{str("lambdas"), ast.InternedTerm(f.Lambdas)},
			item{str("depth"), ast.InternedTerm(f.Depth)},
			item{str("comparisons"), comparisons(f, r)},
			item{str("others"), r.terms(f.Others)},
		), err
	case "orderby":
		orders, err := odata.ParseOrderBy(o.Value)
		terms := make([]*ast.Term, len(orders))
		for i, order := range orders {
			terms[i] = ast.ObjectTerm(item{str("property"), str(r.spell(order.Property))}, item{str("descending"), ast.InternedTerm(order.Descending)})
		}
		return ast.ArrayTerm(terms...), err
	case "top", "skip":
		n, err := odata.ParseInteger(o.Value)
		return ast.InternedTerm(n), err
	case "count":
		b, err := odata.ParseCount(o.Value)
		return ast.InternedTerm(b), err
	case "search":
		text, err := odata.ParseSearch(o.Value)
		return str(text), err
	}
	return nil, nil
}

// comparisons are those of properties with literals, without the literals.
func comparisons(f odata.Filter, r record) *ast.Term {
	terms := make([]*ast.Term, len(f.Comparisons))
	for i, c := range f.Comparisons {
		terms[i] = ast.ObjectTerm(item{str("property"), str(r.spell(c.Property))}, item{str("operator"), str(c.Operator)})
	}
	return ast.ArrayTerm(terms...)
}

// terms spells property paths as the response does.
func (r record) terms(paths []string) *ast.Term {
	terms := make([]*ast.Term, len(paths))
	for i, path := range paths {
		terms[i] = str(r.spell(path))
	}
	return ast.ArrayTerm(terms...)
}

// expansions flattens nested expansions, each with its path from the outermost.
func expansions(dst []*ast.Term, list []odata.Expansion, above string, r record) []*ast.Term {
	for _, e := range list {
		path := strings.TrimPrefix(above+"/"+e.Path, "/")
		dst = append(dst, ast.ObjectTerm(
			item{str("path"), str(r.spell(path))},
			item{str("select"), r.terms(e.Select)},
			item{str("options"), strs(e.Options)},
		))
		dst = expansions(dst, e.Expand, path, r)
	}
	return dst
}
