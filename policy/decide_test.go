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

var decisions = connector(`endpoints["items"] := {
	"methods": {"GET"},
	"path": "/items",
	"query": {
		"$select": {},
		"$top": {"max": 10},
		"$skip": {"max": 100},
		"$count": {"values": {"true"}},
		"$filter": {"properties": {"id", "flag/status", "created"}},
		"$orderby": {"properties": {"id", "flag/status"}},
		"$expand": {"properties": {"manager"}},
		"$search": {"pattern": "\"[a-z]+\""},
		"startDateTime": {"pattern": "[0-9-]+"},
	},
	"headers": {"Prefer": {"pattern": "(?i)IdType=\"ImmutableId\""}, "ConsistencyLevel": {"values": {"eventual"}}, "X-Any": {}},
	"response": {"value": [{
		"id": shape.keep,
		"created": shape.keep,
		"subject": shape.drop,
		"from": {"address": shape.email, "kind": shape.keep},
		"to": [{"address": shape.email}],
		"flag": {"status": shape.keep},
		"manager": {"id": shape.keep},
	}]},
}

endpoints["item"] := {
	"methods": {"GET"},
	"path": "/items/{item}/{kind}/{number}",
	"params": {"item": shape.keep, "kind": {"values": {"Inbox", "SentItems"}}, "number": {"pattern": "[0-9]+|x"}},
	"query": {"$select": {"properties": {"id", "flag"}}},
	"response": {"id": shape.keep, "flag": {"status": shape.keep}},
}
`)

// decide sends a request through ParseTarget, Route and Decide.
func decide(t testing.TB, s *policy.Snapshot, target string, in policy.Input) policy.Decision {
	t.Helper()
	in.Method, in.Target = "GET", parseTarget(t, target)
	route, denial := s.Route(in.Method, in.Target)
	if denial != nil {
		t.Fatalf("%s: %+v", target, denial)
	}
	return s.Decide(context.Background(), route, in)
}

// checkDenied wants a denial that releases nothing.
func checkDenied(t *testing.T, what string, d policy.Decision, reasons ...string) {
	t.Helper()
	if d.Allow || !slices.Equal(d.Reasons, reasons) {
		t.Errorf("%s: allow %t, reasons %q, want %q", what, d.Allow, d.Reasons, reasons)
	}
	if code, _, _ := strings.Cut(reasons[0], ":"); len(reasons) == 1 && d.Code != code && d.Code != "denied_by_policy" {
		t.Errorf("%s: code %q of %q", what, d.Code, reasons)
	}
	if d.Plan != nil || d.ErrorPlan != nil || d.Query != "" || d.Headers != nil {
		t.Errorf("%s: denied, but with plan, query %q or headers %v", what, d.Query, d.Headers)
	}
}

