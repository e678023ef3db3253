package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOperations carries out every row of the tables in docs/operations.md.
func TestOperations(t *testing.T) {
	text, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	pairs := markdownTable(t, string(text), "| Operation | Does | Before | After |")
	others := markdownTable(t, string(text), "| Operation | `null` |")

	run := operations{t: t}
	named := map[string]bool{}
	for _, row := range pairs[1:] {
		shape := codeSpans(row[0])[0]
		named[operationName(shape)] = true
		run.add(shape, codeSpans(row[2])[0], row[3])
	}
	for _, name := range []string{`null`, `""`, `7`, `true`} {
		if !strings.Contains(strings.Join(others[0], " "), "`"+name+"`") {
			t.Errorf("no column for %s", name)
		}
	}
	covered := map[string]bool{}
	for _, row := range others[1:] {
		for _, shape := range codeSpans(row[0]) {
			covered[operationName(shape)] = true
			for i, cell := range row[1:] {
				value := codeSpans(others[0][i+1])[0]
				run.add(shape, `{"v":`+value+`}`, otherValue(value, cell))
			}
		}
	}
	run.add(codeBlock(t, string(text), "rego"), `{"value":[{"body":{"content":"one two"},"subject":"x","from":{"id":"a","app":{"id":"b","kind":"bot"}}}],"@odata.nextLink":7}`,
		`{"value":[{"body":{"+content:textDigest":{"length":7,"word_count":2}},"from":{"id":"t~…","app":{"id":"b","kind":"bot"}}}]}`)
	for _, row := range markdownTable(t, string(text), "| Form | Finds |")[1:] {
		for _, path := range codeSpans(row[0]) {
			run.add(fmt.Sprintf(`shape.rules(shape.any, [{"at": [%q], "do": shape.drop}])`, path), `{"other":1}`, `{"other":1}`)
		}
	}
	for _, value := range []string{`true`, `{"a":1}`, `["x"]`} {
		for _, do := range []string{"pseudonym", "reversible", "json_pseudonym", "json_pseudonym_with_original", `match("a", shape.email)`} {
			run.add("shape.steps([shape."+do+"])", `{"v":`+value+`}`, "refused")
			run.add(`shape.rules(shape.any, [{"at": ["$.v"], "do": shape.`+do+"}])", `{"v":`+value+`}`, "refused")
		}
		run.add(`shape.rules(shape.any, [{"at": ["$.v"], "do": shape.text_digest}])`, `{"v":`+value+`}`, `{"v":`+value+`}`)
	}
	run.all()

	// A digest leaves what the operation inside it leaves, steps what their last one
	// does, and rules decide a whole body.
	inner := map[string]bool{"shape.digest": true, "shape.digest_json": true, "shape.steps": true, "shape.rules": true}
	for _, name := range publicOperations(t) {
		if !named[name] {
			t.Errorf("%s has no row with a before and an after", name)
		}
		if !covered[name] && !inner[name] {
			t.Errorf("%s has no row of other values", name)
		}
	}
}

// publicOperations are what data.graphveil.shape offers.
func publicOperations(t *testing.T) []string {
	t.Helper()
	rego, err := os.ReadFile("policy/lib/shape/shape.rego")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# title: ([a-z]\w*)$`).FindAllStringSubmatch(string(rego), -1) {
		names = append(names, "shape."+m[1])
	}
	if len(names) < 30 {
		t.Fatalf("only %d operations", len(names))
	}
	return names
}

func operationName(shape string) string {
	name, _, _ := strings.Cut(shape, "(")
	return name
}

// operations collects rows, to load one policy for all.
type operations struct {
	t    *testing.T
	rows []operationRow
}

type operationRow struct{ shape, before, after string }

func (o *operations) add(shape, before, after string) {
	o.rows = append(o.rows, operationRow{shape, before, after})
}

