package result

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func made() Results {
	return Results{
		Schema: Schema, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Commit: "abc", Command: "make bench", Machine: Here("1.40.0"),
		Figures: []Figure{
			{Group: "sanitizer", Case: "mail/whole", Subject: "graphveil", Unit: "MB/s", Better: Higher, Rounds: []float64{900, 1200, 500}, Command: "c"},
			{Group: "sanitizer", Case: "mail/whole", Subject: "jsontext", Unit: "MB/s", Better: Higher, Rounds: []float64{1000, 1000, 400}, Command: "c"},
			{Group: "sanitizer", Case: "mail/whole", Subject: "encoding/json", Unit: "MB/s", Better: Higher, Rounds: []float64{500, 500, 500}, Command: "c"},
			{Group: "sanitizer", Case: "mail/whole", Subject: "jsonparser-walk", Unit: "MB/s", Better: Higher, Rounds: []float64{500}, Command: "c"},
			{Group: "sanitizer", Case: "mail/whole", Subject: "graphveil", Unit: "allocs/op", Better: Lower, Rounds: []float64{0, 0, 0}, Command: "c"},
			{Group: "sanitizer", Case: "mail/16KB", Subject: "graphveil", Unit: "MB/s", Better: Higher, Rounds: []float64{810, 1080, 450}, Command: "c"},
			{Group: "decision", Case: "shipped/p50", Subject: "graphveil", Unit: "µs", Better: Lower, Rounds: []float64{29, 31, 40, 60}, Command: "c"},
			{Group: "stream", Case: "slow-page/first-byte", Subject: "graphveil", Unit: "records", Better: Lower, Rounds: []float64{2}, Command: "c"},
		},
		Histograms: []Histogram{{Group: "ladder", Case: "h2/1KB/plain/half", Subject: "noop", Unit: "ms", Command: "c",
			Points: []Point{{0.5, 1.5}, {0.99, 1.5}, {1, 7}}}},
	}
}

func TestFileRoundTrip(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new", "results.json")
	want := made()
	if err := want.Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestWhatCannotBeJudgedIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(*Results){
		"schema":        func(r *Results) { r.Schema = 2 },
		"is empty":      func(r *Results) { r.Figures[1].Unit = "" },
		"twice":         func(r *Results) { r.Figures[1] = r.Figures[0] },
		"no rounds":     func(r *Results) { r.Figures[1].Rounds = nil },
		"NaN":           func(r *Results) { r.Figures[1].Rounds[0] = math.NaN() },
		"+Inf":          func(r *Results) { r.Figures[1].Rounds[0] = math.Inf(1) },
		"better":        func(r *Results) { r.Figures[1].Better = "bigger" },
		"no points":     func(r *Results) { r.Histograms[0].Points = nil },
		"quantile":      func(r *Results) { r.Histograms[0].Points[1].Quantile = 0.4 },
		"quantile 1.1":  func(r *Results) { r.Histograms[0].Points[2].Quantile = 1.1 },
		"value 1 after": func(r *Results) { r.Histograms[0].Points[2].Value = 1 },
	} {
		r := made()
		spoil(&r)
		name := filepath.Join(t.TempDir(), "results.json")
		if err := r.Write(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s: written all the same", want)
		}
	}
	name := filepath.Join(t.TempDir(), "results.json")
	for text, want := range map[string]string{
		`{"schema": 1, "figure": []}`: "unknown field",
		`{}`:                          "schema 0",
		`{"schema": 1`:                "unexpected EOF",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMedianAndSpread(t *testing.T) {
	for _, c := range []struct {
		rounds            []float64
		median, low, high float64
	}{
		{[]float64{7}, 7, 7, 7},
		{[]float64{4, 1}, 2.5, 1.75, 3.25},
		{[]float64{5, 1, 3, 2, 4}, 3, 2, 4},
		{[]float64{1, 100, 2, 3}, 2.5, 1.75, 27.25},
	} {
		f := Figure{Rounds: c.rounds}
		if low, high := f.Spread(); f.Median() != c.median || low != c.low || high != c.high {
			t.Errorf("%v: %v, %v to %v", c.rounds, f.Median(), low, high)
		}
	}
	if !math.IsNaN(Figure{}.Median()) {
		t.Error("no rounds have a median")
	}
}

// The ratio of the medians would be 0.9: rounds pair.
func TestJudge(t *testing.T) {
	verdicts := make(map[string]Verdict)
	for _, v := range Judge(made()) {
		if _, twice := verdicts[v.ID]; twice {
			t.Errorf("two targets are called %s", v.ID)
		}
		verdicts[v.ID] = v
	}
	for id, want := range map[string]string{
		"sanitizer-mail-jsontext":        "met 1.20 × (1.05–1.23) ≥ 1 ×",
		"sanitizer-mail-encoding/json":   "missed 1.80 × (1.40–2.10) ≥ 3 ×",
		"sanitizer-mail-jsonparser-walk": "not measured – ≥ 2.50 ×",
		"sanitizer-mail-allocs":          "met 0 allocs/op ≤ 0 allocs/op",
		"sanitizer-mail-16KB":            "met 0.9 × ≥ 0.9 ×",
		"sanitizer-mail-1KB":             "not measured – ≥ 0.8 ×",
		"decision-p50":                   "missed 35.5 µs (30.5–45) ≤ 30 µs",
		"stream-first-byte":              "missed 2 records < 2 records",
		"ladder-50KB-max":                "not measured – ≥ 1 ×",
	} {
		v := verdicts[id]
		if got := v.Said() + " " + v.ValueText() + " " + v.BoundText(); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
		if v.Measured == (v.Why != "") {
			t.Errorf("%s: measured %v, because %q", id, v.Measured, v.Why)
		}
	}
}

// A target that says nothing, or that no value could miss, is none.
func TestTargetsAreWhole(t *testing.T) {
	if len(Targets) < 35 {
		t.Errorf("%d targets", len(Targets))
	}
	for _, target := range Targets {
		if target.ID == "" || target.What == "" || target.Group == "" || target.Case == "" || target.Subject == "" || target.Unit == "" {
			t.Errorf("%+v", target)
		}
		worst := math.Inf(1)
		if target.Sense == AtLeast {
			worst = 0
		}
		situation := target.AgainstCase
		if situation == "" {
			situation = target.Case
		}
		r := Results{Figures: []Figure{
			{Group: target.Group, Case: target.Case, Subject: target.Subject, Unit: target.Unit, Rounds: []float64{worst}},
			{Group: target.Group, Case: situation, Subject: target.Against, Unit: target.Unit, Rounds: []float64{1}},
		}}
		if v := target.Judge(r); v.Said() != "missed" {
			t.Errorf("%s: the worst is %s", target.ID, v.Said())
		}
	}
}

func TestPoints(t *testing.T) {
	h := hdrhistogram.New(1, 1e9, 3)
	for i := range int64(1000) {
		if err := h.RecordValue(i * 1000); err != nil {
			t.Fatal(err)
		}
	}
	r := made()
	r.Histograms[0].Points = Points(h, 1e3)
	if n := len(r.Histograms[0].Points); n < 20 {
		t.Errorf("%d points", n)
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	for _, percentile := range []float64{50, 90, 99, 99.9, 100} {
		if got, want := r.Histograms[0].At(percentile/100), float64(h.ValueAtPercentile(percentile))/1e3; got != want {
			t.Errorf("%v%% of all values are at most %v, want %v", percentile, got, want)
		}
	}
}