func TestDecideQuery(t *testing.T) {
	s := mustLoad(t, decisions)
	const hidden, hiddenOrder = "filter_property_not_allowed:$filter", "filter_property_not_allowed:$orderby"
	for _, test := range []struct {
		query   string
		want    string // what goes upstream, if allowed
		reasons []string
	}{
		{"", "", nil},
		{"$top=5", "$top=5", nil},
		{"top=5", "$top=5", nil},
		{"%24TOP=10&COUNT=true", "$top=10&$count=true", nil},
		{"StartDateTime=2024-01-01", "startDateTime=2024-01-01", nil},
		{"$filter=id+eq+'x%26$top=999'", "$filter=id%20eq%20'x%26$top%3D999'", nil},
		{"$filter=ID eq 'x'", "", nil},
		{"$filter=FLAG/Status%20eq%20'x'", "$filter=FLAG/Status%20eq%20'x'", nil},
		{"$filter=id%20eq%20'subject'%20and%20not(created%20lt%202024-01-01)", "$filter=id%20eq%20'subject'%20and%20not(created%20lt%202024-01-01)", nil},
		{"$orderby=id%20desc,flag/status", "$orderby=id%20desc,flag/status", nil},
		{"$select=id,subject,from/address,anything", "$select=id,subject,from/address,anything", nil},
		{"$expand=manager($select=id)", "$expand=manager($select%3Did)", nil},
		{"$search=%22abc%22", `$search=%22abc%22`, nil},

		{"$top=11", "", []string{"query_value_not_allowed:$top"}},
		{"$top=-1", "", []string{"query_malformed:$top"}},
		{"$top=1e1", "", []string{"query_malformed:$top"}},
		{"$top=", "", []string{"query_malformed:$top"}},
		{"$skip=101", "", []string{"query_value_not_allowed:$skip"}},
		{"$count=false", "", []string{"query_value_not_allowed:$count"}},
		{"$count=1", "", []string{"query_malformed:$count", "query_value_not_allowed:$count"}},
		{"startDateTime=2024-01-01T00", "", []string{"query_value_not_allowed:startDateTime"}},
		{"startDateTime=x%0", "", nil},
		{"$skiptoken=x", "", []string{"query_not_allowed:$skiptoken"}},
		{"$apply=aggregate(x)", "", []string{"query_not_allowed:$apply"}},
		{"canary=canary", "", []string{"query_not_allowed"}},
		{"canary=1&other=2&$format=xml", "", []string{"query_not_allowed", "query_not_allowed:$format"}},
		{"$search=%22a%22%20OR%20%22b%22", "", []string{"query_value_not_allowed:$search"}},

		{"$filter=subject%20eq%20'x'", "", []string{hidden}},
		{"$filter=SUBJECT%20eq%20'x'", "", []string{hidden}},
		{"$filter=id%20eq%20'x'%20or%20startswith(subject,'x')", "", []string{hidden}},
		{"$filter=contains(tolower(from/address),'x')", "", []string{hidden}},
		{"$filter=from/kind%20eq%20'x'", "", []string{hidden}}, // in clear, but not listed
		{"$filter=from%20eq%20null", "", []string{hidden}},
		{"$filter=flag%20eq%20null", "", []string{hidden}},
		{"$filter=unknown%20eq%201", "", []string{hidden}},
		{"$filter=id%20eq%20subject", "", []string{hidden}},
		{"$filter='x'%20eq%20subject", "", []string{hidden}},
		{"$filter=id%20in%20('a')%20and%20(not(subject%20eq%20'a'))", "", []string{hidden}},
		{"$filter=to/any(x:x/address%20eq%20'a')", "", []string{hidden}},
		{"$filter=id/any(x:x%20eq%20'a')", "$filter=id/any(x:x%20eq%20'a')", nil},
		{"$filter=id/any(x:x%20eq%20'a'%20or%20subject%20eq%20'a')", "", []string{hidden}},
		{"$filter=id/any(subject:subject%20eq%20'a')", "", []string{hidden}},
		{"$filter=to/any()", "", []string{hidden}},
		{"$filter=", "", []string{"query_malformed:$filter"}},
		{"$filter=id%20eq%20@x", "", []string{"query_malformed:$filter"}},
		{"$filter=length(to/$count)%20gt%200", "", []string{"query_malformed:$filter"}},
		{"$filter=id%20eq%20'a", "", []string{"query_malformed:$filter"}},
		{"$orderby=subject", "", []string{hiddenOrder}},
		{"$orderby=created", "", []string{hiddenOrder}}, // listed for $filter only
		{"$orderby=id,from/address", "", []string{hiddenOrder}},
		{"$orderby=length(subject)", "", []string{"query_malformed:$orderby"}},
		{"$select=a(b)", "", []string{"query_malformed:$select"}},
		{"$expand=manager($filter=subject%20eq%20'x')", "", []string{"query_value_not_allowed:$expand"}},
		{"$expand=to", "", []string{"query_value_not_allowed:$expand"}},
		{"$expand=manager($expand=to)", "", []string{"query_value_not_allowed:$expand"}},
		{"$expand=*", "", []string{"query_malformed:$expand"}},
		{"$top=99&$filter=subject%20eq%201&x=y", "", []string{hidden, "query_not_allowed", "query_value_not_allowed:$top"}},
	} {
		if _, err := odata.ParseTarget("/items?" + test.query); err != nil {
			if test.want != "" || test.reasons != nil {
				t.Errorf("%s: %v", test.query, err)
			}
			continue
		}
		d := decide(t, s, "/items?"+test.query, policy.Input{})
		if test.reasons != nil {
			checkDenied(t, test.query, d, test.reasons...)
			continue
		}
		if !d.Allow || d.Query != test.want || d.Reasons != nil || d.Code != "" || d.Plan == nil || d.ErrorPlan == nil || d.Connector != "test" || d.Endpoint != "items" || d.Revision != s.Revision() {
			t.Errorf("%s: %+v, want query %s", test.query, d, test.want)
		}
	}
	for _, query := range []string{"$top=1&$top=2", "$top=1&top=2", "top=1&TOP=1", "$filter=id eq 1"} {
		if _, err := odata.ParseTarget("/items?" + query); err == nil {
			t.Errorf("%s parses", query)
		}
	}
}

