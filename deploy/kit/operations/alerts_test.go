package operations

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Files that are checked, from this folder.
const (
	root          = "../../.."
	alertsFile    = root + "/deploy/operations/alerts.yaml"
	dashboardFile = root + "/deploy/operations/dashboard.json"
	runbookFile   = root + "/docs/runbook.md"
	codesFile     = root + "/docs/error-codes.md"
)

var promql = parser.NewParser(parser.Options{})

// alerts are the rules of the file, as Prometheus reads it.
func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(alertsFile, false, model.UTF8Validation, promql, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	var rules []rulefmt.Rule
	for _, g := range groups.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) < 20 {
		t.Fatalf("%d alerts", len(rules))
	}
	return rules
}

// An alert says how bad it is, what it means and where to read on. Its texts have
// no values in them, not even labels.
func TestAlerts(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range alerts(t) {
		if r.Alert == "" || seen[r.Alert] {
			t.Errorf("alert %q: without a name, or there twice", r.Alert)
		}
		seen[r.Alert] = true
		if s := r.Labels["severity"]; len(r.Labels) != 1 || s != "critical" && s != "warning" {
			t.Errorf("%s: labels %v", r.Alert, r.Labels)
		}
		if time.Duration(r.For) > time.Hour {
			t.Errorf("%s: waits %s", r.Alert, r.For)
		}
		for _, name := range []string{"summary", "description"} {
			if text := r.Annotations[name]; text == "" || strings.Contains(text, "{{") || strings.Contains(text, "$") {
				t.Errorf("%s: %s is %q", r.Alert, name, text)
			}
		}
		if !strings.HasSuffix(r.Annotations["runbook_url"], "/docs/runbook.md#"+strings.ToLower(r.Alert)) || len(r.Annotations) != 3 {
			t.Errorf("%s: annotations %v", r.Alert, r.Annotations)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
