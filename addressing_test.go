package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/policy"
)

// newWholeLab is a lab with every connector that is shipped, each with an
// application of its own that holds the connector's permissions and no others.
func newWholeLab(t *testing.T, users int) *lab {
	t.Helper()
	snapshot, err := policy.Load(context.Background(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]string{}
	l := newLab(t, func(c *tenant.Config) {
		c.Graph.Users, c.Graph.Messages, c.Graph.Groups = users, 24, 6
		c.Apps = nil
		for i, connector := range snapshot.Connectors() {
			clients[connector.Name] = fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i)
			c.Apps = append(c.Apps, entra.App{ClientID: clients[connector.Name], Roles: connector.Permissions})
		}
	})
	l.config.Tokens.Connectors = map[string]auth.Connector{}
	for name, client := range clients {
		l.config.Tokens.Connectors[name] = auth.Connector{ClientID: client}
	}
	l.config.Log.Level = "info"
	return l
}

// token is what a client knows user i by.
func (l *lab) token(i int) string {
	return string(l.codec.AppendReversible(nil, []byte(l.Graph.UserID(i))))
}

// walker reads through the proxy and looks at each answer for whatever it must
// not show.
type walker struct {
	t        *testing.T
	client   *http.Client
	origin   string
	canaries []string
}

