package operations

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// checkExpression checks that a processor or an Envoy exposes what an expression
// asks for, names and labels.
func checkExpression(t *testing.T, where, expression string) {
	t.Helper()
	all := metrics(t)
	expr, err := promql.ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	selectors := 0
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		selectors++
		if selector.Name == "up" { // Prometheus' own
			return nil
		}
		if all[selector.Name] == nil {
			t.Errorf("%s: nothing exposes %s", where, selector.Name)
			return nil
		}
		for _, m := range selector.LabelMatchers {
			if m.Name == "__name__" {
				continue
			}
			if !all.has(selector.Name, m.Name) {
				t.Errorf("%s: %s has no label %s", where, selector.Name, m.Name)
			}
			if values := vocabulary(t, all, selector.Name, m.Name); values != nil && !slices.ContainsFunc(values, m.Matches) {
				t.Errorf("%s: no %s of %s can match %s", where, m.Name, selector.Name, m)
			}
		}
		for _, above := range path {
			aggregate, ok := above.(*parser.AggregateExpr)
			if !ok {
				continue
			}
			for _, label := range aggregate.Grouping {
				if !all.has(selector.Name, label) {
					t.Errorf("%s: %s has no label %s", where, selector.Name, label)
				}
			}
		}
		return nil
	})
	if selectors == 0 {
		t.Errorf("%s: %s asks for no metric", where, expression)
	}
}

// vocabulary are the values that a label can have, as far as they are known: nil for others.
func vocabulary(t *testing.T, all families, metric, label string) []string {
	t.Helper()
	switch label {
	case "job":
		return []string{"graphveil", "graphveil-envoy"}
	case "outcome":
		return []string{"sanitized", "denied", "refused", "aborted"}
	case "class":
		return []string{"kept", "dropped", "pseudonymized", "mistyped", "unknown"}
	case "code":
		return append(firsts(firstCell, read(t, codesFile)), "")
	case "envoy_response_code", "envoy_response_code_class":
		return nil // those that there were
	}
	if label == "result" || strings.HasPrefix(label, "envoy_") {
		return all.values(metric, label)
	}
	return nil
}

// TestAlertsAskForWhatIsThere holds every metric and label of the alerts against
// processes that run.
func TestAlertsAskForWhatIsThere(t *testing.T) {
	for _, r := range alerts(t) {
		checkExpression(t, r.Alert, r.Expr)
	}
}

// dashboard is what is read of Grafana's JSON.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Panels        []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		FieldConfig struct{ Defaults struct{ Unit string } }
		Datasource  struct{ UID string }
		Targets     []struct{ Expr, LegendFormat string }
	}
}

// variables are what Grafana puts in.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(variables.Replace(read(t, dashboardFile))), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion == 0 || len(d.Panels) < 20 {
		t.Fatalf("%q %q, schema %d, %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	return d
}

// expressions are those of alerts and dashboard.
func expressions(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, r := range alerts(t) {
		all = append(all, r.Expr)
	}
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

// TestDashboard checks that each panel has a title, a unit and a place of its own,
// and asks for what is there.
func TestDashboard(t *testing.T) {
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range readDashboard(t).Panels {
		if p.Title == "" || ids[p.ID] {
			t.Errorf("panel %d %q: no title, or its id is taken", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies outside, or over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: unit %q, data source %q, %d queries", p.Title, p.FieldConfig.Defaults.Unit, p.Datasource.UID, len(p.Targets))
		}
		for _, target := range p.Targets {
			if strings.Contains(target.Expr, "$") {
				t.Errorf("%s: a variable that is not known: %s", p.Title, target.Expr)
			}
			checkExpression(t, p.Title, target.Expr)
		}
	}
}
