package ladder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/graphveil/graphveil/bench/result"
)

const (
	slowClients = 8
	// slowFor is how long each of them takes to read its page.
	slowFor = 10 * time.Second
)

// memorySteps each start fresh processes for each subject and round, so that nobody's peak is another case's.
func (r *run) memorySteps() []step {
	cases := []struct {
		name    string
		page    pageName
		clients int
		lasting time.Duration
		takes   time.Duration
	}{
		{"slow-8x50MB", hugePage, slowClients, slowFor, slowFor},
		{"one-50MB", hugePage, 1, 0, time.Second},
		{"one-500MB", giantPage, 1, 0, 6 * time.Second},
	}
	if r.Quick {
		cases = cases[1:2]
	}
	rounds := min(r.Rounds, 2)
	var steps []step
	for _, c := range cases {
		takes := time.Duration(2*rounds) * (c.takes + 2*time.Second)
		steps = append(steps, step{"memory/" + c.name, takes, []pageName{c.page, sample}, func(ctx context.Context, t *result.Table) error {
			for round := range rounds {
				for _, subject := range rotated([]string{graphveil, noop}, round) {
					r.progress("memory, %s, round %d of %d: %s", c.name, round+1, rounds, subject)
					if err := r.memory(ctx, t, c.name, subject, r.site.page(c.page), c.clients, c.lasting); err != nil {
						return err
					}
				}
			}
			return nil
		}})
	}
	return steps
}

// sample is a page of the same kind as the huge one: what a subject leaves of it tells how much it will leave of that.
var sample = pageName{medium, "plain"}

// memory lets clients read a page each, for as long as lasting says, or as fast as they can if it is 0.
func (r *run) memory(ctx context.Context, t *result.Table, situation, subject string, p *page, clients int, lasting time.Duration) (err error) {
	rung, err := r.site.startRung(ctx, subject)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rung.stop()) }()
	// What a process needs for its first exchange is no growth.
	lengths, err := r.site.check(ctx, rung, r.site.page(sample))
	if err != nil {
		return err
	}
	rate := 0.0
	if lasting > 0 {
		came := 0.0
		for _, n := range lengths {
			came += float64(n)
		}
		share := came / float64(len(lengths)*r.site.page(sample).bytes)
		rate = share * float64(p.bytes) / lasting.Seconds()
	}
	for _, pid := range []int{rung.envoy.Pid(), rung.processor.pid()} {
		if err := resetPeak(pid); err != nil {
			return err
		}
	}
	before, _, err := resident(rung.envoy.Pid())
	if err != nil {
		return err
	}
	reading, readingCtx := errgroup.WithContext(ctx)
	for range clients {
		reading.Go(func() error { return r.read(readingCtx, rung, p, rate) })
	}
	if err := reading.Wait(); err != nil {
		return fmt.Errorf("reading from %s: %w", subject, err)
	}
	_, envoyPeak, err := resident(rung.envoy.Pid())
	if err != nil {
		return err
	}
	_, processorPeak, err := resident(rung.processor.pid())
	if err != nil {
		return err
	}
	t.Add("memory", situation+"/processor", subject, "MB", result.Lower, processorPeak/1e6)
	t.Add("memory", situation+"/envoy-growth", subject, "MB", result.Lower, (envoyPeak-before)/1e6)
	return nil
}

// read reads a page on a connection of its own, at most at a rate in bytes a second if there is one.
func (r *run) read(ctx context.Context, rung *rung, p *page, rate float64) error {
	client := r.site.client()
	defer client.CloseIdleConnections()
	began := time.Now()
	response, err := get(ctx, client, rung.url+p.asked[0].target)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	read, buffer := 0, make([]byte, 64<<10)
	for {
		n, err := response.Body.Read(buffer)
		read += n
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if due := time.Duration(float64(read) / rate * float64(time.Second)); rate > 0 && !until(ctx, began.Add(due)) {
			return ctx.Err()
		}
	}
	// Graphveil leaves out most of a page, but not this much.
	if read > p.bytes || read < p.bytes/20 || rung.subject != graphveil && read != p.bytes {
		return fmt.Errorf("%d bytes came of %d", read, p.bytes)
	}
	return nil
}

// peaks adds what the processes of the ladder needed at most while they were loaded, if they were.
func (r *run) peaks() error {
	loaded := slices.ContainsFunc(r.figures, func(f result.Figure) bool { return f.Group == "ladder" })
	if runtime.GOOS != "linux" || !loaded {
		return nil
	}
	t := &result.Table{Command: "go run ./bench/harness -only ladder"}
	for _, subject := range subjects {
		pids := r.rungs[subject].pids()
		for _, part := range slices.Sorted(maps.Keys(pids)) {
			_, peak, err := resident(pids[part])
			if err != nil {
				return err
			}
			t.Add("memory", "ladder/"+part, subject, "MB", result.Lower, peak/1e6)
		}
	}
	r.figures = append(r.figures, t.Figures...)
	return nil
}
