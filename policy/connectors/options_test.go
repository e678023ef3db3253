package connectors_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// TestEveryOptionCompiles loads the shipped policy with each value of each option,
// with all first and with all last ones. Each connector must still serve something
// in a closed shape.
func TestEveryOptionCompiles(t *testing.T) {
	schema := evaluate(t, "data.graphveil.options.schema", map[string]any{}).(map[string]any)
	last := map[string]string{}
	settings := []map[string]string{{}, last}
	for name, values := range schema {
		values := values.([]any)
		for _, value := range values[1:] {
			settings = append(settings, map[string]string{name: value.(string)})
		}
		last[name] = values[len(values)-1].(string)
	}
	for _, settings := range settings {
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
	for name := range schema {
		if defaults[name] != schema[name].([]any)[0] {
			t.Errorf("the tests take %v for the default of %s", defaults[name], name)
		}
	}
}
