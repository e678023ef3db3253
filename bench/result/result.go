// Package result is what the harness measured, as data: figures with one value
// per round, histograms of latencies, the targets and the verdict on each.
// Call [Read] and [Results.Write] for the file, [Judge] for the verdicts.
//
// A figure is named by group, case, subject and unit. Subjects of one group and
// case are comparable, because their rounds were interleaved: round i of one ran
// beside round i of the other. That is why a ratio is taken round by round, and
// why absolute values from two machines, or two runs, are not compared here.
//
// Names in use; what a target judges is in targets.go:
//
//	group       case                                   subjects                                            unit
//	sanitizer   {mail,calendar,teams,users}/{whole,16KB,1KB,100B}
//	                                                   graphveil jsonparser jsontext jsonparser-walk encoding/json   MB/s, allocs/op
//	pseudonyms  one per operation                      graphveil                                           ns/op, allocs/op
//	decision    {shipped,synthetic-{10,100,1000},distinct-{10,1000}}/p50   graphveil                       µs
//	exchange    {1KB,50KB,400KB}                       graphveil noop                                      µs/op, allocs/op
//	ladder      {h1,h2}/SIZE/{plain,gzip}/max          graphveil noop envoy                                req/s, MB/s
//	ladder      {h1,h2}/SIZE/{plain,gzip}/half/{p50,p99}   graphveil noop envoy                            ms
//	cpu         {h1,h2}/SIZE/{plain,gzip}/{max,half}/{envoy,processor}
//	                                                   graphveil noop envoy                                µs/request
//	memory      {slow-8x50MB,one-50MB,one-500MB}/{processor,envoy-growth}, ladder/{envoy,processor}
//	                                                   graphveil noop envoy                                MB
//	stream      slow-page/first-byte                   graphveil noop envoy                                records
//	start       ready, idle                            graphveil                                           ms, MB
//	wan         LINE/{50KB,400KB}/{latency,max,cpu,bytes}   gzip plain                                     ms, req/s, µs/request, KB
//
// Of histograms the case is that of the figures without the quantile:
// ladder, {h1,h2}/SIZE/{plain,gzip}/half, in ms. 1 MB is 1,000,000 bytes, of
// memory too. SIZE is 1KB, 50KB, 400KB or 50MB.
package result

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// Schema is the version of the file. A file of another version is refused.
const Schema = 1

// Results are one run of the harness.
type Results struct {
	Schema  int       `json:"schema"`
	Started time.Time `json:"started"`
	Commit  string    `json:"commit"`  // of the source that was measured; "-dirty" behind it when there were changes
	Command string    `json:"command"` // that made this file
	Quick   bool      `json:"quick"`   // a smoke run: shows that everything runs, not how fast
	Machine Machine   `json:"machine"`

	Figures    []Figure    `json:"figures"`
	Histograms []Histogram `json:"histograms"`
}

// Figure is what was measured of one subject in one case.
type Figure struct {
	Group   string    `json:"group"`
	Case    string    `json:"case"`
	Subject string    `json:"subject"`
	Unit    string    `json:"unit"`
	Better  string    `json:"better,omitempty"` // [Higher], [Lower], or empty: neither
	Rounds  []float64 `json:"rounds"`           // one value per round, in the order in which they ran
	Command string    `json:"command"`          // that measures this again
}

// What is better of a figure.
const (
	Higher = "higher"
	Lower  = "lower"
)

// Histogram is the latencies of one subject in one case, all rounds together,
// counted from when a request was due.
type Histogram struct {
	Group   string  `json:"group"`
	Case    string  `json:"case"`
	Subject string  `json:"subject"`
	Unit    string  `json:"unit"`
	Points  []Point `json:"points"` // quantiles rise, values do not fall
	Command string  `json:"command"`
}

// Point says that the share Quantile of all values, 0 to 1, is at most Value.
type Point struct {
	Quantile float64 `json:"quantile"`
	Value    float64 `json:"value"`
}

// Read reads a file of results, and refuses one that [Results.Check] refuses or
// that has fields which this version does not know.
func Read(name string) (Results, error) {
	var r Results
	text, err := os.ReadFile(name)
	if err != nil {
		return r, fmt.Errorf("reading results: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("reading results from %s: %w", name, err)
	}
	if err := r.Check(); err != nil {
		return r, fmt.Errorf("reading results from %s: %w", name, err)
	}
	return r, nil
}

// Write writes the file, which people read in diffs: indented. Its folder is made
// if it is not there.
func (r Results) Write(name string) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("writing results to %s: %w", name, err)
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("writing results to %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}

// Check refuses results that cannot be judged or shown: without names, with two
// figures of one name, without rounds, with values that are no finite numbers.
func (r Results) Check() error {
	if r.Schema != Schema {
		return fmt.Errorf("schema %d, this version knows %d", r.Schema, Schema)
	}
	seen := make(map[[4]string]bool)
	for _, f := range r.Figures {
		if err := check(seen, f.Group, f.Case, f.Subject, f.Unit); err != nil {
			return fmt.Errorf("figure: %w", err)
		}
		if f.Better != "" && f.Better != Higher && f.Better != Lower {
			return fmt.Errorf("figure %s: better is %q", f, f.Better)
		}
		if len(f.Rounds) == 0 {
			return fmt.Errorf("figure %s: no rounds", f)
		}
		for _, v := range f.Rounds {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("figure %s: a round is %v", f, v)
			}
		}
	}
	clear(seen)
	for _, h := range r.Histograms {
		if err := check(seen, h.Group, h.Case, h.Subject, h.Unit); err != nil {
			return fmt.Errorf("histogram: %w", err)
		}
		last := Point{Quantile: math.Inf(-1), Value: math.Inf(-1)}
		for _, p := range h.Points {
			if !(p.Quantile > last.Quantile && p.Value >= last.Value) || p.Quantile < 0 || p.Quantile > 1 || math.IsInf(p.Value, 0) {
				return fmt.Errorf("histogram %s %s %s: quantile %v after %v, value %v after %v",
					h.Group, h.Case, h.Subject, p.Quantile, last.Quantile, p.Value, last.Value)
			}
			last = p
		}
		if len(h.Points) == 0 {
			return fmt.Errorf("histogram %s %s %s: no points", h.Group, h.Case, h.Subject)
		}
	}
	return nil
}

func check(seen map[[4]string]bool, name ...string) error {
	key := [4]string(name)
	for _, part := range key {
		if part == "" {
			return fmt.Errorf("%q: a part of the name is empty", key)
		}
	}
	if seen[key] {
		return fmt.Errorf("%q is there twice", key)
	}
	seen[key] = true
	return nil
}

// Find returns the figure of that name.
func (r Results) Find(group, situation, subject, unit string) (Figure, bool) {
	for _, f := range r.Figures {
		if f.Group == group && f.Case == situation && f.Subject == subject && f.Unit == unit {
			return f, true
		}
	}
	return Figure{}, false
}
