package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

func TestBuiltinIsGoodStyle(t *testing.T) {
	if err := policy.Check(context.Background(), policy.Config{}); err != nil {
		t.Error(err)
	}
}

// TestBuiltinIsCovered runs the Rego tests of library and connectors: every line
// must be evaluated by one.
func TestBuiltinIsCovered(t *testing.T) {
	report, err := policy.Test(context.Background(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Failed {
			t.Errorf("%s:%d: %s: %s", r.File, r.Line, r.Name, r.Message)
		}
	}
	for _, f := range report.Files {
		if len(f.NotCovered) > 0 || f.Percent != 100 {
			t.Errorf("%s: %.1f %% covered, not lines %d", f.File, f.Percent, f.NotCovered)
		}
	}
	if !report.OK() || report.Coverage != 100 || len(report.Files) < 10 {
		t.Errorf("OK %t, %.1f %% of %d files", report.OK(), report.Coverage, len(report.Files))
	}
}

func TestCheckFindsBadStyle(t *testing.T) {
	for _, test := range []struct {
		name, archive string
		want          [][]string
	}{
		{"not formatted", connector(`# METADATA
# title: a
# description: b
endpoints["a"] := {"methods": {"GET"},   "path": "/a", "response": {}}
`), [][]string{
			{"metadata_missing", "test.rego:8", "", "rule permissions of package graphveil.connectors.test has no title", "METADATA"},
			{"not_formatted", "test.rego:13", "", "not formatted", "opa fmt"},
		}},
		{"private and tests need no METADATA", connector(`endpoints["a"] := _a

_a := {"methods": {"GET"}, "path": "/a", "response": {}}
-- test_test.rego --
package graphveil.connectors.test_test

import data.graphveil.connectors.test

test_a if test.endpoints.a.path == "/a"
`), [][]string{
			{"metadata_missing", "test.rego:8", "", "rule permissions", "METADATA"},
			{"metadata_missing", "test.rego:10", "", `rule endpoints.a of`, "METADATA"},
		}},
		{"custom package", connector(`# METADATA
# title: a
# description: b
endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {}}
-- custom.rego --
package graphveil.custom

deny contains "x" if input.request.method == "PUT"
`), [][]string{
			{"metadata_missing", "custom.rego:1", "", "package graphveil.custom has no title", "METADATA"},
			{"metadata_missing", "custom.rego:3", "", "rule deny of package graphveil.custom", "METADATA"},
			{"metadata_missing", "test.rego:8", "", "rule permissions", "METADATA"},
		}},
		{"permissions that nothing needs", strings.Replace(connector(`# METADATA
# title: a
# description: b
endpoints["a"] := {
	"methods": {"GET"},
	"path": "/a",
	"permissions": {"User.Read.All"},
	"response": {},
}

# METADATA
# title: off
# description: b
endpoints["off"] := {
	"enabled": false,
	"methods": {"GET"},
	"path": "/off",
	"permissions": {"Mail.Read"},
	"response": {},
}
`), `permissions := {"User.Read.All"}`, `permissions := {"Mail.Read", "User.Read.All"}`, 1), [][]string{
			{"metadata_missing", "test.rego:8", "", "rule permissions", "METADATA"},
			{"permission_unneeded", "test.rego:8", "permissions", "no endpoint of connector test needs Mail.Read", "leave it out"},
		}},
		{"a connector that is off needs nothing", connector(`# METADATA
# title: a
# description: b
endpoints["a"] := {"enabled": false, "methods": {"GET"}, "path": "/a", "permissions": {"Mail.Read"}, "response": {}}
`), [][]string{{"metadata_missing", "test.rego:8", "", "rule permissions", "METADATA"}}},
		{"a test that refers to nothing", connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {}}
-- test_test.rego --
package graphveil.connectors.test_test

import data.graphveil.connectors.tets

test_a if tets.endpoints.a
`), [][]string{
			{"metadata_missing", "test.rego:8", "", "rule permissions", "METADATA"},
			{"metadata_missing", "test.rego:10", "", "rule endpoints", "METADATA"},
			{"unresolved_reference", "test_test.rego:5", "", "data.graphveil.connectors.tets does not exist", `"test"`},
		}},
		{"what does not load", connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {"x": shape.kep}}
`), [][]string{
			{"metadata_missing", "test.rego:8", "", "rule permissions", "METADATA"},
			{"metadata_missing", "test.rego:10", "", "rule endpoints", "METADATA"},
			{"unresolved_reference", "test.rego:10", "", "data.graphveil.shape.kep does not exist", `"keep"`},
		}},
		{"a test that does not parse", connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {}}
-- test_test.rego --
package graphveil.connectors.test_test

test_a if {
`), [][]string{{"rego_parse_error", "test_test.rego:4", "", "unexpected eof token", "test_a if {"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			write(t, folder, test.archive)
			err := policy.Check(context.Background(), policy.Config{Paths: []string{folder}})
			checkErrors(t, folder, errorsOf(t, err), test.want)
		})
	}
}

const tested = `# METADATA
# title: a
# description: b
endpoints["a"] := {"methods": {"GET"}, "path": "/a", "query": query, "response": {}}

query := {"$top": {"max": 1}} if limited

query := {} if not limited

limited if data.graphveil.settings.ids == "clear"
`

func TestTestReports(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, connector(tested)+`-- test_test.rego --
package graphveil.connectors.test_test

import data.graphveil.connectors.test

test_good if test.endpoints.a.path == "/a"

test_bad if {
	test.endpoints.a.path == "/a"
	test.endpoints.a.path == "/b"
}

test_served if data.graphveil.endpoints.test.a.methods.GET

todo_test_skipped if false
`)
	report, err := policy.Test(context.Background(), policy.Config{Paths: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	if report.OK() {
		t.Error("a failed test is OK")
	}
	failed := map[string]string{}
	var ran []string
	for _, r := range report.Results {
		if r.Package != "graphveil.connectors.test_test" {
			continue
		}
		ran = append(ran, r.Name)
		if r.Failed {
			failed[r.Name] = r.Message
		}
		if !strings.HasSuffix(r.File, "/test_test.rego") || r.Line == 0 {
			t.Errorf("%s is at %s:%d", r.Name, r.File, r.Line)
		}
	}
	if want := []string{"test_good", "test_bad", "test_served", "todo_test_skipped"}; !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	if len(failed) != 1 || failed["test_bad"] != "line 9 is not true" {
		t.Errorf("failed: %v", failed)
	}
	for _, f := range report.Files {
		if strings.HasSuffix(f.File, "/test.rego") && (!slices.Equal(f.NotCovered, []int{8, 15, 19}) || f.Percent >= 100 || f.Percent <= 0) {
			t.Errorf("coverage %+v, want lines 8, 15 and 19 not covered", f)
		}
		if strings.HasSuffix(f.File, "_test.rego") {
			t.Errorf("%s counts", f.File)
		}
	}
	if report.Coverage >= 100 {
		t.Errorf("coverage %.1f", report.Coverage)
	}
}

func TestReportWithoutTestsIsNotOK(t *testing.T) {
	if (&policy.TestReport{}).OK() {
		t.Error("no tests are OK")
	}
}

func TestTestNeedsAGoodPolicy(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {"x": shape.kep}}
`))
	_, err := policy.Test(context.Background(), policy.Config{Paths: []string{folder}})
	checkErrors(t, folder, errorsOf(t, err), [][]string{{"unresolved_reference", "test.rego:10", "", "shape.kep does not exist", "keep"}})
	write(t, folder, connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {}}
