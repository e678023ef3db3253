package graph

import (
	"net/url"
	"strings"
	"testing"
)

// TestCallRecords: the list has all, a record has its sessions and participants when asked, and links to the rest of many.
func TestCallRecords(t *testing.T) {
	s := open(t, Config{Users: 50}, "h2")
	ids, pages := s.crawl("/v1.0/communications/callRecords", "id")
	if len(ids) != s.CallRecordCount() || distinct(ids) != len(ids) || pages != 2 || ids[9] != s.CallRecordID(9) {
		t.Fatalf("%d records on %d pages, want %d", len(ids), pages, s.CallRecordCount())
	}
	filtered, _ := s.crawl("/v1.0/communications/callRecords?$filter=startDateTime%20ge%202026-08-01T00:00:00Z", "id")
	if len(filtered) == 0 || len(filtered) > len(ids)/5 {
		t.Errorf("%d records since August", len(filtered))
	}
	for _, n := range []int{0, 1, 2, 7} {
		record := s.object("/v1.0/communications/callRecords/" + ids[n] + "?$expand=sessions($expand=segments),participants_v2")
		sessions := record["sessions"].([]any)
		count := len(sessions)
		if sessions[0].(map[string]any)["segments"] == nil {
			t.Error("no segments")
		}
		if link, more := record["sessions@odata.nextLink"].(string); more {
			rest, _ := s.crawl(link, "id")
			count += len(rest)
			odd, _ := record["participants_v2@odata.nextLink"].(string)
			if u, err := url.Parse(odd); err != nil || u.Path != "/v1.0/$metadata" || !strings.Contains(u.Fragment, "participants_v2?$skiptoken=") {
				t.Errorf("the link to participants is %q", odd)
			}
			if len(values(t, s.object(link))[0]["segments"].([]any)) != 1 {
				t.Error("no segments behind the link")
			}
		}
		if count != s.SessionCount(n) {
			t.Errorf("record %d has %d sessions, want %d", n, count, s.SessionCount(n))
		}
	}
	plain := s.object("/v1.0/communications/callRecords/" + ids[0])
	if plain["sessions"] != nil || plain["organizer_v2"] == nil {
		t.Error("sessions unasked, or no organizer")
	}
	if all, _ := s.crawl("/v1.0/communications/callRecords/"+ids[7]+"/sessions", "id"); len(all) != manySessions {
		t.Errorf("%d sessions", len(all))
	}
	for target, status := range map[string]int{
		"/v1.0/communications/callRecords?$expand=sessions":         400,
		"/v1.0/communications/callRecords?$top=5":                   400,
		"/v1.0/communications/callRecords/" + s.UserID(0):           404,
		"/v1.0/communications/callRecords/" + ids[0] + "?$expand=x": 400,
		"/v1.0/communications/calls/" + s.CallID(3):                 200,
		"/v1.0/communications/calls/" + ids[0]:                      404,
	} {
		if r := s.get(target); r.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, r.StatusCode, status)
		}
	}
}

// TestCallLogs: functions with two times, in any spelling; pages are counted with $skip.
func TestCallLogs(t *testing.T) {
	s := open(t, Config{}, "h2")
	for _, function := range []string{"getPstnCalls", "getDirectRoutingCalls"} {
		rows, pages := s.crawl(callLog(function), "userId")
		if len(rows) != s.CallLogCount() || pages != 2 {
			t.Errorf("%s: %d rows on %d pages, want %d", function, len(rows), pages, s.CallLogCount())
		}
		link := s.object(callLog(function))["@odata.nextLink"].(string)
		if !strings.HasSuffix(link, "(fromDateTime=2026-05-10,toDateTime=2026-08-05)?$skip=1000") {
			t.Errorf("the link is %s", link)
		}
		path := "/v1.0/communications/callRecords/"
		for target, status := range map[string]int{
			path + "microsoft.graph.callRecords." + function + "(toDateTime=2026-08-01,fromDateTime=2026-07-01)": 200,
			path + "microsoft.graph." + function + "(toDateTime='2026-08-01',fromDateTime='2026-07-01')":         200,
			path + function + "(fromDateTime=2026-01-01,toDateTime=2026-08-01)":                                  400,
			path + function + "(fromDateTime=x,toDateTime=2026-08-01)":                                           400,
			path + function + "(fromDateTime=2026-07-01)":                                                        400,
		} {
			if r := s.get(target); r.StatusCode != status {
				t.Errorf("%s: status %d, want %d", target, r.StatusCode, status)
			}
		}
	}
}

