package graph

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTeams walks teams, channels and messages, and compares with what the Server says it has.
func TestTeams(t *testing.T) {
	s := open(t, Config{Users: 30, Groups: 9}, "h2")
	teams, _ := s.crawl("/v1.0/teams?$top=2", "id")
	if len(teams) != s.TeamCount() || len(teams) != 7 || distinct(teams) != len(teams) {
		t.Fatalf("%d teams, want %d", len(teams), s.TeamCount())
	}
	for k, team := range teams {
		if team != s.TeamID(k) {
			t.Errorf("team %d is %s, want %s", k, team, s.TeamID(k))
		}
		channels, _ := s.crawl("/v1.0/teams/"+team+"/allChannels", "id")
		if !slices.Equal(channels, s.ChannelIDs(k)) {
			t.Errorf("the channels of team %d are %v, want %v", k, channels, s.ChannelIDs(k))
		}
	}
	path := "/v1.0/teams/" + teams[1] + "/channels/" + s.ChannelIDs(1)[2] + "/messages"
	messages, pages := s.crawl(path+"?$top=7", "id")
	if want := s.ChannelMessageCount(1, 2); len(messages) != want || distinct(messages) != want || pages != (want+6)/7 {
		t.Errorf("%d messages, %d distinct, on %d pages; want %d", len(messages), distinct(messages), pages, want)
	}
	quoted := "/v1.0/teams('" + teams[1] + "')/channels('" + s.ChannelIDs(1)[2] + "')/messages"
	if n := len(values(t, s.object(quoted+"?$top=5"))); n != 5 {
		t.Errorf("%d messages by quoted keys", n)
	}
	for target, status := range map[string]int{
		"/v1.0/teams/" + s.GroupID(3) + "/allChannels":                     404, // a group, but no team
		"/v1.0/teams/" + teams[0] + "/channels/19:x@thread.tacv2/messages": 404,
		path + "?$top=51":          400,
		path + "?$expand=mentions": 400,
		path + "?$skiptoken=x":     400,
	} {
		if r := s.get(target); r.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, r.StatusCode, status)
		}
	}
	for target, role := range map[string]string{"/v1.0/teams": "Channel.ReadBasic.All", path: "Chat.Read.All", path + "/delta": "Team.ReadBasic.All"} {
		if r := s.get(target, "Authorization", "Bearer "+role); r.StatusCode != 403 {
			t.Errorf("%s with %s: status %d", target, role, r.StatusCode)
		}
	}
}

// TestReplies: with a message come its first replies, and a link to them all when there are more.
func TestReplies(t *testing.T) {
	s := open(t, Config{}, "h2")
	path := "/v1.0/teams/" + s.TeamID(0) + "/channels/" + s.ChannelIDs(0)[0] + "/messages"
	page := values(t, s.object(path+"?$expand=replies"))
	for m, message := range page {
		list, _ := message["replies"].([]any)
		if len(list) != min(replies(m), expanded) || message["replies@odata.count"] != float64(replies(m)) {
			t.Errorf("message %d has %d replies and says %v", m, len(list), message["replies@odata.count"])
		}
		link, more := message["replies@odata.nextLink"].(string)
		if more != (replies(m) > expanded) {
			t.Errorf("message %d: link %t", m, more)
		}
		if more {
			all, _ := s.crawl(link, "replyToId")
			if len(all) != replies(m) || distinct(all) != 1 || all[0] != message["id"] {
				t.Errorf("%d replies behind the link", len(all))
			}
		}
	}
	if s.object(path)["value"].([]any)[1].(map[string]any)["replies"] != nil {
		t.Error("replies without $expand")
	}
}

// TestChats: the chats of each user are those that the user is a member of, whoever asks.
func TestChats(t *testing.T) {
	for _, users := range []int{1, 2, 3, 5, 40} {
		t.Run(fmt.Sprint(users, " users"), func(t *testing.T) {
			s := open(t, Config{Users: users}, "h2")
			in := map[string][]string{} // members by chat, as the lists tell
			for u := range users {
				ids, _ := s.crawl("/v1.0/users/"+s.UserID(u)+"/chats?$top=4", "id")
				if !slices.Equal(ids, s.ChatIDs(u)) || distinct(ids) != len(ids) {
					t.Fatalf("the chats of user %d are %v, want %v", u, ids, s.ChatIDs(u))
				}
				for _, id := range ids {
					in[id] = append(in[id], s.UserID(u))
				}
			}
			page := s.object("/v1.0/users/" + s.UserID(0) + "/chats?$expand=members,lastMessagePreview&$top=50")
			for _, chat := range values(t, page) {
				var members []string
				for _, m := range chat["members"].([]any) {
					members = append(members, m.(map[string]any)["userId"].(string))
				}
				slices.Sort(members)
				want := slices.Sorted(slices.Values(in[chat["id"].(string)]))
				if !slices.Equal(members, want) {
					t.Errorf("chat %v has the members %v, but is listed for %v", chat["id"], members, want)
				}
				if chat["lastMessagePreview"].(map[string]any)["id"] == "" {
					t.Error("no preview")
				}
			}
		})
	}
}

