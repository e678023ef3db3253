package graph

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// property is one structural property of a type: its name and how to append its value for a record.
type property[T any] struct {
	name  string
	write func(v *T, b []byte) []byte
}

// table is a type: its properties, and which of them an answer has without $select (the first so many).
type table[T any] struct {
	name       string // as error messages name the type
	properties selection[T]
	standard   int
	byName     map[string]int // lower case
}

func newTable[T any](name string, standard, optional []property[T]) *table[T] {
	t := &table[T]{name: name, properties: append(standard, optional...), standard: len(standard), byName: map[string]int{}}
	for i, p := range t.properties {
		t.byName[strings.ToLower(p.name)] = i
	}
	return t
}

// selection is the properties of an answer, in order.
type selection[T any] []property[T]

// choose applies $select; without one it is the standard set.
func (t *table[T]) choose(fields []string) (selection[T], *problem) {
	if len(fields) == 0 {
		return t.properties[:t.standard], nil
	}
	var chosen selection[T]
	seen := map[int]bool{}
	for _, field := range fields {
		if field == "*" {
			return t.properties[:t.standard], nil
		}
		i, ok := t.byName[strings.ToLower(field)]
		if !ok {
			return nil, &problem{status: http.StatusBadRequest, code: "BadRequest",
				message: fmt.Sprintf("Parsing OData Select and Expand failed: Could not find a property named '%s' on type '%s'.", field, t.name)}
		}
		if !seen[i] {
			chosen = append(chosen, t.properties[i])
		}
		seen[i] = true
	}
	return chosen, nil
}

func (s selection[T]) has(name string) bool {
	return slices.ContainsFunc(s, func(p property[T]) bool { return p.name == name })
}

// mask replaces the properties that are not in open by null, or by an empty list.
func (s selection[T]) mask(open []string) (masked selection[T], hidden bool) {
	for _, p := range s {
		if !slices.Contains(open, p.name) {
			hidden = true
			p.write = raw[T](`null`)
			if p.name == "businessPhones" {
				p.write = raw[T](`[]`)
			}
		}
		masked = append(masked, p)
	}
	return masked, hidden
}

// without leaves properties out.
func (s selection[T]) without(names []string) (kept selection[T]) {
	for _, p := range s {
		if !slices.Contains(names, p.name) {
			kept = append(kept, p)
		}
	}
	return kept
}

// append writes the members of an object, without braces.
func (s selection[T]) append(b []byte, v *T) []byte {
	for i := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, s[i].name...)
		b = append(b, '"', ':')
		b = s[i].write(v, b)
	}
	return b
}

// contextFields is what $select adds to a context: "(id,mail)" or nothing.
func contextFields(q *query) string {
	if len(q.fields) == 0 {
		return ""
	}
	return "(" + strings.Join(q.fields, ",") + ")"
}
