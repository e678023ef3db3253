package policy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/plan"
)

// render writes a plan as one line for each position: pointer, operation, match.
func render(p *plan.Plan) []string {
	names := map[plan.Op]string{
		plan.Drop: "drop", plan.Keep: "keep", plan.Pseudonym: "pseudonym", plan.Reversible: "reversible", plan.JSONPseudonym: "json",
		plan.JSONPseudonymOriginal: "json+original", plan.MatchReplace: "match", plan.Link: "link", plan.Object: "{}", plan.Array: "[]",
	}
	var lines []string
	var visit func(n *plan.Node)
	visit = func(n *plan.Node) {
		line := p.Pointers[n.Pointer] + " " + names[n.Op]
		if m := n.Match; m != nil {
			line += fmt.Sprintf(" prefix=%q then=%s", m.Prefix, names[m.Then])
			if m.Regexp != nil {
				line += " regexp=" + m.Regexp.String()
			}
		}
		lines = append(lines, line)
		if n.Items != nil {
			visit(n.Items)
		}
		for _, f := range n.Object.All() {
			visit(f.Node)
		}
	}
	visit(p.Root)
	return lines
}

func TestPlan(t *testing.T) {
	s := mustLoad(t, connector(`endpoints["a"] := {
	"methods": {"GET"},
	"path": "/a",
	"response": {
		"value": [item],
		"@odata.nextLink": shape.link,
	},
	"error": {"error": {"code": shape.keep, "message": shape.drop}},
}

item := {
	"id": shape.user_id,
	"mail": shape.email,
	"a/b~c": shape.keep,
	"group": shape.json_pseudonym_with_original,
	"owner": shape.json_pseudonym,
	"no": {"$op": "json_pseudonym", "original": false},
	"matrix": [[{"x": shape.keep}]],
	"proxy": [shape.match("(?i)^smtp:(.*)$", shape.pseudonym)],
	"word": shape.match("id=([0-9]+)", shape.reversible),
	"nothing": {},
}

endpoints["plain"] := {"methods": {"GET"}, "path": "/plain", "response": shape.keep}

endpoints["off"] := {"enabled": false, "methods": {"GET"}, "path": "/off", "response": {"x": shape.keep}}
`))
	var infos []string
	for _, e := range s.Endpoints() {
		infos = append(infos, e.ID)
	}
	if !slices.Equal(infos, []string{"a", "plain"}) {
		t.Fatalf("endpoints %v", infos)
	}
	e := s.Endpoints()[0]
	want := []string{
		` {}`,
		`/@odata.nextLink link`,
		`/value []`,
		`/value/* {}`,
		`/value/*/a~1b~0c keep`,
		`/value/*/group json+original`,
		`/value/*/id reversible`,
		`/value/*/mail pseudonym`,
		`/value/*/matrix []`,
		`/value/*/matrix/* []`,
		`/value/*/matrix/*/* {}`,
		`/value/*/matrix/*/*/x keep`,
		`/value/*/no json`,
		`/value/*/nothing {}`,
		`/value/*/owner json`,
		`/value/*/proxy []`,
		`/value/*/proxy/* match prefix="smtp:" then=pseudonym`,
		`/value/*/word match prefix="" then=reversible regexp=id=([0-9]+)`,
	}
	got := render(e.Plan)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("plan:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(e.Plan.Pointers) != len(want) {
		t.Errorf("%d pointers for %d positions", len(e.Plan.Pointers), len(want))
	}
	if got := render(e.ErrorPlan); !slices.Equal(got, []string{" {}", "/error {}", "/error/code keep", "/error/message drop"}) {
		t.Errorf("error plan %q", got)
	}
	plain := s.Endpoints()[1]
	if got := render(plain.Plan); !slices.Equal(got, []string{" keep"}) {
		t.Errorf("plan %q", got)
	}
	if got := render(plain.ErrorPlan); !slices.Contains(got, "/error/code keep") || !slices.Contains(got, "/error/message drop") {
		t.Errorf("default error plan %q", got)
	}
	if _, denial := s.Route("GET", parseTarget(t, "/off")); denial == nil || denial.Code != "path_not_allowed" {
		t.Errorf("an endpoint that is off: %+v", denial)
	}
}

