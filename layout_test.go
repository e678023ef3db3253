package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/graphveil/graphveil"

// arrows are the imports between our packages, tests aside: straight lines from
// main down to plain data. A new arrow is a decision; make it here.
var arrows = map[string][]string{
	".":                             {"watch", "auth", "bench/load", "bench/report", "bench/result", "bench/tenant", "bench/tenant/entra", "bench/tenant/graph", "deploy/setup", "deploy/setup/check", "envoy", "envoy/check", "extproc", "extproc/pseudonym", "policy", "policy/opa", "policy/plan", "policy/psoxy", "process"},
	"process":                       nil,
	"watch":                         nil,
	"internal/testlog":              nil,
	"auth":                          nil,
	"deploy/setup":                  {"policy"},
	"deploy/setup/check":            {"auth", "deploy/setup", "policy"},
	"envoy":                         nil,
	"envoy/check":                   {"envoy"},
	"policy/plan":                   nil,
	"policy/odata":                  nil,
	"policy":                        {"watch", "policy/odata", "policy/plan"},
	"policy/opa":                    {"policy", "watch"},
	"policy/opa/opatest":            nil,
	"policy/psoxy":                  nil,
	"extproc/pseudonym":             nil,
	"extproc/sanitize":              {"policy/plan"},
	"extproc/wire":                  nil,
	"extproc/inflate":               nil,
	"extproc":                       {"extproc/inflate", "extproc/pseudonym", "extproc/sanitize", "extproc/wire", "policy", "policy/odata", "policy/plan"},
	"bench/micro":                   {"bench/peers", "bench/result", "bench/tenant/graph", "extproc", "extproc/extproctest", "extproc/pseudonym", "policy", "policy/odata", "policy/plan"},
	"bench/peers":                   {"envoy", "policy/plan"},
	"bench/report":                  {"bench/result"},
	"bench/result":                  nil,
	"bench/scaling":                 {"bench/result"},
	"bench/load":                    nil,
	"bench/ladder":                  {"bench/load", "bench/peers", "bench/result", "bench/tenant", "bench/tenant/entra", "bench/tenant/graph", "envoy", "extproc/pseudonym", "policy"},
	"bench/harness":                 {"bench/ladder", "bench/micro", "bench/report", "bench/result", "bench/scaling", "bench/wan", "envoy"},
	"bench/wan":                     {"bench/load", "bench/result", "bench/tenant", "bench/tenant/entra", "bench/tenant/graph", "envoy", "extproc/pseudonym"},
	"bench/tenant/entra":            nil,
	"bench/tenant/graph":            nil,
	"bench/tenant/platform":         {"bench/tenant/entra"},
	"bench/tenant":                  {"bench/tenant/entra", "bench/tenant/graph"},
	"deploy/azure-cli":              nil,
	"deploy/azure-cli/azuretest":    nil,
	"deploy/azure-cli/azuretest/az": {"deploy/azure-cli/azuretest"},
	"deploy/terraform":              nil,
	"envoy/envoytest":               {"envoy", "internal/testlog"},
	"extproc/extproctest":           {"extproc"},
}

func TestImportsAreStraight(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := ours(fields[0])
		allowed, known := arrows[name]
		if !known && name != "policy/connectors" {
			t.Errorf("package %s is not in the table of arrows", name)
		}
		seen++
		for _, imported := range fields[1:] {
			if strings.HasPrefix(imported, module) && !slices.Contains(allowed, ours(imported)) {
				t.Errorf("%s imports %s, which the table of arrows does not have", name, ours(imported))
			}
		}
	}
	if seen < len(arrows) {
		t.Errorf("%d packages, the table has %d", seen, len(arrows))
	}
}

func ours(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// Go names no path of the API: those are the policy's. Only the synthetic tenant,
// the demo and the texts of --help may.
func TestGoNamesNoPathOfTheAPI(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		folder, name := filepath.Split(path)
		if folder == "" || strings.HasPrefix(folder, "bench/") {
			return nil // help texts, demo, tenant
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if before, _, comment := strings.Cut(line, "//"); strings.Contains(before, "/v1.0/") || !comment && strings.Contains(line, "/beta/") {
				t.Errorf("%s names a path of the API: %s", name, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Errorf("%d files, %v", files, err)
	}
}

// Where ../shared is, tests that read it must not be skipped; CI says that it
// must be there.
func TestSharedIsThereInCI(t *testing.T) {
	if os.Getenv("GRAPHVEIL_REQUIRE_SHARED") == "" {
		return
	}
	for _, name := range []string{"../shared/conformance/documents.jsonl", "../shared/conformance/vectors.jsonl", "../shared/graph/graph-schema.json"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}
