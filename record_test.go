package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// TestRecords: each exchange leaves one record, which says by which policy, what
// came of it, and what the policy did not know.
func TestRecords(t *testing.T) {
	l := newLab(t, nil)
	r := l.start()
	json200 := func(text string) *graph.Fault {
		return &graph.Fault{Header: http.Header{"Content-Type": {"application/json"}}, Body: graph.Text(text)}
	}
	drift := fmt.Sprintf(`{"value":[{"id":%q,"newMember":%q,"other":{"a":%[2]q}},{"newMember":1}],"extra":%[2]q}`, l.Graph.UserID(0), personalMark)
	for _, protocol := range protocols {
		// The token that came of the first 401 is another matter than the first: the second is not in vain if it is a challenge.
		rejection := unauthorized(map[string]string{"h2": `{"access_token":{}}`}[protocol])
		rejection.Times = 1
		for _, test := range []struct {
			target, want, outcome, endpoint string
			fault                           *graph.Fault
			counts                          map[string]map[string]int // some of them
		}{
			{target: "/v1.0/users?$top=3", want: "200", outcome: "sanitized", endpoint: "users",
				counts: map[string]map[string]int{"pseudonymized": {"/value/*/id": 3}, "dropped": {"/value/*/displayName": 3}}},
			{target: "/v1.0/users", want: "200", outcome: "sanitized", endpoint: "users", fault: json200(drift),
				counts: map[string]map[string]int{"unknown": {"/extra": 1, "/value/*/newMember": 2, "/value/*/other": 1}}},
			{target: l.sentPath(0) + "?$top=2", want: "200", outcome: "sanitized", endpoint: "sent_messages",
				counts: map[string]map[string]int{"dropped": {"/value/*/subject": 2}}},
			{target: l.userPath(0), want: "404 Request_ResourceNotFound", outcome: "sanitized", endpoint: "user", fault: &graph.Fault{Status: 404}},
			{target: "/v1.0/users", want: "502 response_malformed", outcome: "refused", endpoint: "users", fault: json200(`{"value":[}`)},
			{target: "/v1.0/users", want: "503 upstream_token_rejected, Retry-After", outcome: "refused", endpoint: "users", fault: &rejection},
			{target: "/v1.0/users?$search=x", want: "403 query_not_allowed", outcome: "denied", endpoint: "users"},
			{target: "/v1.0/elsewhere", want: "403 path_not_allowed", outcome: "denied"},
			{target: "/v1.0/users%2Fx", want: "400 request_refused", outcome: "denied"},
		} {
			const mark = `"msg":"exchange"`
			before := strings.Count(r.logs.String(), mark)
			if test.fault != nil {
				l.Graph.Inject(*test.fault)
			}
			response := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: test.target})
			wait(t, "a record", func() bool { return strings.Count(r.logs.String(), mark) > before })
			lines := strings.Split(strings.TrimSpace(linesWith(r.logs.String(), mark)), "\n")
			if len(lines) != before+1 {
				t.Errorf("%s %s: %d records", protocol, test.target, len(lines)-before)
			}
			var record struct {
				Revision, Connector, Endpoint, Outcome, Code string
				Status                                       int
				Dropped, Pseudonymized, Unknown              map[string]int
			}
			l.check(json.Unmarshal([]byte(lines[len(lines)-1]), &record))
			_, code, _ := strings.Cut(strings.TrimSuffix(test.want, ", Retry-After"), " ")
			if test.outcome == "sanitized" {
				code = "" // of Graph, not of the exchange
			}
			if response.String() != test.want || record.Status != response.status || record.Outcome != test.outcome || record.Code != code {
				t.Errorf("%s %s: got %s, want %s; record %s", protocol, test.target, &response, test.want, lines[len(lines)-1])
			}
			if record.Revision != r.engine.Current().Revision() || record.Endpoint != test.endpoint || (record.Connector == "") != (test.endpoint == "") {
				t.Errorf("%s %s: record %s", protocol, test.target, lines[len(lines)-1])
			}
			classes := map[string]map[string]int{"dropped": record.Dropped, "pseudonymized": record.Pseudonymized, "unknown": record.Unknown}
			for class, want := range test.counts {
				got := maps.Clone(classes[class])
				maps.DeleteFunc(got, func(at string, _ int) bool { return class != "unknown" && want[at] == 0 })
				if !maps.Equal(got, want) {
					t.Errorf("%s %s: %s: %v, want %v", protocol, test.target, class, classes[class], want)
				}
			}
		}
	}
	if _, metrics := get(t, r.adminURL+"/metrics"); !strings.Contains(linesWith(linesWith(metrics, `class="unknown"`), `endpoint="users"`), "} 8") {
		t.Errorf("unknown members in the metrics: %s", linesWith(metrics, `class="unknown"`))
	}
}
