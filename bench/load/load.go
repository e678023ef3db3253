// Package load sends GET requests to a server and measures what comes back: as many as it can answer ([Max]), or so many a second
// whether it keeps up or not ([Fixed]). The requests are vegeta's, the histogram is HdrHistogram's.
//
// At a fixed rate the latency of a request counts from the time at which it was due, not from when it was sent. A server that stands
// still for half a second then shows as half a second of late answers; a client that waits along with it would see one (coordinated
// omission).
//
// Bodies are read to their end and thrown away. Nothing that a server says is kept or reported, but statuses and counts.
package load

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Config says what to ask, how, and for how long.
type Config struct {
	// URLs are asked for in turn. Required.
	URLs []string
	// HTTP2 chooses HTTP/2 over TLS, else HTTP/1.1. The other one is not spoken.
	HTTP2 bool
	// Roots are the authorities that certificates are verified against. Nil: those of the system.
	Roots *x509.CertPool
	// Header is sent with each request. Accept-Encoding is not added: bodies are counted as they come.
	Header http.Header

	// Workers is the number of requests in flight: with [Max] always, with [Fixed] at most. Zero: 16 and 1000.
	Workers int
	// Connections is the number of HTTP/2 connections that the requests are spread over; there are more only where the server allows too
	// few requests on one. Zero: 1. HTTP/1.1 has one for each worker.
	Connections int
	// Rate is the number of requests a second of [Fixed].
	Rate float64

	// WarmUp is how long requests are sent before those that count. Zero: not at all.
	WarmUp time.Duration
	// Duration is how long requests are sent that count; those in flight then are waited for. Required.
	Duration time.Duration
	// Timeout bounds one request with its body. Zero: 1 minute.
	Timeout time.Duration

	// Accept judges the length of the body that came for one of the URLs, in bytes. It is called by several goroutines.
	// Nil: every length will do.
	Accept func(url string, bytes int64) bool
	// Began is called when the requests that count begin. Nil: nothing is.
	Began func()
	// Progress is called about once a second, warm-up included. Nil: nothing is.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Elapsed, Total time.Duration // warm-up included
	Requests       uint64        // answered, well or not
	Failed         uint64        // of these, see [Report.Failed]
}

// Max keeps Workers requests in flight.
func Max(ctx context.Context, c Config) (*Report, error) {
	fill(&c.Workers, 16)
	return run(ctx, c, nil)
}

// Fixed sends Rate requests a second. When Workers are in flight the next ones wait, which counts as their latency.
func Fixed(ctx context.Context, c Config) (*Report, error) {
	if c.Rate <= 0 {
		return nil, errors.New("loading: the rate is not positive")
	}
	fill(&c.Workers, 1000)
	return run(ctx, c, func(phase time.Duration) *schedule {
		return &schedule{interval: float64(time.Second) / c.Rate, end: phase}
	})
}

// run makes the schedule of each phase with newSchedule; nil means as fast as it goes.
func run(ctx context.Context, c Config, newSchedule func(time.Duration) *schedule) (*Report, error) {
	fill(&c.Timeout, time.Minute)
	fill(&c.Connections, 1)
	if len(c.URLs) == 0 || c.Duration <= 0 {
		return nil, errors.New("loading: URLs and a duration are needed")
	}
	targets := make([]vegeta.Target, len(c.URLs))
	for i, url := range c.URLs {
		targets[i] = vegeta.Target{Method: http.MethodGet, URL: url, Header: c.Header}
	}
	client := newClient(ctx, c)
	defer client.close()
	began, requests, failed := time.Now(), uint64(0), uint64(0)
	tick := throttle{every: time.Second}
	attack := func(d time.Duration) (*Report, error) {
		var s *schedule
		limit := d
		if newSchedule != nil {
			s, limit = newSchedule(d), 0 // it ends by itself
		}
		r := newReport(c.Timeout)
		a := vegeta.NewAttacker(vegeta.Client(client.http), vegeta.MaxBody(0), vegeta.Workers(uint64(min(c.Workers, 16))), vegeta.MaxWorkers(uint64(c.Workers)))
		stop := context.AfterFunc(ctx, func() { a.Stop() })
		defer stop()
		start := time.Now()
		for result := range a.Attack(vegeta.NewStaticTargeter(targets...), s.pacer(), limit, "") {
			r.add(result, s)
			requests++
			if !succeeded(result) {
				failed++
			}
			if c.Progress != nil && tick.now() {
				c.Progress(Progress{Elapsed: time.Since(began), Total: c.WarmUp + c.Duration, Requests: requests, Failed: failed})
			}
		}
		r.Elapsed = time.Since(start)
		r.Bytes, r.FirstFailure = client.take()
		if err := ctx.Err(); err != nil {
			return r, fmt.Errorf("loading: %w", err)
		}
		return r, nil
	}
	if c.WarmUp > 0 {
		if r, err := attack(c.WarmUp); err != nil || r.Failed() > 0 {
			return r, err // what fails when cold is not to be hidden
		}
	}
	if c.Began != nil {
		c.Began()
	}
	return attack(c.Duration)
}

// throttle says yes now and then.
type throttle struct {
	every time.Duration
	last  time.Time
}

func (t *throttle) now() bool {
	if time.Since(t.last) < t.every {
		return false
	}
	t.last = time.Now()
	return true
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
