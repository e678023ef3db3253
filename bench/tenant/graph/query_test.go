package graph

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

var userDefaults = []string{"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation",
	"preferredLanguage", "surname", "userPrincipalName"}

func TestSelect(t *testing.T) {
	s := open(t, Config{}, "h2")
	user, message := "/v1.0/users/"+s.UserID(2), "/v1.0/users/"+s.UserID(2)+"/messages/"+s.SentMessageID(2, 0)
	for target, want := range map[string][]string{
		user:                                       append([]string{"@odata.context"}, userDefaults...),
		user + "?$select=mail,CITY":                {"@odata.context", "city", "mail"},
		user + "?%24SELECT=%20mail%20,id":          {"@odata.context", "id", "mail"},
		user + "?select=mail":                      {"@odata.context", "mail"},
		message + "?$select=subject":               {"@odata.context", "@odata.etag", "id", "subject"},
		user + "/mailboxSettings?$select=timeZone": {"@odata.context", "timeZone"},
	} {
		if got := names(s.object(target)); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", target, got, want)
		}
	}
	plain := s.object(message)
	for _, name := range []string{"body", "bodyPreview", "@odata.etag", "from", "toRecipients"} {
		if plain[name] == nil {
			t.Errorf("a message has no %s", name)
		}
	}
	for _, name := range []string{"internetMessageHeaders", "uniqueBody"} {
		if plain[name] != nil {
			t.Errorf("a message has %s without $select", name)
		}
	}
}

// TestSpellings: names in a path have no case, keys have forms, option names have no need of "$".
func TestSpellings(t *testing.T) {
	s := open(t, Config{}, "h2")
	id, upn, guest := s.UserID(2), s.UserPrincipalName(2), s.UserPrincipalName(19)
	if !strings.Contains(guest, "#EXT#") {
		t.Fatalf("user 19 is no guest: %s", guest)
	}
	folder := s.object("/v1.0/users/" + id + "/mailFolders/inbox")["id"].(string)
	for _, target := range []string{
		"/V1.0/USERS/" + strings.ToUpper(id), "/v1.0/users/" + upn, "/v1.0/users/" + strings.ToUpper(upn), "/v1.0/users('" + id + "')",
		"/v1.0/users('" + strings.ReplaceAll(upn, "@", "%40") + "')", "/v1.0/users(userPrincipalName='" + upn + "')",
		"/v1.0/users/" + url.PathEscape(guest), "/v1.0/users/" + id + "/MAILFOLDERS/INBOX/Messages",
		"/v1.0/users/" + id + "/mailFolders('Inbox')/messages", "/v1.0/users/" + id + "/mailfolders/" + folder + "/messages",
		"/v1.0/users/" + id + "/mailFolders('" + folder + "')/messages", "/v1.0/users/" + id + "/messages('" + s.SentMessageID(2, 1) + "')",
		"/v1.0/groups/" + s.GroupID(1) + "/Members/Microsoft.Graph.User", "/v1.0/users/", "/v1.0/users?top=2", "/v1.0/users?%24top=2",
		"/v1.0/users?$format=json", "/v1.0/users?unknown=1",
	} {
		if got := s.get(target); got.StatusCode != 200 {
			t.Errorf("GET %s: status %d, %s", target, got.StatusCode, got.body)
		}
	}
}

