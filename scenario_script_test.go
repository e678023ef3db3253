package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/graphveil/graphveil/extproc"
)

// A scenario is one file below testdata/scenarios. The commands are documented
// in testdata/scenarios/README.md.
type scenario struct {
	path    string
	archive *txtar.Archive
	// connectors are those to serve, empty for all; options those set.
	connectors []string
	options    map[string]string
	steps      []scenarioStep
	used       map[string]bool
}

// scenarioStep is one command line.
type scenarioStep struct {
	line int
	// not is set by a leading "!".
	not  bool
	name string
	args []string
}

func (s scenarioStep) String() string { return fmt.Sprintf("line %d: %s", s.line, s.name) }

// scenarioCommands are the commands with how many arguments they take. A
// negative maximum is none.
var scenarioCommands = map[string]struct {
	min, max int
	not      bool // may be negated
}{
	"connector":        {1, 1, false},
	"option":           {2, 2, false},
	"caller":           {1, 1, false},
	"upstream":         {2, -1, false},
	"upstream-trailer": {1, 1, false},
	"upstream-reset":   {1, 1, false},
	"upstream-short":   {1, 1, false},
	"upstream-more":    {1, 1, false},
	"send":             {1, 1, false},
	"remember":         {1, 1, false},
	"follow":           {1, 1, false},
	"status":           {1, 2, false},
	"broken":           {2, 2, false},
	"broken-off":       {0, 0, false},
	"cmp":              {2, 2, false},
	"header":           {1, 2, true},
	"record":           {2, 3, false},
	"upstream-called":  {0, 0, true},
	"upstream-request": {1, 1, false},
}

