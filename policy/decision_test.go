package policy

import (
	"context"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/odata"
)

// TestDecideWithABrokenLibrary puts other values in the place of
// data.graphveil.decision, which no folder of a policy can do.
func TestDecideWithABrokenLibrary(t *testing.T) {
	ctx := context.Background()
	s, err := Load(ctx, Config{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := odata.ParseTarget("/v1.0/users")
	if err != nil {
		t.Fatal(err)
	}
	route, denial := s.Route("GET", target)
	if denial != nil {
		t.Fatal(denial)
	}
	for query, allow := range map[string]bool{
		`{"allow": true, "reasons": set()}`:               true,
		`{"allow": true, "reasons": {"x"}}`:               false,
		`{"allow": false, "reasons": set()}`:              false,
		`{"allow": true, "reasons": set(), "extra": 1}`:   false,
		`{"allow": true}`:                                 false,
		`{"reasons": set()}`:                              false,
		`{"Allow": true, "reasons": set()}`:               false,
		`{"allow": "true", "reasons": set()}`:             false,
		`{"allow": 1, "reasons": set()}`:                  false,
		`{"allow": true, "reasons": []}`:                  false,
		`{"allow": true, "reasons": {}}`:                  false,
		`{"allow": true, "reasons": null}`:                false,
		`true`:                                            false,
		`"allow"`:                                         false,
		`null`:                                            false,
		`[true, set()]`:                                   false,
		`{"allow", "reasons"}`:                            false,
		`data.graphveil.nothing`:                          false,
		`1 / 0`:                                           false,
		`{"allow": true, "reasons": set()}[["allow"][_]]`: false,
	} {
		broken := *s
		if broken.decision, err = newQuery(ctx, query, ast.NewCompiler(), ast.NewObject()); err != nil {
			t.Fatal(err)
		}
		d := broken.Decide(ctx, route, Input{Method: "GET", Target: target})
		if d.Allow != allow || !allow && (d.Code != codePolicyError || d.Plan != nil) {
			t.Errorf("%s: %+v", query, d)
		}
	}
	// Two results are none.
	broken := *s
	two := `[{"allow": true, "reasons": set()}, {"allow": true, "reasons": set()}][_]`
	if broken.decision, err = newQuery(ctx, two, ast.NewCompiler(), ast.NewObject()); err != nil {
		t.Fatal(err)
	}
	if d := broken.Decide(ctx, route, Input{Method: "GET", Target: target}); d.Allow {
		t.Error("two results allow")
	}
}
