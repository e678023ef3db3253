package psoxy

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed leaks.yaml
var leaksText []byte

// leak is an entry of leaks.yaml.
type leak struct {
	Ends   []string `yaml:"ends"`
	Fields []string `yaml:"fields"`
}

// readLeaks reads leaks.yaml, which belongs to the program: it is right or a test
// fails.
func readLeaks() []leak {
	var all []leak
	if err := yaml.UnmarshalWithOptions(leaksText, &all, yaml.Strict()); err != nil {
		panic("psoxy: leaks.yaml: " + err.Error())
	}
	return all
}

// warnOfRules warns of what is unsafe in rules and was imported as it is.
func (c *importer) warnOfRules(r *rules, endpoints []*imported) {
	leaks := readLeaks()
	for _, i := range endpoints {
		e := i.source
		if i.body.open {
			c.warn(e.line, "no responseSchema: whatever the rules do not name, also what the API adds tomorrow, gets out as it is, also links below the root, which lead past the sidecar")
		}
		c.warnOfTransforms(e)
		var clear []string
		for _, l := range leaks {
			if !slices.ContainsFunc(l.Ends, i.path.endsWith) {
				continue
			}
			for _, field := range l.Fields {
				if at := i.path.place(field); !hides(i.body.rules, at) && (e.schema == nil || c.keeps(r, e.schema, at, 0)) {
					clear = append(clear, field)
				}
			}
		}
		if len(clear) > 0 {
			c.warn(e.line, "%s: left in clear are, where the API returns them: %s", i.path.kind(), strings.Join(clear, ", "))
		}
	}
}

// warnOfTransforms warns of transforms that leak or fail by design.
func (c *importer) warnOfTransforms(e *endpoint) {
	for _, t := range e.transforms {
		if t.when != "" || slices.ContainsFunc(t.paths, jsonPath.needsAll) {
			c.warn(t.line, "what it does may be known at the end of a body only, so it must be held: a body of more than 4 MiB is refused")
		}
		switch t.method {
		case "tokenize":
			if t.node.value("regex") != nil && slices.ContainsFunc(t.paths, func(p jsonPath) bool { return !p.onlyLinks() }) {
				c.warn(t.line, "tokenize with a regex leaves a value in clear that it does not match")
			}
		case "pseudonymize", "pseudonymizeRegexMatches", "pseudonymizeEmailHeader":
			c.warn(e.line, "one value of an unexpected type under a pseudonymized path refuses the whole body, as in Psoxy")
		}
	}
}

// kind names what a path returns, by its last literal.
func (t template) kind() string {
	for _, s := range slices.Backward(t.segments) {
		if s.param == "" {
			return s.literal
		}
	}
	return t.String()
}

// onlyLinks tells whether a path names page links of the root and nothing else.
func (p jsonPath) onlyLinks() bool {
	names := p.root()
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !isLink(name) })
}

// needsAll tells whether the path finds members of any object only if it has all of
// several.
func (p jsonPath) needsAll() bool {
	return slices.ContainsFunc(p.steps, func(s pathStep) bool { return s.scan && len(s.names) > 1 })
}

// endsWith tells whether the path ends with segments of leaks.yaml.
func (t template) endsWith(end string) bool {
	want := strings.Split(end, "/")
	if len(want) > len(t.segments) {
		return false
	}
	for i, s := range t.segments[len(t.segments)-len(want):] {
		if s.param != "" && want[i] != "{}" || s.param == "" && want[i] != strings.TrimSuffix(strings.ToLower(s.literal), "()") {
			return false
		}
	}
	return true
}

// place is where a field of an entity stands in a response: names, and * for an
// element. What does not end with a parameter returns a page.
func (t template) place(field string) []string {
	var at []string
	if t.segments[len(t.segments)-1].param == "" {
		at = []string{"value", "*"}
	}
	for name := range strings.SplitSeq(field, ".") {
		name, element := strings.CutSuffix(name, "[*]")
		at = append(at, name)
		if element {
			at = append(at, "*")
		}
	}
	return at
}

// hides tells whether some rule changes or removes what is there, in every body.
func hides(rules []rule, at []string) bool {
	for _, r := range rules {
		if r.when != "" || strings.HasPrefix(r.do, "shape.digest") || strings.HasPrefix(r.do, "shape.tokenize_match") {
			continue
		}
		for _, text := range r.paths {
			p, err := parsePath(text)
			if err != nil {
				continue
			}
			for n := 1; n <= len(at); n++ {
				if (n == len(at) || r.do == "shape.drop") && finds(p.steps, at[:n]) {
					return true
				}
			}
		}
	}
	return false
}

// finds tells whether a path always finds a place; what passes a filter is not
// known, so a path with one does not.
func finds(steps []pathStep, at []string) bool {
	if len(steps) == 0 {
		return len(at) == 0
	}
	if len(at) == 0 || steps[0].filter != nil {
		return false
	}
	s := steps[0]
	if (s.names == nil || slices.Contains(s.names, at[0]) && (!s.scan || len(s.names) == 1)) && finds(steps[1:], at[1:]) {
		return true
	}
	return s.scan && finds(steps, at[1:])
}

// keeps tells whether a response schema keeps what is there.
func (c *importer) keeps(r *rules, schema *node, at []string, depth int) bool {
	const deep = 32
	if schema == nil || depth > deep {
		return false
	}
	if ref := schema.get("$ref"); ref != nil {
		return c.keeps(r, r.definitions[strings.TrimPrefix(ref.text, "#/definitions/")], at, depth+1)
	}
	switch {
	case len(at) == 0:
		return schema.get("properties") == nil && schema.get("items") == nil
	case at[0] == "*":
		return c.keeps(r, schema.get("items"), at[1:], depth+1)
	}
	properties := schema.get("properties")
	return properties != nil && c.keeps(r, properties.get(at[0]), at[1:], depth+1)
}
