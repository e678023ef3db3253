package policy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
)

// synthetic is a policy of so many endpoints of the form that shipped ones have, in
// connectors of at most fifty, and a good request for each.
func synthetic(t testing.TB, endpoints int) (*policy.Snapshot, []odata.Target) {
	t.Helper()
	var archive strings.Builder
	var targets []odata.Target
	for i := range endpoints {
		if i%50 == 0 {
			fmt.Fprintf(&archive, "-- c%[1]d.rego --\n# METADATA\n# title: Test\n# description: A connector for tests.\npackage graphveil.connectors.c%[1]d\n\nimport data.graphveil.shape\n\npermissions := {\"User.Read.All\"}\n\n", i/50)
		}
		fmt.Fprintf(&archive, `endpoints["e%[1]d"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/collection%[1]d/{folder}/items",
	"params": {"user": shape.reversible, "folder": {"values": {"inbox", "sentitems"}}},
	"query": {
		"$select": {},
		"$top": {"max": 50},
		"$filter": {"properties": {"created", "size"}},
		"$orderby": {"properties": {"created"}},
		"$count": {"values": {"true"}},
	},
	"headers": {"Prefer": {"pattern": "x=[0-9]+"}, "ConsistencyLevel": {"values": {"eventual"}}},
	"response": {"value": [{"id": shape.reversible, "created": shape.keep, "size": shape.keep, "subject": shape.drop}]},
}

`, i)
		targets = append(targets, parseTarget(t, fmt.Sprintf("/v1.0/users/%s/collection%d/inbox/items?$select=id,created&$filter=created%%20ge%%202024-01-01T00:00:00Z&$top=50", token, i)))
	}
	return mustLoad(t, archive.String()), targets
}

// decideOnce routes and decides a good request.
func decideOnce(t testing.TB, ctx context.Context, s *policy.Snapshot, target odata.Target, headers map[string]string) time.Duration {
	start := time.Now()
	route, denial := s.Route("GET", target)
	if denial != nil {
		t.Fatal(denial)
	}
	if d := s.Decide(ctx, route, policy.Input{Method: "GET", Target: target, Headers: headers}); !d.Allow {
		t.Fatal(d.Reasons)
	}
	return time.Since(start)
}

var syntheticHeaders = map[string]string{"consistencylevel": "eventual", "prefer": "x=1"}

// BenchmarkDecideScale decides requests for each of the endpoints in turn.
func BenchmarkDecideScale(b *testing.B) {
	for _, endpoints := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(endpoints), func(b *testing.B) {
			s, targets := synthetic(b, endpoints)
			benchmarkDecide(b, s, targets, syntheticHeaders)
		})
	}
}

// TestDecideScale: a decision takes as long among 1,000 endpoints as among 10. The
// bound is loose, for a machine with other work; BenchmarkDecideScale measures.
func TestDecideScale(t *testing.T) {
	const rounds = 2000
	small, fewTargets := synthetic(t, 10)
	large, manyTargets := synthetic(t, 1000)
	for _, target := range manyTargets { // OPA sorts what it iterates over once
		decideOnce(t, t.Context(), large, target, syntheticHeaders)
	}
	var few, many []time.Duration
	for i := range rounds { // in turn, so that both meet the same machine
		few = append(few, decideOnce(t, t.Context(), small, fewTargets[i%len(fewTargets)], syntheticHeaders))
		many = append(many, decideOnce(t, t.Context(), large, manyTargets[i%len(manyTargets)], syntheticHeaders))
	}
	slices.Sort(few)
	slices.Sort(many)
	if few, many := few[rounds/2], many[rounds/2]; many > 2*few {
		t.Errorf("a decision takes %v among 1000 endpoints, %v among 10", many, few)
	} else {
		t.Logf("%v among 1000 endpoints, %v among 10", many, few)
	}
}
