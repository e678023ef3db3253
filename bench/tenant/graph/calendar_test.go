package graph

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// everything is a period that holds all events.
const everything = "?startDateTime=2000-01-01T00:00:00Z&endDateTime=2100-01-01T00:00:00Z"

// TestEventsAreTheSameEverywhere: the list, the calendar and the single event agree, and an occurrence leads to its master.
func TestEventsAreTheSameEverywhere(t *testing.T) {
	s := open(t, Config{Users: 5}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(2)
	ids, pages := s.crawl(mailbox+"/events", "id")
	if len(ids) != s.EventCount() || distinct(ids) != len(ids) || pages != (len(ids)+9)/10 {
		t.Fatalf("%d events, %d distinct, on %d pages; the tenant has %d", len(ids), distinct(ids), pages, s.EventCount())
	}
	if ids[3] != s.EventID(2, 3) {
		t.Error("EventID(2, 3) is not the fourth event")
	}
	if list, _ := s.crawl(mailbox+"/calendars/"+s.CalendarID(2)+"/events", "id"); !slices.Equal(list, ids) {
		t.Errorf("the default calendar has %d events", len(list))
	}
	var of []string
	for _, calendar := range values(t, s.object(mailbox+"/calendars")) {
		list, _ := s.crawl(mailbox+"/calendars/"+calendar["id"].(string)+"/events?$top=7", "id")
		of = append(of, list...)
	}
	if len(of) != len(ids)+(len(ids)+4)/5 {
		t.Errorf("the calendars have %d events", len(of))
	}
	event := s.object(mailbox + "/events/" + ids[3])
	if event["type"] != "seriesMaster" || event["id"] != ids[3] {
		t.Errorf("event 3 is %v", event["type"])
	}
	instances := values(t, s.object(mailbox+"/events/"+ids[3]+"/instances"+everything))
	if len(instances) != occurrences {
		t.Fatalf("%d instances", len(instances))
	}
	for _, instance := range instances {
		if instance["seriesMasterId"] != ids[3] || s.object(mailbox + "/events/" + instance["id"].(string))["id"] != instance["id"] {
			t.Errorf("instance %v", instance["id"])
		}
	}
	link, _ := event["calendar@odata.associationLink"].(string)
	if !strings.HasPrefix(link, s.url+"/v1.0/users('"+s.UserID(2)+"')/calendars('") {
		t.Errorf("the association link is %q", link)
	}
}

// TestCalendarView: only what touches the period, series as occurrences, on both paths.
func TestCalendarView(t *testing.T) {
	s := open(t, Config{}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(0)
	all, _ := s.crawl(mailbox+"/calendarView"+everything+"&$top=100", "id")
	masters := s.EventCount()/7 + 1
	if want := s.EventCount() + masters*(occurrences-1); distinct(all) < want-occurrences || slices.Contains(all, s.EventID(0, 3)) {
		t.Errorf("%d events and occurrences, or a master", len(all))
	}
	day := newest.Add(-3 * 24 * time.Hour)
	target := mailbox + "/calendar/calendarView?startDateTime=" + day.Format(time.RFC3339) + "&endDateTime=" + day.AddDate(0, 0, 7).Format(time.RFC3339)
	some, pages := s.crawl(target, "id")
	if len(some) < 20 || len(some) > 60 || pages < 3 {
		t.Errorf("%d events of a week on %d pages", len(some), pages)
	}
	for _, id := range some {
		if !slices.Contains(all, id) {
			t.Errorf("an event of the week is not among all")
		}
	}
	for _, bad := range []string{"/calendarView", "/calendarView?startDateTime=2026-01-01", "/calendarView?startDateTime=x&endDateTime=y"} {
		if r := s.get(mailbox + bad); r.StatusCode != http.StatusBadRequest || !strings.Contains(string(r.body), "ErrorInvalidParameter") {
			t.Errorf("%s: status %d", bad, r.StatusCode)
		}
	}
}

// TestCalendarRefusals: keys, roles and options that are not for events.
func TestCalendarRefusals(t *testing.T) {
	s := open(t, Config{}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(0)
	for target, status := range map[string]int{
		"/events/" + s.EventID(1, 0):       404, // of another mailbox
		"/events/" + s.SentMessageID(0, 0): 404,
		"/events/x":                        400,
		"/events?$orderby=body":            400,
		"/events?$expand=instances":        400,
		"/calendars/x/events":              404,
	} {
		if r := s.get(mailbox + target); r.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, r.StatusCode, status)
		}
	}
	if r := s.get(mailbox+"/events", "Authorization", "Bearer Mail.Read"); r.StatusCode != 403 {
		t.Errorf("without the role: status %d", r.StatusCode)
	}
	basic := s.object(mailbox+"/events/"+s.EventID(0, 1), "Authorization", "Bearer Calendars.ReadBasic.All")
	if basic["body"] != nil || basic["subject"] == nil {
		t.Error("Calendars.ReadBasic.All shows the body, or hides the subject")
	}
	text := s.object(mailbox+"/events/"+s.EventID(0, 1), "Prefer", `outlook.body-content-type="text"`)
	if body, _ := text["body"].(map[string]any); body["contentType"] != "text" {
		t.Errorf("the body is %v", body["contentType"])
	}
}
