package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const threatModel = "docs/threat-model.md"

// TestThreatModelLinks: a test that the threat model names is in the file that it
// names. That files and headings are there is TestPageLinks'.
func TestThreatModelLinks(t *testing.T) {
	text := unfenced(readText(t, threatModel))
	tests := 0
	for _, match := range pageLink.FindAllStringSubmatch(text, -1) {
		name, link := match[1], match[2]
		if nameOfTest.FindString(name) != name {
			continue
		}
		tests++
		file := filepath.Join(filepath.Dir(threatModel), link)
		if !strings.HasSuffix(file, "_test.go") || !regexp.MustCompile(`(?m)^func `+name+`\(\w+ \*testing\.[TF]\)`).MatchString(readText(t, file)) {
			t.Errorf("%s has no %s", file, name)
		}
	}
	if tests < 50 {
		t.Errorf("%d tests are named", tests)
	}
	if bare := nameOfTest.FindAllString(pageLink.ReplaceAllString(text, ""), -1); bare != nil {
		t.Errorf("named without a link to their files: %v", bare)
	}
}

// TestThreatModelControls: each control is proved by a test, or it is said why there
// is none, and each promise of the README is among them.
func TestThreatModelControls(t *testing.T) {
	proved := map[string]bool{} // first cells
	for _, table := range proofTables(readText(t, threatModel)) {
		for _, row := range table {
			what, proof := row[0], row[len(row)-1]
			proved[what] = true
			why, untested := strings.CutPrefix(proof, "no test:")
			if untested && len(strings.Fields(why)) < 3 {
				t.Errorf("%s: no test, and no reason", what)
			}
			if !untested && !slices.ContainsFunc(pageLink.FindAllStringSubmatch(proof, -1), func(m []string) bool { return nameOfTest.FindString(m[1]) == m[1] }) {
				t.Errorf("%s: neither a test nor a reason why there is none: %q", what, proof)
			}
		}
	}
	if len(proved) < 20 {
		t.Fatalf("%d rows", len(proved))
	}
	_, promises, _ := strings.Cut(readText(t, "README.md"), "\n## What is guaranteed")
	promises, _, _ = strings.Cut(promises, "\nNot guaranteed:")
	found := regexp.MustCompile(`(?m)^- (\*\*.+?\*\*)`).FindAllStringSubmatch(promises, -1)
	if len(found) == 0 || len(found) != strings.Count(promises, "\n- ") {
		t.Fatalf("%d promises in bold", len(found))
	}
	for _, promise := range found {
		if !proved[promise[1]] {
			t.Errorf("no row about the promise %s", promise[1])
		}
	}
}

// proofTables are the rows of the tables whose last column is "Proof". Rows have as
// many cells as the heads of their tables, or they come out empty at the end.
func proofTables(text string) (tables [][][]string) {
	columns := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[len(cells)-1] == "Proof":
			columns = len(cells)
			tables = append(tables, nil)
		case columns == 0 || strings.HasPrefix(cells[0], "---"):
		default:
			for len(cells) != columns {
				cells = append(cells[:min(len(cells), columns-1)], "")
			}
			tables[len(tables)-1] = append(tables[len(tables)-1], cells)
		}
	}
	return tables
}
