package psoxy

import (
	"slices"
	"strings"
)

// tests writes the tests in Rego: for each endpoint, that it is served, for GET
// only, and with no other query options than its own. Add what the sanitized
// bodies must look like as scenarios.
func (w *writer) tests() string {
	w.line("package graphveil.connectors.%s_test\n", w.name)
	w.line("import data.graphveil\nimport data.graphveil.connectors.%s\n", w.name)
	w.line("# A request as the decision sees it.")
	w.line(`_request(method, endpoint, params, query) := {
	"request": {"method": method, "path": "/", "segments": [], "query": query, "headers": {}, "sealed": false},
	"endpoint": {"connector": %s, "id": endpoint, "params": params},
	"odata": {"malformed": []},
	"caller": {},
}
`, quote(w.name))
	for _, e := range w.endpoints {
		w.test(e)
	}
	text := w.b.String()
	w.b.Reset()
	return text
}

func (w *writer) test(e *imported) {
	id := quote(e.id)
	var params []string
	for _, p := range e.params {
		params = append(params, quote(p.name)+": "+quote(p.example()))
	}
	values := "{" + strings.Join(params, ", ") + "}"
	w.line("test_%s_is_served if {", e.id)
	w.line("%s.endpoints[%s].path == %s", w.name, id, quote(e.path.String()))
	if !slices.ContainsFunc(e.params, func(p param) bool { return p.example() == "" }) {
		w.line("graphveil.decision == {\"allow\": true, \"reasons\": set()} with input as _request(\"GET\", %s, %s, {})", id, values)
	}
	w.line("}\n")
	w.line("test_%s_is_served_for_reading_only if {", e.id)
	w.line(`every method in ["POST", "PUT", "PATCH", "DELETE"] {`)
	w.line("\"method_not_allowed\" in graphveil.decision.reasons with input as _request(method, %s, %s, {})\n}\n}\n", id, values)
	w.line("test_%s_takes_no_other_options if {", e.id)
	w.line("every option in %s {", rego(unlisted(e.query)))
	w.line("reasons := graphveil.decision.reasons with input as _request(\"GET\", %s, %s, {option: \"x\"})", id, values)
	w.line("some reason in reasons\nstartswith(reason, \"query_not_allowed\")\n}\n}\n")
	if token := slices.IndexFunc(e.params, func(p param) bool { return p.token }); token >= 0 {
		w.line("test_%s_takes_tokens_only if {", e.id)
		w.line("%s.endpoints[%s].params[%s][\"$op\"] == \"reversible\"", w.name, id, quote(e.params[token].name))
		w.line("}\n")
	}
}

// unlisted are options that a query does not have, as the decision names them.
func unlisted(query []option) []string {
	var out []string
	for _, name := range []string{"$expand", "$filter", "$orderby", "$search", "unlisted"} {
		if !slices.ContainsFunc(query, func(o option) bool { return strings.EqualFold(o.name, name) }) {
			out = append(out, strings.TrimPrefix(name, "$"))
		}
	}
	return out
}
