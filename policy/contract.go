package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// endpoint is one compiled endpoint.
type endpoint struct {
	info     EndpointInfo
	template template
	// reversible holds the parameters that come as tokens, tokenized those of them
	// whose tokens are made without regard to addresses.
	reversible, tokenized map[string]bool
	// rules are those of the other parameters, for links.
	rules map[string]paramRule
	// options are the query options by canonical name, as the policy spells them.
	options map[string]string
	// tokenOptions are the options, by canonical name, whose whole value is a token;
	// tokenProperties, in lower case, those that $filter compares with tokens.
	tokenOptions, tokenProperties map[string]bool
	// headers are the request headers that go upstream, in lower case, sorted.
	headers []string
	record  record
	// words are the terms that the inputs of the policy's endpoints share.
	words vocabulary
	// source is the endpoint as the policy gave it; two connectors may serve the
	// same. Only an activation has it.
	source ast.Object
	// contract is what data.graphveil.endpoints tells the decision.
	contract ast.Value
}

// contract reads the endpoints of connectors.
type contract struct {
	*problems
	c          *compiled
	errorShape ast.Value
	shared     *shared
	// granted are the permissions that the connector lists.
	granted []string
}

// value reads one value of a known type, or reports.
func value[T ast.Value](p *problems, term *ast.Term, at position, want string) (T, bool) {
	v, ok := term.Value.(T)
	if !ok {
		p.add(at.error("contract_error", fmt.Sprintf("expected %s, this is a %s", want, ast.ValueName(term.Value)), ""))
	}
	return v, ok
}

// object reads an object and reports every key that is not among known.
func (k *contract) object(v ast.Value, at position, known ...string) (ast.Object, bool) {
	object, ok := value[ast.Object](k.problems, ast.NewTerm(v), at, "an object")
	if !ok {
		return nil, false
	}
	for _, key := range object.Keys() {
		name, isString := key.Value.(ast.String)
		if !isString || !slices.Contains(known, string(name)) {
			k.add(at.at(key.Value).error("contract_error", fmt.Sprintf("there is no key %s here", key), cmpHint(didYouMean(string(name), known), "known are: "+strings.Join(known, ", "))))
		}
	}
	return object, true
}

// strings reads a set of strings.
func (k *contract) strings(term *ast.Term, at position) []string {
	set, ok := value[ast.Set](k.problems, term, at, `a set, as {"a", "b"}`)
	if !ok {
		return nil
	}
	var names []string
	set.Foreach(func(t *ast.Term) {
		if s, ok := value[ast.String](k.problems, t, at, "a set of strings"); ok {
			names = append(names, string(s))
		}
	})
	slices.Sort(names)
	return names
}

var methods = []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"}

// endpoint compiles one endpoint. enabled is false if the policy switched it off.
func (k *contract) endpoint(v ast.Value, at position) (e *endpoint, enabled bool) {
	o, ok := k.object(v, at, "enabled", "methods", "path", "params", "query", "headers", "media", "response", "error", "permissions", "probe", "limit")
	if !ok {
		return nil, false
	}
	for _, key := range []string{"methods", "path", "response"} {
		if o.Get(ast.StringTerm(key)) == nil {
			k.add(at.error("contract_error", fmt.Sprintf("the key %q is missing", key), ""))
			return nil, false
		}
	}
	e = &endpoint{source: o, reversible: map[string]bool{}, tokenized: map[string]bool{}, rules: map[string]paramRule{}, options: map[string]string{}, tokenOptions: map[string]bool{}, tokenProperties: map[string]bool{}}
	enabled = true
	if t := o.Get(ast.StringTerm("enabled")); t != nil {
		b, ok := value[ast.Boolean](k.problems, t, at.key("enabled"), "true or false")
		enabled = ok && bool(b)
	}
	e.info.Methods = k.methods(o.Get(ast.StringTerm("methods")), at.key("methods"))
	k.path(e, o.Get(ast.StringTerm("path")), at.key("path"))

	response := o.Get(ast.StringTerm("response")).Value
	e.info.Plan, e.record = k.plan(response, at.key("response"))
	k.media(e, o.Get(ast.StringTerm("media")), at)
	if t := o.Get(ast.StringTerm("error")); t != nil {
		e.info.ErrorPlan, _ = k.plan(t.Value, at.key("error"))
	} else {
		e.info.ErrorPlan, _ = k.plan(k.errorShape, position{c: k.c, rule: errorShapePath})
	}

	e.info.Permissions = k.permissions(o.Get(ast.StringTerm("permissions")), at.key("permissions"), enabled)

	query := k.query(e, o.Get(ast.StringTerm("query")), at.key("query"))
	data := map[string]any{
		"methods": set(e.info.Methods),
		"params":  index(k.params(e, o.Get(ast.StringTerm("params")), at.key("params"))),
		"query":   index(query),
		"headers": index(k.headers(e, o.Get(ast.StringTerm("headers")), at.key("headers"))),
		"clear":   set(e.record.paths(inClear)),
	}
	var released map[string]any // by a delta query, see the decision
	if n := len(e.template); n > 0 && e.template[n-1].kind == function {
		name, leaves := foldASCII(e.template[n-1].text), set(e.record.paths(open))
		data["function"], data["released"] = name, leaves
		if name == "delta" {
			released = leaves
		}
	}
	data["plain"] = plainContract(query, released)
	if t := o.Get(ast.StringTerm("limit")); t != nil {
		e.info.Limit = k.limit(t.Value, at.key("limit"))
	}
	k.probe(e, o.Get(ast.StringTerm("probe")), at.key("probe"))
	contract, err := ast.InterfaceToValue(data)
	if err != nil {
		k.add(at.error("contract_error", err.Error(), ""))
		return nil, false
	}
	e.contract = contract
	return e, enabled
}

