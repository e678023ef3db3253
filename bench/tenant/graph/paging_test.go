package graph

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUsersToTheEnd(t *testing.T) {
	for _, proto := range []string{"h1", "h2"} {
		t.Run(proto, func(t *testing.T) {
			s := open(t, Config{Users: 2000}, proto)
			ids, pages := s.crawl("/v1.0/users?$select=id,userPrincipalName&$top=300", "id")
			if len(ids) != 2000 || distinct(ids) != 2000 || pages != 7 {
				t.Errorf("%d users, %d distinct, on %d pages; want 2000 on 7", len(ids), distinct(ids), pages)
			}
			if ids[0] != s.UserID(0) || ids[1999] != s.UserID(1999) {
				t.Error("UserID does not name the users in order")
			}
			if ids, pages := s.crawl("/v1.0/users", "id"); len(ids) != 2000 || pages != 20 {
				t.Errorf("%d users on %d pages without $top; want pages of 100", len(ids), pages)
			}
		})
	}
}

// TestMessagesToTheEnd reads a folder of 50,000 messages.
func TestMessagesToTheEnd(t *testing.T) {
	s := open(t, Config{Users: 10000, Messages: 50000}, "h2")
	target := "/v1.0/users/" + s.UserID(9999) + "/mailFolders/SentItems/messages?$select=receivedDateTime&$top=1000"
	ids, pages := s.crawl(target, "id")
	if len(ids) != 50000 || distinct(ids) != 50000 || pages != 50 {
		t.Errorf("%d messages, %d distinct, on %d pages; want 50000 on 50", len(ids), distinct(ids), pages)
	}
	if ids[0] != s.SentMessageID(9999, 0) || ids[49999] != s.SentMessageID(9999, 49999) {
		t.Error("SentMessageID does not name the messages in order")
	}
}

