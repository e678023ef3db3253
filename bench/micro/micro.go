// Package micro measures the parts of Graphveil in one process, each beside its
// peers on the same bytes: the sanitizer with the shipped plans and real
// pseudonyms, the pseudonyms alone, the decision, and exchanges over gRPC in memory.
//
// Call [Run] for figures of interleaved rounds; the harness does. The same
// benchmarks are ordinary ones of Go, for profiles:
//
//	go test -run '^$' -bench Sanitizer/mail/whole/graphveil -cpuprofile cpu.out ./bench/micro
package micro

import (
	"context"
	"flag"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/result"
)

// Options say how long to measure.
type Options struct {
	// Rounds is how often everything is measured, all subjects of a case one after
	// the other in each round. At least 1.
	Rounds int
	// BenchTime is how long one subject of one case runs in a round, about.
	BenchTime time.Duration
	// Progress, if set, is told what runs next.
	Progress func(what string)
}

// group is what is measured together, with what it needs.
type group struct {
	name string
	// function is the benchmark of Go that runs it.
	function string
	prepare  func(ctx context.Context, r *rig) ([]subject, error)
}

// subject is one subject in one case.
type subject struct {
	situation, name string
	// bytes are what one operation reads; 0 if speed is no throughput.
	bytes int
	// unit is of the time per operation where bytes is 0, or of the metric p50 that
	// the benchmark reports: "ns/op", "µs/op" or "µs".
	unit string
	run  func(b *testing.B) error
}

var groups = []group{
	{"sanitizer", "BenchmarkSanitizer", sanitizer},
	{"pseudonyms", "BenchmarkPseudonyms", pseudonyms},
	{"decision", "BenchmarkDecision", decision},
	{"exchange", "BenchmarkExchange", exchange},
}

// Run measures all groups. It ends with the first error, or with ctx.
func Run(ctx context.Context, o Options) ([]result.Figure, error) {
	restore, err := setBenchTime(o.BenchTime)
	if err != nil {
		return nil, err
	}
	defer restore()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what was prepared
	r, err := newRig(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing the benchmarks: %w", err)
	}
	var figures []result.Figure
	for _, g := range groups {
		subjects, err := g.prepare(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("preparing the benchmarks of the group %s: %w", g.name, err)
		}
		measured := make([][]result.Figure, len(subjects))
		for round := range o.Rounds {
			for i, s := range subjects {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				if o.Progress != nil {
					o.Progress(fmt.Sprintf("%s, round %d of %d: %s, %s", g.name, round+1, o.Rounds, s.situation, s.name))
				}
				if err := g.measure(s, &measured[i]); err != nil {
					return nil, err
				}
			}
		}
		for _, f := range measured {
			figures = append(figures, f...)
		}
	}
	return figures, nil
}

// measure adds one round of a subject to its figures.
func (g group) measure(s subject, figures *[]result.Figure) error {
	var failed error
	measured := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		if failed = s.run(b); failed != nil {
			b.FailNow()
		}
	})
	if failed != nil {
		return fmt.Errorf("measuring %s, %s, %s: %w", g.name, s.situation, s.name, failed)
	}
	speed := result.Figure{Unit: s.unit, Better: result.Lower}
	var value float64
	switch p50, ok := measured.Extra[p50Metric]; {
	case ok:
		value = p50
	case s.bytes > 0:
		speed.Unit, speed.Better = "MB/s", result.Higher
		value = float64(s.bytes) * float64(measured.N) / 1e6 / measured.T.Seconds()
	default:
		value = float64(measured.T.Nanoseconds()) / float64(measured.N)
		if s.unit == "µs/op" {
			value /= 1e3
		}
	}
	if len(*figures) == 0 {
		allocs := result.Figure{Unit: "allocs/op", Better: result.Lower}
		for _, f := range []result.Figure{speed, allocs} {
			f.Group, f.Case, f.Subject = g.name, s.situation, s.name
			f.Command = fmt.Sprintf("go test -run '^$' -bench '%s/%s' ./bench/micro", g.function, pattern(s.situation))
			*figures = append(*figures, f)
		}
	}
	(*figures)[0].Rounds = append((*figures)[0].Rounds, value)
	(*figures)[1].Rounds = append((*figures)[1].Rounds, hundredths(float64(measured.MemAllocs)/float64(measured.N)))
	return nil
}

// hundredths rounds to them: what the testing package allocates once is lost, what
// happens now and then is not, as it is where Go's benchmarks print whole numbers.
func hundredths(v float64) float64 { return math.Round(v*100) / 100 }

// pattern selects the benchmarks of a case, all its subjects.
func pattern(situation string) string {
	levels := strings.Split(strings.ReplaceAll(situation, " ", "_"), "/")
	return "^" + strings.Join(levels, "$/^") + "$"
}

// p50Metric is the metric of benchmarks whose middle counts, not their mean.
const p50Metric = "p50-µs"

// setBenchTime sets how long Go's benchmarks run, until restore is called.
func setBenchTime(d time.Duration) (restore func(), err error) {
	const name = "test.benchtime"
	if flag.Lookup(name) == nil {
		testing.Init()
	}
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, d.String()); err != nil {
		return nil, fmt.Errorf("setting the time of a benchmark: %w", err)
	}
	return func() { _ = flag.Set(name, before) }, nil // it was there before
}
