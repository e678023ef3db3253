package graph

import (
	"net/http"
	"strings"
	"testing"
)

// errorOfReply reads Graph's error shape.
func errorOfReply(t *testing.T, r reply) (code, message string) {
	t.Helper()
	e, ok := decode(t, r.body)["error"].(map[string]any)
	if !ok {
		t.Fatalf("no error in %s", r.body)
	}
	inner := e["innerError"].(map[string]any)
	for _, name := range []string{"date", "request-id", "client-request-id"} {
		if inner[name] == "" || inner[name] == nil {
			t.Errorf("no %s in innerError", name)
		}
	}
	return e["code"].(string), e["message"].(string)
}

// TestRefusals: status, code, and what of the request the message quotes.
func TestRefusals(t *testing.T) {
	s := open(t, Config{}, "h2")
	user := "/v1.0/users/" + s.UserID(0)
	stranger := "11111111-2222-4333-8444-555555555555"
	for _, test := range []struct {
		target, code, quote string
		status              int
	}{
		{"/v1.0/users/" + stranger, "Request_ResourceNotFound", stranger, 404},
		{"/v1.0/users/nobody@contoso.example", "Request_ResourceNotFound", "nobody@contoso.example", 404},
		{"/v1.0/groups/" + s.UserID(0), "Request_ResourceNotFound", s.UserID(0), 404},
		{"/v1.0/users/" + stranger + "/messages", "ErrorInvalidUser", stranger, 404},
		{"/v1.0/users/" + stranger + "/mailboxSettings", "ErrorInvalidUser", stranger, 404},
		{user + "/messages/" + s.SentMessageID(1, 0), "ErrorItemNotFound", s.SentMessageID(1, 0), 404},
		{user + "/messages/AAMkshort", "ErrorInvalidIdMalformed", "AAMkshort", 400},
		{user + "/mailFolders/inbox/messages/" + s.SentMessageID(0, 0), "ErrorItemNotFound", s.SentMessageID(0, 0), 404},
		{user + "/mailFolders/secrets/messages", "ErrorItemNotFound", "secrets", 404},
		{"/v1.0/users?$select=shoeSize", "BadRequest", "shoeSize", 400},
		{"/v1.0/users?$expand=manager", "BadRequest", "manager", 400},
		{user + "?$expand=manager", "BadRequest", "manager", 400},
		{user + "/messages?$search=%22salary%22", "BadRequest", "salary", 400},
		{"/v1.0/users?$filter=shoeSize%20eq%20'44'", "BadRequest", "shoeSize eq '44'", 400},
		{"/v1.0/users?$filter=mail%20eq%20'x", "BadRequest", "mail eq 'x", 400},
		{"/v1.0/users?$filter=(mail%20eq%20'x'", "BadRequest", "(mail eq 'x'", 400},
		{"/v1.0/users?$filter=accountEnabled%20eq%20'x'", "BadRequest", "accountEnabled", 400},
		{"/v1.0/users?$filter=mail%20ne%20'x'", "Request_UnsupportedQuery", "mail ne 'x'", 400},
		{"/v1.0/users?$filter=mail%20eq%20'x'&$orderby=displayName", "Request_UnsupportedQuery", "displayName", 400},
		{"/v1.0/users?$orderby=city", "BadRequest", "city", 400},
		{user + "/messages?$orderby=subject", "BadRequest", "subject", 400},
		{"/v1.0/users?$top=0", "Request_BadRequest", "'0'", 400},
		{"/v1.0/users?$top=1000", "Request_BadRequest", "999", 400},
		{user + "/messages?$top=1001", "Request_BadRequest", "1000", 400},
		{"/v1.0/users?$skip=1", "BadRequest", "$skip", 400},
		{user + "/messages?$skip=-1", "BadRequest", "-1", 400},
		{"/v1.0/users?$top=1&top=2", "BadRequest", "top", 400},
		{"/v1.0/users?$count=perhaps", "BadRequest", "perhaps", 400},
		{"/v1.0/users?$apply=x", "BadRequest", "$apply", 400},
		{"/v1.0/users?$top=%zz", "BadRequest", "", 400},
		{"/v1.0/users?$select=aboutMe", "NotImplemented", "aboutMe", 501},
		{"/v1.0/me", "BadRequest", "/me", 400},
		{"/v1.0/people", "BadRequest", "people", 400},
		{"/v1.0", "BadRequest", "", 400},
		{"/beta/users", "BadRequest", "beta", 400},
		{user + "/messages/" + s.SentMessageID(0, 0) + "/attachments", "BadRequest", "attachments", 400},
		{"/v1.0/groups/" + s.GroupID(0) + "/members?$filter=id%20eq%20'1'", "BadRequest", "id eq '1'", 400},
	} {
		r := s.get(test.target)
		if r.StatusCode != test.status {
			t.Errorf("GET %s: status %d, want %d: %s", test.target, r.StatusCode, test.status, r.body)
			continue
		}
		if code, message := errorOfReply(t, r); code != test.code || !strings.Contains(message, test.quote) {
			t.Errorf("GET %s: %s %q, want %s quoting %q", test.target, code, message, test.code, test.quote)
		}
		if got := r.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("GET %s: Content-Type %s", test.target, got)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		r := s.do(method, "/v1.0/users")
		if code, _ := errorOfReply(t, r); r.StatusCode != 405 || r.Header.Get("Allow") != "GET" || code != "Request_BadRequest" {
			t.Errorf("%s: status %d, %s", method, r.StatusCode, r.body)
		}
	}
}

