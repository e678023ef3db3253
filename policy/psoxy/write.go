package psoxy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// write makes the files of the connector.
func (c *importer) write(r *rules, endpoints []*imported) (*Connector, error) {
	slices.SortStableFunc(c.warnings, func(a, b Warning) int { return cmp.Compare(a.Lines[0], b.Lines[0]) })
	w := writer{importer: c, rules: r, endpoints: endpoints}
	out := &Connector{Name: c.name, Warnings: c.warnings, Endpoints: len(endpoints), Files: map[string][]byte{
		"README.md": []byte(w.readme()),
	}, file: c.file, places: map[string]place{}}
	for _, e := range endpoints {
		p := place{line: e.source.line}
		for _, r := range e.body.rules {
			p.rules, p.at = append(p.rules, r.line), append(p.at, r.lines)
		}
		out.places[e.id] = p
	}
	for name, text := range map[string]string{c.name + ".rego": w.connector(), c.name + "_test.rego": w.tests()} {
		formatted, err := format.SourceWithOpts(name, []byte(text), format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("formatting %s: %w", name, err)
		}
		out.Files[name] = formatted
	}
	return out, nil
}

// writer writes the Rego and the README of a connector.
type writer struct {
	*importer
	rules     *rules
	endpoints []*imported
	b         strings.Builder
	// shared holds the names of what several rules have in common, by its Rego.
	shared map[string]string
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.b, format+"\n", args...)
}

// metadata writes the comment that describes a rule or package.
func (w *writer) metadata(title string, description ...string) {
	w.line("# METADATA\n# title: %s\n# description: |", title)
	for _, text := range description {
		w.comment("  ", text)
	}
}

// comment writes text as one line of a comment.
func (w *writer) comment(indent, text string) {
	w.line("# %s%s", indent, strings.Join(strings.Fields(text), " "))
}

// connector writes the Rego.
func (w *writer) connector() string {
	w.share()
	w.metadata(quote(w.name), "Imported from the Psoxy rules "+w.file+".")
	w.line("package graphveil.connectors.%s\n\nimport data.graphveil.shape\n", w.name)
	w.metadata("permissions", "Psoxy's rules do not say which application permissions their requests need: put them here.")
	w.line("permissions := {\"unknown\"}\n")
	for _, e := range w.endpoints {
		w.endpoint(e)
	}
	for _, b := range w.bodies(2) {
		w.line("%s := %s\n", w.bodyName(b), w.response(b))
	}
	w.sharedRules()
	for _, name := range w.rules.used {
		w.comment("", "The definition "+name+".")
		w.line("_%s := %s\n", snake(name), w.rules.shapes[name])
	}
	text := w.b.String()
	w.b.Reset()
	return text
}

func (w *writer) endpoint(e *imported) {
	w.metadata(e.id, fmt.Sprintf("From line %d: %s", e.source.line, e.from))
	members := []string{`"methods": {"GET"}`, `"path": ` + quote(e.path.String())}
	if len(e.params) > 0 {
		var rules []string
		for _, p := range e.params {
			rules = append(rules, quote(p.name)+": "+p.rule())
		}
		members = append(members, `"params": {`+strings.Join(rules, ", ")+"}")
	}
	if len(e.query) > 0 {
		var rules []string
		for _, o := range e.query {
			rules = append(rules, quote(o.name)+": "+o.rule)
		}
		members = append(members, `"query": `+object(rules))
	}
	if len(e.headers) > 0 {
		list := rego(e.headers)
		members = append(members, `"headers": {`+list[1:len(list)-1]+"}")
	}
	response := w.bodyName(e.body)
	if w.uses(e.body) == 1 {
		response = w.response(e.body)
	}
	members = append(members, `"response": `+response)
	w.line("endpoints[%s] := %s\n", quote(e.id), object(members))
}

func (w *writer) uses(b *body) int {
	n := 0
	for _, e := range w.endpoints {
		if e.body == b {
			n++
		}
	}
	return n
}

// bodies are those that at least so many endpoints have.
func (w *writer) bodies(least int) []*body {
	var out []*body
	for _, e := range w.endpoints {
		if w.uses(e.body) >= least && !slices.Contains(out, e.body) {
			out = append(out, e.body)
		}
	}
	return out
}

// bodyName names a response after the first endpoint that has it.
func (w *writer) bodyName(b *body) string {
	i := slices.IndexFunc(w.endpoints, func(e *imported) bool { return e.body == b })
	return "_" + w.endpoints[i].id + "_response"
}

// response writes a response.
func (w *writer) response(b *body) string {
	var entries strings.Builder
	for _, r := range b.rules {
		for _, java := range r.java {
			fmt.Fprintf(&entries, "# In Java: %s\n", strings.Join(strings.Fields(java), " "))
		}
		fmt.Fprintf(&entries, "%s,\n", w.rule(r))
	}
	base := cmp.Or(w.shared[b.base], b.base)
	if entries.Len() == 0 {
		return "shape.rules(" + base + ", [])"
	}
	return "shape.rules(" + base + ", [\n" + entries.String() + "])"
}

func (w *writer) rule(r rule) string {
	at, do := rego(r.paths), r.do
	members := []string{`"at": ` + cmp.Or(w.shared[at], at), `"do": ` + cmp.Or(w.shared[do], do)}
	if r.when != "" {
		members = append(members, `"when": `+quote(r.when))
	}
	if line := strings.Join(members, ", "); !strings.Contains(line, "\n") {
		return "{" + line + "}"
	}
	return object(members)
}

// share names the lists and the operations that several rules have in common.
func (w *writer) share() {
	count := map[string]int{}
	for _, b := range w.bodies(1) {
		count[b.base]++
		for _, r := range b.rules {
			count[rego(r.paths)]++
			count[r.do]++
		}
	}
	w.shared = map[string]string{}
	taken := map[string]int{}
	name := func(text, what string, worth bool) {
		if !worth || count[text] < 2 || w.shared[text] != "" {
			return
		}
		taken[what]++
		w.shared[text] = "_" + what
		if n := taken[what]; n > 1 {
			w.shared[text] = fmt.Sprintf("_%s_%d", what, n)
		}
	}
	for _, b := range w.bodies(1) {
		name(b.base, "anything", b.open)
		for _, r := range b.rules {
			name(rego(r.paths), r.what, len(r.paths) > 1)
			name(r.do, r.what+"_operation", len(r.do) > 40)
		}
	}
}

// sharedRules writes what share has named, in the order of the names.
func (w *writer) sharedRules() {
	byName := map[string]string{}
	var names []string
	for text, name := range w.shared {
		byName[name] = text
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.line("%s := %s\n", name, byName[name])
	}
}