// set makes names the keys of an object: JSON has no sets, and Rego looks keys
// up without a search.
func set(names []string) map[string]any {
	m := map[string]any{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

func (k *contract) methods(term *ast.Term, at position) []string {
	names := k.strings(term, at)
	if len(names) == 0 {
		k.add(at.error("contract_error", "expected at least one method", ""))
	}
	for _, name := range names {
		if !slices.Contains(methods, name) {
			k.add(at.error("contract_error", fmt.Sprintf("there is no method %q", name), cmpHint(didYouMean(name, methods), "known are: "+strings.Join(methods, ", "))))
		}
	}
	return names
}

// media: what a successful response is instead of JSON. Only text/plain, which is
// how OData sends a count (OData 4.01 protocol, section 11.2.10).
func (k *contract) media(e *endpoint, term *ast.Term, at position) {
	if term == nil {
		return
	}
	e.info.Media = k.strings(term, at.key("media"))
	if !slices.Equal(e.info.Media, []string{"text/plain"}) {
		k.add(at.key("media").error("contract_error", `media can only be {"text/plain"}`, "without the key responses are JSON"))
	}
	if root := e.info.Plan.Root; root == nil || root.Op != plan.Keep {
		k.add(at.key("response").error("contract_error", "a response of text is one number, so its shape is shape.keep", ""))
	}
}

func (k *contract) path(e *endpoint, term *ast.Term, at position) {
	path, ok := value[ast.String](k.problems, term, at, "a string")
	if !ok {
		return
	}
	t, err := parseTemplate(string(path))
	if err != nil {
		k.add(at.error("contract_error", err.Error(), ""))
		return
	}
	e.template, e.info.Path = t, t.String()
}

// params: each parameter of the path is an operation (keep, reversible or
// tokenize), {"values": set} or {"pattern": RE2}.
func (k *contract) params(e *endpoint, term *ast.Term, at position) map[string]any {
	rules := map[string]any{}
	e.info.Params = map[string]string{}
	names := e.template.params()
	given := ast.NewObject()
	if term != nil {
		var ok bool
		if given, ok = k.object(term.Value, at, names...); !ok {
			return nil
		}
	}
	for _, name := range names {
		rule := given.Get(ast.StringTerm(name))
		if rule == nil {
			k.add(at.error("contract_error", fmt.Sprintf("the parameter {%s} has no rule", name), "say keep, reversible, {\"values\": ...} or {\"pattern\": ...}"))
			continue
		}
		at := at.key(name)
		o, ok := k.object(rule.Value, at, opKey, "values", "pattern")
		if !ok {
			continue
		}
		if o.Len() != 1 {
			k.add(at.error("contract_error", "expected exactly one of an operation, values, pattern", ""))
			continue
		}
		op := o.Get(ast.StringTerm(opKey))
		if op == nil {
			compiled := k.valueRule(o, at)
			rule := paramRule{}
			if values, ok := compiled["values"].([]any); ok {
				for i := range values { // well-known names are compared without case
					values[i] = strings.ToLower(values[i].(string))
				}
				rule.values = values
			}
			if pattern, ok := compiled["pattern"].(string); ok {
				rule.pattern, _ = k.shared.pattern(pattern) // one that does not compile is reported
			}
			rules[name], e.info.Params[name], e.rules[name] = compiled, describeRule(compiled), rule
			continue
		}
		switch operation, _ := op.Value.(ast.String); operation {
		case "keep":
			rules[name], e.info.Params[name] = map[string]any{"keep": true}, "keep"
		case "reversible", "tokenize":
			rules[name], e.info.Params[name] = map[string]any{"reversible": true}, "reversible"
			e.reversible[name], e.tokenized[name] = true, operation == "tokenize"
		default:
			k.add(at.error("contract_error", fmt.Sprintf("a parameter cannot be %s", op), "keep, reversible and tokenize can"))
		}
	}
	return rules
}

// valueRule reads {}, {"values": set} or {"pattern": RE2}.
func (k *contract) valueRule(o ast.Object, at position) map[string]any {
	rule := map[string]any{}
	if t := o.Get(ast.StringTerm("values")); t != nil {
		values := []any{}
		for _, v := range k.strings(t, at.key("values")) {
			values = append(values, v)
		}
		rule["values"] = values
	}
	if t := o.Get(ast.StringTerm("pattern")); t != nil {
		pattern, ok := value[ast.String](k.problems, t, at.key("pattern"), "a string")
		// The whole value must match, whatever the pattern anchors itself.
		whole := `^(?:` + string(pattern) + `)$`
		if _, err := k.shared.pattern(whole); ok && err != nil {
			k.add(at.key("pattern").error("contract_error", "the pattern does not compile: "+err.Error(), "patterns are RE2"))
		}
		rule["pattern"] = whole
	}
	if len(rule) > 1 {
		k.add(at.error("contract_error", "expected values or pattern, not both", ""))
	}
	return rule
}

// describeRule is a value rule in words, for listings.
func describeRule(rule map[string]any) string {
	switch {
	case rule["values"] != nil:
		var values []string
		for _, v := range rule["values"].([]any) {
			values = append(values, v.(string))
		}
		return strings.Join(values, " | ")
	case rule["pattern"] != nil:
		return "matches " + rule["pattern"].(string)
	case rule["max"] != nil:
		return fmt.Sprintf("at most %d", rule["max"])
	case rule["reversible"] == true:
		return "a token"
	case rule["properties"] != nil:
		tokens, _ := rule["reversible"].(map[string]any)
		return fmt.Sprintf("%d properties", len(rule["properties"].(map[string]any))+len(tokens))
	}
	return ""
}

// neverForwarded are request headers that belong to the connection, to Envoy or
// to the token that the sidecar sets.
var neverForwarded = []string{
	"accept-encoding", "authorization", "connection", "content-length", "cookie", "expect", "forwarded", "host", "keep-alive",
	"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via",
}

var headerPattern = regexp.MustCompile("^[a-z0-9][a-z0-9_-]*$")

// headers: a set of names, or an object from name to value rule.
func (k *contract) headers(e *endpoint, term *ast.Term, at position) map[string]any {
	rules := map[string]any{}
	if term == nil {
		return rules
	}
	add := func(name string, rule map[string]any, at position) {
		lower := foldASCII(name)
		switch {
		case !headerPattern.MatchString(lower):
			k.add(at.error("contract_error", fmt.Sprintf("%q is no header name", name), ""))
		case slices.Contains(neverForwarded, lower) || strings.HasPrefix(lower, "x-envoy-") || strings.HasPrefix(lower, "x-forwarded-"):
			k.add(at.error("contract_error", fmt.Sprintf("the header %s is never forwarded", name), ""))
		case rules[lower] != nil:
			k.add(at.error("contract_error", fmt.Sprintf("the header %s is there twice", name), "case does not count"))
		default:
			rules[lower] = rule
			e.info.Headers = append(e.info.Headers, name)
			e.headers = append(e.headers, lower)
		}
	}
	if o, ok := term.Value.(ast.Object); ok {
		for _, key := range o.Keys() {
			name, ok := value[ast.String](k.problems, key, at, "names that are strings")
			if !ok {
				continue
			}
			at := at.key(string(name))
			if rule, ok := k.object(o.Get(key).Value, at, "values", "pattern"); ok {
				add(string(name), k.valueRule(rule, at), at)
			}
		}
	} else {
		for _, name := range k.strings(term, at) {
			add(name, map[string]any{}, at)
		}
	}
	slices.Sort(e.headers)
	return rules
}