func TestTokens(t *testing.T) {
	s := open(t, Config{}, "h2")
	for _, value := range []string{"", "Bearer", "Bearer ", "Basic all", "Bearer expired"} {
		r := s.get("/v1.0/users", "Authorization", value)
		if code, _ := errorOfReply(t, r); r.StatusCode != 401 || code != "InvalidAuthenticationToken" || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("with %q: status %d, %s", value, r.StatusCode, r.body)
		}
	}
	req, err := http.NewRequest(http.MethodGet, s.url+"/v1.0/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = []string{"Bearer all", "Bearer all"}
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 401 {
		t.Errorf("with two tokens: status %d", res.StatusCode)
	}
}

// TestRoles asks each endpoint with each role and expects exactly the documented ones to open it.
func TestRoles(t *testing.T) {
	s := open(t, Config{}, "h2")
	user, group := "/v1.0/users/"+s.UserID(0), "/v1.0/groups/"+s.GroupID(0)
	directory := []string{"Directory.Read.All"}
	opens := map[string][]string{
		"/v1.0/users":                           append([]string{"User.ReadBasic.All", "User.Read.All"}, directory...),
		user:                                    append([]string{"User.ReadBasic.All", "User.Read.All"}, directory...),
		"/v1.0/groups":                          append([]string{"Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All"}, directory...),
		group:                                   append([]string{"Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All"}, directory...),
		group + "/members":                      append([]string{"GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All"}, directory...),
		group + "/members/microsoft.graph.user": append([]string{"GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All"}, directory...),
		user + "/mailboxSettings":               {"MailboxSettings.Read"},
		user + "/mailFolders":                   {"Mail.ReadBasic.All", "Mail.Read"},
		user + "/mailFolders/inbox":             {"Mail.ReadBasic.All", "Mail.Read"},
		user + "/mailFolders/inbox/messages":    {"Mail.ReadBasic.All", "Mail.Read"},
		user + "/messages":                      {"Mail.ReadBasic.All", "Mail.Read"},
		user + "/messages/" + s.SentMessageID(0, 0):                       {"Mail.ReadBasic.All", "Mail.Read"},
		user + "/mailFolders/sentitems/messages/" + s.SentMessageID(0, 0): {"Mail.ReadBasic.All", "Mail.Read"},
	}
	all := map[string]bool{"None": true}
	for _, roles := range opens {
		for _, role := range roles {
			all[role] = true
		}
	}
	for target, roles := range opens {
		want := map[string]int{}
		for role := range all {
			want[role] = 403
		}
		for _, role := range roles {
			want[role] = 200
		}
		for role, status := range want {
			r := s.get(target, "Authorization", "Bearer "+role)
			if r.StatusCode != status {
				t.Errorf("GET %s as %s: status %d, want %d", target, role, r.StatusCode, status)
			}
			if r.StatusCode == 403 {
				errorOfReply(t, r)
			}
		}
	}
}

// TestBasicRoles: the basic roles open the endpoint and not all of the record.
func TestBasicRoles(t *testing.T) {
	s := open(t, Config{}, "h2")
	user := "/v1.0/users/" + s.UserID(0)
	basic := []string{"Authorization", "Bearer User.ReadBasic.All"}
	if u := s.object(user, basic...); u["jobTitle"] != nil || u["mobilePhone"] != nil || u["displayName"] == nil || u["mail"] == nil {
		t.Errorf("a basic user is %v", u)
	}
	if r := s.get(user+"?$select=id,jobTitle", basic...); r.StatusCode != 403 {
		t.Errorf("selecting jobTitle: status %d", r.StatusCode)
	}
	if r := s.get(user+"?$select=id,mail", basic...); r.StatusCode != 200 {
		t.Errorf("selecting mail: status %d", r.StatusCode)
	}
	mail := []string{"Authorization", "Bearer Mail.ReadBasic.All"}
	m := values(t, s.object(user+"/messages?$top=1", mail...))[0]
	if m["subject"] == nil || m["body"] != nil || m["bodyPreview"] != nil {
		t.Errorf("a basic message has %v", names(m))
	}
	m = values(t, s.object(user+"/messages?$top=1&$select=uniqueBody,body", mail...))[0]
	if m["body"] != nil || m["uniqueBody"] != nil || m["id"] == nil {
		t.Errorf("a basic message with $select=body has %v", names(m))
	}
	member := values(t, s.object("/v1.0/groups/"+s.GroupID(0)+"/members", "Authorization", "Bearer GroupMember.Read.All"))[0]
	if member["id"] == nil || member["@odata.type"] == nil || member["displayName"] != nil || member["mail"] != nil {
		t.Errorf("a member without a user permission is %v", member)
	}
}
