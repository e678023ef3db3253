package scaling

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/bench/result"
)

// made are results of a sidecar that costs 100 µs + 1000 µs/MB in Envoy and
// 50 µs + 4000 µs/MB in the processor, idles at 40 MB, and takes 5 MB a stream.
func made() result.Results {
	r := result.Results{Schema: result.Schema}
	add := func(group, situation, unit string, value float64) {
		r.Figures = append(r.Figures, result.Figure{Group: group, Case: situation, Subject: "graphveil", Unit: unit, Rounds: []float64{value}})
	}
	for size, mb := range megabytes {
		add("cpu", "h2/"+size+"/plain/max/envoy", "µs/request", 100+1000*mb)
		add("cpu", "h2/"+size+"/plain/max/processor", "µs/request", 50+4000*mb)
	}
	add("start", "idle", "MB", 40)
	add("memory", "slow-8x50MB/processor", "MB", 80)
	add("memory", "slow-8x50MB/envoy-growth", "MB", 16)
	return r
}

func TestFit(t *testing.T) {
	m, err := Fit(made())
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("Envoy's request", m.Envoy.PerRequest, 100)
	near("Envoy's MB", m.Envoy.PerMB, 1000)
	near("the processor's request", m.Processor.PerRequest, 50)
	near("the processor's MB", m.Processor.PerMB, 4000)
	near("the check", m.Checked, 1)
	near("a stream", m.Stream, 5)
	near("a stream in Envoy", m.StreamEnvoy, 2)
	near("requests of a core", m.PerCore(middle), 2500)
	near("mailboxes of a core", m.MailboxesPerCore(), 150)
	most := m.Most(100)
	near("requests", most.Requests, 10_000.0/6)
	near("cores", most.Cores, 10_000.0/6*400/1e6)
	near("memory", most.Memory, 40+400*5)
	near("the global limit", m.Most(10_000).Requests, 13_000)
	near("a night", m.Nightly(300).Requests, 1)
}

func TestFitNeedsAllFigures(t *testing.T) {
	for i := range made().Figures {
		r := made()
		missing := r.Figures[i]
		r.Figures = append(r.Figures[:i], r.Figures[i+1:]...)
		if _, err := Fit(r); err == nil || !strings.Contains(err.Error(), missing.Case) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.0123: "0.012", 0.0000033: "0.0000033", 0.999: "1", 1.26: "1.3", 9.96: "10", 14.9: "15", 1234: "1,200", 987_654: "990,000", 1_234_567: "1,200,000"} {
		if got := number(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

var update = flag.Bool("update", false, "make ../scaling.md anew")

// TestPage holds ../scaling.md to ../results.json, and the model to what was measured.
func TestPage(t *testing.T) {
	r, err := result.Read("../results.json")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := Write("..", r); err != nil {
			t.Fatal(err)
		}
	}
	want, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("scaling.md is not of results.json: make bench, or go test ./bench/scaling -update")
	}
	m, err := Fit(r)
	if err != nil {
		t.Fatal(err)
	}
	if m.Checked < 0.7 || m.Checked > 1.4 {
		t.Errorf("at 50 KB the model says %.2f × what was measured: a straight line is the wrong model", m.Checked)
	}
}
