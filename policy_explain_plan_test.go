package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/plan"
)

// What explain lists of a response, one position a line.
func TestWritePlan(t *testing.T) {
	const head = "# METADATA\n# title: T\n# description: T.\npackage graphveil.connectors.t\n\nimport data.graphveil.shape\n\npermissions := {\"User.Read.All\"}\n\n"
	for shape, want := range map[string][]string{
		`{"a": shape.keep, "b": [{"c": shape.email}], "d": shape.drop}`: {`/a kept`, `/b/*/c pseudonym`, `/d dropped`},
		`{"a": shape.steps([shape.without(["x"]), shape.tokenize]), "b": shape.digest(shape.drop)}`: {
			`/a without what matches, then reversible token`, `/b dropped, a digest beside it`,
		},
		`shape.select("k", {"x": {"a": shape.keep}}, shape.drop)`:      {`if k is "x":`, `/a kept`, `otherwise:`, `dropped`},
		`shape.open({"a": shape.hash}, shape.keep)`:                    {`/a hash`, `/* kept`},
		`shape.rules(shape.any, [{"at": ["$..a"], "do": shape.drop}])`: {`kept, whatever it is`, `/**/a dropped`, `/** kept, whatever it is`},
		`shape.rules(shape.any, [{"at": ["$..['a','b']"], "do": shape.drop, "when": "$.x"}])`: {
			`if a rule's condition holds:`, `if it has a, b:`, `kept, whatever it is`, `/**/a dropped`, `/**/b dropped`, `/** if it has a, b:`,
			`/** kept, whatever it is`, `/** otherwise:`, `/** kept, whatever it is`, `otherwise:`, `kept, whatever it is`, `otherwise:`, `kept, whatever it is`, `/** kept, whatever it is`,
		},
	} {
		folder := t.TempDir()
		rego := head + `endpoints["a"] := {"methods": {"GET"}, "path": "/v1.0/a", "response": ` + shape + "}\n"
		if err := os.WriteFile(filepath.Join(folder, "t.rego"), []byte(rego), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := policy.Load(t.Context(), policy.Config{Paths: []string{folder}})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		writePlan(&out, s.Endpoints()[0].Plan)
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", shape, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for do := plan.StepRefuse; do <= plan.StepDropNull; do++ {
		if stepNames[do] == "" {
			t.Errorf("step %d has no name", do)
		}
	}
}