// readScenario reads a file and refuses what the runner would not carry out.
func readScenario(path string) (*scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &scenario{path: path, archive: txtar.Parse(text), options: map[string]string{}, used: map[string]bool{}}
	for i, f := range s.archive.Files {
		for _, other := range s.archive.Files[:i] {
			if f.Name == other.Name {
				return nil, fmt.Errorf("%s: section %s is there twice", path, f.Name)
			}
		}
	}
	n := 0
	for line := range strings.Lines(string(s.archive.Comment)) {
		n++
		step, err := parseStep(n, strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if step == nil {
			continue
		}
		if err := s.add(*step); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	for _, f := range s.archive.Files {
		if !s.used[f.Name] {
			return nil, fmt.Errorf("%s: no command uses the section %s", path, f.Name)
		}
	}
	if !slices.ContainsFunc(s.steps, func(s scenarioStep) bool { return s.name == "send" }) {
		return nil, fmt.Errorf("%s: nothing is sent", path)
	}
	return s, nil
}

func (s *scenario) add(step scenarioStep) error {
	switch step.name {
	case "connector", "option":
		if len(s.steps) > 0 {
			return fmt.Errorf("%s belongs before all other commands", step.name)
		}
		if step.name == "connector" {
			s.connectors = append(s.connectors, step.args[0])
			return nil
		}
		s.options[step.args[0]] = step.args[1]
		return nil
	case "upstream", "cmp":
		if step.args[1] != "-" {
			s.used[step.args[1]] = true
		}
	case "send", "upstream-request", "upstream-more":
		s.used[step.args[0]] = true
	}
	s.steps = append(s.steps, step)
	return nil
}

func parseStep(n int, line string) (*scenarioStep, error) {
	if line == "" || strings.HasPrefix(line, "#") {
		return nil, nil
	}
	words, err := splitQuoted(line)
	if err != nil {
		return nil, err
	}
	step := &scenarioStep{line: n}
	if words[0] == "!" {
		step.not, words = true, words[1:]
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("no command")
	}
	step.name, step.args = words[0], words[1:]
	c, ok := scenarioCommands[step.name]
	switch {
	case !ok:
		return nil, fmt.Errorf("unknown command %q", step.name)
	case step.not && !c.not:
		return nil, fmt.Errorf("%s cannot be negated", step.name)
	case len(step.args) < c.min || c.max >= 0 && len(step.args) > c.max:
		return nil, fmt.Errorf("%s has %d arguments", step.name, len(step.args))
	}
	return step, nil
}

// splitQuoted splits at spaces, except within single quotes.
func splitQuoted(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, open := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, open = !quoted, true
		case (r == ' ' || r == '\t') && !quoted:
			if open {
				words = append(words, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

// file is the content of a section.
func (s *scenario) file(name string) ([]byte, error) {
	for _, f := range s.archive.Files {
		if f.Name == name {
			return f.Data, nil
		}
	}
	return nil, fmt.Errorf("there is no section %s", name)
}

// setFile replaces a section and writes the file.
func (s *scenario) setFile(name string, text []byte) error {
	for i := range s.archive.Files {
		if s.archive.Files[i].Name == name {
			s.archive.Files[i].Data = text
		}
	}
	return os.WriteFile(s.path, txtar.Format(s.archive), 0o644)
}

// policyKey tells apart which policies scenarios run under.
func (s *scenario) policyKey() string {
	var parts []string
	for name, value := range s.options {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(append(slices.Sorted(slices.Values(s.connectors)), parts...), " ")
}

// scenarioRequest is what a client sends.
type scenarioRequest struct {
	method, target string
	headers        []extproc.Header
	body           string
	caller         string
}

// parseRequest reads HTTP text: a request line, header lines, an empty line and
// a body.
func parseRequest(text, caller string) (scenarioRequest, error) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	r := scenarioRequest{body: strings.TrimSuffix(body, "\n"), caller: caller}
	var ok bool
	if r.method, r.target, ok = strings.Cut(lines[0], " "); !ok {
		return r, fmt.Errorf("%q is no request line", lines[0])
	}
	for _, line := range lines[1:] {
		h, err := parseHeader(line)
		if err != nil {
			return r, err
		}
		r.headers = append(r.headers, h)
	}
	return r, nil
}

func parseHeader(line string) (extproc.Header, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" {
		return extproc.Header{}, fmt.Errorf("%q is no header line", line)
	}
	return extproc.Header{Name: strings.ToLower(name), Value: strings.TrimSpace(value)}, nil
}

// findScenarios reads all scenarios below testdata.
func findScenarios() ([]*scenario, error) {
	paths, err := filepath.Glob("testdata/scenarios/*/*.txtar")
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no scenarios, %v", err)
	}
	var all []*scenario
	for _, path := range paths {
		s, err := readScenario(path)
		if err != nil {
			return nil, err
		}
		if folder := filepath.Base(filepath.Dir(path)); !slices.Equal(s.connectors, []string{folder}) {
			return nil, fmt.Errorf("%s is in the folder of another connector than %v", path, s.connectors)
		}
		all = append(all, s)
	}
	return all, nil
}

// parseUpstream reads the arguments of the command upstream.
func (s *scenario) parseUpstream(args []string) (scenarioAnswer, error) {
	a := scenarioAnswer{cut: -1}
	status, err := strconv.Atoi(args[0])
	if err != nil || status < 200 || status > 599 {
		return a, fmt.Errorf("%q is no status", args[0])
	}
	a.status = status
	if args[1] != "-" {
		if a.body, err = s.file(args[1]); err != nil {
			return a, err
		}
		a.body = bytes.TrimSuffix(a.body, []byte("\n")) // txtar adds it
		a.headers = []extproc.Header{{Name: "content-type", Value: graphContentType}}
	}
	for _, line := range args[2:] {
		h, err := parseHeader(line)
		if err != nil {
			return a, err
		}
		if h.Name == "content-type" { // instead of the usual one
			a.headers = slices.DeleteFunc(a.headers, func(h extproc.Header) bool { return h.Name == "content-type" })
		}
		if h.Value != "" {
			a.headers = append(a.headers, h)
		}
	}
	return a, nil
}
