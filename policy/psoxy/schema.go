package psoxy

import (
	"fmt"
	"slices"
	"strings"
)

// shapes makes shapes of response schemas (psoxy-compat section 2.3).
type shapes struct {
	*importer
	definitions map[string]*node
	// used are the definitions that shapes name, in the order in which they must
	// be read; shape holds the Rego of each.
	used  []string
	shape map[string]string
	// inside are the definitions that the shape being made is inside of.
	inside []string
}

var schemaTypes = []string{"string", "integer", "number", "boolean", "null"}

// of makes the shape of a schema. links are the members that are page links, for
// the schema of a whole body.
func (s *shapes) of(n *node, links []string) string {
	if !s.keys(n, "a response schema", "$ref", "type", "properties", "items", "format", "title", "required", "additionalProperties", "$schema",
		"anyOf", "if", "then", "else", "const") {
		return "shape.refuse"
	}
	for _, key := range []string{"anyOf", "if", "then", "else", "const"} {
		if v := n.get(key); v != nil {
			s.refuse(v.line, "%s in a response schema cannot be imported: what it keeps is not specified", key)
		}
	}
	if ref := s.word(n, "$ref"); ref != nil {
		return s.reference(*ref, links)
	}
	w := s.word(n, "type")
	switch {
	case w == nil:
		return `shape.typed("scalar")`
	case w.text == "object":
		return s.objectOf(n, links)
	case w.text == "array":
		items := n.value("items")
		if items == nil {
			return "[shape.refuse]"
		}
		return "[" + s.of(items, nil) + "]"
	case slices.Contains(schemaTypes, w.text):
		return fmt.Sprintf("shape.typed(%s)", quote(w.text))
	}
	s.refuse(w.line, "there is no type %q in a response schema", w.text)
	return ""
}

func (s *shapes) objectOf(n *node, links []string) string {
	p := n.value("properties")
	if p == nil {
		return "{}"
	}
	if p.kind != mapping {
		s.refuse(p.line, "properties must be a mapping, not %s", kindNames[p.kind])
		return ""
	}
	var members []string
	for i, k := range p.keys {
		shape := s.of(p.items[i], nil)
		if slices.Contains(links, k.text) {
			shape = "shape.link"
		}
		if strings.HasPrefix(k.text, "$") {
			s.refuse(k.line, "the property %q cannot be imported: names with $ are operations in a shape", k.text)
		}
		members = append(members, quote(k.text)+": "+shape)
	}
	return object(members)
}

// object is an object of members that are Rego already.
func object(members []string) string {
	const wide = 80
	if len(members) == 0 {
		return "{}"
	}
	if len(members) == 1 && len(members[0]) <= wide && !strings.Contains(members[0], "\n") {
		return "{" + members[0] + "}"
	}
	return "{\n" + strings.Join(members, ",\n") + ",\n}"
}

// reference follows #/definitions/NAME. The reference # alone is to what holds the
// definitions, a schema without a type.
func (s *shapes) reference(ref word, links []string) string {
	if ref.text == "#" {
		s.warn(ref.line, "the reference # is to the definitions, not to the schema that it stands in: it keeps scalars of any type")
		return `shape.typed("scalar")`
	}
	name, ok := strings.CutPrefix(ref.text, "#/definitions/")
	if !ok || strings.Contains(name, "/") {
		s.refuse(ref.line, "the reference %q cannot be imported; references are #/definitions/NAME", ref.text)
		return ""
	}
	definition := s.definitions[name]
	if definition == nil {
		s.warn(ref.line, "there is no definition %s; a body that has a value here is refused, as Psoxy refuses it", name)
		return "shape.refuse"
	}
	if slices.Contains(s.inside, name) {
		s.refuse(ref.line, "the definition %s leads back to itself, which a shape cannot", name)
		return ""
	}
	if len(links) > 0 { // a body of its own, with links in it
		s.inside = append(s.inside, name)
		defer func() { s.inside = s.inside[:len(s.inside)-1] }()
		return s.of(definition, links)
	}
	if other := slices.IndexFunc(s.used, func(o string) bool { return o != name && snake(o) == snake(name) }); other >= 0 {
		s.refuse(ref.line, "the definitions %s and %s would have the same name in Rego", s.used[other], name)
		return ""
	}
	if _, ok := s.shape[name]; !ok {
		s.inside = append(s.inside, name)
		shape := s.of(definition, nil)
		s.inside = s.inside[:len(s.inside)-1]
		s.shape[name] = shape
		s.used = append(s.used, name)
	}
	return "_" + snake(name)
}

// snake is a name in snake case, as a name in Rego.
func snake(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case 'A' <= r && r <= 'Z':
			if lower {
				b.WriteByte('_')
			}
			b.WriteRune(r | 0x20)
			lower = false
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			b.WriteRune(r)
			lower = true
		default:
			if s := b.String(); s != "" && !strings.HasSuffix(s, "_") {
				b.WriteByte('_')
			}
			lower = false
		}
	}
	return strings.Trim(b.String(), "_")
}