func TestDecideParams(t *testing.T) {
	s := mustLoad(t, decisions)
	for target, reasons := range map[string][]string{
		"/items/a/inbox/7":                     nil,
		"/items/delta.x/SENTITEMS/x":           nil,
		"/items/a/drafts/7":                    {"id_not_allowed:kind"},
		"/items/a/inbox/7x":                    {"id_not_allowed:number"},
		"/items/a/inbox/x7":                    {"id_not_allowed:number"},
		"/items/delta/inbox/7":                 {"id_not_allowed:item"},
		"/items/DELTA/inbox/7":                 {"id_not_allowed:item"},
		"/items/microsoft.graph.x/inbox/7":     {"id_not_allowed:item"},
		"/items/root:/inbox/7":                 {"id_not_allowed:item"},
		"/items/7%3A/inbox/7":                  {"id_not_allowed:item"},
		"/items/me/nothing/-":                  {"id_not_allowed:item", "id_not_allowed:kind", "id_not_allowed:number"},
		"/items/a/inbox/7?$select=id,flag":     nil,
		"/items/a/inbox/7?$select=ID":          nil,
		"/items/a/inbox/7?$select=flag/status": {"query_value_not_allowed:$select"},
		"/items/a/inbox/7?$select=*":           {"query_value_not_allowed:$select"},
	} {
		d := decide(t, s, target, policy.Input{})
		if reasons != nil {
			checkDenied(t, target, d, reasons...)
		} else if !d.Allow {
			t.Errorf("%s: %q", target, d.Reasons)
		}
	}
}

func TestDecideHeaders(t *testing.T) {
	s := mustLoad(t, decisions)
	for _, test := range []struct {
		headers map[string]string
		want    []policy.Header
		reasons []string
	}{
		{nil, nil, nil},
		{map[string]string{"user-agent": "x", "authorization": "Bearer x", "cookie": "x", "accept": "*/*"}, nil, nil},
		{map[string]string{"x-any": "anything", "prefer": `idtype="immutableid"`, "consistencylevel": "eventual"},
			[]policy.Header{{Name: "consistencylevel", Value: "eventual"}, {Name: "prefer", Value: `idtype="immutableid"`}, {Name: "x-any", Value: "anything"}}, nil},
		{map[string]string{"consistencylevel": "eventual, eventual"}, []policy.Header{{Name: "consistencylevel", Value: "eventual, eventual"}}, nil},
		{map[string]string{"consistencylevel": "Eventual"}, nil, []string{"header_value_not_allowed:consistencylevel"}},
		{map[string]string{"consistencylevel": ""}, nil, []string{"header_value_not_allowed:consistencylevel"}},
		{map[string]string{"prefer": `IdType="ImmutableId", return=minimal`}, nil, []string{"header_value_not_allowed:prefer"}},
		{map[string]string{"prefer": "IdType=\"ImmutableId\"\n"}, nil, []string{"header_value_not_allowed:prefer"}},
	} {
		d := decide(t, s, "/items", policy.Input{Headers: test.headers})
		if test.reasons != nil {
			checkDenied(t, fmt.Sprint(test.headers), d, test.reasons...)
		} else if !d.Allow || !slices.Equal(d.Headers, test.want) {
			t.Errorf("%v: %q, forwards %v", test.headers, d.Reasons, d.Headers)
		}
	}
}

