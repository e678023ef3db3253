package psoxy

import "strings"

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
	w.line("- Put the application permissions into `permissions`: Psoxy's rules do not name them. An endpoint is taken to need all of them, until it has `permissions` of its own.")
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
	return strings.NewReplacer("\n", " ", "<", "&lt;", "*", `\*`, "_", `\_`, "`", "'", "|", `\|`).Replace(text)
}