-- test_test.rego --
package graphveil.connectors.test_test

test_a if data.graphveil.connectors.test.endpoint.a
`))
	_, err = policy.Test(context.Background(), policy.Config{Paths: []string{folder}})
	checkErrors(t, folder, errorsOf(t, err), [][]string{{"unresolved_reference", "test_test.rego:3", "", "does not exist", "endpoints"}})
}

// TestCheckSystem: what a bundle holds for OPA's decision logs is checked with it, and
// is no policy for a folder that is served.
func TestCheckSystem(t *testing.T) {
	of := func(rule string) policy.Config {
		folder := t.TempDir()
		write(t, folder, `-- custom.rego --
# METADATA
# title: Denials
# description: Denials of our own.
package graphveil.custom

# METADATA
# title: deny
# description: Nobody may.
deny contains "closed"
-- log.rego --
package system.log

`+rule+`
-- log_test.rego --
package system.log_test

import data.system.log

test_mask if "/input" in log.mask with input as {"input": {"endpoint": {"id": "users"}}}
`)
		return policy.Config{Paths: []string{folder}}
	}
	good := of(`mask contains "/input" if input.input.endpoint.id == "users"`)
	if err := policy.Check(context.Background(), good); err != nil {
		t.Errorf("a mask: %v", err)
	}
	if _, err := policy.Test(context.Background(), good); err != nil {
		t.Errorf("tests beside a mask: %v", err)
	}
	for rule, says := range map[string]string{
		`mask contains "/input" if http.send({"method": "GET", "url": "http://127.0.0.1:1"}).status_code == 200`: "undefined function http.send",
		`mask contains "/input" if   input.input.endpoint.id == "users"`:                                         "not formatted",
	} {
		if err := policy.Check(context.Background(), of(rule)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if _, err := policy.Load(context.Background(), good); err == nil || !strings.Contains(err.Error(), "policy.opa_config") {
		t.Errorf("a folder that is served: %v", err)
	}
}
