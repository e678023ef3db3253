package policy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Check loads a policy as Load does, compiles its tests too, and looks for what
// is bad style: files that are not formatted as `opa fmt` does, packages and
// public rules without title and description, permissions that nothing needs. It
// returns nil, or Errors with everything that was found.
func Check(ctx context.Context, config Config) error {
	s, err := readSources(config)
	if err != nil {
		return err
	}
	var p problems
	s.takeSystem(&p)
	modules := s.parse(&p, true)
	if err := p.err(); err != nil {
		return err
	}
	for _, f := range s.files {
		p.checkFormat(f)
	}
	p.checkMetadata(modules)
	if snapshot, err := s.activate(ctx); err != nil {
		p.addAll(err)
	} else {
		p.list = append(p.list, snapshot.unneeded...)
		if _, err := s.compile(modules); err != nil {
			p.addAll(err)
		}
	}
	return p.err()
}

// takeSystem takes out the modules of package system: in a bundle of policy.opa_config
// OPA's plugins evaluate them, to mask and drop decisions, and nothing else of the
// policy. They are compiled alone, as OPA does.
func (s *sources) takeSystem(p *problems) {
	options := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: Capabilities()}
	modules := map[string]*ast.Module{}
	s.files = slices.DeleteFunc(s.files, func(f source) bool {
		if f.library {
			return false
		}
		m, err := ast.ParseModuleWithOpts(f.name, string(f.text), options)
		if err != nil || m == nil || len(m.Package.Path) < 2 || m.Package.Path[1].Value.Compare(ast.String("system")) != 0 {
			return false
		}
		modules[f.name] = m
		p.checkFormat(f)
		return true
	})
	compiler := ast.NewCompiler().WithCapabilities(Capabilities())
	if compiler.Compile(modules); compiler.Failed() {
		p.addOPA("", compiler.Errors)
	}
}

// addAll adds the errors that err holds.
func (p *problems) addAll(err error) {
	var list Errors
	if !errors.As(err, &list) {
		list = Errors{{Code: "load_error", Message: err.Error()}}
	}
	p.list = append(p.list, list...)
}

func (p *problems) checkFormat(f source) {
	want, err := format.SourceWithOpts(f.name, f.text, format.Opts{RegoVersion: ast.RegoV1})
	if err != nil || bytes.Equal(want, f.text) {
		return // what cannot be formatted was not parsed either
	}
	line := 1
	for i := 0; i < min(len(want), len(f.text)) && want[i] == f.text[i]; i++ {
		if want[i] == '\n' {
			line++
		}
	}
	p.add(&Error{Code: "not_formatted", File: f.name, Line: line, Message: "the file is not formatted from here on", Hint: "run opa fmt --write"})
}

// checkMetadata wants title and description on each package, once, and on each
// public rule, once.
func (p *problems) checkMetadata(modules map[string]*ast.Module) {
	described := map[string]bool{}
	place := map[string]*ast.Location{}
	note := func(what string, at *ast.Location, ok bool) {
		if place[what] == nil || cmp.Compare(at.File, place[what].File) < 0 {
			place[what] = at
		}
		described[what] = described[what] || ok
	}
	for name, m := range modules {
		if (source{name: name}).test() {
			continue
		}
		pkg := "package " + strings.TrimPrefix(m.Package.Path.String(), "data.")
		note(pkg, m.Package.Location, false)
		for _, a := range m.Annotations {
			if a.Scope == "package" {
				note(pkg, m.Package.Location, complete(a))
			}
		}
		for _, rule := range m.Rules {
			if strings.HasPrefix(headName(rule), "_") {
				continue
			}
			what := fmt.Sprintf("rule %s of %s", rule.Head.Ref().GroundPrefix(), pkg)
			note(what, rule.Location, slices.ContainsFunc(rule.Annotations, complete))
		}
	}
	for what, ok := range described {
		if !ok {
			p.add(&Error{Code: "metadata_missing", File: place[what].File, Line: place[what].Row, Message: what + " has no title and description", Hint: "put a METADATA comment above it, or begin the name with _ if it is private"})
		}
	}
}

func complete(a *ast.Annotations) bool { return a.Title != "" && a.Description != "" }

// TestReport is the outcome of a policy's Rego tests.
type TestReport struct {
	// Results are sorted by file and line.
	Results []TestResult
	// Files are the tested files, without test files, sorted.
	Files []FileCoverage
	// Coverage is how many of the lines that can be covered are, in percent; 100
	// if there are none.
	Coverage float64
}

// OK tells whether there were tests and none failed.
func (r *TestReport) OK() bool {
	return len(r.Results) > 0 && !slices.ContainsFunc(r.Results, func(t TestResult) bool { return t.Failed })
}

