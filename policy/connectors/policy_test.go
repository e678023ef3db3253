// Package connectors_test holds the shipped connectors, and the library they
// are written with, against what is documented of Microsoft Graph. It evaluates
// the Rego with OPA alone; no code of the policy engine takes part.
package connectors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// regoFiles are the modules of the library and of the connectors, by path
// relative to policy/. The request decision in lib/decision is not data and
// has tests of its own.
var regoFiles = sync.OnceValues(func() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, root := range []string{"lib", "connectors"} {
		err := fs.WalkDir(os.DirFS(".."), root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && path == "lib/decision" {
				return fs.SkipDir
			}
			if filepath.Ext(path) != ".rego" {
				return nil
			}
			files[path], err = os.ReadFile(filepath.Join("..", path))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
})

// parse returns the modules with their annotations, with or without the tests.
func parse(t *testing.T, withTests bool) map[string]*ast.Module {
	t.Helper()
	files, err := regoFiles()
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]*ast.Module{}
	for path, text := range files {
		if isTest(path) && !withTests {
			continue
		}
		module, err := ast.ParseModuleWithOpts(path, string(text), ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			t.Fatal(err)
		}
		modules[path] = module
	}
	if len(modules) == 0 {
		t.Fatal("found no Rego file")
	}
	return modules
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.rego") }

// evaluate returns the value of a data reference under the given options.
func evaluate(t *testing.T, ref string, options map[string]any) any {
	t.Helper()
	arguments := []func(*rego.Rego){
		rego.Query(ref),
		rego.Store(inmem.NewFromObject(map[string]any{"graphveil": map[string]any{"settings": options}})),
		rego.StrictBuiltinErrors(true),
	}
	for _, module := range parse(t, false) {
		arguments = append(arguments, rego.ParsedModule(module))
	}
	results, err := rego.New(arguments...).Eval(context.Background())
	if err != nil {
		t.Fatalf("evaluating %s: %v", ref, err)
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		t.Fatalf("evaluating %s: undefined", ref)
	}
	return results[0].Expressions[0].Value
}

func TestRegoIsFormatted(t *testing.T) {
	files, err := regoFiles()
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range files {
		want, err := format.Source(path, text)
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(want, text) {
			t.Errorf("%s is not formatted; run opa fmt", path)
		}
	}
}

func TestRegoCompilesStrictly(t *testing.T) {
	compiler := ast.NewCompiler().WithStrict(true)
	if compiler.Compile(parse(t, true)); compiler.Failed() {
		t.Fatal(compiler.Errors)
	}
}

// TestMetadata wants a title and a description on every package and every
// public rule, once each.
func TestMetadata(t *testing.T) {
	described := map[string]bool{}
	for path, module := range parse(t, false) {
		name := module.Package.Path.String()
		described[name] = described[name] || false
		for _, note := range module.Annotations {
			if note.Title == "" || note.Description == "" {
				t.Errorf("%s: METADATA without title or description", note.Location)
			}
			if note.Scope == "package" {
				described[name] = true
			}
		}
		if folder, last := filepath.Base(filepath.Dir(path)), string(module.Package.Path[len(module.Package.Path)-1].Value.(ast.String)); folder != last {
			t.Errorf("%s is in package %s: the folder must have the package's name", path, last)
		}
		for _, rule := range module.Rules {
			rule := name + "." + rule.Head.Ref().String()
			described[rule] = described[rule] || strings.Contains(rule, "._")
		}
		for _, rule := range module.Rules {
			if len(rule.Annotations) > 0 {
				described[name+"."+rule.Head.Ref().String()] = true
			}
		}
	}
	for name, ok := range described {
		if !ok {
			t.Errorf("%s has no METADATA", name)
		}
	}
}

// TestRego runs the Rego tests; all lines of library and connectors must be
// covered by them.
func TestRego(t *testing.T) {
	modules := parse(t, true)
	coverage := cover.New()
	runner := tester.NewRunner().
		SetStore(inmem.New()).
		SetModules(modules).
		SetCoverageQueryTracer(coverage)
	results, err := runner.RunTests(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for result := range results {
		ran[result.Package] = true
		if !result.Pass() {
			t.Errorf("%s: %s", result.Location, result)
		}
	}
	for path, module := range modules {
		if name := module.Package.Path.String(); isTest(path) && !ran[name] {
			t.Errorf("%s: ran no test", path)
		}
	}
	report := coverage.Report(modules)
	for path := range modules {
		if isTest(path) {
			continue
		}
		file, ok := report.Files[path]
		if !ok {
			t.Errorf("%s: not covered at all", path)
			continue
		}
		for _, lines := range file.NotCovered {
			t.Errorf("%s:%d-%d: not covered", path, lines.Start.Row, lines.End.Row)
		}
	}
}

// connectors are the names of the connectors, which are those of their folders.
func connectors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		t.Fatal("found no connector")
	}
	return names
}

// readShared reads a file of the folder with facts and conformance data that
// stands beside the repository, or skips the test where there is none.
func readShared(t *testing.T, path string) []byte {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("no go.mod above the test")
		}
	}
	shared := filepath.Join(root, "..", "shared")
	if _, err := os.Stat(shared); os.IsNotExist(err) {
		t.Skip("skipped: the folder ../shared is absent")
	}
	content, err := os.ReadFile(filepath.Join(shared, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// decode reads JSON into maps, with numbers as they are written.
func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}
