package policy_test

import (
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
)

var routes = connector(`endpoints["users"] := {"methods": {"GET", "HEAD"}, "path": "/v1.0/users", "response": {}}

endpoints["user"] := {"methods": {"GET"}, "path": "/v1.0/users/{user}", "params": {"user": shape.reversible}, "response": {}}

endpoints["all"] := {"methods": {"GET"}, "path": "/v1.0/users/all", "response": {}}

endpoints["message"] := {
	"methods": {"GET"}, "path": "/v1.0/Users/{user}/mailFolders/Inbox/messages/{message}",
	"params": {"user": shape.reversible, "message": shape.keep}, "response": {},
}

endpoints["all_messages"] := {"methods": {"GET"}, "path": "/v1.0/users/all/messages", "response": {}}

endpoints["group"] := {"methods": {"GET"}, "path": "/v1.0/groups/{group}", "params": {"group": shape.keep}, "response": {}}

endpoints["cast"] := {"methods": {"GET"}, "path": "/v1.0/groups/{group}/members/microsoft.graph.user", "params": {"group": shape.keep}, "response": {}}

endpoints["delta"] := {"methods": {"GET"}, "path": "/v1.0/users/delta()", "response": {}}

endpoints["calls"] := {
	"methods": {"GET"}, "path": "/v1.0/calls/getCalls(fromDate={from},kind={kind})",
	"params": {"from": {"pattern": "[0-9TZ:+-]+"}, "kind": shape.keep}, "response": {},
}

endpoints["owned"] := {
	"methods": {"GET"}, "path": "/v1.0/things/ownedBy(user={user})/items",
	"params": {"user": shape.reversible}, "response": {},
}

endpoints["count"] := {"methods": {"GET"}, "path": "/v1.0/users/$count", "response": {}}

refusals["v1"] := {"path": "/v1.0", "code": "other_part", "message": "Not this part."}

refusals["user"] := {"path": "/v1.0/users/{user}/photo", "code": "photo_not_served", "message": "No photos."}
`)

