package micro

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
)

// decision measures what the policy takes for a request, from its target to the
// decision: with the shipped connectors, and with synthetic ones of 10, 100 and
// 1,000 endpoints, which are alike but for their paths; and of 10 and 1,000 of which
// no two have the same contract, which is worse than a real policy could be.
func decision(ctx context.Context, r *rig) ([]subject, error) {
	all := []subject{{situation: "shipped/p50", name: "graphveil", unit: "µs",
		run: func(b *testing.B) error { return r.decide(ctx, b, r.snapshot, r.questions()) }}}
	for _, size := range []struct {
		kind string
		n    int
	}{{"synthetic", 10}, {"synthetic", 100}, {"synthetic", 1000}, {"distinct", 10}, {"distinct", 1000}} {
		snapshot, targets, err := synthetic(ctx, size.n, size.kind == "distinct")
		if err != nil {
			return nil, fmt.Errorf("loading a policy of %d endpoints: %w", size.n, err)
		}
		all = append(all, subject{situation: fmt.Sprintf("%s-%d/p50", size.kind, size.n), name: "graphveil", unit: "µs",
			run: func(b *testing.B) error { return r.decide(ctx, b, snapshot, targets) }})
	}
	return all, nil
}

// questions are requests of all shipped connectors, as clients write them.
func (r *rig) questions() []string {
	user := r.person(0)
	chat := url.PathEscape(string(r.codec.AppendTokenized(nil, []byte(r.graph.ChatIDs(0)[0]))))
	return []string{
		"/v1.0/users?$select=id,mail,department&$top=500",
		"/v1.0/users/" + user,
		"/v1.0/groups?$top=100",
		"/v1.0/users/" + user + "/mailFolders/SentItems/messages?$top=100",
		"/v1.0/users/" + user + "/mailFolders/SentItems/messages?$filter=sentDateTime%20ge%202024-01-01T00:00:00Z&$top=50",
		"/v1.0/users/" + user + "/mailboxSettings",
		"/v1.0/users/" + user + "/events?$top=100",
		"/v1.0/users/" + user + "/calendar/calendarView?startDateTime=2026-07-01T00:00:00Z&endDateTime=2026-08-01T00:00:00Z",
		"/v1.0/users/" + user + "/chats",
		"/v1.0/chats/" + chat + "/messages?$top=50",
		"/v1.0/teams?$top=100",
		"/v1.0/users/" + user + "/drives",
		"/beta/copilot/users/" + user + "/interactionHistory/getAllEnterpriseInteractions()?$top=100",
	}
}

// decide asks all targets in turn and reports the median.
func (r *rig) decide(ctx context.Context, b *testing.B, snapshot *policy.Snapshot, targets []string) error {
	headers := map[string]string{"accept": "application/json"}
	caller := policy.Caller{SPIFFEID: "spiffe://example.org/reader"}
	took := hdrhistogram.New(100, int64(time.Minute), 3)
	for i := range b.N {
		target := targets[i%len(targets)]
		start := time.Now()
		parsed, err := odata.ParseTarget(target)
		if err != nil {
			return err
		}
		route, denial := snapshot.Route("GET", parsed)
		if denial != nil {
			return fmt.Errorf("request %d: %s", i%len(targets), denial.Code)
		}
		d := snapshot.Decide(ctx, route, policy.Input{Method: "GET", Target: parsed, Headers: headers, Caller: caller, Reveal: r.reveal})
		if !d.Allow {
			return fmt.Errorf("request %d: %v", i%len(targets), d.Reasons)
		}
		if err := took.RecordValue(int64(time.Since(start))); err != nil {
			return err
		}
	}
	b.ReportMetric(float64(took.ValueAtQuantile(50))/1e3, p50Metric)
	return nil
}

// synthetic loads a policy of n endpoints, which have the options, parameters and
// shapes of ordinary ones, and returns a request for each. With distinct, bounds,
// values and shape are each endpoint's own.
func synthetic(ctx context.Context, n int, distinct bool) (*policy.Snapshot, []string, error) {
	var rego strings.Builder
	rego.WriteString(`# METADATA
# title: Synthetic
# description: A connector for benchmarks.
package graphveil.connectors.synthetic

import data.graphveil.shape

permissions := {"Thing.Read.All"}

_thing := {
	"id": shape.reversible,
	"owner": shape.email,
	"size": shape.keep,
	"createdDateTime": shape.keep,
	"secret": shape.drop,
}
`)
	targets := make([]string, n)
	for i := range n {
		own := 0
		if distinct {
			own = i
		}
		fmt.Fprintf(&rego, `
# METADATA
# title: things_%[1]d
# description: Lists things.
endpoints["things_%[1]d"] := {
	"methods": {"GET"},
	"path": "/v1.0/things%[1]d/{kind}/parts",
	"params": {"kind": {"pattern": "[a-z]+-%[1]d"}},
	"query": {"$select": {}, "$top": {"max": %[2]d}, "$filter": {"properties": {"size", "createdDateTime"}}},
	"headers": {"Prefer": {"values": {"small", "size-%[3]d"}}},
	"response": {"value": [object.union(_thing, {"extra%[3]d": shape.keep})], "@odata.nextLink": shape.link},
}
`, i, 50+own, own)
		targets[i] = fmt.Sprintf("/v1.0/things%[1]d/small-%[1]d/parts?$select=id,size&$top=50&$filter=size%%20gt%%20%[1]d", i)
	}
	folder, err := os.MkdirTemp("", "graphveil-bench-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "synthetic.rego"), []byte(rego.String()), 0o600); err != nil {
		return nil, nil, err
	}
	snapshot, err := policy.Load(ctx, policy.Config{Paths: []string{folder}})
	return snapshot, targets, err
}
