package psoxy

import (
	"slices"
	"strings"
)

// option is a query option with its rule in Rego.
type option struct {
	name, rule string
}

// paging are the options that no value of can tell or bring anything that the
// response hides, with their rules.
var paging = []option{
	{"$count", `{"values": {"true", "false"}}`},
	{"$select", "{}"},
	{"$skip", "{}"},
	{"$skiptoken", "{}"},
	{"$top", "{}"},
}

// unsafe are options that are not imported, with the reason.
var unsafe = map[string]string{
	"$filter":  `a filter on a hidden property tells what it holds, and with open rules nobody knows which are not hidden. Where it is needed, write "$filter": {"properties": {...}} and a response that keeps these properties`,
	"$orderby": `an order by a hidden property tells what it holds, and with open rules nobody knows which are not hidden. Where it is needed, write "$orderby": {"properties": {...}} and a response that keeps these properties`,
	"$expand":  `an expansion brings properties that the rules say nothing about. Where it is needed, write "$expand": {"properties": {...}} and a response that names them`,
	"$search":  `a search finds text that the response hides. Where it is needed, write "$search": {"pattern": ...}`,
}

// narrow are options whose values are limited.
var narrow = map[string]string{
	"$format":     `{"values": {"json", "application/json"}}`,
	"$deltatoken": `{"values": {"latest"}}`,
}

// options makes the query of an endpoint.
func (c *importer) options(e *endpoint) []option {
	var out []option
	add := func(o option) {
		if !slices.ContainsFunc(out, func(p option) bool { return strings.EqualFold(p.name, o.name) }) {
			out = append(out, o)
		}
	}
	if e.anyQuery {
		c.warn(e.line, "the query is open: without allowedQueryParams Psoxy lets every option through, and with $expand, $filter or $search whatever they bring; imported with $count, $select, $skip, $skiptoken and $top only. Add by hand what clients need, as \"name\": {}")
		for _, o := range paging {
			add(o)
		}
	}
	for _, w := range e.query {
		if o, ok := c.option(w); ok {
			add(o)
		}
	}
	if e.queryRules != nil {
		for i, k := range e.queryRules.keys {
			c.optionSchema(e, k, e.queryRules.items[i], &out)
		}
	}
	slices.SortFunc(out, func(a, b option) int { return strings.Compare(a.name, b.name) })
	return out
}

// withoutSelect takes $select from the query of a delta: the decision lets it name
// only properties that leave, and of open rules nobody knows which do.
func (c *importer) withoutSelect(e *endpoint, query []option) []option {
	isSelect := func(o option) bool { return o.name == "$select" }
	if slices.ContainsFunc(query, isSelect) {
		c.warn(e.line, "the option $select is not imported on delta(): a change of a hidden property that it names would show. Where it is needed, write \"$select\": {} and a response that names the properties")
	}
	return slices.DeleteFunc(slices.Clone(query), isSelect)
}

// option imports one of allowedQueryParams.
func (c *importer) option(w word) (option, bool) {
	lower := strings.ToLower(w.text)
	if system := "$" + lower; systemOption(system) { // as Graph reads it
		lower = system
	}
	for _, o := range paging {
		if o.name == lower {
			return o, true
		}
	}
	if reason, ok := unsafe[lower]; ok {
		c.warn(w.line, "the option %s is not imported: %s", w.text, reason)
		return option{}, false
	}
	if rule, ok := narrow[lower]; ok {
		if lower == "$deltatoken" {
			c.warn(w.line, "of $deltatoken only latest is imported; delta links that the sidecar gave out need no listing")
		}
		return option{lower, rule}, true
	}
	switch {
	case strings.HasPrefix(lower, "$"):
		c.warn(w.line, "the option %s is not imported: it is not parsed, so nobody knows what it brings", w.text)
		return option{}, false
	case !plainOption(lower):
		c.refuse(w.line, "%q is no name of a query option", w.text)
		return option{}, false
	}
	return option{w.text, "{}"}, true
}

// systemOption tells an option of OData that this package knows.
func systemOption(name string) bool {
	_, isUnsafe := unsafe[name]
	_, isNarrow := narrow[name]
	return isUnsafe || isNarrow || slices.ContainsFunc(paging, func(o option) bool { return o.name == name })
}

func plainOption(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.@") == ""
}

// optionSchema imports one of queryParamSchemas, which narrows an option.
func (c *importer) optionSchema(e *endpoint, key, schema *node, out *[]option) {
	if v := schema.value("required"); v != nil && v.kind == boolean && c.flag(schema, "required") {
		c.refuse(v.line, "an option cannot be required")
	}
	listed := slices.ContainsFunc(e.query, func(w word) bool { return strings.EqualFold(w.text, key.text) })
	if !e.anyQuery && !listed {
		c.warn(key.line, "the schema of %s is for an option that allowedQueryParams does not list; the option is not imported", key.text)
		return
	}
	p := c.parameterSchema(schema, "required")
	if p.token {
		c.refuse(key.line, "a token in the option %s is not supported", key.text)
	}
	o, ok := c.option(word{key.text, key.line})
	if !ok {
		return
	}
	if p.pattern != "" {
		if slices.Contains([]string{"$count", "$select", "$skip", "$top"}, o.name) {
			c.warn(key.line, "the schema of %s is not imported: the option takes what OData says", key.text)
		} else {
			o.rule = p.rule()
		}
	}
	*out = slices.DeleteFunc(*out, func(other option) bool { return strings.EqualFold(other.name, o.name) })
	*out = append(*out, o)
}
