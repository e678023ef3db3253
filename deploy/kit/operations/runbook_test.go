package operations

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

var (
	heading   = regexp.MustCompile(`(?m)^### (\w+)$`)
	firstCell = regexp.MustCompile("(?m)^\\| `([a-z_]+)`[ ,|]")
	anchor    = regexp.MustCompile(`\]\(#([a-z]+)\)`)
)

// firsts are what a pattern finds, without what follows.
func firsts(pattern *regexp.Regexp, text string) []string {
	var found []string
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// part is what stands between two headings of the runbook.
func part(t *testing.T, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, runbookFile), "\n## "+name+"\n")
	if !found {
		t.Fatalf("the runbook has no part %s", name)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// compare says what the runbook lacks, and what it has that is not there.
func compare(t *testing.T, what string, documented, real []string) {
	t.Helper()
	for _, name := range real {
		if !slices.Contains(documented, name) {
			t.Errorf("the runbook lacks the %s %s", what, name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(real, name) {
			t.Errorf("the runbook has a %s that is not there: %s", what, name)
		}
	}
}

func TestRunbookHasEveryAlert(t *testing.T) {
	var real []string
	for _, r := range alerts(t) {
		real = append(real, r.Alert)
	}
	compare(t, "alert", firsts(heading, part(t, "Alerts")), real)
}

func TestRunbookHasEveryCode(t *testing.T) {
	codes := firsts(firstCell, read(t, codesFile))
	if len(codes) < 20 {
		t.Fatalf("%d codes in %s", len(codes), codesFile)
	}
	own, _, found := strings.Cut(part(t, "Codes"), "\nEnvoy's own, ")
	if !found {
		t.Fatal("where Envoy's own codes begin is not to be seen")
	}
	compare(t, "code", firsts(firstCell, own), codes)
}

// The processor's metrics are all there, Envoy's and OPA's as far as they are used.
func TestRunbookHasEveryMetric(t *testing.T) {
	all := metrics(t)
	text := part(t, "Metrics") + part(t, "Metrics with policy.opa_config")
	real := map[string]bool{}
	for _, family := range all {
		name := family.GetName()
		if strings.HasPrefix(name, "graphveil_") {
			real[name] = true
			continue
		}
		prefix, _, _ := strings.Cut(name, "_")
		opas := slices.Contains([]string{"bundle", "decision", "last", "opa", "plugin"}, prefix)
		if prefix != "envoy" && !opas && !strings.Contains(text, "`"+prefix+"_…`") {
			t.Errorf("the runbook lacks the metric %s", name)
		}
	}
	for _, expression := range expressions(t) {
		expr, err := promql.ParseExpr(expression)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok && !strings.Contains(text, "`"+strings.Split(selector.Name, "_")[0]+"_…`") && all[selector.Name] != nil {
				real[all[selector.Name].GetName()] = true
			}
			return nil
		})
	}
	var names []string
	for name := range real {
		names = append(names, name)
	}
	compare(t, "metric", firsts(firstCell, text), names)
}

// Links within the runbook lead to alerts, or to its parts.
func TestRunbookLinks(t *testing.T) {
	text := read(t, runbookFile)
	targets := []string{"alerts", "codes", "metrics"}
	for _, name := range firsts(heading, text) {
		targets = append(targets, strings.ToLower(name))
	}
	links := firsts(anchor, text)
	if len(links) < 10 {
		t.Fatalf("%d links", len(links))
	}
	for _, link := range links {
		if !slices.Contains(targets, link) {
			t.Errorf("nothing under #%s", link)
		}
	}
}
