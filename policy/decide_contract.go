package policy

import "github.com/open-policy-agent/opa/v1/ast"

// plainContract is what an endpoint takes as it comes, in the form in which the decision
// sees it in one pass. It says nothing that the rest of the contract does not say.
//
//	options  those whose value is free, or restricted by what is parsed of it
//	max      the largest number of an option
//	select   the properties that may be selected; free.select says that all may be
func plainContract(query, released map[string]any) map[string]any {
	options, largest, free := map[string]any{}, map[string]any{}, map[string]any{}
	p := map[string]any{"options": options, "max": largest, "free": free}
	for name, r := range query {
		rule := r.(map[string]any)
		if rule["values"] == nil && rule["pattern"] == nil {
			options[name] = true
		}
		if rule["max"] != nil {
			largest[name] = rule["max"]
		}
		properties, listed := rule["properties"].(map[string]any)
		switch {
		case name != "select":
		case listed && released != nil:
			p[name] = both(properties, released)
		case listed:
			p[name] = properties
		case released != nil:
			p[name] = released
		default:
			free[name] = true
		}
	}
	return p
}

// both are the names in both sets.
func both(a, b map[string]any) map[string]any {
	common := map[string]any{}
	for name := range a {
		if b[name] != nil {
			common[name] = true
		}
	}
	return common
}

// index makes the values of rules a set, which Rego looks a value up in without a
// search.
func index(rules map[string]any) map[string]any {
	for _, r := range rules {
		rule := r.(map[string]any)
		if values, ok := rule["values"].([]any); ok {
			known := map[string]any{}
			for _, v := range values {
				known[v.(string)] = true
			}
			rule["values"] = known
		}
	}
	return rules
}

// shareContracts keeps what the contracts of endpoints have in common once.
func (s *Snapshot) shareContracts() {
	shared := sharing{}
	for _, e := range s.endpoints {
		e.contract = shared.term(ast.NewTerm(e.contract)).Value
	}
}

// sharing keeps one of equal terms. Contracts have much in common, and what many
// endpoints share is in the processor's cache.
type sharing map[int][]*ast.Term

func (s sharing) term(t *ast.Term) *ast.Term {
	if object, ok := t.Value.(ast.Object); ok {
		items := make([]item, 0, object.Len())
		object.Foreach(func(name, value *ast.Term) { items = append(items, item{s.term(name), s.term(value)}) })
		t = ast.ObjectTerm(items...)
	}
	hash := t.Hash()
	for _, known := range s[hash] {
		if known.Equal(t) {
			return known
		}
	}
	s[hash] = append(s[hash], t)
	return t
}
