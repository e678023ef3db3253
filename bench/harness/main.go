package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/graphveil/graphveil/bench/ladder"
)

func main() {
	ladder.Main()
	only := flag.String("only", "", "")
	rounds := flag.Int("rounds", 3, "")
	duration := flag.Duration("duration", time.Second, "")
	quick := flag.Bool("quick", false, "")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := ladder.Options{Binary: "./graphveil", Rounds: *rounds, Duration: *duration, Quick: *quick, Progress: func(what string, left time.Duration) {
		fmt.Fprintf(os.Stderr, "%s (%v left)\n", what, left.Round(time.Second))
	}}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	figures, _, err := ladder.Run(ctx, o)
	for _, f := range figures {
		low, high := f.Spread()
		fmt.Printf("%-60s %10.2f  %10.2f %10.2f\n", f, f.Median(), low, high)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