// TestMatchPrefix: only what means the same as (?i)^literal(.*)$ becomes a prefix.
func TestMatchPrefix(t *testing.T) {
	for pattern, prefix := range map[string]string{
		`(?i)^smtp:(.*)$`:   "smtp:",
		`(?i)^SmTp:(.*)$`:   "smtp:",
		`(?i)\Asmtp:(.*)\z`: "smtp:",
		`^123-(.*)$`:        "123-",
		`^smtp:(.*)$`:       "",
		`(?i)^smtp:(.*)`:    "",
		`(?i)smtp:(.*)$`:    "",
		`(?i)^smtp:(.+)$`:   "",
		`(?i)^smtp:(.*?)$`:  "",
		`(?is)^smtp:(.*)$`:  "",
		`(?im)^smtp:(.*)$`:  "",
		`(?i)^smtp:.*$`:     "",
		`(?i)^smtp:(?:.*)$`: "",
		`(?i)^sm.p:(.*)$`:   "",
		`(?i)^ümlaut:(.*)$`: "",
		`(?i)^a|b(.*)$`:     "",
		`(?i)^(.*)$`:        "",
	} {
		s := mustLoad(t, connector(fmt.Sprintf("endpoints[\"a\"] := {\"methods\": {\"GET\"}, \"path\": \"/a\", \"response\": {\"x\": shape.match(`%s`, shape.email)}}\n", pattern)))
		m := s.Endpoints()[0].Plan.Root.Object.Lookup([]byte("x")).Node.Match
		if m.Prefix != prefix || (m.Regexp != nil) != (prefix == "") || m.Then != plan.Pseudonym {
			t.Errorf("%s: %+v, want prefix %q", pattern, m, prefix)
		}
	}
}

func TestEndpointInfo(t *testing.T) {
	s := mustLoad(t, connector(`# METADATA
# title: a
# description: |
#   Reads.
endpoints["a"] := {
	"methods": {"HEAD", "GET"},
	"path": "/v1.0/users/{user}/Folders/{folder}/{n}",
	"params": {"user": shape.user_id, "folder": {"values": {"inbox", "sent"}}, "n": {"pattern": "[0-9]+"}},
	"query": {"$select": {}, "$top": {"max": 9}, "model": {"values": {"A"}}, "$filter": {"properties": {"ID"}}},
	"headers": {"Prefer"},
	"response": {"value": [{"id": shape.keep}]},
}
`))
	e := s.Endpoints()[0]
	if !strings.HasSuffix(e.File, "/test.rego") || e.Line != 14 || e.Title != "a" || e.Description != "Reads." {
		t.Errorf("%s:%d %q %q", e.File, e.Line, e.Title, e.Description)
	}
	got := fmt.Sprintln(e.Connector, e.ID, e.Methods, e.Path, e.Params, e.Query, e.Headers, e.Permissions)
	want := "test a [GET HEAD] /v1.0/users/{user}/Folders/{folder}/{n} map[folder:inbox | sent n:matches ^(?:[0-9]+)$ user:reversible] " +
		"[{$filter 1 properties [id]} {$select  []} {$top at most 9 []} {model A []}] [Prefer] [User.Read.All]\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c := s.Connectors(); len(c) != 1 || c[0].Name != "test" || c[0].Title != "Test" || c[0].Description != "A connector for tests." || !slices.Equal(c[0].Permissions, []string{"User.Read.All"}) {
		t.Errorf("connectors %+v", c)
	}
}

// TestSameEndpointInTwoConnectors: allowed where they are equal, whatever they say of
// permissions and probe; the first by name serves it.
func TestSameEndpointInTwoConnectors(t *testing.T) {
	const endpoint = `endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {"id": shape.keep}}
`
	second := strings.NewReplacer("test.rego", "alpha.rego", "connectors.test", "connectors.alpha").Replace(connector(endpoint))
	second = strings.Replace(second, `"response"`, `"permissions": {"User.Read.All"}, "probe": {}, "response"`, 1)
	s := mustLoad(t, connector(endpoint)+second)
	route, denial := s.Route("GET", parseTarget(t, "/a"))
	if denial != nil || route.Connector != "alpha" {
		t.Errorf("%+v, %+v", route, denial)
	}
	for _, e := range s.Endpoints() {
		if want := map[string]string{"alpha": "", "test": "alpha"}[e.Connector]; e.ServedBy != want {
			t.Errorf("%s is served by %q, want %q", e.Connector, e.ServedBy, want)
		}
	}
}

func TestOptionsAndConnectorsSelect(t *testing.T) {
	ctx := context.Background()
	s, err := policy.Load(ctx, policy.Config{Settings: map[string]string{"groups": "off", "ids": "clear"}, Connectors: []string{"outlook_mail"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Endpoints() {
		if e.Connector != "outlook_mail" || strings.HasPrefix(e.ID, "group") {
			t.Errorf("serves %s %s", e.Connector, e.ID)
		}
	}
	if c := s.Connectors(); len(c) != 1 || slices.Contains(c[0].Permissions, "GroupMember.Read.All") {
		t.Errorf("connectors %+v", c)
	}
	if s.Revision() == builtin(t).Revision() {
		t.Error("the revision does not depend on the settings")
	}
	again, err := policy.Load(ctx, policy.Config{Paths: []string{policy.Builtin}})
	if err != nil || again.Revision() != builtin(t).Revision() {
		t.Errorf("loaded twice: revisions %q and %q, %v", again.Revision(), builtin(t).Revision(), err)
	}
}

func TestResponseHeaders(t *testing.T) {
	s := builtin(t)
	for name, want := range map[string]bool{"content-type": true, "retry-after": true, "set-cookie": false, "location": false, "etag": false, "": false, "x-canary": false} {
		if s.AllowsResponseHeader(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}