// TestMailboxIsItsFolders: each message of a mailbox is in one folder, which knows it, and dates fall.
func TestMailboxIsItsFolders(t *testing.T) {
	s := open(t, Config{Messages: 50}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(1)
	all, _ := s.crawl(mailbox+"/messages?$top=60", "id")
	if len(all) != 200 || distinct(all) != 200 {
		t.Fatalf("%d messages in the mailbox, %d distinct; want 200", len(all), distinct(all))
	}
	dates, _ := s.crawl(mailbox+"/messages?$top=60", "receivedDateTime")
	if !slices.IsSortedFunc(dates, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Error("dates do not fall")
	}
	var inFolders []string
	for _, folder := range values(t, s.object(mailbox+"/mailFolders")) {
		own, _ := s.crawl(mailbox+"/mailFolders/"+folder["id"].(string)+"/messages?$top=7", "id")
		if len(own) != int(folder["totalItemCount"].(float64)) {
			t.Errorf("%s: %d messages, totalItemCount %v", folder["displayName"], len(own), folder["totalItemCount"])
		}
		for _, id := range own[:min(3, len(own))] {
			message := s.object(mailbox + "/mailFolders/" + folder["id"].(string) + "/messages/" + id)
			if message["id"] != id || message["parentFolderId"] != folder["id"] {
				t.Errorf("%s: message says id %v, parent %v", folder["displayName"], message["id"], message["parentFolderId"])
			}
			if s.object(mailbox + "/messages/" + id)["id"] != id {
				t.Error("the message is not in the mailbox")
			}
		}
		inFolders = append(inFolders, own...)
	}
	if len(inFolders) != 200 || distinct(inFolders) != 200 {
		t.Errorf("%d messages in folders, %d distinct; want 200", len(inFolders), distinct(inFolders))
	}
}

func TestMembers(t *testing.T) {
	s := open(t, Config{Users: 130}, "h2")
	ids, _ := s.crawl("/v1.0/groups/"+s.GroupID(0)+"/members?$top=50", "id")
	if len(ids) != 133 || distinct(ids) != 133 {
		t.Errorf("%d members, %d distinct; want 130 users, a group, a device and a contact", len(ids), distinct(ids))
	}
	types, _ := s.crawl("/v1.0/groups/"+s.GroupID(0)+"/members?$top=50", "@odata.type")
	if got := slices.Compact(types); !slices.Equal(got, []string{"#microsoft.graph.user", "#microsoft.graph.group", "#microsoft.graph.device", "#microsoft.graph.orgContact"}) {
		t.Errorf("member types are %v", got)
	}
	users, _ := s.crawl("/v1.0/groups/"+s.GroupID(0)+"/members/microsoft.graph.user", "id")
	if len(users) != 130 || distinct(users) != 130 {
		t.Errorf("%d users among the members, %d distinct; want 130", len(users), distinct(users))
	}
	for _, record := range values(t, s.object("/v1.0/groups/"+s.GroupID(3)+"/members/microsoft.graph.user")) {
		if _, typed := record["@odata.type"]; typed {
			t.Error("a cast user has an @odata.type")
		}
	}
	if groups, _ := s.crawl("/v1.0/groups?$top=10", "id"); len(groups) != 25 || distinct(groups) != 25 {
		t.Errorf("%d groups, %d distinct; want 25", len(groups), distinct(groups))
	}
}

func TestLinks(t *testing.T) {
	s := open(t, Config{}, "h2")
	next := func(target string, header ...string) string {
		t.Helper()
		link, _ := s.object(target, header...)["@odata.nextLink"].(string)
		return link
	}
	link := next("/v1.0/users?$select=id&$top=5&$count=true", "ConsistencyLevel", "eventual")
	head, token, ok := strings.Cut(link, "$skiptoken=")
	if !ok || head != s.url+"/v1.0/users?$select=id&$top=5&$count=true&" {
		t.Errorf("link of the directory is %s", link)
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || !strings.HasPrefix(string(raw), "DSpt") || !strings.Contains(string(raw), s.UserPrincipalName(5)) {
		t.Errorf("token is %q, error %v", raw, err)
	}
	mailbox := "/v1.0/users('" + url.PathEscape(s.UserPrincipalName(3)) + "')/mailFolders('SentItems')/messages"
	link = next(mailbox + "?%24select=id&$top=4")
	if want := s.url + mailbox + "?%24select=id&%24top=4&%24skip=4"; link != want {
		t.Errorf("link of Outlook is\n%s, want\n%s", link, want)
	}
	if link := next(mailbox); link != s.url+mailbox+"?%24top=10&%24skip=10" {
		t.Errorf("link of Outlook without $top is %s", link)
	}

	fixed := open(t, Config{BaseURL: "https://graph.microsoft.com"}, "h2")
	page := fixed.object("/v1.0/users?$top=5")
	if !strings.HasPrefix(page["@odata.nextLink"].(string), "https://graph.microsoft.com/v1.0/users?$top=5&$skiptoken=") ||
		page["@odata.context"] != "https://graph.microsoft.com/v1.0/$metadata#users" {
		t.Errorf("with a BaseURL: %v, %v", page["@odata.nextLink"], page["@odata.context"])
	}
}

// TestTokensAreBound: a $skiptoken serves its own query only.
func TestTokensAreBound(t *testing.T) {
	s := open(t, Config{}, "h2")
	link := s.object("/v1.0/users?$top=5")["@odata.nextLink"].(string)
	_, token, _ := strings.Cut(link, "$skiptoken=")
	for target, want := range map[string]int{
		"/v1.0/users?$top=7&$skiptoken=" + token:                       200,
		"/v1.0/users?$top=7&skipToken=" + token:                        200,
		"/v1.0/users?$orderby=displayName&$skiptoken=" + token:         400,
		"/v1.0/groups?$skiptoken=" + token:                             400,
		"/v1.0/users?$skiptoken=" + token[:len(token)-2]:               400,
		"/v1.0/users?$skiptoken=x":                                     400,
		"/v1.0/users/" + s.UserID(0) + "/messages?$skiptoken=" + token: 400,
	} {
		if got := s.get(target).StatusCode; got != want {
			t.Errorf("GET %s: status %d, want %d", target, got, want)
		}
	}
}

func TestContexts(t *testing.T) {
	s := open(t, Config{}, "h2")
	id, upn := s.UserID(3), s.UserPrincipalName(3)
	for target, want := range map[string]string{
		"/v1.0/users":                                                           "users",
		"/v1.0/users?$select=id,mail":                                           "users(id,mail)",
		"/v1.0/users/" + id:                                                     "users/$entity",
		"/v1.0/groups/" + s.GroupID(2):                                          "groups/$entity",
		"/v1.0/groups/" + s.GroupID(2) + "/members":                             "directoryObjects",
		"/v1.0/users/" + id + "/mailboxSettings":                                "users('" + id + "')/mailboxSettings",
		"/v1.0/users/" + id + "/mailFolders/inbox":                              "users('" + id + "')/mailFolders/$entity",
		"/v1.0/users/" + upn + "/messages?$top=1":                               "users('" + upn + "')/messages",
		"/v1.0/users/" + id + "/mailFolders/SentItems/messages?$select=subject": "users('" + id + "')/mailFolders('SentItems')/messages(subject)",
	} {
		if got := s.object(target)["@odata.context"]; got != s.url+"/v1.0/$metadata#"+want {
			t.Errorf("context of %s is %v", target, got)
		}
	}
}

// TestIDs: an id is found by its own position and kind only.
func TestIDs(t *testing.T) {
	s := open(t, Config{Users: 5000}, "h2")
	guid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	names := map[string]bool{}
	for i := range 5000 {
		id, upn := s.UserID(i), s.UserPrincipalName(i)
		if got, ok := s.keys.position(kindUser, strings.ToUpper(id), 5000); !ok || got != i || !guid.MatchString(id) {
			t.Fatalf("user %d has id %s, which is found as %d, %v", i, id, got, ok)
		}
		if got, ok := s.userByName(strings.ToUpper(upn)); !ok || got != i || names[upn] {
			t.Fatalf("user %d has name %s, which is found as %d, %v", i, upn, got, ok)
		}
		names[upn] = true
	}
	if _, ok := s.keys.position(kindUser, s.UserID(5000), 5000); ok {
		t.Error("a user beyond the last was found")
	}
	if _, ok := s.keys.position(kindGroup, s.UserID(1), 5000); ok {
		t.Error("a user was found as a group")
	}
	for x := uint64(1); x != 0; x *= 2 {
		if unmix(mix(x)) != x || mix(unmix(x)) != x {
			t.Fatalf("unmix is not the inverse of mix for %x", x)
		}
	}
	id := s.SentMessageID(7, 3)
	if len(id) != 152 || !strings.HasPrefix(id, "AAMkA") || !strings.HasSuffix(id, "AAA=") {
		t.Errorf("message id is %s", id)
	}
	if _, ok, _ := s.keys.messagePosition(8, id, 1000); ok {
		t.Error("a message was found in another mailbox")
	}
}

// TestCost: a page deep in a large tenant costs as little as the first one.
func TestCost(t *testing.T) {
	s := open(t, Config{Users: 1 << 24, Messages: 1 << 26}, "h2")
	last := 1<<24 - 1
	start := time.Now()
	page := s.object("/v1.0/users/" + s.UserPrincipalName(last) + "/mailFolders/SentItems/messages?$skip=67108860&$top=1000")
	if got := values(t, page); len(got) != 4 || got[3]["id"] != s.SentMessageID(last, 1<<26-1) {
		t.Errorf("the end of a large folder has %d messages", len(got))
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
