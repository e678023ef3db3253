package load

import (
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// schedule says when the requests of one phase are due: request n at n times the interval, from the first question of the attacker on.
// All that are due before the end are sent, however late: a server that stops answering must not be asked less.
type schedule struct {
	interval float64 // nanoseconds
	end      time.Duration
	began    time.Time
}

// pacer is what the attacker asks. A nil schedule never waits.
func (s *schedule) pacer() vegeta.Pacer {
	if s == nil {
		return vegeta.Rate{}
	}
	return s
}

// Pace implements vegeta.Pacer. One that is late returns 0 or less until it has caught up. It is called by one goroutine, and before the
// first request is sent.
func (s *schedule) Pace(elapsed time.Duration, sent uint64) (time.Duration, bool) {
	if s.began.IsZero() {
		s.began = time.Now().Add(-elapsed)
	}
	due := s.due(sent)
	return due - elapsed, due >= s.end
}

// Rate implements vegeta.Pacer.
func (s *schedule) Rate(time.Duration) float64 { return float64(time.Second) / s.interval }

func (s *schedule) due(n uint64) time.Duration { return time.Duration(float64(n) * s.interval) }

// late is by how much a request was sent after it was due. Requests take their numbers when they are sent, so those that wait for a
// worker are late in the order of the schedule.
func (s *schedule) late(r *vegeta.Result) time.Duration {
	if s == nil {
		return 0
	}
	return max(0, r.Timestamp.Sub(s.began)-s.due(r.Seq))
}
