package ladder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/graphveil/graphveil/bench/load"
	"github.com/graphveil/graphveil/bench/result"
)

// situation is one case of the ladder.
type situation struct {
	protocol string
	page     pageName
	half     bool // the fixed rate is measured too
}

func (s situation) name() string { return s.protocol + "/" + s.page.String() }

// situations are those of the issue. What comes compressed from Graph is between Envoy and the processor, whatever the caller speaks; the
// other two subjects pass it on as it is, and so do less than Graphveil there.
var situations = []situation{
	{"h2", pageName{small, "plain"}, true},
	{"h2", pageName{medium, "plain"}, true},
	{"h2", pageName{large, "plain"}, true},
	{"h2", pageName{huge, "plain"}, false},
	{"h2", pageName{medium, "gzip"}, true},
	{"h2", pageName{large, "gzip"}, false},
	{"h2", pageName{huge, "gzip"}, false},
	{"h1", pageName{small, "plain"}, false},
	{"h1", pageName{medium, "plain"}, true},
	{"h1", pageName{large, "plain"}, false},
	{"h1", pageName{huge, "plain"}, false},
}

const (
	warmUp = 200 * time.Millisecond

	// inFlight requests load a subject as far as it goes; hugeInFlight where each takes a second.
	inFlight     = 16
	hugeInFlight = 2
	// connections of HTTP/2 they are spread over.
	connections = 8
)

func (r *run) ladderSteps() []step {
	var steps []step
	for _, s := range situations {
		if r.Quick && (s.protocol != "h2" || s.page.encoding != "plain" || s.page.size != small && s.page.size != medium) {
			continue
		}
		takes := time.Duration(r.Rounds*len(subjects)) * (r.Duration + warmUp)
		if s.half {
			takes += time.Duration(r.Rounds*len(subjects)) * (r.halfDuration() + warmUp)
		}
		steps = append(steps, step{"ladder/" + s.name(), takes, []pageName{s.page}, func(ctx context.Context, t *result.Table) error {
			return r.ladder(ctx, s, t)
		}})
	}
	return steps
}

// halfDuration is longer, for a p99 takes some hundreds of requests. At 400 KB there are fewer in a round.
func (r *run) halfDuration() time.Duration { return 2 * r.Duration }

// ladder measures one situation: first what each subject can do, then all of them at half of what the no-op processor can.
func (r *run) ladder(ctx context.Context, s situation, t *result.Table) error {
	if err := r.openLadder(ctx); err != nil {
		return err
	}
	page := r.site.page(s.page)
	loads := map[string]load.Config{}
	for _, subject := range subjects {
		lengths, err := r.site.check(ctx, r.rungs[subject], page)
		if err != nil {
			return err
		}
		loads[subject] = r.load(s, page, r.rungs[subject], lengths)
	}
	for round := range r.Rounds {
		for _, subject := range rotated(subjects, round) {
			r.progress("%s, round %d of %d: %s", s.name(), round+1, r.Rounds, subject)
			report, err := r.apply(ctx, t, s.name()+"/max", subject, load.Max, loads[subject])
			if err != nil {
				return err
			}
			t.Add("ladder", s.name()+"/max", subject, "req/s", result.Higher, report.Throughput())
			if s.page.size == huge {
				t.Add("ladder", s.name()+"/max", subject, "MB/s", result.Higher, report.Throughput()*float64(page.bytes)/1e6)
			}
		}
	}
	if s.half {
		return r.half(ctx, s, t, loads)
	}
	return nil
}

// half is the fixed rate.
func (r *run) half(ctx context.Context, s situation, t *result.Table, loads map[string]load.Config) error {
	situation := s.name() + "/half"
	most, ok := result.Results{Figures: t.Figures}.Find("ladder", s.name()+"/max", noop, "req/s")
	if !ok {
		return fmt.Errorf("measuring at a fixed rate: %s of %s is not known", s.name()+"/max", noop)
	}
	rate := most.Median() / 2
	latencies := map[string]*hdrhistogram.Histogram{}
	for round := range r.Rounds {
		for _, subject := range rotated(subjects, round) {
			r.progress("%s at %.0f a second, round %d of %d: %s", s.name(), rate, round+1, r.Rounds, subject)
			c := loads[subject]
			c.Rate, c.Duration, c.Workers = rate, r.halfDuration(), 0
			report, err := r.apply(ctx, t, situation, subject, load.Fixed, c)
			if err != nil {
				return err
			}
			for _, percentile := range []float64{50, 99} {
				value := milliseconds(report.Latency.ValueAtPercentile(percentile))
				t.Add("ladder", fmt.Sprintf("%s/p%g", situation, percentile), subject, "ms", result.Lower, value)
			}
			if latencies[subject] == nil {
				latencies[subject] = report.Latency
			} else {
				latencies[subject].Merge(report.Latency)
			}
		}
	}
	for _, subject := range subjects {
		r.histograms = append(r.histograms, result.Histogram{
			Group: "ladder", Case: situation, Subject: subject, Unit: "ms", Points: result.Points(latencies[subject], 1e6), Command: t.Command,
		})
	}
	return nil
}

// load is how a page is asked for in a situation.
func (r *run) load(s situation, p *page, rung *rung, lengths map[string]int64) load.Config {
	c := load.Config{
		HTTP2: s.protocol == "h2", Roots: r.site.tenant.CA.Pool(), Workers: inFlight, Connections: connections,
		WarmUp: warmUp, Duration: r.Duration,
		Accept: func(url string, bytes int64) bool { return lengths[url] == bytes },
	}
	if s.page.size == huge {
		c.Workers, c.Connections = hugeInFlight, hugeInFlight
	}
	for _, a := range p.asked {
		c.URLs = append(c.URLs, rung.url+a.target)
	}
	return c
}

// apply loads a subject, and adds what each request took of the processors.
func (r *run) apply(ctx context.Context, t *result.Table, situation, subject string, how func(context.Context, load.Config) (*load.Report, error), c load.Config) (*load.Report, error) {
	rung := r.rungs[subject]
	u := newUsage(rung)
	c.Began = u.begin
	report, err := how(ctx, c)
	used, usedErr := u.end()
	if err = errors.Join(err, usedErr, rung.running()); err != nil {
		return nil, fmt.Errorf("loading %s: %w", subject, err)
	}
	if report.Failed() > 0 || report.Requests() == 0 {
		return nil, fmt.Errorf("loading %s: %d of %d requests failed, the first with: %s", subject, report.Failed(), report.Requests(), report.FirstFailure)
	}
	for _, part := range slices.Sorted(maps.Keys(used)) {
		each := float64(used[part]) / float64(time.Microsecond) / float64(report.Requests())
		t.Add("cpu", situation+"/"+part, subject, "µs/request", result.Lower, each)
	}
	return report, nil
}

// openLadder starts all rungs, once.
func (r *run) openLadder(ctx context.Context) error {
	if r.rungs != nil {
		return nil
	}
	r.rungs = map[string]*rung{}
	for _, subject := range subjects {
		r.progress("starting %s", subject)
		rung, err := r.site.startRung(ctx, subject)
		if err != nil {
			return err
		}
		r.rungs[subject] = rung
	}
	return nil
}

func (r *run) closeLadder() error {
	var err error
	for _, rung := range r.rungs {
		err = errors.Join(err, rung.stop())
	}
	r.rungs = nil
	return err
}

// rotated begins with another one each round.
func rotated(all []string, round int) []string {
	n := round % len(all)
	return append(append([]string{}, all[n:]...), all[:n]...)
}

func milliseconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e6 }
