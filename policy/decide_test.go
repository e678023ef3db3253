package policy_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

func withCustom(rego string) string {
	return decisions + "-- custom.rego --\npackage graphveil.custom\n\n" + rego
}

func TestDecideCustom(t *testing.T) {
	for _, test := range []struct {
		name, rego string
		reasons    []string
	}{
		{"code", `deny contains "after_hours" if input.request.method == "GET"`, []string{"after_hours"}},
		{"code of a part", `deny contains "no_top:$top" if input.odata.top > 2`, []string{"no_top:$top"}},
		{"several", `deny contains reason if some reason in {"b", "a"}`, []string{"a", "b"}},
		{"beside the library's", `deny contains "query_not_allowed"`, []string{"query_not_allowed"}},
		{"sentence", `deny contains "Not allowed for Alice!"`, []string{"denied_by_policy"}},
		{"value of the request", `deny contains input.request.query.filter`, []string{"denied_by_policy"}},
		{"long", `deny contains concat("", ["x:", input.request.query.filter, "0123456789012345678901234567890123456789"])`, []string{"denied_by_policy"}},
		{"newline", `deny contains "x\n"`, []string{"denied_by_policy"}},
		{"empty", `deny contains ""`, []string{"denied_by_policy"}},
		{"no string", `deny contains 1`, []string{"denied_by_policy"}},
		{"object", `deny contains {"a": "b"}`, []string{"denied_by_policy"}},
		{"error", `deny contains "x" if 1 / (count(input.request.segments) - 1) == 1`, []string{"policy_error"}},
		{"error of a builtin", `deny contains "x" if time.parse_rfc3339_ns(input.request.method) > 0`, []string{"policy_error"}},
		{"conflict", "deny contains \"x\" if f(input.request.method) == 3\n\nf(_) := 1\n\nf(x) := 2 if x == \"GET\"", []string{"policy_error"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := mustLoad(t, withCustom(test.rego+"\n"))
			d := decide(t, s, "/items?$top=5&$filter=id%20eq%20'x'", policy.Input{})
			checkDenied(t, test.name, d, test.reasons...)
		})
	}
	s := mustLoad(t, withCustom("deny contains \"after_hours\" if input.request.method == \"PUT\"\n"))
	if d := decide(t, s, "/items", policy.Input{}); !d.Allow {
		t.Errorf("a denial that does not hold: %q", d.Reasons)
	}
	s = mustLoad(t, withCustom("deny contains \"after_hours\"\n"))
	if d := decide(t, s, "/items?$top=99", policy.Input{}); d.Code != "query_value_not_allowed" || len(d.Reasons) != 2 {
		t.Errorf("the library's code comes first: %q %q", d.Code, d.Reasons)
	}
}

// TestDecideCustomPath: a denial by path holds however a client spells the path.
func TestDecideCustomPath(t *testing.T) {
	s := mustLoad(t, connector(`endpoints["changes"] := {"methods": {"GET"}, "path": "/v1.0/items/{item}/delta()", "params": {"item": shape.keep}, "response": {}}

endpoints["between"] := {"methods": {"GET"}, "path": "/v1.0/Items/f(from={from},To={to})", "params": {"from": shape.keep, "to": shape.keep}, "response": {}}
`)+`-- custom.rego --
package graphveil.custom

deny contains "by_path" if input.request.path in {"/v1.0/items/A%20b/delta", "/v1.0/Items/f(from=1,To='x')"}

deny contains "by_segments" if input.request.segments in {["v1.0", "items", "A b", "delta"], ["v1.0", "Items", "f(from=1,To='x')"]}
`)
	for _, path := range []string{
		"/v1.0/items/A%20b/delta", "/V1.0/ITEMS('A%20b')/Delta()", "/v1.0/items/%41%20b/microsoft.graph.delta", "/v1.0/items/A%20b/Microsoft.Graph.Delta()",
		"/v1.0/Items/f(from=1,To='x')", "/v1.0/items/microsoft.graph.F(TO='x',From=1)",
	} {
		checkDenied(t, path, decide(t, s, path, policy.Input{}), "by_path", "by_segments")
	}
	if d := decide(t, s, "/v1.0/items/a%20b/delta", policy.Input{}); !d.Allow {
		t.Errorf("another item: %q", d.Reasons)
	}
}

// TestDecideReadme: the denial that the README shows holds for everybody else, also
// for who has no certificate.
func TestDecideReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), "## Denials of your own\n\n```rego\n")
	rego, _, ok := strings.Cut(after, "```")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "custom.rego"), []byte(rego), 0o600); err != nil || !ok {
		t.Fatal(err, ok)
	}
	s, err := policy.Load(t.Context(), policy.Config{Paths: []string{dir, "builtin"}})
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1.0/users/" + token + "/mailFolders/SentItems/messages"
	for _, id := range []string{"", "spiffe://example.org/other"} {
		checkDenied(t, id, decide(t, s, path, policy.Input{Caller: policy.Caller{SPIFFEID: id}}), "mail_only_for_reporting")
	}
	if d := decide(t, s, path, policy.Input{Caller: policy.Caller{SPIFFEID: "spiffe://example.org/reporting"}}); !d.Allow {
		t.Errorf("for reporting: %q", d.Reasons)
	}
}

func TestDecideCaller(t *testing.T) {
	s := mustLoad(t, withCustom(`deny contains "unknown_caller" if not _known

_known if input.caller.spiffe_id == "spiffe://example.org/a"

_known if input.caller.subject == "CN=a"

_known if startswith(input.caller.address, "10.")
`))
	for _, test := range []struct {
		caller policy.Caller
		ok     bool
	}{
		{policy.Caller{}, false},
		{policy.Caller{SPIFFEID: "spiffe://example.org/a"}, true},
		{policy.Caller{SPIFFEID: "spiffe://example.org/b"}, false},
		{policy.Caller{Subject: "CN=a"}, true},
		{policy.Caller{Address: "10.0.0.1:99"}, true},
		{policy.Caller{Address: "192.0.2.1:99"}, false},
	} {
		d := decide(t, s, "/items", policy.Input{Caller: test.caller})
		if d.Allow != test.ok {
			t.Errorf("%+v: %t %q", test.caller, d.Allow, d.Reasons)
		}
	}
}

// TestSecretsAreNotShown: a policy that could see them could tell them.
func TestSecretsAreNotShown(t *testing.T) {
	s := mustLoad(t, withCustom(`deny contains sprintf("sees:%s", [name]) if some name, _ in input.request.headers
`))
	headers := map[string]string{"authorization": "Bearer canary", "proxy-authorization": "canary", "cookie": "canary"}
	if d := decide(t, s, "/items", policy.Input{Headers: headers}); !d.Allow {
		t.Errorf("the policy saw %q", d.Reasons)
	}
	headers["accept"] = "x"
	checkDenied(t, "accept", decide(t, s, "/items", policy.Input{Headers: headers}), "sees:accept")
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