// get decodes an answer of status 200.
func (w *walker) get(link string) map[string]any {
	w.t.Helper()
	if !strings.HasPrefix(link, w.origin) {
		link = w.origin + link
	}
	response, err := w.client.Get(link)
	if err != nil {
		w.t.Fatalf("getting %s: %v", link, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		w.t.Fatalf("getting %s: status %d, %v, %.300s", link, response.StatusCode, err, body)
	}
	if found := leaks(string(body), w.canaries); found != nil {
		w.t.Errorf("%s leaks %v", link, found)
	}
	var page map[string]any
	if err := json.Unmarshal(body, &page); err != nil {
		w.t.Fatalf("decoding %s: %v", link, err)
	}
	return page
}

// all follows page links to the end. It returns the records, and the delta link
// if the last page has one.
func (w *walker) all(link string) (records []map[string]any, delta string) {
	w.t.Helper()
	for pages := 0; link != ""; pages++ {
		page := w.get(link)
		for _, value := range page["value"].([]any) {
			records = append(records, value.(map[string]any))
		}
		link, _ = page["@odata.nextLink"].(string)
		delta, _ = page["@odata.deltaLink"].(string)
		for _, next := range []string{link, delta} {
			if next != "" && !strings.HasPrefix(next, w.origin+"/") {
				w.t.Fatalf("a link leads to %q", next)
			}
		}
		if pages == 1000 {
			w.t.Fatal("there is no end")
		}
	}
	return records, delta
}

// ids are those of all records; each must be another.
func (w *walker) ids(link string) []string {
	w.t.Helper()
	records, _ := w.all(link)
	var ids []string
	seen := map[string]bool{}
	for _, record := range records {
		id, _ := record["id"].(string)
		if id == "" || seen[id] {
			w.t.Fatalf("%s has a record without an id, or twice", link)
		}
		seen[id] = true
		ids = append(ids, id)
	}
	return ids
}

// TestAddressingByToken: with tokens for people, a client that knows nobody
// finds all users, and by their tokens alone everything of theirs that is
// served, to the last record.
func TestAddressingByToken(t *testing.T) {
	const users = 6
	l := newWholeLab(t, users)
	l.config.Policy.Options = map[string]string{"endpoints": "all"}
	r := l.start()
	people := []string{personalMark} // the tenant's id may be seen, it is everybody's
	for i := range users {
		people = append(people, l.Graph.Canaries(i)...)
	}
	w := &walker{t: t, client: l.client("h2"), origin: r.url(), canaries: people}
	index := map[string]int{}
	for i := range users {
		index[l.token(i)] = i
	}
	tokens := w.ids("/v1.0/users?$top=4")
	if len(tokens) != users {
		t.Fatalf("%d of %d users", len(tokens), users)
	}
	if picked := w.ids("/v1.0/users?$filter=id%20in%20('" + tokens[1] + "','" + tokens[4] + "')"); len(picked) != 2 {
		t.Errorf("%d users are picked by two tokens", len(picked))
	}
	period := "startDateTime=2000-01-01T00:00:00Z&endDateTime=2100-01-01T00:00:00Z"
	for _, token := range tokens {
		user, known := index[token]
		if !known {
			t.Fatalf("%q is no token of a user", token)
		}
		for _, key := range []string{"/v1.0/users/" + token, "/v1.0/users('" + token + "')"} {
			if id := w.get(key)["id"]; id != token {
				t.Errorf("the id of user %d is %v", user, id)
			}
			for path, want := range map[string]int{
				"/mailFolders/SentItems/messages":           24,
				"/mailFolders('SentItems')/messages?$top=7": 24,
				"/events":                   l.Graph.EventCount(),
				"/events?$top=5&$select=id": l.Graph.EventCount(),
				"/drives":                   1,
			} {
				if got := len(w.ids(key + path)); got != want {
					t.Errorf("user %d has %d records at %s, want %d", user, got, path, want)
				}
			}
			if got := len(w.ids(key + "/calendarView?$top=50&" + period)); got <= l.Graph.EventCount() {
				t.Errorf("user %d has %d events and occurrences", user, got)
			}
		}
		for _, key := range []string{"/beta/copilot/users/" + token, "/beta/copilot/users('" + token + "')"} {
			for _, function := range []string{"getAllEnterpriseInteractions", "microsoft.graph.getAllEnterpriseInteractions()?$top=3"} {
				if got := len(w.ids(key + "/interactionHistory/" + function)); got != l.Graph.InteractionCount(user) {
					t.Errorf("user %d asked %d times, want %d", user, got, l.Graph.InteractionCount(user))
				}
			}
		}
		w.changes("/v1.0/users/"+token+"/mailFolders/SentItems/messages/delta?$top=10", 24)
		w.chats(l, user, "/v1.0/users/"+token)
		drive := w.ids("/v1.0/users/" + token + "/drives")[0]
		if got := len(w.ids("/v1.0/drives/" + drive + "/activities?$top=4")); got != l.Graph.ActivityCount() {
			t.Errorf("user %d has %d activities, want %d", user, got, l.Graph.ActivityCount())
		}
		w.changes("/v1.0/drives/"+drive+"/root/delta?$top=10", l.Graph.DriveItemCount())
	}
	for _, path := range []string{
		"/v1.0/users/" + l.token(3) + "/mailboxSettings",
		"/v1.0/users/" + l.token(3) + "/messages/" + l.Graph.SentMessageID(3, 1),
		"/v1.0/users/" + l.token(3) + "/events/" + l.Graph.EventID(3, 3),
		"/v1.0/groups/" + l.Graph.GroupID(1) + "?$select=id,groupTypes",
		"/v1.0/communications/calls/" + l.Graph.CallID(3),
	} {
		w.get(path)
	}
	for path, want := range map[string]int{
		"/v1.0/users/" + l.token(3) + "/events/" + l.Graph.EventID(3, 3) + "/instances?" + period: 6,
		"/v1.0/users/" + l.token(3) + "/calendars/" + l.Graph.CalendarID(3) + "/events?$top=5":    l.Graph.EventCount(),
		"/v1.0/users/" + l.token(3) + "/calendar/calendarView?$top=50&" + period:                  len(w.ids("/v1.0/users/" + l.token(3) + "/calendarView?" + period)),
		"/v1.0/groups?$select=id": 6,
		"/v1.0/groups/" + l.Graph.GroupID(0) + "/members?$top=4&$select=id":                          l.Graph.MemberCount(0),
		"/v1.0/groups/" + l.Graph.GroupID(0) + "/members/microsoft.graph.user?$top=4":                users,
		"/v1.0/groups/" + l.Graph.GroupID(0) + "/drives":                                             1,
		"/v1.0/drives/" + l.Graph.DriveID(3) + "/items/" + l.Graph.DriveItemID(3, 4) + "/activities": l.Graph.ActivityCount() / 10,
		"/beta/drives/" + l.Graph.DriveID(3) + "/items/" + l.Graph.DriveItemID(3, 4) + "/activities": l.Graph.ActivityCount() / 10,
		"/beta/drives/" + l.Graph.DriveID(3) + "/activities?$top=5":                                  l.Graph.ActivityCount(),
		"/v1.0/copilot/users/" + l.token(3) + "/interactionHistory/getAllEnterpriseInteractions":     l.Graph.InteractionCount(3),
	} {
		if got := len(w.ids(path)); got != want {
			t.Errorf("%s has %d records, want %d", path, got, want)
		}
	}
	w.changes("/v1.0/users/delta", users)
	w.changes("/v1.0/groups/delta?$select=id,groupTypes", 6) // names of groups are served
	w.anew(l, "/v1.0/drives/"+l.Graph.DriveID(1)+"/root/delta", l.Graph.DriveItemCount())
	w.anew(l, "/v1.0/users/"+l.token(1)+"/mailFolders/SentItems/messages/delta", 24)
	w.anew(l, "/v1.0/teams/"+l.Graph.TeamID(0)+"/channels/"+l.Graph.ChannelIDs(0)[0]+"/messages/delta", l.Graph.ChannelMessageCount(0, 0))
	w.counts(map[string]int{"/v1.0/users/$count": users, "/v1.0/groups/$count": 6, "/v1.0/groups/" + l.Graph.GroupID(0) + "/members/$count": l.Graph.MemberCount(0)})
	w.teams(l)
	w.calls(l)
	if found := leaks(r.logs.String()+r.access.String(), l.canaries()); found != nil {
		t.Errorf("in the logs: %v", found)
	}
	visited := r.sanitized(t)
	served, err := policy.Load(t.Context(), policy.Config{Settings: l.config.Policy.Options})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range served.Endpoints() {
		if e.ServedBy == "" && !visited[e.Connector+"/"+e.ID] {
			t.Errorf("nothing was read from %s/%s", e.Connector, e.ID)
		}
	}
}

// sanitized are the endpoints, as connector/endpoint, of which the log tells
// that a body was sanitized.
func (r *running) sanitized(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for line := range strings.Lines(r.logs.String()) {
		var entry struct{ Msg, Connector, Endpoint, Outcome string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			continue // Envoy's own
		}
		if entry.Msg == "exchange" && entry.Outcome == "sanitized" {
			found[entry.Connector+"/"+entry.Endpoint] = true
		}
	}
	return found
}

// anew lets Graph forget the state of a delta: its link to begin again comes
// sealed in Location, and leads to everything.
func (w *walker) anew(l *lab, path string, count int) {
	w.t.Helper()
	_, delta := w.all(path)
	l.Graph.Inject(graph.Fault{Status: http.StatusGone, Header: http.Header{"Location": {"https://graph.microsoft.com" + strings.Replace(path, l.token(1), l.Graph.UserID(1), 1)}}})
	response, err := w.client.Get(delta)
	if err != nil {
		w.t.Fatal(err)
	}
	response.Body.Close()
	location := response.Header.Get("Location")
	if response.StatusCode != http.StatusGone || !strings.HasPrefix(location, w.origin+"/") || leaks(location, w.canaries) != nil {
		w.t.Fatalf("%s: status %d, Location %q", path, response.StatusCode, location)
	}
	if records, _ := w.all(location); len(records) != count {
		w.t.Errorf("the fresh link of %s leads to %d records, want %d", path, len(records), count)
	}
}

// counts reads numbers, which come as text.
func (w *walker) counts(want map[string]int) {
	w.t.Helper()
	for path, count := range want {
		request, err := http.NewRequest(http.MethodGet, w.origin+path, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		request.Header.Set("ConsistencyLevel", "eventual")
		response, err := w.client.Do(request)
		if err != nil {
			w.t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || string(body) != fmt.Sprint(count) || response.Header.Get("Content-Type") != "text/plain" {
			w.t.Errorf("%s: status %d, %q, %v; want %d", path, response.StatusCode, body, err, count)
		}
	}
}

// chats reads the chats of a user, and each one's messages by the chat's token,
// in both forms of a key; and of a chat that is a meeting's, who attended.
func (w *walker) chats(l *lab, user int, key string) {
	w.t.Helper()
	chats, _ := w.all(key + "/chats?$top=4&$expand=members,lastMessagePreview")
	want := map[string]int{}
	for _, id := range l.Graph.ChatIDs(user) {
		want[string(l.codec.AppendReversible(nil, []byte(id)))] = l.Graph.ChatMessageCount(id)
	}
	if len(chats) != len(want) {
		w.t.Errorf("user %d has %d chats, want %d", user, len(chats), len(want))
	}
	meetings := 0
	for _, chat := range chats {
		id, _ := chat["id"].(string)
		if _, known := want[id]; !known {
			w.t.Fatalf("%q is no token of a chat of user %d", id, user)
		}
		for _, path := range []string{"/v1.0/chats/" + id + "/messages", "/v1.0/chats('" + id + "')/messages?$top=5"} {
			if got := len(w.ids(path)); got != want[id] {
				w.t.Errorf("a chat of user %d has %d messages, want %d", user, got, want[id])
			}
		}
		delete(want, id)
		if info, _ := chat["onlineMeetingInfo"].(map[string]any); info != nil {
			meetings += w.meeting(key, info["joinWebUrl"].(string))
		}
	}
	if meetings != 2 {
		w.t.Errorf("user %d organized %d of the meetings with a chat, want 2", user, meetings)
	}
}

// meeting looks a meeting up by the token of its join link, and reads who was
// there. It returns 0 when another user organized it.
func (w *walker) meeting(key, join string) int {
	w.t.Helper()
	found := w.ids(key + "/onlineMeetings?$filter=JoinWebUrl%20eq%20'" + join + "'")
	for _, id := range found {
		if again := w.get(key + "/onlineMeetings/" + id)["id"]; again != id {
			w.t.Errorf("a meeting by its id has the id %v", again)
		}
		reports := w.ids(key + "/onlineMeetings/" + id + "/attendanceReports")
		if len(reports) == 0 {
			w.t.Error("a meeting has no report")
		}
		for _, report := range reports {
			attended := w.get(key + "/onlineMeetings('" + id + "')/attendanceReports/" + report + "?$expand=attendanceRecords")
			if records, _ := attended["attendanceRecords"].([]any); len(records) < 2 || float64(len(records)) != attended["totalParticipantCount"] {
				w.t.Errorf("%d of %v were there", len(records), attended["totalParticipantCount"])
			}
		}
	}
	return len(found)
}

// teams reads all teams, their channels and what was written there.
func (w *walker) teams(l *lab) {
	w.t.Helper()
	teams := w.ids("/v1.0/teams?$top=2")
	if len(teams) != l.Graph.TeamCount() {
		w.t.Errorf("%d teams, want %d", len(teams), l.Graph.TeamCount())
	}
	for k, team := range teams {
		channels := w.ids("/v1.0/teams/" + team + "/allChannels")
		if len(channels) != len(l.Graph.ChannelIDs(k)) {
			w.t.Errorf("team %d has %d channels, want %d", k, len(channels), len(l.Graph.ChannelIDs(k)))
		}
		for c, channel := range channels {
			path := "/v1.0/teams/" + team + "/channels/" + channel + "/messages"
			if got := len(w.ids(path + "?$top=5")); got != l.Graph.ChannelMessageCount(k, c) {
				w.t.Errorf("channel %d of team %d has %d messages, want %d", c, k, got, l.Graph.ChannelMessageCount(k, c))
			}
			w.changes(path+"/delta?$top=5", l.Graph.ChannelMessageCount(k, c))
		}
		w.ids("/v1.0/teams/" + team + "/channels/" + channels[0] + "/messages?$expand=replies")
	}
}

// calls reads the call records, also one with many sessions, and both logs.
func (w *walker) calls(l *lab) {
	w.t.Helper()
	records := w.ids("/v1.0/communications/callRecords")
	if len(records) != l.Graph.CallRecordCount() {
		w.t.Errorf("%d call records, want %d", len(records), l.Graph.CallRecordCount())
	}
	for n, id := range records[:9] {
		record := w.get("/v1.0/communications/callRecords/" + id + "?$expand=sessions($expand=segments)")
		got := len(record["sessions"].([]any))
		if next, _ := record["sessions@odata.nextLink"].(string); next != "" {
			got += len(w.ids(next))
		}
		if want := l.Graph.SessionCount(n); got != want {
			w.t.Errorf("call record %d has %d sessions, want %d", n, got, want)
		}
	}
	for _, log := range []string{"getPstnCalls", "getDirectRoutingCalls"} {
		rows, _ := w.all("/v1.0/communications/callRecords/" + log + "(fromDateTime=2026-05-10,toDateTime=2026-08-05)")
		if len(rows) != l.Graph.CallLogCount() {
			w.t.Errorf("%s has %d rows, want %d", log, len(rows), l.Graph.CallLogCount())
		}
	}
}

// changes takes a delta query through three rounds: everything, three changes,
// nothing.
func (w *walker) changes(link string, count int) {
	w.t.Helper()
	for round, want := range []int{count, 3, 0} {
		records, delta := w.all(link)
		if len(records) != want || delta == "" {
			w.t.Errorf("round %d of %s has %d records, want %d; delta link %q", round, link, len(records), want, delta)
			return
		}
		link = delta
	}
}

// TestAddressingByID: where people have tokens, their ids and names are refused
// in every place and spelling, and Graph is not asked.
func TestAddressingByID(t *testing.T) {
	l := newWholeLab(t, 6)
	r := l.start()
	id, name := l.Graph.UserID(2), l.Graph.UserPrincipalName(2)
	token := l.token(2)
	quoted := func(text string) string { return "('" + url.PathEscape(text) + "')" }
	refuse := func(target, code string) {
		t.Helper()
		l.Graph.ForgetRequests()
		response := call(t, r.address, l.tls(), wireCall{protocol: "h2", target: target})
		if response.end != endComplete || response.status < 400 || response.code() != code {
			t.Errorf("%s: got %s %s, want %s", target, &response, response.code(), code)
		}
		if n := len(l.Graph.Requests()); n != 0 {
			t.Errorf("%s: %d requests arrived upstream", target, n)
		}
		if found := leaks(string(response.body), []string{id, name}); found != nil {
			t.Errorf("%s: the answer repeats %v", target, found)
		}
	}
	for _, tail := range []string{
		"", "/mailFolders/SentItems/messages", "/mailboxSettings", "/messages/" + l.Graph.SentMessageID(2, 0), "/events", "/events/" + l.Graph.EventID(2, 0),
		"/calendarView?startDateTime=2026-01-01T00:00:00Z&endDateTime=2026-09-01T00:00:00Z", "/drives",
	} {
		for _, key := range []string{"/" + id, "/" + strings.ToUpper(id), quoted(id), "/" + name, quoted(name), "/%" + fmt.Sprintf("%x", id[0]) + id[1:]} {
			refuse("/v1.0/users"+key+tail, "id_not_pseudonymous")
		}
		refuse("/v1.0/users(userPrincipalName='"+name+"')"+tail, "path_not_allowed")
		refuse("/v1.0/users(id='"+id+"')"+tail, "path_not_allowed")
	}
	for _, key := range []string{"/" + id, quoted(id), "/" + name, quoted(name)} {
		refuse("/beta/copilot/users"+key+"/interactionHistory/getAllEnterpriseInteractions", "id_not_pseudonymous")
	}
	chat := l.Graph.ChatIDs(2)[0]
	for _, key := range []string{"/" + chat, "/" + url.QueryEscape(chat), "/" + url.PathEscape(chat), quoted(chat), "/19:" + strings.ToUpper(chat[3:])} {
		refuse("/v1.0/chats"+key+"/messages", "id_not_pseudonymous")
	}
	refuse("/v1.0/users/"+id+"/chats", "id_not_pseudonymous")
	refuse("/v1.0/users/"+id+"/chats/"+chat+"/messages", "path_not_allowed")
	meeting, join := l.Graph.OnlineMeetingID(2, 3), url.QueryEscape(l.Graph.JoinURL(2, 3))
	refuse("/v1.0/users/"+token+"/onlineMeetings?$filter=JoinWebUrl%20eq%20'"+join+"'", "target_ambiguous") // it is encoded twice
	for _, link := range []string{"https%3A%2F%2Fteams.microsoft.com%2Fl%2Fmeetup-join", "19:x@thread.v2"} {
		refuse("/v1.0/users/"+id+"/onlineMeetings?$filter=JoinWebUrl%20eq%20'"+link+"'", "id_not_pseudonymous")
		refuse("/v1.0/users/"+token+"/onlineMeetings?$filter=JoinWebUrl%20eq%20'"+link+"'", "id_not_pseudonymous")
	}
	for _, key := range []string{"/" + url.PathEscape(meeting), quoted(meeting)} {
		refuse("/v1.0/users/"+token+"/onlineMeetings"+key+"/attendanceReports", "id_not_pseudonymous")
	}
	for filter, code := range map[string]string{
		"id eq '" + id + "'":                  "id_not_pseudonymous",
		"id in ('" + id + "')":                "id_not_pseudonymous",
		"userPrincipalName eq '" + name + "'": "filter_property_not_allowed",
		"mail eq '" + l.Graph.Mail(2) + "'":   "filter_property_not_allowed",
		"startswith(id,'" + id[:8] + "')":     "filter_property_not_allowed",
	} {
		refuse("/v1.0/users?$filter="+url.QueryEscape(filter), code)
	}
}
