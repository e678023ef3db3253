package report

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/result"
)

var update = flag.Bool("update", false, "rewrite testdata")

// small is results with a little of everything, made up.
func small() result.Results {
	r := result.Results{
		Schema: result.Schema, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Commit: "0123abc", Command: "make bench",
		Machine: result.Machine{Model: "Made-up 9000", Cores: 2, MemoryMiB: 4096, OS: "linux/amd64", Go: "go1.26", Envoy: "1.40.0"},
	}
	add := func(group, situation, unit, better string, values map[string]float64) {
		for _, name := range []string{"noop", "graphveil", "envoy", "jsontext", "jsonparser", "jsonparser-walk", "encoding/json"} {
			if v, ok := values[name]; ok {
				r.Figures = append(r.Figures, result.Figure{Group: group, Case: situation, Subject: name, Unit: unit, Better: better,
					Rounds: []float64{v, v * 1.1, v * 0.95}, Command: "go run ./bench/harness -only " + group})
			}
		}
	}
	for i, page := range []string{"mail", "calendar", "teams", "users"} {
		less := 1 - 0.2*float64(i)
		add("sanitizer", page+"/whole", "MB/s", result.Higher, map[string]float64{"graphveil": 900 * less, "jsontext": 600, "jsonparser": 80, "jsonparser-walk": 240, "encoding/json": 190})
		add("sanitizer", page+"/whole", "allocs/op", result.Lower, map[string]float64{"graphveil": 0, "jsontext": 0})
		for _, size := range []string{"16KB", "1KB", "100B"} {
			less *= 0.85
			add("sanitizer", page+"/"+size, "MB/s", result.Higher, map[string]float64{"graphveil": 900 * less})
		}
	}
	add("decision", "shipped/p50", "µs", result.Lower, map[string]float64{"graphveil": 41.5})
	for i, size := range []string{"1KB", "50KB", "400KB"} {
		by := []float64{1, 3.2, 17}[i]
		add("ladder", "h2/"+size+"/plain/max", "req/s", result.Higher, map[string]float64{"envoy": 14200 / by, "noop": 6100 / by, "graphveil": 6900 / by})
		for part, share := range map[string]float64{"envoy": 1, "processor": 0.6} {
			values := map[string]float64{"noop": 95 * by * share, "graphveil": 90 * by * share}
			if part == "envoy" {
				values["envoy"] = 41 * by
			}
			add("cpu", "h2/"+size+"/plain/max/"+part, "µs/request", result.Lower, values)
		}
	}
	for _, quantile := range []string{"p50", "p99"} {
		add("ladder", "h2/50KB/plain/half/"+quantile, "ms", result.Lower, map[string]float64{"envoy": 1, "noop": 2.1, "graphveil": 2.3})
	}
	for name, by := range map[string]float64{"envoy": 0.9, "noop": 1.8, "graphveil": 1.9} {
		h := result.Histogram{Group: "ladder", Case: "h2/50KB/plain/half", Subject: name, Unit: "ms", Command: "c"}
		for i, q := range []float64{0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 1} {
			h.Points = append(h.Points, result.Point{Quantile: q, Value: by * (0.6 + 0.01*float64(i*i*i))})
		}
		r.Histograms = append(r.Histograms, h)
	}
	slices.SortFunc(r.Histograms, func(a, b result.Histogram) int { return strings.Compare(a.Subject, b.Subject) })
	slices.SortStableFunc(r.Figures, func(a, b result.Figure) int { return strings.Compare(a.Group+a.Case, b.Group+b.Case) })
	add("memory", "slow-8x50MB/processor", "MB", result.Lower, map[string]float64{"graphveil": 61, "noop": 70})
	add("memory", "one-50MB/processor", "MB", result.Lower, map[string]float64{"graphveil": 41})
	return r
}

func TestMarkdown(t *testing.T) {
	r := small()
	plots, err := Plots(r)
	if err != nil {
		t.Fatal(err)
	}
	got := Markdown(r, plots)
	name := filepath.Join("testdata", "RESULTS.md")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("RESULTS.md is another (go test ./bench/report -update):\n%s", got)
	}
}

// Every plot is well-formed, opaque, and says in text what it shows.
func TestPlots(t *testing.T) {
	plots, err := Plots(small())
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string][]string{}
	for _, p := range plots {
		texts[p.Name] = read(t, p)
	}
	for name, want := range map[string][]string{
		"sanitizer":                  {"Sanitizer beside parsers, whole pages", "throughput in MB/s (more is better)", "mail", "Teams", "Graphveil", "jsontext, validation", "900", "190"},
		"sanitizer-chunks":           {"100 B", "765"},
		"throughput-h2-plain":        {"h2, plain upstream: max throughput through Envoy", "requests per second (more is better)", "1 KB", "400 KB", "no-op processor", "6,900", "14,200"},
		"cpu-h2-plain":               {"Graphveil: Envoy", "Graphveil: processor", "Envoy alone: Envoy", "144"},
		"latency-h2-50KB-plain-half": {"h2, 50 KB, plain upstream, at half of the no-op's max: latency", "latency in ms", "99.9%", "Graphveil", "Envoy alone"},
		"memory":                     {"Peak memory", "growth"},
	} {
		got, ok := texts[name]
		if name == "memory" {
			want = want[:1] // Envoy's growth was not measured
		}
		if !ok {
			t.Errorf("no plot %s", name)
		}
		for _, text := range want {
			if !slices.Contains(got, text) {
				t.Errorf("%s does not say %q, but %q", name, text, got)
			}
		}
	}
	if len(texts) != 6 {
		t.Errorf("%d plots", len(texts))
	}
}

// read parses a plot and returns its texts.
func read(t *testing.T, p Plot) (texts []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(p.SVG))
	white := false
	inText := false
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
			for _, a := range token.Attr {
				white = white || a.Name.Local == "style" && strings.Contains(a.Value, "fill:#FFFFFF")
				if inText && a.Name.Local == "style" && !strings.Contains(a.Value, "sans-serif") {
					t.Errorf("%s: a text in %s", p.Name, a.Value)
				}
			}
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		case xml.EndElement:
			inText = false
		}
	}
	if !white {
		t.Errorf("%s has no ground", p.Name)
	}
	return texts
}

func TestWriteRemovesOldPlots(t *testing.T) {
	folder := t.TempDir()
	r := small()
	if err := Write(folder, r); err != nil {
		t.Fatal(err)
	}
	r.Figures, r.Histograms = r.Figures[:0], nil
	if err := Write(folder, r); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(folder, "plots", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "RESULTS.md"))
	if err != nil || !strings.Contains(string(page), fmt.Sprintf("0 met, 0 missed, %d not measured", len(result.Targets))) {
		t.Errorf("%s, %v", page, err)
	}
	r.Schema = 0
	if Write(folder, r) == nil {
		t.Error("results of another schema were written")
	}
}
