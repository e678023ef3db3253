package result

import "fmt"

// Target is one line of what Graphveil should reach. With Against it is judged as
// a ratio within one run, the median of the rounds' ratios; without, as the
// median itself.
type Target struct {
	ID      string
	What    string // for people
	Group   string
	Case    string
	Subject string
	Unit    string

	Against     string // the subject that it is divided by; empty: an absolute target
	AgainstCase string // the case of Against; empty: the same case

	Sense Sense
	Bound float64
}

// Sense says on which side of the bound a value must lie.
type Sense string

// The senses.
const (
	AtLeast  Sense = "≥"
	AtMost   Sense = "≤"
	LessThan Sense = "<"
)

// Verdict is what came of a target.
type Verdict struct {
	Target
	Measured  bool    // false: nothing else below is set, but Why
	Why       string  // why it was not measured
	Value     float64 // median
	Low, High float64 // quartiles
	Met       bool
}

// Judge judges the targets, in their order.
func Judge(r Results) []Verdict {
	verdicts := make([]Verdict, 0, len(Targets))
	for _, t := range Targets {
		verdicts = append(verdicts, t.Judge(r))
	}
	return verdicts
}

// Judge judges one target. What is not in the results, or was not measured in the
// same rounds as what it is compared with, is not measured; never met.
func (t Target) Judge(r Results) Verdict {
	v := Verdict{Target: t}
	f, ok := r.Find(t.Group, t.Case, t.Subject, t.Unit)
	if !ok {
		v.Why = "not in the results"
		return v
	}
	if t.Against != "" {
		situation := t.AgainstCase
		if situation == "" {
			situation = t.Case
		}
		against, ok := r.Find(t.Group, situation, t.Against, t.Unit)
		if !ok {
			v.Why = t.Against + " is not in the results"
			return v
		}
		ratio, err := f.Ratio(against)
		if err != nil {
			v.Why = err.Error()
			return v
		}
		f = ratio
	}
	v.Measured = len(f.Rounds) > 0
	if !v.Measured {
		v.Why = "no rounds"
		return v
	}
	v.Value = f.Median()
	v.Low, v.High = f.Spread()
	switch t.Sense {
	case AtLeast:
		v.Met = v.Value >= t.Bound
	case AtMost:
		v.Met = v.Value <= t.Bound
	case LessThan:
		v.Met = v.Value < t.Bound
	}
	return v
}

// Said is "met", "missed" or "not measured".
func (v Verdict) Said() string {
	switch {
	case !v.Measured:
		return "not measured"
	case v.Met:
		return "met"
	}
	return "missed"
}

// BoundText is the bound with its sense and unit, as in "≥ 1.0 ×".
func (t Target) BoundText() string { return string(t.Sense) + " " + t.amount(t.Bound) }

// ValueText is the value with its unit and spread, or a dash.
func (v Verdict) ValueText() string {
	if !v.Measured {
		return "–"
	}
	return v.amount(v.Value) + SpreadText(v.Low, v.High)
}

// String is one line for a terminal.
func (v Verdict) String() string {
	text := fmt.Sprintf("%-12s %s: %s, target %s", v.Said(), v.What, v.ValueText(), v.BoundText())
	if v.Why != "" {
		text += " (" + v.Why + ")"
	}
	return text
}

func (t Target) amount(value float64) string {
	unit := t.Unit
	if t.Against != "" {
		unit = "×"
	}
	return Number(value) + " " + unit
}

// SpreadText is " (low–high)", or empty where both print alike.
func SpreadText(low, high float64) string {
	if Number(low) == Number(high) {
		return ""
	}
	return fmt.Sprintf(" (%s–%s)", Number(low), Number(high))
}

// Number prints a value with three significant digits, and whole from 100.
func Number(v float64) string {
	switch abs := max(v, -v); {
	case v == float64(int64(v)) && abs < 1e15, abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	case abs >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