// TestChatMessages: ids of two people's chats hold both, tokens hold the chat's id, and both spellings of a key work.
func TestChatMessages(t *testing.T) {
	s := open(t, Config{}, "h2")
	for _, id := range s.ChatIDs(7) {
		ids, _ := s.crawl("/v1.0/chats/"+id+"/messages", "id")
		if len(ids) != s.ChatMessageCount(id) || distinct(ids) != len(ids) || len(ids) < 20 {
			t.Errorf("%d messages in %s, want %d", len(ids), id, s.ChatMessageCount(id))
		}
	}
	id := s.ChatIDs(7)[0]
	if !strings.Contains(id, s.UserID(7)) || !strings.Contains(id, s.UserID(8)) {
		t.Errorf("the id of the chat of two is %s", id)
	}
	page := s.object("/v1.0/chats/19%3A" + id[3:] + "/messages")
	_, token, _ := strings.Cut(page["@odata.nextLink"].(string), "$skiptoken=")
	digits, _ := base64.RawURLEncoding.DecodeString(token)
	if raw, _ := hex.DecodeString(string(digits)); !strings.Contains(string(raw), id) {
		t.Errorf("the token is %q", raw)
	}
	if n := len(values(t, s.object("/v1.0/chats('"+id+"')/messages?$filter=lastModifiedDateTime%20gt%202026-08-03T00:00:00Z&$orderby=lastModifiedDateTime%20desc&$top=50"))); n < 10 || n > 30 {
		t.Errorf("%d messages of the last day", n)
	}
	for target, status := range map[string]int{
		"/v1.0/chats/" + strings.Replace(id, s.UserID(8), s.UserID(100), 1) + "/messages": 404,
		"/v1.0/chats/19:meeting_x@thread.v2/messages":                                     404,
		"/v1.0/chats/" + id + "/messages?$orderby=createdDateTime":                        400,
	} {
		if r := s.get(target); r.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, r.StatusCode, status)
		}
	}
}

// TestDelta: everything, then what changed, then nothing, and links that are not good for anything else.
func TestDelta(t *testing.T) {
	s := open(t, Config{}, "h2")
	path := "/v1.0/teams/" + s.TeamID(0) + "/channels/" + s.ChannelIDs(0)[0] + "/messages/delta"
	var counts []int
	next := path + "?$top=9"
	for len(counts) < 4 {
		count := 0
		for {
			page := s.object(next)
			count += len(values(t, page))
			link, more := page["@odata.nextLink"].(string)
			if next = link; !more {
				next = page["@odata.deltaLink"].(string)
				break
			}
		}
		counts = append(counts, count)
	}
	if want := []int{s.ChannelMessageCount(0, 0), changes, 0, changes}; !slices.Equal(counts, want) {
		t.Errorf("rounds of %v, want %v", counts, want)
	}
	if latest := s.object(path + "?$deltatoken=latest"); len(values(t, latest)) != 0 || latest["@odata.deltaLink"] == nil {
		t.Error("latest has records, or no link")
	}
	for _, spelling := range []string{"()", "?$expand=replies"} {
		if n := len(values(t, s.object(path+spelling))); n != 20 {
			t.Errorf("delta%s: %d records", spelling, n)
		}
	}
	if n := len(values(t, s.object(strings.Replace(path, "delta", "microsoft.graph.delta()", 1)))); n != 20 {
		t.Errorf("qualified delta: %d records", n)
	}
	gone := s.get(path + "?$deltatoken=old")
	location := gone.Header.Get("Location")
	if gone.StatusCode != 410 || !strings.HasPrefix(location, s.url+path+"?") {
		t.Fatalf("an old token: status %d, Location %q", gone.StatusCode, location)
	}
	if n := len(values(t, s.object(location))); n != 20 {
		t.Errorf("the fresh link: %d records", n)
	}
}
