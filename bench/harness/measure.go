package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/graphveil/graphveil/bench/ladder"
	microbench "github.com/graphveil/graphveil/bench/micro"
	"github.com/graphveil/graphveil/bench/result"
	"github.com/graphveil/graphveil/bench/wan"
)

// micro is what -only calls all that needs no Envoy.
const micro = "micro"

// measure runs what was asked for, and fails where a figure is missing that a target judges.
func measure(ctx context.Context, o options, r *result.Results, progress io.Writer) error {
	began := time.Now()
	tell := func(format string, args ...any) {
		fmt.Fprintf(progress, "%4.0fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	inLadder, inMicro := o.split()
	if inMicro {
		benchTime := o.duration / 5
		figures, err := microbench.Run(ctx, microbench.Options{
			Rounds: o.rounds, BenchTime: benchTime, Progress: func(what string) { tell("%s", what) },
		})
		if err != nil {
			return fmt.Errorf("measuring the parts: %w", err)
		}
		r.Figures = append(r.Figures, figures...)
	}
	if inLadder != nil {
		figures, histograms, err := ladder.Run(ctx, ladder.Options{
			Binary: o.binary, Rounds: o.rounds, Duration: o.duration, Quick: o.quick, Only: inLadder,
			Progress: func(what string, left time.Duration) {
				tell("%s (about %v left)", what, max(0, left).Round(time.Second))
			},
		})
		if err != nil {
			return err
		}
		r.Figures, r.Histograms = append(r.Figures, figures...), append(r.Histograms, histograms...)
	}
	if inWAN := o.of(wan.Group); len(o.only) == 0 || inWAN != nil {
		figures, err := wan.Run(ctx, wan.Options{
			Binary: o.binary, Rounds: o.rounds, Duration: o.duration / 2, Quick: o.quick, Only: inWAN,
			Progress: func(what string, left time.Duration) {
				tell("%s (about %v left)", what, max(0, left).Round(time.Second))
			},
		})
		if err != nil {
			return err
		}
		r.Figures = append(r.Figures, figures...)
	}
	if len(o.only) > 0 {
		return nil
	}
	return complete(*r)
}

// of is what of -only is a group's.
func (o options) of(group string) (names []string) {
	for _, name := range o.only {
		if first, _, _ := strings.Cut(name, "/"); first == group {
			names = append(names, name)
		}
	}
	return names
}

// split says what of -only is the ladder's, and whether something is micro's.
func (o options) split() (inLadder []string, inMicro bool) {
	if len(o.only) == 0 {
		return ladder.Groups, true
	}
	for _, name := range o.only {
		group, _, _ := strings.Cut(name, "/")
		switch group {
		case micro:
			inMicro = true
		case wan.Group:
		default:
			inLadder = append(inLadder, name)
		}
	}
	return inLadder, inMicro
}

// complete says which figures of the targets are missing. A quick run leaves out the long ones, and other systems than Linux do not tell
// the memory of a process.
func complete(r result.Results) error {
	var missing []string
	for _, v := range result.Judge(r) {
		long := r.Quick && (strings.Contains(v.Case, "400KB") || strings.HasPrefix(v.Case, "slow-8x") || v.Case == "one-500MB/processor")
		memory := runtime.GOOS != "linux" && (v.Group == "memory" || v.Case == "idle")
		if !v.Measured && !long && !memory {
			missing = append(missing, v.ID)
		}
	}
	if missing != nil {
		return fmt.Errorf("figures are missing: %s", strings.Join(missing, ", "))
	}
	return nil
}