// all holds each row against what the sidecar makes of it.
func (o *operations) all() {
	o.t.Helper()
	if len(o.rows) < 100 {
		o.t.Fatalf("only %d rows", len(o.rows))
	}
	rego := "# METADATA\n# title: Docs\n# description: The shapes of docs/operations.md.\npackage graphveil.connectors.docs\n\nimport data.graphveil.shape\n\npermissions := {\"User.Read.All\"}\n"
	for i, row := range o.rows {
		response := `{"v": ` + row.shape + `}`
		if operationName(row.shape) == "shape.rules" {
			response = row.shape
		}
		rego += fmt.Sprintf("\nendpoints[\"row%d\"] := {\"methods\": {\"GET\"}, \"path\": \"/v1.0/row%d\", \"query\": {\"$skiptoken\": {}}, \"response\": %s}\n", i, i, response)
	}
	folder := o.t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "docs.rego"), []byte(rego), 0o644); err != nil {
		o.t.Fatal(err)
	}
	o.t.Setenv("GRAPHVEIL_SALT", "salt")
	o.t.Setenv("GRAPHVEIL_KEY", "secret")
	flags := offlineFlags{policies: []string{folder}}
	gateway, _, err := flags.gateway(context.Background())
	if err != nil {
		o.t.Fatal(err)
	}
	for i, row := range o.rows {
		own := fmt.Sprintf("/v1.0/row%d?", i)
		out, result := sanitizeOne(context.Background(), gateway, offlineExchange{
			Method: "GET", URL: strings.TrimSuffix(own, "?"), Status: 200, body: []byte(strings.ReplaceAll(row.before, "/v1.0/a?", own)),
		})
		got := strings.ReplaceAll(string(out), own, "/v1.0/a?")
		if result.exit != 0 {
			got = "refused"
		}
		if !matches(strings.Trim(strings.ReplaceAll(row.after, `\|`, `|`), "`"), got) {
			o.t.Errorf("%s of %s is %s, the document says %s", row.shape, row.before, got, row.after)
		}
	}
}

// aToken is a body whose v is a string with a hash in it.
var aToken = regexp.MustCompile(`^\{"v":".*[A-Za-z0-9_-]{43}.*"\}$`)

// matches compares with a text in which "…" stands for any characters.
func matches(want, got string) bool {
	if want == "token" {
		return aToken.MatchString(got)
	}
	return regexp.MustCompile(`^` + strings.ReplaceAll(regexp.QuoteMeta(want), "…", `[^"]+`) + `$`).MatchString(got)
}

// otherValue is what a cell of the second table means for a value.
func otherValue(value, cell string) string {
	switch cell {
	case "stays":
		return `{"v":` + value + `}`
	case "removed":
		return `{}`
	case "refused", "token":
		return cell
	}
	return `{"v":` + strings.Trim(cell, "`") + `}`
}

// markdownTable returns the cells of the rows of the table whose head begins so.
// The first row is the head.
func markdownTable(t *testing.T, text, head string) [][]string {
	t.Helper()
	_, after, found := strings.Cut(text, "\n"+head)
	if !found {
		t.Fatalf("no table %s", head)
	}
	var rows [][]string
	for line := range strings.Lines(head + after) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := regexp.MustCompile(`(?:\\\||[^|])+`).FindAllString(strings.Trim(line, "|"), -1)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(rows) > 0 && len(cells) != len(rows[0]) {
			t.Fatalf("%d cells, want %d: %s", len(cells), len(rows[0]), line)
		}
		rows = append(rows, cells)
	}
	if len(rows) < 10 {
		t.Fatalf("table %s has %d rows", head, len(rows))
	}
	return rows
}

// codeBlock returns the first block of code in a language.
func codeBlock(t *testing.T, text, language string) string {
	t.Helper()
	_, after, found := strings.Cut(text, "\n```"+language+"\n")
	block, _, closed := strings.Cut(after, "\n```\n")
	if !found || !closed {
		t.Fatalf("no block of %s", language)
	}
	return block
}

func codeSpans(cell string) []string {
	var spans []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		spans = append(spans, strings.ReplaceAll(m[1], `\|`, `|`))
	}
	return spans
}
