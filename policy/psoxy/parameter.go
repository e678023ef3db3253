package psoxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// parameter is what a parameter schema asks for: all of it.
type parameter struct {
	token   bool
	values  []string // of an enum; nil for none
	pattern string   // RE2; "" for none
}

// rule is the parameter in Rego, keep if anything goes.
func (p parameter) rule() string {
	switch {
	case p.token:
		return "shape.reversible"
	case p.pattern != "":
		return fmt.Sprintf(`{"pattern": %s}`, raw(p.pattern))
	}
	return "shape.keep"
}

// parameterSchema reads a parameter schema (psoxy-compat section 1.1).
func (c *importer) parameterSchema(n *node, extra ...string) parameter {
	var p parameter
	if !c.keys(n, "a parameter schema", append(extra, "type", "format", "enum", "pattern", "anyOf")...) {
		return p
	}
	var patterns []string
	if t := c.word(n, "type"); t != nil {
		switch t.text {
		case "integer":
			patterns = append(patterns, `\s*[0-9]+\s*`)
		case "number":
			patterns = append(patterns, `[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?`)
		}
	}
	if f := c.word(n, "format"); f != nil {
		if p.token = f.text == "reversible-pseudonym" || f.text == "pseudonym"; !p.token {
			c.refuse(f.line, "there is no format %q; Psoxy knows reversible-pseudonym and pseudonym", f.text)
		}
	}
	if n.value("enum") != nil {
		p.values = append([]string{}, c.words(n, "enum").texts()...)
	}
	if w := c.word(n, "pattern"); w != nil {
		if pattern, err := translate(w.text, whole); err != nil {
			c.refuse(w.line, "the pattern %q: %v", w.text, err)
		} else {
			patterns = append(patterns, pattern)
		}
	}
	if any := c.anyOf(n); any != nil {
		switch {
		case any.token && len(patterns) == 0 && p.values == nil:
			p.token = true
		case any.token:
			c.refuse(n.line, "a token cannot have another form too")
		default:
			patterns = append(patterns, any.pattern)
		}
	}
	return c.combine(n, p, patterns)
}

// anyOf reads alternatives, all of them patterns or all of them tokens.
func (c *importer) anyOf(n *node) *parameter {
	items := c.list(n, "anyOf")
	if len(items) == 0 {
		return nil
	}
	var alternatives []string
	tokens := 0
	for _, item := range items {
		p := c.parameterSchema(item)
		switch {
		case p.token:
			tokens++
		case p.pattern != "":
			alternatives = append(alternatives, p.pattern)
		default:
			return nil // one that takes anything
		}
	}
	if tokens > 0 && len(alternatives) > 0 {
		c.refuse(items[0].line, "anyOf mixes tokens with other values; a parameter takes either")
	}
	return &parameter{token: tokens > 0, pattern: "(?:" + strings.Join(alternatives, ")|(?:") + ")"}
}

// combine puts together what must hold at once, as far as one pattern can say it.
func (c *importer) combine(n *node, p parameter, patterns []string) parameter {
	if p.token {
		if len(patterns) > 0 || p.values != nil {
			c.refuse(n.line, "a token cannot have another form too")
		}
		return p
	}
	if p.values != nil {
		p.values = slices.DeleteFunc(p.values, func(v string) bool {
			return slices.ContainsFunc(patterns, func(pattern string) bool {
				return !regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(v)
			})
		})
		if len(p.values) == 0 {
			c.refuse(n.line, "the enum has no value that the rest of the schema allows")
		}
		quoted := make([]string, len(p.values))
		for i, v := range p.values {
			quoted[i] = regexp.QuoteMeta(v)
		}
		patterns = []string{strings.Join(quoted, "|")}
	}
	switch len(patterns) {
	case 0:
	case 1:
		p.pattern = patterns[0]
	default:
		c.refuse(n.line, "several conditions that must hold at once; write one pattern that says them all")
	}
	return p
}
