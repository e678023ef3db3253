package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// What an author adds in graphveil.custom: who may call what, and what a rule sees.

func withCustom(rego string) string {
	return decisions + "-- custom.rego --\npackage graphveil.custom\n\n" + rego
}

func TestDecideCustom(t *testing.T) {
	for _, test := range []struct {
		name, rego string
		reasons    []string
	}{
		{"code", `deny contains "after_hours" if input.request.method == "GET"`, []string{"after_hours"}},
		{"address of somebody", `deny contains sprintf("no:%s", ["alice@acme.com"])`, []string{"denied_by_policy"}},
		{"code of a part", `deny contains "no_top:$top" if input.odata.top > 2`, []string{"no_top:$top"}},
		{"several", `deny contains reason if some reason in {"b", "a"}`, []string{"a", "b"}},
		{"beside the library's", `deny contains "query_not_allowed"`, []string{"query_not_allowed"}},
		{"sentence", `deny contains "Not allowed for Alice!"`, []string{"denied_by_policy"}},
		{"value of the request", `deny contains input.request.query.filter`, []string{"denied_by_policy"}},
		{"long", `deny contains concat("", ["x:", input.request.query.filter, "0123456789012345678901234567890123456789"])`, []string{"denied_by_policy"}},
		{"long code", `deny contains concat("", ["x", "0123456789012345678901234567890123456789", "012345678901234567890123"])`, []string{"denied_by_policy"}},
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

_known if input.caller.jwt.groups[_] == "readers"

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
		{policy.Caller{JWT: map[string]any{"groups": []any{"writers", "readers"}}}, true},
		{policy.Caller{JWT: map[string]any{"groups": "readers"}}, false},
		{policy.Caller{Subject: "CN=a"}, true},
		{policy.Caller{Address: "10.0.0.1:99"}, true},
		{policy.Caller{Address: "192.0.2.1:99"}, false},
	} {
		d := decide(t, s, "/items", policy.Input{Caller: test.caller})
		if d.Allow != test.ok {
			t.Errorf("%+v: %t %q", test.caller, d.Allow, d.Reasons)
		}
	}
	// Claims that are no JSON cannot be shown, so nothing is allowed.
	checkDenied(t, "function as claim", decide(t, s, "/items", policy.Input{Caller: policy.Caller{Subject: "CN=a", JWT: map[string]any{"f": func() {}}}}), "policy_error")
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
