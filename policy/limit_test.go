package policy_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// limited is a connector of two endpoints with the given limits.
func limited(a, b string) string {
	return `endpoints["a"] := {"methods": {"GET"}, "path": "/v1.0/a", "limit": ` + a + `, "response": {"id": shape.keep}}

endpoints["b"] := {"methods": {"GET"}, "path": "/v1.0/b", "limit": ` + b + `, "response": {"id": shape.keep}}

endpoints["unsaid"] := {"methods": {"GET"}, "path": "/v1.0/unsaid", "response": {"id": shape.keep}}
`
}

func TestLimits(t *testing.T) {
	s := mustLoad(t, connector(limited(`{"service": "zoo", "requests": 7, "per": "minute"}`, `{"service": "animals", "requests": 20, "per": "second"}`)))
	want := []policy.Limit{{Service: "animals", Requests: 20, Per: "second"}, {Service: "zoo", Requests: 7, Per: "minute"}}
	if got := s.Limits(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i, limit := range []policy.Limit{want[1], want[0], {}} {
		if e := s.Endpoints()[i]; e.Limit != limit {
			t.Errorf("%s: got %v, want %v", e.ID, e.Limit, limit)
		}
	}
	shared := `{"service": "zoo", "requests": 7, "per": "minute"}`
	if got := mustLoad(t, connector(limited(shared, shared))).Limits(); !reflect.DeepEqual(got, want[1:]) {
		t.Errorf("shared: got %v, want %v", got, want[1:])
	}
}

func TestLimitsThatCannotBe(t *testing.T) {
	right := `{"service": "zoo", "requests": 7, "per": "minute"}`
	for limit, message := range map[string]string{
		`7`:                                   "an object",
		`{"service": "zoo", "requests": 7}`:   `"per" is missing`,
		`{"requests": 7, "per": "minute"}`:    `"service" is missing`,
		`{"service": "zoo", "per": "minute"}`: `"requests" is missing`,
		`{"service": "zoo", "requests": 7, "per": "minute", "burst": 3}`: `no key "burst"`,
		`{"service": "Zoo 1", "requests": 7, "per": "minute"}`:           "lower case",
		`{"service": "zoo", "requests": 0, "per": "minute"}`:             "whole number",
		`{"service": "zoo", "requests": 0.5, "per": "minute"}`:           "whole number",
		`{"service": "zoo", "requests": 4294967296, "per": "minute"}`:    "whole number",
		`{"service": "zoo", "requests": "7", "per": "minute"}`:           "a number",
		`{"service": "zoo", "requests": 7, "per": "minutes"}`:            `no unit "minutes"`,
		`{"service": "zoo", "requests": 7, "per": 60}`:                   "a string",
		`{"service": "zoo", "requests": 8, "per": "minute"}`:             "one limit",
		`{"service": "zoo", "requests": 7, "per": "hour"}`:               "one limit",
	} {
		folder := t.TempDir()
		write(t, folder, connector(limited(right, limit)))
		_, err := policy.Load(t.Context(), policy.Config{Paths: []string{folder}})
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v, want %q", limit, err, message)
		}
	}
}
