package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPolicyDiff compares two versions of a small policy, and the shipped one with
// itself in other words.
func TestPolicyDiff(t *testing.T) {
	const rego = `# METADATA
# title: Test
# description: A connector for tests.
package graphveil.connectors.test

import data.graphveil.shape

permissions := {"User.Read.All"}

item := {"id": shape.keep, "name": shape.drop, "mail": shape.email, "note": shape.phrases(["Focus Time"])}

endpoints["items"] := {
	"methods": {"GET"},
	"path": "/v1.0/items",
	"query": {"$top": {"max": 100}},
	"response": {"value": [item]},
}

endpoints["old"] := {
	"methods": {"GET"},
	"path": "/v1.0/old",
	"response": {"id": shape.keep},
}

endpoints["same"] := {
	"methods": {"GET"},
	"path": "/v1.0/same",
	"response": {"id": shape.keep},
}

endpoints["phrases"] := {
	"methods": {"GET"},
	"path": "/v1.0/phrases",
	"response": {"note": item.note},
}
`
	folder := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+"/test.rego", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	before := folder("before", rego)
	after := folder("after", strings.NewReplacer(
		`"name": shape.drop`, `"name": shape.keep`, `"max": 100`, `"max": 50`, "/v1.0/old", "/v1.0/new", `"Focus Time"`, `"Out of office"`, "for tests", "for other tests",
	).Replace(rego))
	const want = `test.items
  - query $top at most 100
  - response /value/*/name dropped
  + query $top at most 50
  + response /value/*/name kept

test.old
  - GET /v1.0/old
  + GET /v1.0/new

test.phrases
  ~ response: patterns, phrases or the like, which are not shown here

3 of 4 endpoints differ, policy R before, R after
`
	stdout, stderr, exit := command(t, "", "policy", "diff", before, after)
	if got := regexp.MustCompile(`policy \w+ before, \w+ after`).ReplaceAllString(stdout, "policy R before, R after"); exit != 0 || got != want {
		t.Errorf("exit %d\n%s%s", exit, got, stderr)
	}
	if stdout, stderr, exit := command(t, "", "policy", "diff", "builtin", "builtin"); exit != 0 || !strings.HasPrefix(stdout, "0 of ") {
		t.Errorf("builtin and itself: exit %d\n%s%s", exit, stdout, stderr)
	}
	if stdout, _, exit := command(t, "", "policy", "diff", "builtin", "builtin,"+before); exit != 0 || !strings.Contains(stdout, "test.old\n  + GET /v1.0/old\n") || strings.Contains(stdout, "  - ") {
		t.Errorf("something added: exit %d\n%s", exit, stdout)
	}
	if _, stderr, exit := command(t, "", "policy", "diff", "builtin", before+"/none"); exit != exitFailed || !strings.Contains(stderr, "none") {
		t.Errorf("no such folder: exit %d, %s", exit, stderr)
	}
}