func TestRoute(t *testing.T) {
	s := mustLoad(t, routes)
	withDomain := token + "@example.com"
	for _, test := range []struct {
		target, endpoint, code string
		params                 string // values, comma separated
	}{
		{"/v1.0/users", "users", "", ""},
		{"/V1.0/USERS", "users", "", ""},
		{"/v1.0/users/ALL", "all", "", ""},
		{"/v1.0/users('all')", "all", "", ""},
		{"/v1.0/%75sers/%61ll", "all", "", ""},
		{"/v1.0/users/" + token, "user", "", token},
		{"/v1.0/users('" + token + "')", "user", "", token},
		{"/v1.0/users/p%7E" + token[2:], "user", "", token},
		{"/v1.0/users/" + token + "%40example.com", "user", "", withDomain},
		{"/v1.0/users/" + token + "@example.com", "user", "", withDomain},
		{"/v1.0/users('" + token + "%40example.com')", "user", "", withDomain},
		{"/v1.0/users/" + token + "/mailfolders/INBOX/messages/AAMk=", "message", "", token + ",AAMk="},
		{"/v1.0/users('" + token + "')/mailFolders('inbox')/messages('AAMk%3D')", "message", "", token + ",AAMk="},
		// The most literal that fits to the end wins, not the most literal at each step.
		{"/v1.0/users/all/messages", "all_messages", "", ""},
		{"/v1.0/groups/x/members/microsoft.graph.user", "cast", "", "x"},
		{"/v1.0/groups/x/members/Microsoft.Graph.User", "cast", "", "x"},
		{"/v1.0/groups/x", "group", "", "x"},

		{"/v1.0/users/48d31887-5fad-4d73-a9f5-3c356e68a038", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/alice@example.com", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/t~" + token[2:], "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/P~" + token[2:], "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/p~" + strings.Repeat("A", 42), "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/" + token + "@", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/" + token + "=", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/" + token + "@a@b", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/" + token + "%20", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/" + token + "@ex%20ample", "user", "id_not_pseudonymous", ""},
		// Functions, however they are called, and what is none.
		{"/v1.0/users/delta", "delta", "", ""},
		{"/v1.0/users/DELTA()", "delta", "", ""},
		{"/v1.0/users/microsoft.graph.delta", "delta", "", ""},
		{"/V1.0/Users/Microsoft.Graph.Delta()", "delta", "", ""},
		{"/v1.0/users/microsoft.graph.callRecords.delta()", "delta", "", ""},
		{"/v1.0/users/delta(token='x')", "", "other_part", ""},
		{"/v1.0/users/delta(1)", "", "other_part", ""},
		{"/v1.0/users/delta('x')", "", "other_part", ""},
		{"/v1.0/users/example.delta()", "", "other_part", ""},
		{"/v1.0/users/example.delta", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/microsoft.graph.x.delta()", "", "other_part", ""},
		{"/v1.0/microsoft.graph.users", "", "other_part", ""},
		{"/v1.0/users()", "", "other_part", ""},
		{"/v1.0/users/all()", "", "other_part", ""},
		{"/v1.0/users/microsoft.graph.all", "user", "id_not_pseudonymous", ""},
		{"/v1.0/users/delta/messages", "", "other_part", ""},
		{"/v1.0/users/" + token + "()", "", "other_part", ""},
		{"/v1.0/groups/delta", "group", "", "delta"}, // the decision denies it
		{"/v1.0/groups/delta()", "", "other_part", ""},
		{"/v1.0/groups/microsoft.graph.delta()", "", "other_part", ""},
		{"/v1.0/groups('delta')", "group", "", "delta"},
		{"/v1.0/users('delta')", "delta", "", ""},
		{"/v1.0/calls/getCalls(fromDate=2024-01-31T00:00:00Z,kind='a')", "calls", "", "2024-01-31T00:00:00Z,a"},
		{"/v1.0/Calls/GETCALLS(KIND='a%20b',FromDate=2024-01-31T00%3A00%3A00Z)", "calls", "", "2024-01-31T00:00:00Z,a b"},
		{"/v1.0/calls/microsoft.graph.callRecords.getCalls(fromDate='2024',kind=a)", "calls", "", "2024,a"},
		{"/v1.0/calls/getCalls(fromDate=2024)", "", "other_part", ""},
		{"/v1.0/calls/getCalls(fromDate=2024,kind=a,x=1)", "", "other_part", ""},
		{"/v1.0/calls/getCalls()", "", "other_part", ""},
		{"/v1.0/calls/getCalls", "", "other_part", ""},
		{"/v1.0/calls/getCalls(fromDate='a%5Cb',kind=a)", "", "", ""},
		{"/v1.0/calls/getCalls(fromDate='..',kind=a)", "calls", "id_not_allowed", ""},
		{"/v1.0/calls/getCalls(fromDate='',kind=a)", "calls", "id_not_allowed", ""},
		{"/v1.0/things/ownedBy(user='" + token + "')/items", "owned", "", token},
		{"/v1.0/things/ownedBy(user='alice@example.com')/items", "owned", "id_not_pseudonymous", ""},
		{"/v1.0/users/$count", "count", "", ""},
		{"/v1.0/users/%24COUNT", "count", "", ""},
		{"/v1.0/users('$count')", "count", "", ""},
		{"/v1.0/users/$value", "user", "id_not_pseudonymous", ""},
		{"/v1.0/groups/$count", "group", "id_not_allowed", ""},
		{"/v1.0/groups/...", "", "", ""}, // see below

		{"/v1.0/users/all/photo", "", "photo_not_served", ""},
		{"/V1.0/users/x/Photo/$value", "", "photo_not_served", ""},
		{"/v1.0/users/x/photos", "", "other_part", ""},
		{"/v1.0/users(userPrincipalName='x')", "", "other_part", ""},
		{"/v1.0/users/" + token + "/messages", "", "other_part", ""},
		{"/v1.0/groups/x/members/microsoft.graph.group", "", "other_part", ""},
		{"/v1.0/groups/x/microsoft.graph.group", "", "other_part", ""},
		{"/v1.0", "", "other_part", ""},
		{"/v1.0/u\u017fers", "", "other_part", ""}, // ſ folds to s in Unicode
		{"/v1.00/users", "", "path_not_allowed", ""},
		{"/beta/users", "", "path_not_allowed", ""},
		{"/users", "", "path_not_allowed", ""},
	} {
		parsed, err := odata.ParseTarget(test.target)
		if test.endpoint == "" && test.code == "" {
			if err == nil {
				t.Errorf("%s: parses", test.target)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.target, err)
			continue
		}
		route, denial := s.Route("GET", parsed)
		if test.code != "" {
			switch {
			case denial == nil:
				t.Errorf("%s: route %+v, want %s", test.target, route, test.code)
			case denial.Code != test.code || denial.Endpoint != test.endpoint || len(denial.Reasons) != 1 || !strings.HasPrefix(denial.Reasons[0], test.code):
				t.Errorf("%s: %+v, want %s of %q", test.target, denial, test.code, test.endpoint)
			case route.Endpoint != "" || route.AppendPath(nil, nil) != nil:
				t.Errorf("%s: denied, but leads to %+v", test.target, route)
			}
			continue
		}
		if denial != nil {
			t.Errorf("%s: %+v", test.target, denial)
			continue
		}
		var values []string
		for _, p := range route.Params {
			values = append(values, p.Value)
			if segment := parsed.Segments[p.Segment]; !segment.Call && segment.Value != p.Value || p.Reversible != (p.Name == "user") {
				t.Errorf("%s: parameter %+v", test.target, p)
			}
		}
		if got := strings.Join(values, ","); route.Connector != "test" || route.Endpoint != test.endpoint || got != test.params {
			t.Errorf("%s: %s %s, want %s %s", test.target, route.Endpoint, got, test.endpoint, test.params)
		}
	}
}

func TestRouteMethod(t *testing.T) {
	s := mustLoad(t, routes)
	target := parseTarget(t, "/v1.0/users")
	for method, ok := range map[string]bool{"GET": true, "HEAD": true, "get": false, "POST": false, "DELETE": false, "": false, "CONNECT": false, "GET ": false} {
		_, denial := s.Route(method, target)
		if (denial == nil) != ok {
			t.Errorf("%q: %+v", method, denial)
		}
		if denial != nil && (denial.Code != "method_not_allowed" || denial.Endpoint != "users" || denial.Connector != "test") {
			t.Errorf("%q: %+v", method, denial)
		}
	}
	_, denial := s.Route("POST", parseTarget(t, "/v1.0/users/all/photo"))
	if denial == nil || denial.Code != "photo_not_served" || denial.Message != "No photos." || denial.Connector != "test" {
		t.Errorf("refusal %+v", denial)
	}
	if _, denial := s.Route("GET", odata.Target{}); denial == nil || denial.Code != "path_not_allowed" {
		t.Errorf("zero target: %+v", denial)
	}
}

func TestAppendPath(t *testing.T) {
	s := mustLoad(t, routes)
	route, denial := s.Route("GET", parseTarget(t, "/V1.0/users('"+token+"')/MAILFOLDERS/inbox/messages/m1"))
	if denial != nil {
		t.Fatal(denial)
	}
	path := func(user string) string {
		return string(route.AppendPath([]byte("X"), func(i int) string {
			if route.Params[i].Reversible {
				return user
			}
			return route.Params[i].Value
		}))
	}
	for user, want := range map[string]string{
		"48d31887-5fad":          "48d31887-5fad",
		"o'brien#EXT#@a b.com":   "o%27brien%23EXT%23@a%20b.com",
		"100%25?x=1&$y":          "100%2525%3Fx=1%26%24y",
		"日":                      "%E6%97%A5",
		"alice+tag@example.com":  "alice%2Btag@example.com",
		"a.b":                    "a.b",
		"..a":                    "..a",
		"delta.smith@example.de": "delta.smith@example.de",
	} {
		got := path(user)
		prefix, suffix := "X/v1.0/Users/", "/mailFolders/Inbox/messages/m1"
		if !strings.HasPrefix(got, prefix) || !strings.HasSuffix(got, suffix) {
			t.Errorf("%q: path %q", user, got)
			continue
		}
		if segment := strings.TrimSuffix(strings.TrimPrefix(got, prefix), suffix); segment != want {
			t.Errorf("%q: segment %q, want %q", user, segment, want)
		}
	}
	for _, user := range []string{"", ".", "..", "...", " ", ". .", "a/b", `a\b`, "a;b", "a(b", "a)b", "$count", "$x", "a\x00b", "a\nb", "a\x7f", "delta()"} {
		if got := path(user); got != "" {
			t.Errorf("%q: path %q, want none", user, got)
		}
	}
	if got := (policy.Route{}).AppendPath([]byte("X"), func(int) string { return "x" }); got != nil {
		t.Errorf("zero route: %q", got)
	}
}

func TestAppendPathOfFunctions(t *testing.T) {
	s := mustLoad(t, routes)
	for target, want := range map[string]string{
		"/V1.0/USERS/Microsoft.Graph.DELTA()":                         "/v1.0/users/delta",
		"/v1.0/users/$COUNT":                                          "/v1.0/users/$count",
		"/v1.0/calls/GetCalls(kind='o''b',FROMDATE=2024-01-31T00:00)": "/v1.0/calls/getCalls(fromDate=2024-01-31T00%3A00,kind='o''b')",
		"/v1.0/things/ownedBy(user='" + token + "')/items":            "/v1.0/things/ownedBy(user='REVEALED')/items",
		"/v1.0/things/ownedBy(user=" + token + ")/items":              "/v1.0/things/ownedBy(user=REVEALED)/items",
	} {
		route, denial := s.Route("GET", parseTarget(t, target))
		if denial != nil {
			t.Errorf("%s: %+v", target, denial)
			continue
		}
		path := func(revealed string) string {
			return string(route.AppendPath(nil, func(i int) string {
				if route.Params[i].Reversible {
					return revealed
				}
				return route.Params[i].Value
			}))
		}
		if got := path("REVEALED"); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
		if len(route.Params) != 1 || !route.Params[0].Reversible {
			continue
		}
		for _, revealed := range []string{"", "a)", "(a", "a/b", "..", "$x"} {
			if got := path(revealed); got != "" {
				t.Errorf("%s: %q gives %s", target, revealed, got)
			}
		}
		// Without quotes, a revealed value must not end its argument.
		for _, revealed := range []string{"a,b=1", "a'b", "a b"} {
			if got := path(revealed); (got != "") != route.Params[0].Quoted {
				t.Errorf("%s: %q gives %s", target, revealed, got)
			}
		}
	}
}

func TestLink(t *testing.T) {
	s := mustLoad(t, routes)
	for _, test := range []struct {
		connector, target string
		endpoint          string // "" for none
		delta             bool
		params            string
	}{
		{"test", "/v1.0/users?$skiptoken=x", "users", false, ""},
		{"test", "/V1.0/Users", "users", false, ""},
		{"test", "/v1.0/users/48d31887-5fad-4d73-a9f5-3c356e68a038", "user", false, "48d31887-5fad-4d73-a9f5-3c356e68a038"},
		{"test", "/v1.0/users('48d3')/mailFolders('Inbox')/messages/AAMk?$skip=10", "message", false, "48d3,AAMk"},
		{"test", "/v1.0/users/all", "all", false, ""},
		{"test", "/v1.0/users/delta?$deltatoken=x", "delta", true, ""},
		{"test", "/v1.0/users/delta()?$skiptoken=x", "delta", false, ""},
		{"test", "/v1.0/users/microsoft.graph.delta()?$deltaToken=x", "delta", true, ""},
		{"test", "/v1.0/users/delta(token='x')", "delta", true, ""},
		{"test", "/v1.0/users/delta(token=YWI%3D)?$top=5", "delta", true, ""},
		{"test", "/v1.0/users/delta?token=x", "delta", true, ""},
		{"test", "/v1.0/calls/getCalls(fromDate=2024,kind='a')?$skip=1000", "calls", false, "2024,a"},
		{"test", "/v1.0/things/ownedBy(user='alice@example.com')/items", "owned", false, "alice@example.com"},

		// The upstream's links may name arguments otherwise than its requests do.
		{"test", "/v1.0/calls/getCalls(from=2024,sort='a')?$skip=1000", "calls", false, "2024,a"},
		{"test", "/v1.0/calls/microsoft.graph.callRecords.getCalls(from=2024,sort='a')", "calls", false, "2024,a"},

		{"test", "/v1.0/calls/getCalls(from=2024)", "", false, ""},
		{"test", "/v1.0/calls/getCalls(from=2024,sort='a',more=1)", "", false, ""},
		{"test", "/v1.0/calls/getCalls(sort='a',from=2024)", "", false, ""}, // "a" is no date
		{"test", "/v1.0/calls/getOthers(from=2024,sort='a')", "", false, ""},
		{"other", "/v1.0/calls/getCalls(from=2024,sort='a')", "", false, ""},
		{"test", "/v1.0/users/delta(token='x',other='y')", "", false, ""},
		{"test", "/v1.0/users/delta(other='y')", "", false, ""},
		{"test", "/v1.0/users(token='x')", "", false, ""},
		{"test", "/v1.0/calls/getCalls(fromDate='%20',kind='a')", "", false, ""}, // against its rule
		{"test", "/v1.0/photos", "", false, ""},
		{"test", "/beta/users", "", false, ""},
		{"other", "/v1.0/users", "", false, ""},
		{"", "/v1.0/users", "", false, ""},
	} {
		link, ok := s.Link(test.connector, parseTarget(t, test.target))
		var values []string
		for _, p := range link.Route.Params {
			values = append(values, p.Value)
		}
		if got := strings.Join(values, ","); ok != (test.endpoint != "") || link.Route.Endpoint != test.endpoint || link.Delta != test.delta || got != test.params {
			t.Errorf("%s %s: %+v, %t", test.connector, test.target, link, ok)
		}
	}
	if link, ok := s.Link("test", odata.Target{}); ok {
		t.Errorf("the zero target leads to %+v", link)
	}
}