// TestDecideSealed: a link that the upstream wrote may page on; all else is decided as ever.
func TestDecideSealed(t *testing.T) {
	s := mustLoad(t, decisions)
	sealed := policy.Input{Sealed: true}
	for _, query := range []string{"$skiptoken=x", "$deltatoken=x", "$top=999&$skip=5000&$skiptoken=x&$filter=id%20eq%20'x'"} {
		if d := decide(t, s, "/items?"+query, sealed); !d.Allow || d.Query != "" || d.Plan == nil {
			t.Errorf("%s: %+v", query, d)
		}
		if d := decide(t, s, "/items?"+query, policy.Input{}); d.Allow {
			t.Errorf("%s: allowed without a seal", query)
		}
	}
	checkDenied(t, "filter", decide(t, s, "/items?$skiptoken=x&$filter=subject%20eq%20'x'", sealed), "filter_property_not_allowed:$filter")
	checkDenied(t, "other", decide(t, s, "/items?$format=xml", sealed), "query_not_allowed:$format")
	checkDenied(t, "malformed", decide(t, s, "/items?$top=x", sealed), "query_malformed:$top")
}

// TestInputIsAsTheSchemaSays lets Rego compare the whole input with what it must be.
func TestInputIsAsTheSchemaSays(t *testing.T) {
	s := mustLoad(t, withCustom(`deny contains "differs" if input != {
	"request": {
		"method": "GET", "path": "/items", "segments": ["items"], "sealed": false, "headers": {"accept": "x"},
		"query": {"top": "5", "filter": "ID eq 'a' and tolower(UNKNOWN) eq 'b'", "select": "ID,from/Address", "orderby": "id desc", "count": "true", "skip": "x", "expand": "Manager($select=id;$expand=To)"},
	},
	"endpoint": {"connector": "test", "id": "items", "params": {}},
	"odata": {
		"top": 5, "count": true, "select": ["id", "from/address"], "orderby": [{"property": "id", "descending": true}],
		"filter": {"properties": ["id", "unknown"], "functions": ["tolower"], "lambdas": false, "depth": 2, "comparisons": [{"property": "id", "operator": "eq"}], "others": ["unknown"]},
		"expand": [{"path": "manager", "select": ["id"], "options": ["select", "expand"]}, {"path": "manager/to", "select": [], "options": []}],
		"malformed": ["skip"],
	},
	"caller": {"subject": "s"},
}
`))
	d := decide(t, s, "/items?top=5&$filter=ID%20eq%20'a'%20and%20tolower(UNKNOWN)%20eq%20'b'&$select=ID,from/Address&$orderby=id%20desc&$count=true&$skip=x&$expand=Manager($select=id%3B$expand=To)",
		policy.Input{Headers: map[string]string{"accept": "x"}, Caller: policy.Caller{Subject: "s"}})
	if slices.Contains(d.Reasons, "differs") {
		t.Error("the input differs")
	}
}

func TestDecideFailsClosed(t *testing.T) {
	s := mustLoad(t, decisions)
	if (policy.Decision{}).Allow {
		t.Error("the zero decision allows")
	}
	target := parseTarget(t, "/items")
	in := policy.Input{Method: "GET", Target: target}
	checkDenied(t, "zero route", s.Decide(context.Background(), policy.Route{}, in), "path_not_allowed")
	checkDenied(t, "named route", s.Decide(context.Background(), policy.Route{Connector: "test", Endpoint: "items"}, in), "path_not_allowed")
	route, denial := s.Route("GET", target)
	if denial != nil {
		t.Fatal(denial)
	}
	checkDenied(t, "zero input", s.Decide(context.Background(), route, policy.Input{}), "method_not_allowed")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	checkDenied(t, "cancelled", s.Decide(ctx, route, in), "policy_error")
	if d := s.Decide(context.Background(), route, in); !d.Allow {
		t.Errorf("then allowed: %q", d.Reasons)
	}
	// A route of another policy has an endpoint that this one does not know.
	if d := builtin(t).Decide(context.Background(), route, in); d.Allow || d.Code != "path_not_allowed" {
		t.Errorf("foreign route: %+v", d)
	}
}

