package connectors_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// schema is what is documented of Graph: ../shared/graph/graph-schema.json.
type schema struct {
	Endpoints []documentedEndpoint
	Types     map[string]graphType
	Derived   map[string][]string
	// names are those of all properties and relations of all types.
	names map[string]bool
}

type documentedEndpoint struct {
	Template     string
	Aliases      []string
	ResponseType string
	Collection   bool
	ItemTypes    []string
	// ApplicationPermissions are those of which any one is enough, the least
	// first.
	ApplicationPermissions []string
}

type graphType struct {
	Base       string
	Only       string
	Properties map[string]property
	Navigation map[string]property
	// ObservedExtra are properties that were seen and are not declared, with
	// their classes.
	ObservedExtra map[string]string
}

// property is a scalar with a class of personal data, or refers to a type.
type property struct {
	Ref        string
	Collection bool
	Only       string
	PII        string
	// observed is set where the property is not declared but was seen; whether it
	// is a collection or an object is then not known.
	observed bool
	relation bool
	// owner is the type that declares the property, without its namespace.
	owner string
}

const namespace = "microsoft.graph."

func readSchema(t *testing.T) *schema {
	t.Helper()
	var s schema
	decode(t, readShared(t, "graph/graph-schema.json"), &s)
	if len(s.Types) == 0 || len(s.Endpoints) == 0 {
		t.Fatalf("the schema has %d types and %d endpoints", len(s.Types), len(s.Endpoints))
	}
	s.names = map[string]bool{}
	for member := range s.members(sorted(s.Types)) {
		s.names[member] = true
	}
	return &s
}

// endpoint finds the documented endpoint of a path, which begins with a version:
// of those that match the one with the fewest parameters. Where the schema has a
// parameter, the policy may have a literal. Any collection has a $count, a number.
func (s *schema) endpoint(path string) (found documentedEndpoint, ok bool) {
	if collection, isCount := strings.CutSuffix(path, "/$count"); isCount {
		found, ok = s.endpoint(collection)
		found.ResponseType = ""
		return found, ok && found.Collection
	}
	_, path, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	ours := strings.Split(path, "/")
	fewest := len(ours) + 1
	for _, e := range s.Endpoints {
		for _, template := range append([]string{e.Template}, e.Aliases...) {
			theirs := strings.Split(strings.TrimPrefix(template, "/"), "/")
			if n := strings.Count(template, "/{"); n < fewest && slices.EqualFunc(theirs, ours, sameSegment) {
				found, ok, fewest = e, true, n
			}
		}
	}
	return found, ok
}

func sameSegment(theirs, ours string) bool {
	theirs, _, _ = strings.Cut(theirs, "(")
	ours, _, _ = strings.Cut(ours, "(")
	return strings.HasPrefix(theirs, "{") || strings.EqualFold(theirs, ours)
}

// kinds returns a type and all types derived from it, in any version.
func (s *schema) kinds(name string) []string {
	all := []string{name}
	for _, derived := range s.Derived[name] {
		all = append(all, s.kinds(derived)...)
	}
	return all
}

// isA tells whether a type is, or derives from, another.
func (s *schema) isA(name, base string) bool {
	for ; name != ""; name = s.Types[name].Base {
		if name == base {
			return true
		}
	}
	return false
}

// members returns the properties and relations of types and of their base types,
// in any version, each once for every type that declares it.
func (s *schema) members(types []string) map[string][]property {
	all := map[string][]property{}
	add := func(owner, member string, p property) {
		p.owner = strings.TrimPrefix(owner, namespace)
		if !slices.ContainsFunc(all[member], func(other property) bool { return other.owner == p.owner }) {
			all[member] = append(all[member], p)
		}
	}
	for _, name := range types {
		for ; name != ""; name = s.Types[name].Base {
			t := s.Types[name]
			for member, p := range t.Properties {
				add(name, member, p.in(t))
			}
			for member, p := range t.Navigation {
				p.relation = true
				add(name, member, p.in(t))
			}
			for member, class := range t.ObservedExtra {
				// A name with a placeholder cannot be named in a closed shape.
				if !strings.Contains(member, "<") {
					add(name, member, property{PII: class, observed: true}.in(t))
				}
			}
		}
	}
	return all
}

// in is the property with the version of its type, if only one version has that.
func (p property) in(t graphType) property {
	if t.Only != "" {
		p.Only = t.Only
	}
	return p
}

// An operation is an object with the key "$op"; anything else in a shape is an
// object shape or an array shape.
func operation(shape any) string {
	object, _ := shape.(map[string]any)
	name, _ := object["$op"].(string)
	return name
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
