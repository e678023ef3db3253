package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	loading "github.com/graphveil/graphveil/bench/load"
	"github.com/graphveil/graphveil/bench/report"
	"github.com/graphveil/graphveil/bench/result"
)

// benchQuantiles are what the summary says of the latency.
var benchQuantiles = []struct {
	name    string
	percent float64
}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}}

// writeBench writes the summary for a terminal.
func writeBench(w io.Writer, r *loading.Report) {
	seconds := r.Elapsed.Seconds()
	fmt.Fprintf(w, "requests   %d in %.1f s, %d failed\n", r.Requests(), seconds, r.Failed())
	fmt.Fprintf(w, "throughput %.1f requests/s, %.2f MB/s (%.1f MB of bodies)\n", r.Throughput(), float64(r.Bytes)/1e6/seconds, float64(r.Bytes)/1e6)
	if r.Latency.TotalCount() > 0 {
		fmt.Fprint(w, "latency   ")
		for _, q := range benchQuantiles {
			fmt.Fprintf(w, " %s %s ms", q.name, result.Number(float64(r.Latency.ValueAtQuantile(q.percent))/1e6))
		}
		fmt.Fprintln(w)
	}
	var statuses []string
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		name := fmt.Sprint(status)
		if status == 0 {
			name = "no whole answer"
		}
		statuses = append(statuses, fmt.Sprintf("%s: %d", name, r.Statuses[status]))
	}
	fmt.Fprintf(w, "statuses   %s\n", strings.Join(statuses, ", "))
}

// save writes results, summary and plots. What was asked is not in them.
func (f *benchFlags) save(started time.Time, r *loading.Report) error {
	command := fmt.Sprintf("graphveil bench --target … --duration %s --warm-up %s", f.duration, f.warmUp)
	if f.http1 {
		command += " --http1"
	}
	if f.rate > 0 {
		command += fmt.Sprintf(" --rate %g", f.rate)
	} else {
		command += fmt.Sprintf(" --workers %d", f.verified.Workers)
	}
	results := result.Results{Schema: result.Schema, Started: started.UTC().Round(time.Second), Commit: version(), Command: command, Machine: result.Here("")}
	add := func(situation, unit, better string, value float64) {
		results.Figures = append(results.Figures, result.Figure{
			Group: report.TargetGroup, Case: situation, Subject: "target", Unit: unit, Better: better, Rounds: []float64{value}, Command: command,
		})
	}
	seconds := r.Elapsed.Seconds()
	add(f.situation, "req/s", result.Higher, r.Throughput())
	add(f.situation, "MB/s", result.Higher, float64(r.Bytes)/1e6/seconds)
	for status, count := range r.Statuses {
		add(fmt.Sprintf("%s/status %d", f.situation, status), "requests", "", float64(count))
	}
	if r.Latency.TotalCount() > 0 {
		results.Histograms = append(results.Histograms, result.Histogram{
			Group: report.TargetGroup, Case: f.situation, Subject: "target", Unit: "ms", Points: result.Points(r.Latency, 1e6), Command: command,
		})
	}
	slices.SortStableFunc(results.Figures, func(a, b result.Figure) int { return strings.Compare(a.Case, b.Case) })
	if err := results.Write(filepath.Join(f.out, "results.json")); err != nil {
		return err
	}
	return report.WriteSummary(f.out, results)
}
