package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// graphSchema is what is documented of Graph: types, and endpoints with the
// types they answer with.
type graphSchema struct {
	Endpoints []struct {
		Template     string
		Aliases      []string
		Versions     []string
		ResponseType string
		Collection   bool
		ItemTypes    []string
		Body         string
	}
	Types   map[string]schemaType
	Enums   map[string][]string
	Derived map[string][]string
}

type schemaType struct {
	Base          string
	Only          string
	Properties    map[string]schemaProperty
	Navigation    map[string]schemaProperty
	ObservedExtra map[string]string
}

type schemaProperty struct {
	Type, Ref, Enum, PII, Form, Only string
	Collection                       bool
	// owner is the type that declares the property.
	owner string
}

func readGraphSchema(t *testing.T) *graphSchema {
	t.Helper()
	var s graphSchema
	if err := json.Unmarshal(readShared(t, "graph/graph-schema.json"), &s); err != nil || len(s.Types) == 0 {
		t.Fatalf("%d types, %v", len(s.Types), err)
	}
	return &s
}

// kinds are a type and all that derive from it.
func (s *graphSchema) kinds(name string) []string {
	all := []string{name}
	for _, derived := range s.Derived[name] {
		all = append(all, s.kinds(derived)...)
	}
	return all
}

// members are the properties of a type and its bases, relations apart; all
// versions', since a closed shape must stand both.
func (s *graphSchema) members(name string) (structural, relations map[string]schemaProperty) {
	structural, relations = map[string]schemaProperty{}, map[string]schemaProperty{}
	for ; name != ""; name = s.Types[name].Base {
		add := func(to map[string]schemaProperty, member string, p schemaProperty) {
			p.owner = name
			if _, nearer := to[member]; !nearer {
				to[member] = p
			}
		}
		for member, p := range s.Types[name].Properties {
			add(structural, member, p)
		}
		for member, p := range s.Types[name].Navigation {
			add(relations, member, p)
		}
		for member, class := range s.Types[name].ObservedExtra {
			member = strings.NewReplacer("<32hex>", strings.Repeat("0a", 16), "<name>", "badge").Replace(member)
			add(structural, member, schemaProperty{Type: "Edm.String", PII: class, Form: "text"})
		}
	}
	return structural, relations
}

// responses are the types that a body of the endpoint may have, derived ones too,
// and whether they come in a page. It fails if the schema does not know the path.
func (s *graphSchema) responses(t *testing.T, e policy.EndpointInfo) (types []string, page bool) {
	t.Helper()
	fewest := len(e.Path) // parameters: /users/delta is no user
	for _, known := range s.Endpoints {
		for _, template := range append([]string{known.Template}, known.Aliases...) {
			if n := strings.Count(template, "/{"); known.ResponseType != "" && n < fewest && samePath(template, e.Path) {
				fewest, types, page = n, known.ItemTypes, known.Collection
				if len(types) == 0 {
					types = s.kinds(known.ResponseType)
				}
			}
		}
	}
	if len(types) == 0 {
		t.Fatalf("%s.%s: the schema does not know %s", e.Connector, e.ID, e.Path)
	}
	return types, page
}

// mostKinds is how many kinds of values a property of a type may have.
func (s *graphSchema) mostKinds(name string) int {
	most := 1
	structural, _ := s.members(name)
	for _, p := range structural {
		if p.Ref != "" && !p.Collection {
			most = max(most, len(s.kinds(p.Ref)))
		}
	}
	return most
}

// samePath compares a template of the schema, which has no version, with one of
// the policy. Where the schema has a parameter, the policy may have a literal.
func samePath(schema, ours string) bool {
	_, ours, _ = strings.Cut(strings.TrimPrefix(ours, "/"), "/")
	theirs, mine := strings.Split(strings.TrimPrefix(schema, "/"), "/"), strings.Split(ours, "/")
	if len(theirs) != len(mine) {
		return false
	}
	for i := range theirs {
		their, _, _ := strings.Cut(theirs[i], "(")
		my, _, _ := strings.Cut(mine[i], "(")
		if strings.HasPrefix(their, "{") && !strings.Contains(mine[i], "(") {
			continue
		}
		if !strings.EqualFold(their, my) {
			return false
		}
	}
	return true
}