func TestFilterAndOrder(t *testing.T) {
	s := open(t, Config{}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(0) + "/mailFolders/sentItems/messages"
	advanced := []string{"ConsistencyLevel", "eventual"}
	first := s.object("/v1.0/users/" + s.UserID(5))
	date := s.object(mailbox + "?$top=1&$skip=9")["value"].([]any)[0].(map[string]any)["receivedDateTime"].(string)
	for _, test := range []struct {
		path, query string
		header      []string
		want        int
	}{
		{"/v1.0/users", "$filter=userPrincipalName eq '" + s.UserPrincipalName(5) + "'", nil, 1},
		{"/v1.0/users", "filter=mail EQ '" + strings.ToUpper(s.Mail(5)) + "'", nil, 1},
		{"/v1.0/users", "$filter=startsWith(displayName,'" + first["displayName"].(string) + "')", nil, 1},
		{"/v1.0/users", "$filter=id eq '" + s.UserID(1) + "' or id eq '" + s.UserID(2) + "'", nil, 2},
		{"/v1.0/users", "$filter=id in ('" + s.UserID(1) + "', '" + s.UserID(2) + "')", nil, 2},
		{"/v1.0/users", "$filter=accountEnabled eq false", nil, 23},
		{"/v1.0/users", "$filter=accountEnabled eq true and (userType eq 'Guest')", nil, 10},
		{"/v1.0/users", "$count=true&$filter=accountEnabled ne true", advanced, 23},
		{"/v1.0/users", "$count=true&$filter=not(userType eq 'Member')", advanced, 11},
		{"/v1.0/users", "$count=true&$filter=endsWith(mail,'@" + partnerDomain + "')", advanced, 11},
		{"/v1.0/users", "$filter=mail eq 'it''s'", nil, 0},
		{"/v1.0/users", "$filter=createdDateTime ge 2000-01-01", nil, 250},
		{"/v1.0/groups", "$filter=mailEnabled eq false", nil, 6},
		{mailbox, "$filter=receivedDateTime ge " + date, nil, 10},
		{mailbox, "$filter=receivedDateTime lt " + date, nil, 110},
		{mailbox, "$filter=receivedDateTime ge " + date + " and isRead eq true", nil, 10},
		{"/v1.0/users/" + s.UserID(0) + "/messages", "$filter=isDraft eq true", nil, 30},
		{mailbox, "$filter=from/emailAddress/address eq '" + s.Mail(0) + "'", nil, 120},
	} {
		target := test.path + "?" + strings.ReplaceAll(strings.ReplaceAll(test.query, " ", "%20"), "#", "%23")
		if got, _ := s.crawl(target, "id", test.header...); len(got) != test.want || distinct(got) != test.want {
			t.Errorf("%s: %d records, %d distinct; want %d", test.query, len(got), distinct(got), test.want)
		}
	}
	names, _ := s.crawl("/v1.0/users?$top=40&$orderby=displayName%20desc", "displayName")
	if len(names) != 250 || !slices.IsSortedFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(b), strings.ToLower(a)) }) {
		t.Errorf("%d users, or not in falling order", len(names))
	}
	dates, _ := s.crawl(mailbox+"?$orderby=receivedDateTime&$top=50", "receivedDateTime")
	if len(dates) != 120 || !slices.IsSorted(dates) {
		t.Errorf("%d messages, or not in rising order", len(dates))
	}
	dates, _ = s.crawl(mailbox+"?$filter=receivedDateTime%20ge%20"+date+"&$orderby=receivedDateTime&$top=3", "receivedDateTime")
	if len(dates) != 10 || !slices.IsSorted(dates) || dates[0] != date {
		t.Errorf("filtered and ordered: %v", dates)
	}
}

func TestCount(t *testing.T) {
	s := open(t, Config{}, "h2")
	page := s.object("/v1.0/users?$count=true&$top=3", "ConsistencyLevel", "eventual")
	if page["@odata.count"] != 250.0 {
		t.Errorf("count of users is %v", page["@odata.count"])
	}
	if next := s.object(page["@odata.nextLink"].(string), "ConsistencyLevel", "eventual"); next["@odata.count"] != nil {
		t.Error("the second page has a count")
	}
	if page := s.object("/v1.0/users?$count=true&$top=3"); page["@odata.count"] != nil {
		t.Error("a count without ConsistencyLevel")
	}
	mailbox := "/v1.0/users/" + s.UserID(0) + "/messages"
	if page := s.object(mailbox + "?$count=true&$filter=isDraft%20eq%20true"); page["@odata.count"] != 30.0 {
		t.Errorf("count of drafts is %v", page["@odata.count"])
	}
}

func TestPreferences(t *testing.T) {
	s := open(t, Config{}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(0) + "/messages"
	r := s.get(mailbox, "Prefer", `outlook.body-content-type="text", odata.maxpagesize=3`)
	list := values(t, decode(t, r.body))
	body := list[0]["body"].(map[string]any)
	if len(list) != 3 || body["contentType"] != "text" || strings.Contains(body["content"].(string), "<div") {
		t.Errorf("%d messages, the first with body %v", len(list), body)
	}
	if got := r.Header.Get("Preference-Applied"); got != `outlook.body-content-type="text"` {
		t.Errorf("Preference-Applied is %q", got)
	}
}

// TestTextIsLively: the texts that trip parsers do occur.
func TestTextIsLively(t *testing.T) {
	s := open(t, Config{}, "h2")
	text := string(s.get("/v1.0/users/" + s.UserID(0) + "/mailFolders/SentItems/messages?$top=100").body)
	for _, part := range []string{`\ud83d"`, `\udc4d"`, "👍", "ご確認ください", `\r\n`, `\"`, `"@odata.type":"#microsoft.graph.eventMessage"`, `"flagged"`} {
		if !strings.Contains(text, part) {
			t.Errorf("no message has %s", part)
		}
	}
	for _, message := range values(t, decode(t, []byte(text))) {
		content := message["body"].(map[string]any)["content"].(string)
		if len(content) < 1500 || len(content) > 4000 {
			t.Errorf("a body has %d bytes", len(content))
		}
	}
}