// TestResult is the outcome of one test rule.
type TestResult struct {
	// Package and Name are as in Rego, without "data.".
	Package, Name string
	File          string
	Line          int
	Failed        bool
	// Message says what failed, or is the error of the evaluation.
	Message string
}

// FileCoverage says which lines of a file the tests evaluated.
type FileCoverage struct {
	File string
	// NotCovered are the lines that no test evaluated, sorted.
	NotCovered []int
	// Percent of the lines that can be covered.
	Percent float64
}

// Test runs the Rego tests of the policy's folders and of the library, with the
// policy's own endpoints in data.graphveil.endpoints. An error means that the
// tests could not run.
func Test(ctx context.Context, config Config) (*TestReport, error) {
	s, err := readSources(config)
	if err != nil {
		return nil, err
	}
	var p problems
	s.takeSystem(&p) // opa test runs their tests
	snapshot, err := s.activate(ctx)
	if err != nil {
		return nil, err
	}
	modules := s.parse(&p, true)
	if err := p.err(); err != nil {
		return nil, err
	}
	c, err := s.newCompiler(&p, modules)
	if err != nil {
		return nil, err
	}
	data, err := c.baseData(map[string]ast.Value{"endpoints": snapshot.contracts()})
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromASTObject(data)
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the data of the policy: %w", err)
	}
	defer store.Abort(ctx, txn)
	tracer := &testTracer{Cover: cover.New(), failed: map[string][]int{}}
	results, err := tester.NewRunner().
		SetCompiler(c.compiler).
		SetStore(store).
		SetModules(modules).
		CapturePrintOutput(false).
		SetTimeout(testTimeout).
		SetCoverageQueryTracer(tracer).
		SetCoverageRuns(nil).
		RunTests(ctx, txn)
	if err != nil {
		p.addAll(err)
		return nil, p.err()
	}
	report := &TestReport{}
	for r := range results {
		report.add(r)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	slices.SortFunc(report.Results, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	tracer.explain(report.Results)
	report.addCoverage(tracer.Report(modules), s)
	return report, nil
}

func (r *TestReport) add(result *tester.Result) {
	t := TestResult{
		Package: strings.TrimPrefix(result.Package, "data."), Name: result.Name,
		File: result.Location.File, Line: result.Location.Row, Failed: !result.Pass() && !result.Skip,
	}
	if result.Error != nil {
		t.Message = result.Error.Error()
	}
	r.Results = append(r.Results, t)
}

// testTimeout bounds one Rego test, against one that never ends. OPA's own five
// seconds are passed by good tests on a busy machine.
const testTimeout = time.Minute

// testTracer notes coverage, and which lines of test files were not true. A whole
// trace would take most of the time. OPA runs tests in parallel with one tracer.
type testTracer struct {
	*cover.Cover
	mu     sync.Mutex
	failed map[string][]int
}

func (t *testTracer) TraceEvent(event topdown.Event) {
	t.Cover.TraceEvent(event)
	if at := event.Location; event.Op == topdown.FailOp && at != nil && (source{name: at.File}).test() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if rows := t.failed[at.File]; len(rows) == 0 || rows[len(rows)-1] != at.Row {
			t.failed[at.File] = append(rows, at.Row)
		}
	}
}

// explain says of each failed test which of its lines was the last that was not
// true. The results are sorted: a test ends where the next one begins.
func (t *testTracer) explain(results []TestResult) {
	for i := range results {
		r := &results[i]
		if !r.Failed || r.Message != "" {
			continue
		}
		r.Message = "the test is not true"
		for _, row := range slices.Backward(t.failed[r.File]) {
			if row >= r.Line && (i+1 == len(results) || results[i+1].File != r.File || row < results[i+1].Line) {
				r.Message = fmt.Sprintf("line %d is not true", row)
				break
			}
		}
	}
}

func (r *TestReport) addCoverage(report cover.Report, s *sources) {
	var covered, all int
	for _, f := range s.files {
		one, ok := report.Files[f.name]
		if !ok || f.test() {
			continue
		}
		file := FileCoverage{File: f.name, Percent: 100}
		for _, lines := range one.NotCovered {
			for line := lines.Start.Row; line <= lines.End.Row; line++ {
				file.NotCovered = append(file.NotCovered, line)
			}
		}
		slices.Sort(file.NotCovered)
		file.NotCovered = slices.Compact(file.NotCovered)
		total := one.CoveredLines + one.NotCoveredLines
		if total > 0 {
			file.Percent = 100 * float64(one.CoveredLines) / float64(total)
		}
		covered, all = covered+one.CoveredLines, all+total
		r.Files = append(r.Files, file)
	}
	slices.SortFunc(r.Files, func(a, b FileCoverage) int { return cmp.Compare(a.File, b.File) })
	r.Coverage = 100
	if all > 0 {
		r.Coverage = 100 * float64(covered) / float64(all)
	}
}
