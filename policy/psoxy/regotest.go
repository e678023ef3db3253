package psoxy

import (
	"fmt"
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

// readme writes the README.
func (w *writer) readme() string {
	w.line("# %s\n", w.name)
	w.line("Imported from the Psoxy rules `%s` by `graphveil policy import psoxy`. It is yours now: edit it, and do not import over it.\n", w.file)
	w.line("## Endpoints\n\nAll are `GET`.\n")
	w.line("| Endpoint | Path | Options | From line |\n|---|---|---|---|")
	for _, e := range w.endpoints {
		var options []string
		for _, o := range e.query {
			options = append(options, "`"+o.name+"`")
		}
		if len(options) == 0 {
			options = []string{"none"}
		}
		w.line("| `%s` | `%s` | %s | %d |", e.id, e.path, strings.Join(options, " "), e.source.line)
	}
	w.line("\n## To do by hand\n")
	w.line("- Put the application permissions into `permissions`: Psoxy's rules do not name them.")
	w.line("- Read the warnings below. What they say was imported as it is leaks here as it does in Psoxy.")
	w.line("- Run `graphveil policy test` on this folder, and add tests of what the responses must look like.")
	w.line("\n## Warnings\n")
	if len(w.warnings) == 0 {
		w.line("None.")
	}
	for _, warning := range w.warnings {
		w.line("- Line %s: %s.", strings.ReplaceAll(warning.where(), ",", ", "), markdown(warning.Text))
	}
	text := w.b.String()
	w.b.Reset()
	return text
}

// markdown escapes what would be read as markup.
func markdown(text string) string {
	return strings.NewReplacer("\n", " ", "<", "&lt;", "*", `\*`, "_", `\_`, "`", "'", "|", `\|`).Replace(fmt.Sprint(text))
}
