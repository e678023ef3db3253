package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// systemOptions are the OData options that may be listed, and the keys that the
// rule of each may have. $apply, $compute and the like are not parsed, so they
// cannot be allowed.
var systemOptions = map[string][]string{
	"$count":      {"values"},
	"$deltatoken": {"values", "pattern"},
	"$expand":     {"properties"},
	"$filter":     {"properties", "reversible"},
	"$format":     {"values", "pattern"},
	"$orderby":    {"properties"},
	"$search":     {"values", "pattern"},
	"$select":     {"properties"},
	"$skip":       {"max"},
	"$skiptoken":  {"values", "pattern"},
	"$top":        {"max"},
}

// query: option name → rule. Names with "$" are OData's, others are parameters
// of a function or of the service.
func (k *contract) query(e *endpoint, term *ast.Term, at position) map[string]any {
	rules := map[string]any{}
	if term == nil {
		return rules
	}
	o, ok := value[ast.Object](k.problems, term, at, "an object")
	if !ok {
		return nil
	}
	for _, key := range o.Keys() {
		name, ok := value[ast.String](k.problems, key, at, "names that are strings")
		if !ok {
			continue
		}
		at := at.key(string(name))
		keys := []string{"values", "pattern", "reversible"}
		system := strings.HasPrefix(string(name), "$")
		if system {
			if keys, ok = systemOptions[string(name)]; !ok {
				names := slices.Sorted(maps.Keys(systemOptions))
				k.add(at.error("contract_error", fmt.Sprintf("there is no option %s", name), cmpHint(didYouMean(string(name), names), "known are: "+strings.Join(names, ", "))))
				continue
			}
		}
		canonical := foldASCII(strings.TrimPrefix(string(name), "$"))
		switch _, isSystem := systemOptions["$"+canonical]; {
		case isSystem && !system:
			k.add(at.error("contract_error", fmt.Sprintf("%q needs its $ here", string(name)), "clients may leave it out; the policy names the option in full"))
			continue
		case !system && !plainOption(canonical):
			k.add(at.error("contract_error", fmt.Sprintf("%q is no option name", string(name)), ""))
			continue
		case rules[canonical] != nil:
			k.add(at.error("contract_error", fmt.Sprintf("the option %s is there twice", name), "case does not count"))
			continue
		}
		if rule, ok := k.object(o.Get(key).Value, at, keys...); ok {
			compiled := k.optionRule(e, rule, canonical, at)
			compiled["name"] = string(name)
			rules[canonical] = compiled
			e.options[canonical] = string(name)
			properties, _ := compiled["properties"].(map[string]any)
			e.info.Query = append(e.info.Query, QueryInfo{Name: string(name), Rule: describeRule(compiled), Properties: slices.Sorted(maps.Keys(properties))})
		}
	}
	return rules
}

func plainOption(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("_-.@", c) >= 0) {
			return false
		}
	}
	return name != ""
}

func (k *contract) optionRule(e *endpoint, o ast.Object, canonical string, at position) map[string]any {
	rule := k.valueRule(o, at)
	if t := o.Get(ast.StringTerm("max")); t != nil {
		number, ok := value[ast.Number](k.problems, t, at.key("max"), "a number")
		n, isInt := number.Int()
		if ok && (!isInt || n < 0) {
			k.add(at.key("max").error("contract_error", "max must be a whole number", ""))
		}
		rule["max"] = n
	}
	if t := o.Get(ast.StringTerm("properties")); t != nil {
		rule["properties"] = k.properties(e, t, canonical, at.key("properties"))
	} else if canonical != "select" && slices.Contains(systemOptions["$"+canonical], "properties") {
		rule["properties"] = map[string]any{} // none is allowed
	}
	if t := o.Get(ast.StringTerm("reversible")); t != nil && canonical == "filter" {
		k.reversibleProperties(e, t, rule, at.key("reversible"))
	} else if _, system := systemOptions["$"+canonical]; t != nil && !system {
		b, ok := value[ast.Boolean](k.problems, t, at.key("reversible"), "true or false")
		if len(rule) > 0 {
			k.add(at.error("contract_error", "expected exactly one of values, pattern, reversible", ""))
		}
		e.tokenOptions[canonical] = ok && bool(b)
		rule["reversible"] = e.tokenOptions[canonical]
	}
	return rule
}

// reversibleProperties reads the properties that a filter may compare with tokens.
// Those that the response keeps in clear, as option ids may say, are ordinary ones.
func (k *contract) reversibleProperties(e *endpoint, term *ast.Term, rule map[string]any, at position) {
	properties, reversible := rule["properties"].(map[string]any), map[string]any{}
	for _, path := range k.strings(term, at) {
		lower := foldASCII(path)
		known, exists := e.record[lower]
		switch {
		case known.reversible:
			reversible[known.spelling] = true
			e.tokenProperties[lower] = true
		case known.kept:
			properties[known.spelling] = true
		case exists:
			k.add(at.error("contract_error", fmt.Sprintf("the response does not have %q as a reversible token", path), "only values that a response gave can be asked for"))
		default:
			k.add(at.error("contract_error", fmt.Sprintf("the response has no property %q", path), didYouMean(path, e.record.paths(anyOf))))
		}
	}
	rule["reversible"] = reversible
}

// properties checks a set of property paths against the response: a condition
// may only use what stays in clear, because it tells of everything that it uses.
func (k *contract) properties(e *endpoint, term *ast.Term, canonical string, at position) map[string]any {
	condition := canonical == "filter" || canonical == "orderby"
	spelled := map[string]any{}
	for _, path := range k.strings(term, at) {
		known, exists := e.record[foldASCII(path)]
		switch {
		case exists && (known.kept || !condition):
			spelled[known.spelling] = true
		case exists:
			k.add(at.error("contract_error", fmt.Sprintf("$%s must not use %q, which the response does not keep in clear", canonical, path), "a condition on a hidden property tells what it holds"))
		default:
			near := anyOf
			if condition {
				near = inClear
			}
			k.add(at.error("contract_error", fmt.Sprintf("the response has no property %q", path), didYouMean(path, e.record.paths(near))))
		}
	}
	return spelled
}
