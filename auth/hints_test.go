package auth

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

func TestHintIsTheClosestOne(t *testing.T) {
	for _, test := range []struct {
		failure *Error
		want    string // a part of the hint
	}{
		{&Error{Code: CodeRejected, AADSTS: 700016}, "not the object id"},
		{&Error{Code: CodeRejected, AADSTS: 700213}, "system:serviceaccount:NAMESPACE:NAME"},
		{&Error{Code: CodeRejected, AADSTS: 123456789}, "login.microsoftonline.com/error"},
		{&Error{Code: CodeRejected}, "login.microsoftonline.com/error"},
		{&Error{Code: CodeUnreachable, Detail: "tls"}, "tokens.ca_file"},
		{&Error{Code: CodeUnreachable, Detail: "a word of tomorrow"}, "firewall"},
		{&Error{Code: CodeThrottled}, "restart"},
		// A number belongs to refusals alone: 700016 in another failure is a coincidence.
		{&Error{Code: CodeUnavailable, AADSTS: 700016}, "Entra failed"},
	} {
		if got := Hint(test.failure); !strings.Contains(got, test.want) {
			t.Errorf("%v: hint %q lacks %q", test.failure, got, test.want)
		}
	}
	if got := Hint(nil) + Hint(&Error{Code: "of_another_package"}); got != "" {
		t.Errorf("a hint out of nothing: %q", got)
	}
}

// Who looks at the log, or at what is waited for, finds the hint there.
func TestFailureSaysItsHint(t *testing.T) {
	w := newLoopbackWorld(t, func(cfg *entra.Config) { cfg.Apps = cfg.Apps[1:] })
	m := w.manager()
	want := Hint(w.wantError(m, "entra_id", CodeRejected))
	if !strings.Contains(want, "not the object id") || !strings.Contains(w.logs.String(), strconv.Quote(want)) {
		t.Errorf("the log lacks %q:\n%s", want, w.logs)
	}
	if err := m.Ready(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Ready() = %v", err)
	}
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var example map[string]any
	line := regexp.MustCompile(`(?m)^ *(\{"level".*\})$`).FindSubmatch(page)
	if line == nil || json.Unmarshal(line[1], &example) != nil || len(example) < 10 {
		t.Fatal("docs/troubleshooting.md has no example of the line")
	}
	for key := range example {
		if !strings.Contains(w.logs.String(), key+"=") {
			t.Errorf("the line has no %s, but the example in docs/troubleshooting.md has", key)
		}
	}
}

// Hints stand in log lines: two or three short sentences, each ended, and nothing to be filled in.
func TestHintsAreSentences(t *testing.T) {
	seen := map[int]bool{}
	for _, h := range hints {
		for _, text := range []string{h.means, h.next} {
			if !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "%|\n") || len(text) > 220 {
				t.Errorf("%s %v %v: %q", h.code, h.details, h.numbers, text)
			}
		}
		for _, number := range h.numbers {
			if seen[number] || h.code != CodeRejected {
				t.Errorf("AADSTS%d has two hints, or one that is never found", number)
			}
			seen[number] = true
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d numbers have hints", len(seen))
	}
}

// Every code has a hint of its own; so has every detail that is written in this package, unless its code's says all there is to say,
// and every number that the synthetic Entra refuses with.
func TestEveryFailureHasAHint(t *testing.T) {
	for _, code := range append(slices.Clone(failureCodes), CodeTokenRejected, CodePending) {
		if h := hintOf(&Error{Code: code}); h == nil || h.details != nil || h.numbers != nil {
			t.Errorf("%s has no hint of its own", code)
		}
	}

	general := []string{"too_large", "not_json", "unexpected", "panic", "bad_token"} // of CodeMalformed
	details := literals(t, "*.go", regexp.MustCompile(`(?:[dD]etail: +|return )"([a-z0-9_]+)"`), 15)
	for _, h := range hints {
		details = slices.DeleteFunc(details, func(detail string) bool { return slices.Contains(h.details, detail) })
	}
	if details = slices.DeleteFunc(details, func(detail string) bool { return slices.Contains(general, detail) }); len(details) > 0 {
		t.Errorf("details without a hint: %v", details)
	}

	for _, number := range literals(t, "../bench/tenant/entra/*.go", regexp.MustCompile(`refusal\{([0-9]+)`), 15) {
		aadsts, _ := strconv.Atoi(number)
		if h := hintOf(&Error{Code: CodeRejected, AADSTS: aadsts}); h.numbers == nil && aadsts != 90033 { // that one comes with 5xx
			t.Errorf("AADSTS%s has no hint", number)
		}
	}
}

// literals returns what the pattern finds in the code without tests, each once.
func literals(t *testing.T, glob string, pattern *regexp.Regexp, atLeast int) []string {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
			found = append(found, match[1])
		}
	}
	slices.Sort(found)
	if found = slices.Compact(found); len(found) < atLeast {
		t.Fatalf("only %d of %s in %s", len(found), pattern, glob)
	}
	return found
}

var update = flag.Bool("update", false, "rewrite the table in docs/troubleshooting.md")

// The first table of docs/troubleshooting.md is made from the hints.
func TestTroubleshootingHasTheHints(t *testing.T) {
	const file, begin, end = "../docs/troubleshooting.md", "<!-- auth/hints.go -->\n", "<!-- end -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(page), begin)
	old, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("%s has no place for the hints", file)
	}
	var table strings.Builder
	table.WriteString("| `code` | `aadsts`, `detail` | What it means | What to do |\n|---|---|---|---|\n")
	for _, h := range hints {
		var narrow []string
		for _, number := range h.numbers {
			narrow = append(narrow, "AADSTS"+strconv.Itoa(number))
		}
		for _, detail := range h.details {
			narrow = append(narrow, "`"+detail+"`")
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", h.code, cmp.Or(strings.Join(narrow, ", "), "others"), h.means, h.next)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Errorf("%s is not what the hints say; go test ./auth -run Troubleshooting -update rewrites it", file)
	}
}
