package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
)

// FuzzRequest sends any target through the shipped policy: it is denied, or what
// goes upstream is canonical, leads to the same endpoint and says nothing that
// was not decided on.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"/v1.0/users", "/v1.0/users?$top=5&%24select=id&COUNT=true", "/V1.0/Users('" + token + "')/mailboxSettings",
		"/v1.0/users/" + token + "%40example.com/messages/AAMk0=", "/v1.0/users/" + token + "/mailFolders('SentItems')/messages?$filter=sentDateTime+ge+2024-01-01",
		"/v1.0/groups/48d31887-5fad-4d73-a9f5-3c356e68a038/members/microsoft.graph.user?$orderby=id", "/v1.0/users/delta()", "/v1.0/users/$count",
		"/v1.0/me", "/beta/users", "/v1.0/users?$filter=startswith(displayName,'a')", "/v1.0//users", "/v1.0/users/%2e%2e/groups", "/v1.0/users?$expand=manager",
		"/v1.0/users?$filter=id eq 'a%26$top=9'", "/v1.0/users?$select=id%2Cmail&%24search=%22a%22",
	} {
		f.Add("GET", seed, "eventual")
	}
	f.Add("POST", "/v1.0/users", "")
	s := builtin(f)
	f.Fuzz(func(t *testing.T, method, text, header string) {
		target, err := odata.ParseTarget(text)
		if err != nil {
			return
		}
		route, denial := s.Route(method, target)
		if denial != nil {
			if denial.Code == "" || len(denial.Reasons) == 0 || route.Endpoint != "" {
				t.Fatalf("%s %q: denial %+v, route %+v", method, text, denial, route)
			}
			return
		}
		d := s.Decide(context.Background(), route, policy.Input{Method: method, Target: target, Headers: map[string]string{"consistencylevel": header, "x-other": header}})
		if !d.Allow {
			if d.Code == "" || d.Code == "policy_error" || len(d.Reasons) == 0 || d.Plan != nil || d.Headers != nil || d.Query != "" {
				t.Fatalf("%s %q: %+v", method, text, d)
			}
			return
		}
		if method != "GET" || d.Plan == nil || d.ErrorPlan == nil {
			t.Fatalf("%s %q: %+v", method, text, d)
		}
		for _, h := range d.Headers {
			if h.Name != "consistencylevel" || strings.Trim(h.Value, ", \t") == "" {
				t.Fatalf("%q: forwards %+v", text, h)
			}
		}
		path := string(route.AppendPath(nil, func(i int) string { return route.Params[i].Value }))
		if path == "" {
			t.Fatalf("%q: no path", text)
		}
		again, err := odata.ParseTarget(path + "?" + d.Query)
		if err != nil {
			if strings.Contains(d.Query, "%25") || len(path)+len(d.Query) >= odata.MaxTarget {
				return // what looks encoded twice when it is encoded again, or is then too long
			}
			t.Fatalf("%q: canonical form %s?%s: %v", text, path, d.Query, err)
		}
		if link, ok := s.Link(route.Connector, again); !ok || link.Route.Endpoint != route.Endpoint {
			t.Fatalf("%q: %s leads elsewhere", text, path)
		}
		if !slices.EqualFunc(again.Options, target.Options, func(a, b odata.Option) bool { return a.Name == b.Name && a.Value == b.Value }) {
			t.Fatalf("%q: options %+v became %+v", text, target.Options, again.Options)
		}
	})
}
