package chart

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// What the chart's README shows is rendered, or is what the tests' application does.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(chartDir + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile(application + "/templates/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	complete, parts, templates, monitors, dependencies := 0, 0, 0, 0, 0
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		switch {
		case strings.Contains(block, "{{-"):
			templates++
			for line := range strings.Lines(block) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "{{") && !strings.Contains(string(template), line) {
					t.Errorf("the application does not have %s", line)
				}
			}
		case strings.HasPrefix(block, "config:"):
			complete++
			gateway(t, block)
		case strings.HasPrefix(block, "gateway:"):
			parts++
			gateway(t, minimal, block)
		case strings.HasPrefix(block, "dependencies:"):
			dependencies++
			var chart struct {
				Dependencies []struct{ Name, Version string }
			}
			if err := yaml.Unmarshal([]byte(block), &chart); err != nil || len(chart.Dependencies) != 1 ||
				chart.Dependencies[0].Name != "graphveil" || chart.Dependencies[0].Version != load(t, chartDir).Metadata.Version {
				t.Errorf("%v, %v", chart, err)
			}
		case strings.Contains(block, "kind: PodMonitor"):
			monitors++
			checkMonitor(t, block)
		default:
			t.Errorf("the test knows nothing of\n%s", block)
		}
	}
	if complete != 1 || parts != 1 || templates != 1 || monitors != 1 || dependencies != 1 {
		t.Errorf("%d blocks", len(blocks))
	}
}

// checkMonitor looks for what a PodMonitor names in the Pod, and for the names of the
// jobs in the alerts.
func checkMonitor(t *testing.T, text string) {
	t.Helper()
	var monitor struct {
		Spec struct {
			Selector  struct{ MatchLabels map[string]string }
			Endpoints []struct {
				Port        string
				Relabelings []struct{ TargetLabel, Replacement string }
			} `json:"podMetricsEndpoints"`
		}
	}
	if err := yaml.Unmarshal([]byte(text), &monitor); err != nil {
		t.Fatal(err)
	}
	alerts, err := os.ReadFile("../../operations/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pod := gateway(t, minimal).deployment.Spec.Template
	for k, v := range monitor.Spec.Selector.MatchLabels {
		if pod.Labels[k] != v {
			t.Errorf("the Pods do not have %s=%s", k, v)
		}
	}
	processor, envoy := ours(&pod.Spec)
	ports := map[string]bool{}
	for _, p := range append(processor.Ports, envoy.Ports...) {
		ports[p.Name] = true
	}
	for _, e := range monitor.Spec.Endpoints {
		if !ports[e.Port] || len(e.Relabelings) != 1 || e.Relabelings[0].TargetLabel != "job" || !strings.Contains(string(alerts), `job="`+e.Relabelings[0].Replacement+`"`) {
			t.Errorf("%+v: no such port, or no alert is about that job", e)
		}
	}
	if len(monitor.Spec.Endpoints) != 2 {
		t.Errorf("%d endpoints", len(monitor.Spec.Endpoints))
	}
}
