package connectors_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// schema is what is documented of Graph: ../shared/graph/graph-schema.json.
type schema struct {
	Types   map[string]graphType `json:"types"`
	Derived map[string][]string  `json:"derived"`
}

type graphType struct {
	Base       string              `json:"base"`
	Only       string              `json:"only"`
	Properties map[string]property `json:"properties"`
	Navigation map[string]property `json:"navigation"`
	Observed   map[string]string   `json:"observedExtra"`
}

// property is a scalar with a class of personal data, or refers to a type.
type property struct {
	Ref        string `json:"ref"`
	Collection bool   `json:"collection"`
	Only       string `json:"only"`
	PII        string `json:"pii"`
	// Observed is set where the property is not declared but was seen; whether
	// it is a collection is then not known.
	Observed bool `json:"-"`
	// Owner is the type that declares the property, without its namespace.
	Owner string `json:"-"`
}

const namespace = "microsoft.graph."

func readSchema(t *testing.T) *schema {
	t.Helper()
	var s schema
	decode(t, readShared(t, "graph/graph-schema.json"), &s)
	if len(s.Types) == 0 {
		t.Fatal("the schema has no type")
	}
	return &s
}

// kinds returns a type and all types derived from it, as far as v1.0 has them.
func (s *schema) kinds(name string) []string {
	if t, ok := s.Types[name]; !ok || t.Only == "beta" {
		return nil
	}
	all := []string{name}
	for _, derived := range s.Derived[name] {
		all = append(all, s.kinds(derived)...)
	}
	return all
}

// properties returns the v1.0 properties of a type and of its base types:
// structural ones, and apart from them the relations.
func (s *schema) properties(name string) (structural, relations map[string]property) {
	structural, relations = map[string]property{}, map[string]property{}
	for ; name != ""; name = s.Types[name].Base {
		add := func(to, from map[string]property) {
			for member, p := range from {
				if p.Owner = strings.TrimPrefix(name, namespace); p.Only != "beta" {
					to[member] = p
				}
			}
		}
		add(structural, s.Types[name].Properties)
		add(relations, s.Types[name].Navigation)
		for member, class := range s.Types[name].Observed {
			// A name with a placeholder cannot be named in a closed shape.
			if !strings.Contains(member, "<") {
				add(structural, map[string]property{member: {PII: class, Observed: true}})
			}
		}
	}
	return structural, relations
}

// An operation is an object with the key "$op"; anything else in a shape is an
// object shape or an array shape.
func operation(shape any) string {
	object, _ := shape.(map[string]any)
	name, _ := object["$op"].(string)
	return name
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
