// Package ladder measures Graphveil through real Envoys, step by step: Envoy alone, Envoy with a processor that does nothing (stock
// grpc-go, generated messages, every chunk sent back as it came), and Envoy with `graphveil serve` as its users run it, policy, pseudonyms
// and token included. All three are up at the same time with the same settings, in front of the same upstream; one is loaded at a time,
// in an order that rotates from round to round.
//
// Call [Main] first in main, then [Run]. Every answer has to be 2xx and of the length that was checked before: Graphveil's must hold
// pseudonyms and no address of the page, the others' must be the page. Anything else ends the run with an error, for a benchmark of errors
// says nothing.
//
// Upstream, no-op processor, Graphveil and the Envoys are processes of their own; the load comes from this one. What it costs lies on the
// same cores, which draws ratios of throughput towards 1. The processor time for a request, which is measured too, is free of that.
package ladder

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/graphveil/graphveil/bench/result"
	"github.com/graphveil/graphveil/envoy"
)

// The subjects.
const (
	graphveil = "graphveil"
	noop      = "noop"
	alone     = "envoy"
)

var subjects = []string{noop, graphveil, alone}

// Options say what to measure and for how long.
type Options struct {
	// Binary is the graphveil to measure.
	Binary string
	// Rounds is how often everything is measured. At least 1.
	Rounds int
	// Duration is how long one subject of one case is loaded in a round.
	Duration time.Duration
	// Quick measures the least that touches every part.
	Quick bool
	// Only keeps the cases whose group/case, such as ladder/h2/50KB/plain, begins with one of these. Empty: all.
	Only []string
	// Progress, if set, is told what runs next, and how long the rest takes, about.
	Progress func(what string, left time.Duration)
}

// Groups are the groups that Only can name. Figures of the group cpu come with those of the ladder.
var Groups = []string{"start", "memory", "stream", "ladder"}

// Run measures. It ends with the first error, or with ctx; all processes have ended then.
func Run(ctx context.Context, o Options) (_ []result.Figure, _ []result.Histogram, err error) {
	r := &run{Options: o, progress: func(string, ...any) {}}
	steps := slices.DeleteFunc(r.plan(), func(p step) bool { return !result.Wanted(o.Only, p.name) })
	if len(steps) == 0 {
		return nil, nil, fmt.Errorf("measuring through envoy: nothing is called %s", strings.Join(o.Only, ", "))
	}
	if err := r.open(ctx, steps); err != nil {
		return nil, nil, fmt.Errorf("preparing to measure through envoy: %w", err)
	}
	defer func() { err = errors.Join(err, r.closeLadder(), r.site.close()) }()
	var left time.Duration
	for _, p := range steps {
		left += p.takes
	}
	if runtime.GOOS != "linux" && o.Progress != nil {
		o.Progress("memory and processor time of processes are left out: they are read from Linux's /proc", left)
	}
	for _, p := range steps {
		began := time.Now()
		r.progress = func(format string, args ...any) {
			if o.Progress != nil {
				o.Progress(fmt.Sprintf(format, args...), left-time.Since(began))
			}
		}
		t := &result.Table{Command: "go run ./bench/harness -only " + p.name}
		if err := p.measure(ctx, t); err != nil {
			return nil, nil, fmt.Errorf("measuring %s: %w", p.name, err)
		}
		r.figures = append(r.figures, t.Figures...)
		left -= p.takes
	}
	if err := r.peaks(); err != nil {
		return nil, nil, fmt.Errorf("measuring memory under load: %w", err)
	}
	return r.figures, r.histograms, nil
}

// run is a run of the ladder.
type run struct {
	Options
	site       *site
	rungs      map[string]*rung // of the ladder, once they are up
	progress   func(format string, args ...any)
	figures    []result.Figure
	histograms []result.Histogram
}

// step is what can be chosen with Only.
type step struct {
	name    string        // group/case, as far as it is the same for all figures
	takes   time.Duration // about
	pages   []pageName    // besides the small one, which is always there
	measure func(context.Context, *result.Table) error
}

// plan orders the steps: those that need processes of their own first.
func (r *run) plan() []step {
	steps := []step{{"start", time.Duration(r.Rounds) * (idleWait + time.Second), nil, r.start}}
	if runtime.GOOS == "linux" {
		steps = append(steps, r.memorySteps()...)
	}
	steps = append(steps, step{"stream/slow-page", time.Duration(r.Rounds) * time.Second / 4, []pageName{slowPage}, r.firstByte})
	return append(steps, r.ladderSteps()...)
}

// open finds the programs and starts what all steps need.
func (r *run) open(ctx context.Context, steps []step) error {
	envoyBinary, err := envoy.Find(ctx)
	if err != nil {
		return err
	}
	binary, err := findBinary(r.Binary)
	if err != nil {
		return err
	}
	names := []pageName{smallPage}
	for _, p := range steps {
		for _, name := range p.pages {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	r.site, err = newSite(ctx, envoyBinary, binary, names)
	return err
}
