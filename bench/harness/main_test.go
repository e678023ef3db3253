package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/result"
)

func TestFlags(t *testing.T) {
	for arguments, want := range map[string]struct {
		rounds   int
		duration time.Duration
		out      string
		inLadder string
		inMicro  bool
	}{
		"":                                  {5, 800 * time.Millisecond, "bench", "start,memory,stream,ladder", true},
		"-quick":                            {1, 300 * time.Millisecond, "", "start,memory,stream,ladder", true},
		"-quick -out x -rounds 2":           {2, 300 * time.Millisecond, "x", "start,memory,stream,ladder", true},
		"-only micro":                       {5, 800 * time.Millisecond, "", "", true},
		"-only ladder/h2/1KB,start":         {5, 800 * time.Millisecond, "", "ladder/h2/1KB,start", false},
		"-only wan/loopback,start":          {5, 800 * time.Millisecond, "", "start", false},
		"-only micro,memory -duration 50ms": {5, 50 * time.Millisecond, "", "memory", true},
	} {
		o, err := parse(strings.Fields(arguments))
		if err != nil {
			t.Errorf("%s: %v", arguments, err)
			continue
		}
		inLadder, inMicro := o.split()
		if o.rounds != want.rounds || o.duration != want.duration || o.out != want.out || strings.Join(inLadder, ",") != want.inLadder || inMicro != want.inMicro {
			t.Errorf("%s: got %+v, %v, %v", arguments, o, inLadder, inMicro)
		}
	}
	for _, arguments := range []string{"-only nothing", "-only cpu/h2", "-rounds -1", "extra", "-unknown"} {
		if _, err := parse(strings.Fields(arguments)); err == nil {
			t.Errorf("%s was taken", arguments)
		}
	}
}

// A run without a figure that a target judges is no run; how it is judged does not matter.
func TestCompleteness(t *testing.T) {
	r := result.Results{Schema: result.Schema}
	for _, target := range result.Targets {
		for _, f := range []result.Figure{
			{Group: target.Group, Case: target.Case, Subject: target.Subject, Unit: target.Unit, Rounds: []float64{1}},
			{Group: target.Group, Case: target.Case, Subject: target.Against, Unit: target.Unit, Rounds: []float64{1e9}},
			{Group: target.Group, Case: target.AgainstCase, Subject: target.Against, Unit: target.Unit, Rounds: []float64{1e9}},
		} {
			known := slices.ContainsFunc(r.Figures, func(k result.Figure) bool { return k.String() == f.String() })
			if f.Case != "" && f.Subject != "" && !known {
				r.Figures = append(r.Figures, f)
			}
		}
	}
	if err := complete(r); err != nil {
		t.Error(err)
	}
	without := func(group, situation string) result.Results {
		less := r
		less.Figures = slices.DeleteFunc(slices.Clone(r.Figures), func(f result.Figure) bool { return f.Group == group && f.Case == situation })
		return less
	}
	for situation, quickNeeds := range map[string]bool{"h2/50KB/plain/max": true, "h2/1KB/plain/half/p99": true, "h2/400KB/plain/max": false} {
		less := without("ladder", situation)
		if err := complete(less); err == nil {
			t.Errorf("complete without %s", situation)
		}
		less.Quick = true
		if err := complete(less); (err != nil) != quickNeeds {
			t.Errorf("quick, without %s: %v", situation, err)
		}
	}
	for _, missing := range [][2]string{{"sanitizer", "mail/whole"}, {"decision", "shipped/p50"}, {"stream", "slow-page/first-byte"}, {"start", "ready"}} {
		if err := complete(without(missing[0], missing[1])); err == nil {
			t.Errorf("complete without %v", missing)
		}
	}
}

func TestShow(t *testing.T) {
	r := result.Results{Figures: []result.Figure{{Group: "start", Case: "ready", Subject: "graphveil", Unit: "ms", Rounds: []float64{150, 250, 200}}}}
	for name, test := range map[string]struct {
		o     options
		has   []string
		lines int
	}{
		"whole": {options{}, []string{"met          serve, start to ready: 200", "not measured policy decision"}, len(result.Targets)},
		"only":  {options{only: []string{"start"}}, []string{"start ready graphveil ms", "met          serve, start to ready: 200"}, 3},
		"quick": {options{quick: true}, []string{"everything ran: 1 figures"}, 1},
	} {
		var out bytes.Buffer
		show(&out, test.o, r)
		for _, text := range test.has {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: no %q in\n%s", name, text, out.String())
			}
		}
		if n := strings.Count(out.String(), "\n"); n != test.lines {
			t.Errorf("%s: %d lines, want %d", name, n, test.lines)
		}
	}
}
