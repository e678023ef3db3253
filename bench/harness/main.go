// Command harness measures Graphveil beside its peers: the parts in one process (bench/micro), the whole of it through real Envoys
// (bench/ladder), and what compression brings over a long line (bench/wan). It prints progress and the verdict on each target, and writes results.json, RESULTS.md and plots. Targets that are missed
// are no failure of the run; an error, an answer that is refused, or a figure that is missing is.
//
// Run it from the root of the repository, after `make envoy build`:
//
//	go run ./bench/harness                                 # everything, about 10 minutes; written to bench/
//	go run ./bench/harness -quick                          # that it all runs, about 1 minute
//	go run ./bench/harness -only ladder/h2/50KB/plain,start
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/graphveil/graphveil/bench/ladder"
	"github.com/graphveil/graphveil/bench/report"
	"github.com/graphveil/graphveil/bench/result"
	"github.com/graphveil/graphveil/bench/scaling"
	"github.com/graphveil/graphveil/bench/wan"
	"github.com/graphveil/graphveil/envoy"
)

// options are the flags.
type options struct {
	quick    bool
	only     []string
	out      string
	binary   string
	rounds   int
	duration time.Duration
}

// parts are what -only takes.
var parts = append(append([]string{micro}, ladder.Groups...), wan.Group)

func main() {
	ladder.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "harness:", err)
		os.Exit(1)
	}
}

func parse(arguments []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("harness", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "measure the least that touches every part: shows that it runs, not how fast")
	flags.StringVar(&only, "only", "", "measure these `parts`, separated by commas: "+strings.Join(parts, ", ")+", or cases such as ladder/h2/50KB/plain")
	flags.StringVar(&o.out, "out", "", "write results to this `folder` (default: bench for a whole run, else nowhere)")
	flags.StringVar(&o.binary, "binary", "graphveil", "the `program` to measure")
	flags.IntVar(&o.rounds, "rounds", 0, "how often everything is measured (default 5; 1 with -quick)")
	flags.DurationVar(&o.duration, "duration", 0, "how long one subject is loaded in a round (default 800ms; 300ms with -quick)")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.rounds < 0 || o.duration < 0 {
		return o, errors.New("flags only, see -help; rounds and durations are positive")
	}
	if only != "" {
		o.only = strings.Split(only, ",")
		for _, name := range o.only {
			if group, _, _ := strings.Cut(name, "/"); !slices.Contains(parts, group) || group == micro && name != micro {
				return o, fmt.Errorf("-only %s: want one of %s, or what follows one but the first in the names of results", name, strings.Join(parts, ", "))
			}
		}
	}
	rounds, duration := 5, 800*time.Millisecond
	if o.quick {
		rounds, duration = 1, 300*time.Millisecond
	}
	if o.rounds == 0 {
		o.rounds = rounds
	}
	if o.duration == 0 {
		o.duration = duration
	}
	if o.out == "" && !o.quick && only == "" {
		o.out = "bench"
	}
	return o, nil
}

// run measures, judges and writes.
func run(ctx context.Context, o options) error {
	r := result.Results{
		Schema: result.Schema, Started: time.Now().UTC().Truncate(time.Second), Commit: commit(ctx),
		Command: strings.Join(append([]string{"go run ./bench/harness"}, os.Args[1:]...), " "),
		Quick:   o.quick, Machine: result.Here(envoy.Version),
	}
	if err := measure(ctx, o, &r, os.Stderr); err != nil {
		return err
	}
	if err := r.Check(); err != nil {
		return fmt.Errorf("checking the results: %w", err)
	}
	show(os.Stdout, o, r)
	if o.out == "" {
		return nil
	}
	if err := r.Write(filepath.Join(o.out, "results.json")); err != nil {
		return err
	}
	if err := report.Write(o.out, r); err != nil {
		return err
	}
	if o.quick || len(o.only) > 0 {
		return nil // the model needs what a whole run measures
	}
	return scaling.Write(o.out, r)
}

// commit is the one that is measured, as git knows it; "unknown" where it does not.
func commit(ctx context.Context) string {
	text, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// show prints the verdicts, and the figures where they are what was asked for. A quick run judges nothing.
func show(w io.Writer, o options, r result.Results) {
	if len(o.only) > 0 {
		for _, f := range r.Figures {
			low, high := f.Spread()
			fmt.Fprintf(w, "%-64s %9s  (%s–%s)\n", f, result.Number(f.Median()), result.Number(low), result.Number(high))
		}
		fmt.Fprintln(w)
	}
	if o.quick {
		fmt.Fprintf(w, "everything ran: %d figures, none of them a measurement\n", len(r.Figures))
		return
	}
	for _, v := range result.Judge(r) {
		if v.Measured || len(o.only) == 0 {
			fmt.Fprintln(w, v)
		}
	}
}
