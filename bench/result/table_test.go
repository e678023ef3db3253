package result

import (
	"reflect"
	"testing"
)

func TestTable(t *testing.T) {
	table := Table{Command: "command"}
	for round := range 2 {
		for _, subject := range []string{"b", "a"} {
			table.Add("group", "case", subject, "ms", Lower, float64(round))
		}
		table.Add("group", "case", "a", "MB", Higher, 7)
	}
	figure := func(subject, unit, better string, rounds ...float64) Figure {
		return Figure{Group: "group", Case: "case", Subject: subject, Unit: unit, Better: better, Command: "command", Rounds: rounds}
	}
	want := []Figure{figure("b", "ms", Lower, 0, 1), figure("a", "ms", Lower, 0, 1), figure("a", "MB", Higher, 7, 7)}
	if !reflect.DeepEqual(table.Figures, want) {
		t.Errorf("got %v, want %v", table.Figures, want)
	}
}

func TestWanted(t *testing.T) {
	for _, test := range []struct {
		only []string
		want bool
	}{
		{nil, true},
		{[]string{"ladder"}, true},
		{[]string{"wan", "ladder/h2/50KB/"}, true},
		{[]string{"ladder/h2/50KB/plain"}, true},
		{[]string{"ladder/h2/50"}, false},
		{[]string{"ladder/h2/50KB/plain/more"}, false},
		{[]string{"wan"}, false},
	} {
		if got := Wanted(test.only, "ladder/h2/50KB/plain"); got != test.want {
			t.Errorf("%q: %v, want %v", test.only, got, test.want)
		}
	}
}
