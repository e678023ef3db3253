package policy_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

const twoConnectors = `-- one.rego --
# METADATA
# title: One
# description: A connector whose endpoints say what they need.
package graphveil.connectors.one

import data.graphveil.options
import data.graphveil.shape

permissions contains permission if some permission in {"A.Read.All", "B.Read.All", "D.Read.All"}

permissions contains "C.Read.All" if options.groups == "on"

setup contains "exchange_rbac"

setup contains "teams_protected_apis" if options.groups == "on"

endpoints["a"] := {"methods": {"GET"}, "path": "/a", "permissions": {"A.Read.All"}, "response": {"id": shape.keep}}

endpoints["ba"] := {"methods": {"GET"}, "path": "/ba", "permissions": {"B.Read.All", "A.Read.All"}, "response": {"id": shape.keep}}

endpoints["c"] := {
	"enabled": options.groups == "on",
	"methods": {"GET"},
	"path": "/c",
	"permissions": {"C.Read.All"},
	"response": {"id": shape.keep},
}
-- two.rego --
# METADATA
# title: Two
# description: A connector of which an endpoint does not say.
package graphveil.connectors.two

import data.graphveil.shape

permissions := {"B.Read.All", "A.Read.All"}

endpoints["a"] := {"methods": {"GET"}, "path": "/two/a", "permissions": {"A.Read.All"}, "response": {"id": shape.keep}}

endpoints["unsaid"] := {"methods": {"GET"}, "path": "/two/unsaid", "response": {"id": shape.keep}}
`

// TestPermissionsOfEndpoints: each has its own, one that does not say all of its
// connector's; a connector needs what its endpoints need that are on.
func TestPermissionsOfEndpoints(t *testing.T) {
	for _, test := range []struct {
		groups           string
		endpoints, needs map[string]string
		setupOne         string
	}{
		{
			groups:    "on",
			endpoints: map[string]string{"one.a": "A.Read.All", "one.ba": "A.Read.All B.Read.All", "one.c": "C.Read.All", "two.a": "A.Read.All", "two.unsaid": "A.Read.All B.Read.All"},
			needs:     map[string]string{"one": "A.Read.All B.Read.All C.Read.All", "two": "A.Read.All B.Read.All"},
			setupOne:  "exchange_rbac teams_protected_apis",
		},
		{
			groups:    "off",
			endpoints: map[string]string{"one.a": "A.Read.All", "one.ba": "A.Read.All B.Read.All", "two.a": "A.Read.All", "two.unsaid": "A.Read.All B.Read.All"},
			needs:     map[string]string{"one": "A.Read.All B.Read.All", "two": "A.Read.All B.Read.All"},
			setupOne:  "exchange_rbac",
		},
	} {
		t.Run("groups "+test.groups, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, twoConnectors)
			s, err := policy.Load(t.Context(), policy.Config{Paths: []string{folder}, Settings: map[string]string{"groups": test.groups}})
			if err != nil {
				t.Fatal(err)
			}
			endpoints, needs, setup := map[string]string{}, map[string]string{}, map[string]string{}
			for _, e := range s.Endpoints() {
				endpoints[e.Connector+"."+e.ID] = strings.Join(e.Permissions, " ")
			}
			for _, c := range s.Connectors() {
				needs[c.Name], setup[c.Name] = strings.Join(c.Permissions, " "), strings.Join(c.Setup, " ")
			}
			if !maps.Equal(endpoints, test.endpoints) {
				t.Errorf("endpoints need %v, want %v", endpoints, test.endpoints)
			}
			if !maps.Equal(needs, test.needs) {
				t.Errorf("connectors need %v, want %v", needs, test.needs)
			}
			if want := map[string]string{"one": test.setupOne, "two": ""}; !maps.Equal(setup, want) {
				t.Errorf("setup %v, want %v", setup, want)
			}
		})
	}
}

func TestSetupWordsAreSorted(t *testing.T) {
	if words := policy.SetupWords(); len(words) == 0 || !slices.IsSorted(words) {
		t.Errorf("setup words %v", words)
	}
}