// BenchmarkDecidePatterns decides by patterns that differ from request to request
// and are more than OPA's own cache holds (100): none may be compiled per request.
func BenchmarkDecidePatterns(b *testing.B) {
	var rego strings.Builder
	const endpoints = 300
	for i := range endpoints {
		fmt.Fprintf(&rego, "endpoints[\"e%d\"] := {\"methods\": {\"GET\"}, \"path\": \"/e%d/{id}\", \"params\": {\"id\": {\"pattern\": `[a-z]{1,20}(-[0-9A-F]{4}){3}%d`}}, \"response\": {}}\n\n", i, i, i)
	}
	s := mustLoad(b, connector(rego.String()))
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if d := decide(b, s, fmt.Sprintf("/e%d/a-0000-1111-2222%d", i%endpoints, i%endpoints), policy.Input{}); !d.Allow {
			b.Fatal(d.Reasons)
		}
		i++
	}
}

// BenchmarkDecide is what a request waits for: the way to its endpoint, the
// evaluation, and the query for the upstream. Its context can be cancelled, as that
// of a request can.
func BenchmarkDecide(b *testing.B) {
	s := builtin(b)
	for _, request := range []struct{ name, target, prefer string }{
		{"users", "/v1.0/users?$top=100&$select=id,mail", `IdType="ImmutableId"`},
		{"messages", "/v1.0/users/" + token + "/mailFolders/SentItems/messages?$filter=sentDateTime%20ge%202024-01-01T00:00:00Z&$top=50", `IdType="ImmutableId"`},
		{"channel", "/v1.0/teams/48d31887-5fad-4d73-a9f5-3c356e68a038/channels/19:abc@thread.tacv2/messages?$top=50&$expand=replies", "include-unknown-enum-members"},
	} {
		b.Run(request.name, func(b *testing.B) {
			headers := map[string]string{"consistencylevel": "eventual", "prefer": request.prefer}
			benchmarkDecide(b, s, []odata.Target{parseTarget(b, request.target)}, headers)
		})
	}
}

// benchmarkDecide decides the targets in turn, and reports the median too: other
// work on the machine moves the mean.
func benchmarkDecide(b *testing.B, s *policy.Snapshot, targets []odata.Target, headers map[string]string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var took []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		took = append(took, decideOnce(b, ctx, s, targets[i%len(targets)], headers))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-us")
}

// TestDecideDeltaSelect: a delta tells when what is selected changes.
func TestDecideDeltaSelect(t *testing.T) {
	item := `{
		"id": shape.reversible,
		"name": shape.email,
		"size": shape.keep,
		"secret": shape.drop,
		"body": {"content": shape.drop, "more": {"type": shape.drop}},
		"from": {"address": shape.email, "name": shape.drop},
		"parts": [{"size": shape.keep}],
		"notes": [{"text": shape.drop}],
		"short": shape.without(["x"]),
	}`
	s := mustLoad(t, connector(`endpoints["delta"] := {"methods": {"GET"}, "path": "/items/delta()", "query": {"$select": {}}, "response": {"value": [`+item+`]}}

endpoints["items"] := {"methods": {"GET"}, "path": "/items", "query": {"$select": {}}, "response": {"value": [`+item+`]}}
`))
	for selected, ok := range map[string]bool{
		"id,name,size": true, "NAME": true, "from": true, "from/address": true, "parts": true, "parts/size": true, "short": true,
		"secret": false, "SECRET": false, "size,secret": false, "body": false, "body/content": false, "body/more": false, "from/name": false,
		"notes": false, "notes/text": false, "unknown": false, "*": false,
	} {
		for _, path := range []string{"/items/delta", "/items/microsoft.graph.delta()"} {
			d := decide(t, s, path+"?$select="+selected, policy.Input{})
			if ok && !d.Allow {
				t.Errorf("%s of %s: %q", path, selected, d.Reasons)
			} else if !ok {
				checkDenied(t, selected, d, "query_value_not_allowed:$select")
			}
		}
		if d := decide(t, s, "/items?$select="+selected, policy.Input{}); !d.Allow {
			t.Errorf("%s, no delta: %q", selected, d.Reasons)
		}
	}
}
