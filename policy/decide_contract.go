package policy

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
