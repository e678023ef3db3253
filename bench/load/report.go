package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Report is what was measured.
type Report struct {
	// Statuses counts the answers by HTTP status; 0 stands for requests without a complete answer of a length that was accepted.
	Statuses map[int]uint64
	// FirstFailure describes the first of those that [Report.Failed] counts, without a value of request or answer; empty if there is none.
	FirstFailure string
	// Bytes is the length of all bodies, as they came.
	Bytes uint64
	// Elapsed is from the first request to the last answer.
	Elapsed time.Duration
	// Latency is how long the successful ones took until the end of the body, in nanoseconds.
	Latency *hdrhistogram.Histogram
}

// newReport has three digits from 1 µs on: more than timers of a shared machine are good for.
func newReport(longest time.Duration) *Report {
	// A request may be late by as long as others take.
	return &Report{Statuses: map[int]uint64{}, Latency: hdrhistogram.New(int64(time.Microsecond), int64(10*longest), 3)}
}

func (r *Report) add(result *vegeta.Result, s *schedule) {
	if !succeeded(result) {
		status := int(result.Code)
		if good(status) { // with an error behind it
			status = 0
		}
		r.Statuses[status]++
		return
	}
	r.Statuses[int(result.Code)]++
	took := min(int64(result.Latency+s.late(result)), r.Latency.HighestTrackableValue())
	if err := r.Latency.RecordValue(took); err != nil {
		panic(err) // it is within the range
	}
}

// succeeded is about status 2xx and a whole body: whatever went wrong is an error of the result.
func succeeded(result *vegeta.Result) bool {
	return result.Error == "" && good(int(result.Code))
}

// Requests is the number of answers, failures included.
func (r *Report) Requests() uint64 {
	n := uint64(0)
	for _, count := range r.Statuses {
		n += count
	}
	return n
}

// Failed is the number of requests that were not answered with a status of 2xx and a whole body of a length that was accepted.
func (r *Report) Failed() uint64 {
	n := r.Requests()
	for status, count := range r.Statuses {
		if good(status) {
			n -= count
		}
	}
	return n
}

// Throughput is the number of successful requests a second.
func (r *Report) Throughput() float64 {
	return float64(r.Requests()-r.Failed()) / r.Elapsed.Seconds()
}
