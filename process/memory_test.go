package process

import (
	"runtime/debug"
	"testing"
)

// TestCollectForServing: what an operator sets is the operator's.
func TestCollectForServing(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for gogc, want := range map[string]int{"": serveGC, "50": 50, "off": -1} {
		t.Setenv("GOGC", gogc)
		operators := 100
		if gogc != "" {
			operators = want // Go has read it
		}
		collectForServing(operators)
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("GOGC=%q: %d, want %d", gogc, got, want)
		}
	}
}
