package policy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
)

func TestExplain(t *testing.T) {
	s := mustLoad(t, withCustom("deny contains \"after_hours\" if input.caller.subject == \"x\"\n"))
	explain := func(method, target string, caller policy.Caller) policy.Explanation {
		return s.Explain(context.Background(), method, target, nil, caller)
	}

	e := explain("GET", "/items?$top=5", policy.Caller{})
	if !e.Allowed() || e.Endpoint == nil || e.Endpoint.ID != "items" || e.Decision.Query != "$top=5" || e.Against != nil || e.Denial != nil || e.TargetError != nil {
		t.Errorf("allowed: %+v", e)
	}

	e = explain("GET", "/items?$top=99&$filter=subject%20eq%20'x'", policy.Caller{Subject: "x"})
	var rules []string
	for _, place := range e.Against {
		file := place.File[strings.LastIndexByte(place.File, '/')+1:]
		if place.Line == 0 {
			t.Errorf("no line in %+v", place)
		}
		if !slices.Contains(rules, place.Rule+" "+file) {
			rules = append(rules, place.Rule+" "+file)
		}
	}
	slices.Sort(rules)
	if want := []string{"graphveil.custom.deny custom.rego", "graphveil.reasons decision.rego"}; e.Allowed() || !slices.Equal(rules, want) {
		t.Errorf("against: %v, want %v", rules, want)
	}
	if i := slices.IndexFunc(e.Against, func(p policy.RulePlace) bool { return p.Rule == "graphveil.custom.deny" }); i < 0 || e.Against[i].Line != 3 {
		t.Errorf("against: %+v", e.Against)
	}
	if want := []string{"after_hours", "filter_property_not_allowed:$filter", "query_value_not_allowed:$top"}; !slices.Equal(e.Decision.Reasons, want) {
		t.Errorf("reasons %q", e.Decision.Reasons)
	}

	e = explain("GET", "/items/../x", policy.Caller{})
	if e.Allowed() || e.TargetError == nil || e.Endpoint != nil || e.Denial != nil {
		t.Errorf("no target: %+v", e)
	}
	e = explain("POST", "/items", policy.Caller{})
	if e.Allowed() || e.Denial == nil || e.Denial.Code != "method_not_allowed" || e.Denial.Near != nil {
		t.Errorf("method: %+v", e)
	}
}

var nearby = connector(`endpoints["users"] := {"methods": {"GET"}, "path": "/v1.0/users", "response": {}}

endpoints["user"] := {"methods": {"GET"}, "path": "/v1.0/users/{user}", "params": {"user": shape.reversible}, "response": {}}

endpoints["delta"] := {"methods": {"GET"}, "path": "/v1.0/users/delta()", "response": {}}

endpoints["settings"] := {"methods": {"GET"}, "path": "/v1.0/users/{user}/mailboxSettings", "params": {"user": shape.reversible}, "response": {}}

endpoints["message"] := {
	"methods": {"GET"}, "path": "/v1.0/users/{user}/messages/{message}",
	"params": {"user": shape.reversible, "message": shape.keep}, "response": {},
}

endpoints["sent"] := {
	"methods": {"GET"}, "path": "/v1.0/users/{user}/mailFolders/SentItems/messages",
	"params": {"user": shape.reversible}, "response": {},
}

endpoints["groups"] := {"methods": {"GET"}, "path": "/v1.0/groups", "response": {}}

endpoints["members"] := {"methods": {"GET"}, "path": "/v1.0/groups/{group}/members", "params": {"group": shape.keep}, "response": {}}

endpoints["cast"] := {
	"methods": {"GET"}, "path": "/v1.0/groups/{group}/members/microsoft.graph.user",
	"params": {"group": shape.keep}, "response": {},
}

refusals["me"] := {"path": "/v1.0/me", "code": "me_not_served", "message": "Not me."}
`)

// TestNear: a request that no endpoint serves is told what is like it.
func TestNear(t *testing.T) {
	s := mustLoad(t, nearby)
	for target, want := range map[string]string{
		"/v1.0/usrs":  "/v1.0/users /v1.0/users/delta() /v1.0/users/{user}",
		"/v1.0/grups": "/v1.0/groups /v1.0/groups/{group}/members /v1.0/groups/{group}/members/microsoft.graph.user",
		"/v2.0/users": "/v1.0/users /v1.0/users/delta() /v1.0/users/{user}",
		"/v1.0/users/" + token + "/mailFolder/SentItems/messages":         "/v1.0/users/{user}/mailFolders/SentItems/messages /v1.0/users/{user}/messages/{message} /v1.0/users/{user}/mailboxSettings",
		"/v1.0/users/" + token + "/mailFolders/SentItems/messages/CANARY": "/v1.0/users/{user}/mailFolders/SentItems/messages /v1.0/users/{user}/messages/{message} /v1.0/users/{user}/mailboxSettings",
		"/v1.0/users/" + token + "/mailboxSetting":                        "/v1.0/users/{user}/mailboxSettings",
		"/v1.0/users/" + token + "/message":                               "/v1.0/users/{user}/messages/{message}",
		"/v1.0/groups/x/member":                                           "/v1.0/groups/{group}/members /v1.0/groups/{group}/members/microsoft.graph.user",
		"/v1.0/groups/x/members/microsoft.graph.usr":                      "/v1.0/groups/{group}/members/microsoft.graph.user",
		"/v1.0/users(userPrincipalName='CANARY')":                         "/v1.0/users",
		"/v1.0/users/delta(token='CANARY')":                               "/v1.0/users/delta()",
	} {
		_, denial := s.Route("GET", parseTarget(t, target))
		if denial == nil || denial.Code != "path_not_allowed" {
			t.Errorf("%s: %+v", target, denial)
			continue
		}
		var near []string
		for _, info := range denial.Near {
			near = append(near, info.Path)
		}
		if !strings.HasPrefix(strings.Join(near, " ")+" ", want+" ") {
			t.Errorf("%s: near %q, want %s first", target, near, want)
		}
		slices.Sort(near)
		if len(slices.Compact(near)) != 3 || strings.Contains(fmt.Sprint(near), "CANARY") {
			t.Errorf("%s: one path twice, or of the request: %s", target, near)
		}
	}
	for _, target := range []string{"/", "/metrics", "/users", "/" + strings.Repeat("x", 9000)} {
		parsed, err := odata.ParseTarget(target)
		if err != nil {
			continue
		}
		if _, denial := s.Route("GET", parsed); denial == nil || denial.Near != nil {
			t.Errorf("%.20s: near %+v", target, denial)
		}
	}
	if _, denial := s.Route("GET", parseTarget(t, "/v1.0/me")); denial.Near != nil || denial.Code != "me_not_served" {
		t.Errorf("me: %+v", denial)
	}

	// What is not served is not named either.
	directory, err := policy.Load(t.Context(), policy.Config{Connectors: []string{"entra_id"}})
	if err != nil {
		t.Fatal(err)
	}
	_, denial := directory.Route("GET", parseTarget(t, "/v1.0/users/"+token+"/messages/x"))
	if denial == nil || len(denial.Near) != 3 {
		t.Fatalf("without mail: %+v", denial)
	}
	for _, info := range denial.Near {
		if info.Connector != "entra_id" {
			t.Errorf("without mail: near %s of %s", info.Path, info.Connector)
		}
	}
}
