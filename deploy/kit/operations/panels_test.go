package operations

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// TestPanelsHaveData asks Prometheus' engine each query of the dashboard, over all series of
// processes that run, as if every counter grew by one a minute. None comes back empty, and none
// gives the same legend to two lines.
func TestPanelsHaveData(t *testing.T) {
	storage := store(t, metrics(t).series("", true))
	defer storage.Close()
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000)
	for _, p := range readDashboard(t).Panels {
		seen := map[string]bool{}
		for _, target := range p.Targets {
			query, err := engine.NewInstantQuery(t.Context(), storage, nil, target.Expr, time.Unix(90*60, 0))
			if err != nil {
				t.Fatal(err)
			}
			result, err := query.Exec(t.Context()).Vector()
			if err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
			if len(result) == 0 {
				t.Errorf("%s: nothing for %s", p.Title, target.Expr)
			}
			for _, sample := range result {
				legend := target.LegendFormat
				sample.Metric.Range(func(l labels.Label) { legend = strings.ReplaceAll(legend, "{{"+l.Name+"}}", l.Value) })
				if strings.Contains(legend, "{{") || legend == "" || seen[legend] {
					t.Errorf("%s: the legend %q, twice or with labels that are not there", p.Title, legend)
				}
				seen[legend] = true
				if math.IsNaN(sample.F) && sample.H == nil {
					t.Errorf("%s: %s is not a number", p.Title, legend)
				}
			}
			query.Close()
		}
	}
}

// TestAlertsAreSilentOnARealRun lets all alerts see what a sidecar exposes, as if nothing more
// happened for two hours; each of the two for itself, since they have nothing to do with each other.
func TestAlertsAreSilentOnARealRun(t *testing.T) {
	for _, instance := range []string{"demo", "more"} {
		up := fmt.Sprintf("up{job=\"graphveil\",instance=%[1]q} 1x120\nup{job=\"graphveil-envoy\",instance=%[1]q} 1x120\n", instance)
		storage := store(t, metrics(t).series(instance, false)+up)
		for _, r := range alerts(t) {
			if firesOn(t, r, storage) {
				t.Errorf("%s: %s fires", instance, r.Alert)
			}
		}
		storage.Close()
	}
}

// series are those of one instance, or of all, in the language of Prometheus' tests: gauges as they are, and
// times as if they had been seen at the end; counters as they are, or growing.
func (f families) series(instance string, grow bool) string {
	var lines []string
	add := func(name string, m *dto.Metric, more, values string) {
		if instance != "" && !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == "instance" && l.GetValue() == instance }) {
			return
		}
		job := "graphveil"
		if strings.HasPrefix(name, "envoy_") {
			job = "graphveil-envoy"
		}
		series := []string{fmt.Sprintf("job=%q", job)}
		for _, l := range m.GetLabel() {
			series = append(series, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
		}
		if more != "" {
			series = append(series, more)
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %s\n", name, strings.Join(series, ","), values))
	}
	counter := func(value float64) string {
		if grow {
			return "0+1x120"
		}
		return fmt.Sprintf("%fx120", value)
	}
	began := float64(time.Now().Unix() - 60*hours)
	for name, family := range f {
		if name != family.GetName() {
			continue // a histogram under the name of one of its series
		}
		for _, m := range family.GetMetric() {
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				add(name, m, "", counter(m.GetCounter().GetValue()))
			case dto.MetricType_GAUGE:
				value := m.GetGauge().GetValue()
				switch { // a time; those of the test begin at 0
				case strings.HasSuffix(name, "_seconds") && value > 1e9:
					value -= began
				case strings.HasPrefix(name, "last_success_bundle") && value > 1e18:
					value -= 1e9 * began
				}
				add(name, m, "", fmt.Sprintf("%fx120", value))
			case dto.MetricType_HISTOGRAM:
				for _, b := range m.GetHistogram().GetBucket() {
					add(name+"_bucket", m, fmt.Sprintf(`le="%g"`, b.GetUpperBound()), counter(float64(b.GetCumulativeCount())))
				}
				add(name+"_sum", m, "", counter(m.GetHistogram().GetSampleSum()))
				add(name+"_count", m, "", counter(float64(m.GetHistogram().GetSampleCount())))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
