package connectors_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// TestEveryOptionCompiles loads the shipped policy with each value of each option,
// with all first and with all last ones. Each connector must still serve something.
func TestEveryOptionCompiles(t *testing.T) {
	for _, options := range optionSets(t) {
		settings := map[string]string{}
		for name, value := range options {
			settings[name] = value.(string)
		}
		s, err := policy.Load(t.Context(), policy.Config{Settings: settings})
		if err != nil {
			t.Errorf("%v: %v", settings, err)
			continue
		}
		served := map[string]bool{}
		for _, e := range s.Endpoints() {
			served[e.Connector] = true
			if e.Plan == nil || e.ErrorPlan == nil {
				t.Errorf("%v: %s.%s has no plan", settings, e.Connector, e.ID)
			}
		}
		if got, want := slices.Sorted(maps.Keys(served)), connectors(t); !slices.Equal(got, want) {
			t.Errorf("%v: %v are served, want %v", settings, got, want)
		}
	}
}
