package ladder

import (
	"errors"
	"time"
)

// usage is the processor time of a rung's processes between begin and end.
type usage struct {
	pids map[string]int
	used map[string]time.Duration
	err  error
}

func newUsage(r *rung) *usage {
	return &usage{pids: r.pids(), used: map[string]time.Duration{}}
}

func (u *usage) begin() { u.count(-1) }

// end returns nothing where the system does not tell.
func (u *usage) end() (map[string]time.Duration, error) {
	u.count(1)
	if errors.Is(u.err, errors.ErrUnsupported) {
		return nil, nil
	}
	return u.used, u.err
}

func (u *usage) count(sign time.Duration) {
	for part, pid := range u.pids {
		took, err := cpuTime(pid)
		u.used[part] += sign * took
		u.err = errors.Join(u.err, err)
	}
}
