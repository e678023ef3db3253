package ladder

import (
	"errors"
	"time"

	"github.com/graphveil/graphveil/bench/result"
)

// table gathers the rounds of the figures of a step.
type table struct {
	command string
	figures []result.Figure
}

// add adds the value of one more round.
func (t *table) add(group, situation, subject, unit, better string, value float64) {
	f := t.find(group, situation, subject, unit)
	if f == nil {
		t.figures = append(t.figures, result.Figure{
			Group: group, Case: situation, Subject: subject, Unit: unit, Better: better, Command: t.command,
		})
		f = &t.figures[len(t.figures)-1]
	}
	f.Rounds = append(f.Rounds, value)
}

func (t *table) find(group, situation, subject, unit string) *result.Figure {
	for i := range t.figures {
		if f := &t.figures[i]; f.Group == group && f.Case == situation && f.Subject == subject && f.Unit == unit {
			return f
		}
	}
	return nil
}

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