// TestMeetings: from an event's join link to the meeting, its reports, and who was there.
func TestMeetings(t *testing.T) {
	s := open(t, Config{}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(4)
	event := s.object(mailbox + "/events/" + s.EventID(4, 6))
	join, _ := event["onlineMeetingUrl"].(string)
	if join == "" || join != s.JoinURL(4, 6) || !strings.Contains(join, s.UserID(4)) {
		t.Fatalf("the join link is %q", join)
	}
	list := values(t, s.object(mailbox+"/onlineMeetings?$filter=JoinWebUrl%20eq%20'"+url.QueryEscape(join)+"'"))
	if len(list) != 1 || list[0]["joinWebUrl"] != join || list[0]["id"] != s.OnlineMeetingID(4, 6) {
		t.Fatalf("%d meetings", len(list))
	}
	number := list[0]["joinMeetingIdSettings"].(map[string]any)["joinMeetingId"].(string)
	if n := len(values(t, s.object(mailbox+"/onlineMeetings?$filter=joinMeetingIdSettings/joinMeetingId%20eq%20'"+number+"'"))); n != 1 {
		t.Errorf("%d meetings by number", n)
	}
	path := mailbox + "/onlineMeetings/" + url.PathEscape(s.OnlineMeetingID(4, 6))
	if s.object(path)["joinWebUrl"] != join {
		t.Error("another meeting by id")
	}
	reports, _ := s.crawl(path+"/attendanceReports", "id")
	if len(reports) != len(s.ReportIDs(4, 6)) || reports[0] != s.ReportIDs(4, 6)[0] {
		t.Errorf("the reports are %v", reports)
	}
	report := s.object(path + "/attendanceReports/" + reports[0] + "?$expand=attendanceRecords")
	if records := report["attendanceRecords"].([]any); float64(len(records)) != report["totalParticipantCount"] || len(records) < 2 {
		t.Errorf("%d of %v were there", len(records), report["totalParticipantCount"])
	}
	if s.object(path + "/attendanceReports/" + reports[0])["attendanceRecords"] != nil {
		t.Error("records unasked")
	}
	for target, status := range map[string]int{
		mailbox + "/onlineMeetings": 400,
		"/v1.0/users/" + s.UserPrincipalName(4) + "/onlineMeetings?$filter=JoinWebUrl%20eq%20'x'": 404,
		mailbox + "/onlineMeetings/" + url.PathEscape(s.OnlineMeetingID(5, 6)):                    404,
		path + "/attendanceReports/" + s.ReportIDs(4, 9)[0]:                                       404,
	} {
		if r := s.get(target); r.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, r.StatusCode, status)
		}
	}
}

// TestInteractions: v1.0 and beta, every spelling of the function, and a token that names a folder.
func TestInteractions(t *testing.T) {
	s := open(t, Config{}, "h2")
	function := "/copilot/users/" + s.UserID(2) + "/interactionHistory/getAllEnterpriseInteractions"
	for _, target := range []string{"/v1.0" + function, "/beta" + function + "()", "/beta" + strings.Replace(function, "getAll", "microsoft.graph.getAll", 1) + "()"} {
		ids, pages := s.crawl(target+"?$top=15", "id")
		if len(ids) != s.InteractionCount(2) || distinct(ids) != len(ids) || pages != (len(ids)+14)/15 {
			t.Errorf("%s: %d interactions on %d pages, want %d", target, len(ids), pages, s.InteractionCount(2))
		}
	}
	page := s.object("/beta" + function + "?$top=15")
	if context := page["@odata.context"].(string); !strings.HasPrefix(context, s.url+"/beta/$metadata#") {
		t.Errorf("the context is %s", context)
	}
	if some, _ := s.crawl("/v1.0"+function+"?$filter=createdDateTime%20gt%202026-08-03T00:00:00Z", "id"); len(some) == 0 || len(some) > 25 {
		t.Errorf("%d interactions of the last day", len(some))
	}
	if r := s.get("/beta/users/" + s.UserID(2) + "/events"); r.StatusCode != 400 {
		t.Errorf("beta of an endpoint that is not served there: status %d", r.StatusCode)
	}
}
