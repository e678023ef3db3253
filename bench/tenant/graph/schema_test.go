package graph

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type schemaType struct {
	Base       string
	Properties map[string]schemaProperty
}

type schemaProperty struct{ Ref, Only string }

type schemaEndpoint struct {
	Template               string
	Aliases                []string
	Versions               []string
	Collection             bool
	ApplicationPermissions []string
}

type schema struct {
	Types     map[string]schemaType
	Derived   map[string][]string
	Endpoints []schemaEndpoint
}

// readSchema reads what is documented from ../shared beside the repository.
func readSchema(t *testing.T) schema {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("no go.mod above the test")
		}
		root = filepath.Dir(root)
	}
	shared := filepath.Join(root, "..", "shared")
	if _, err := os.Stat(shared); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the folder ../shared is absent")
	}
	data, err := os.ReadFile(filepath.Join(shared, "graph", "graph-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var documented schema
	if err := json.Unmarshal(data, &documented); err != nil {
		t.Fatal(err)
	}
	return documented
}

// expect lists the v1.0 structural properties of a type as paths, those of complex types below their property.
func expect(types map[string]schemaType, name, prefix string) (paths []string) {
	for ; name != ""; name = types[name].Base {
		for p, is := range types[name].Properties {
			if is.Only == "beta" {
				continue
			}
			paths = append(paths, prefix+p)
			if is.Ref != "" {
				paths = append(paths, expect(types, is.Ref, prefix+p+"/")...)
			}
		}
	}
	return paths
}

// collect adds the paths of all members of a value, lists being transparent.
func collect(found map[string]bool, value any, prefix string) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			found[prefix+name] = true
			collect(found, inner, prefix+name+"/")
		}
	case []any:
		for _, inner := range v {
			collect(found, inner, prefix)
		}
	}
}

// streams are no members of a body.
var streams = []string{"attendeeReport", "content"}

// TestEveryDocumentedProperty asks for every property of each type, by its name in the schema, and wants to see each path, down to
// the scalars, in some answer.
func TestEveryDocumentedProperty(t *testing.T) {
	types := readSchema(t).Types
	s := open(t, Config{}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(0)
	var previews []string
	for i := range 17 {
		previews = append(previews, "/v1.0/users/"+s.UserID(i)+"/chats?$expand=lastMessagePreview")
	}
	records := func(expand string) (targets []string) {
		for n := range 20 {
			targets = append(targets, "/v1.0/communications/callRecords/"+s.CallRecordID(n)+"?$expand="+expand)
		}
		return targets
	}
	meeting := mailbox + "/onlineMeetings/" + url.PathEscape(s.OnlineMeetingID(0, 3))
	var botCalls, meetings []string
	for i := range 20 {
		botCalls = append(botCalls, "/v1.0/communications/calls/"+s.CallID(i))
		meetings = append(meetings, mailbox+"/onlineMeetings/"+url.PathEscape(s.OnlineMeetingID(0, 3*i)))
	}
	var drives, items []string
	for i := range 12 {
		drives = append(drives, "/v1.0/users/"+s.UserID(i)+"/drives")
		items = append(items, "/v1.0/drives/"+s.DriveID(i)+"/root/delta")
	}
	for _, test := range []struct {
		name    string
		targets []string
		inside  string // of the records; then nothing is selected
	}{
		{"user", []string{mailbox, "/v1.0/users/" + s.UserID(4)}, ""},
		{"group", []string{"/v1.0/groups", "/v1.0/groups/" + s.GroupID(1)}, ""},
		{"message", []string{mailbox + "/messages", mailbox + "/mailFolders/sentitems/messages"}, ""},
		{"mailboxSettings", []string{mailbox + "/mailboxSettings"}, ""},
		{"mailFolder", []string{mailbox + "/mailFolders"}, ""},
		{"event", []string{mailbox + "/events", mailbox + "/calendarView" + everything}, ""},
		{"calendar", []string{mailbox + "/calendars"}, ""},
		{"team", []string{"/v1.0/teams"}, ""},
		{"channel", []string{"/v1.0/teams/" + s.TeamID(0) + "/allChannels"}, ""},
		{"chat", []string{mailbox + "/chats"}, ""},
		{"chatMessage", []string{"/v1.0/chats/" + s.ChatIDs(0)[0] + "/messages", "/v1.0/teams/" + s.TeamID(0) + "/channels/" + s.ChannelIDs(0)[0] + "/messages"}, ""},
		{"aadUserConversationMember", []string{mailbox + "/chats?$expand=members"}, "members/"},
		{"callRecords.callRecord", []string{"/v1.0/communications/callRecords"}, ""},
		{"callRecords.participant", records("participants_v2"), "participants_v2/"},
		{"callRecords.session", records("sessions"), "sessions/"},
		{"callRecords.segment", records("sessions($expand=segments)"), "sessions/segments/"},
		{"callRecords.participantEndpoint", records("sessions"), "sessions/callee/"},
		{"callRecords.clientUserAgent", records("sessions"), "sessions/caller/userAgent/"},
		{"callRecords.pstnCallLogRow", []string{callLog("getPstnCalls")}, "value/"},
		{"callRecords.directRoutingLogRow", []string{callLog("getDirectRoutingCalls")}, "value/"},
		{"call", botCalls, ""},
		{"meetingAttendanceReport", []string{meeting + "/attendanceReports"}, ""},
		{"attendanceRecord", []string{meeting + "/attendanceReports/" + s.ReportIDs(0, 3)[0] + "?$expand=attendanceRecords"}, "attendanceRecords/"},
		{"onlineMeeting", meetings, ""},
		{"aiInteraction", []string{"/v1.0/copilot/users/" + s.UserID(0) + "/interactionHistory/getAllEnterpriseInteractions"}, ""},
		{"drive", drives, ""},
		{"driveItem", items, ""},
		{"chatMessageInfo", previews, "lastMessagePreview/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			paths := expect(types, "microsoft.graph."+test.name, "")
			if len(paths) < 3 {
				t.Fatalf("the schema has %d properties of %s", len(paths), test.name)
			}
			var all []string
			for _, path := range paths {
				if !strings.Contains(path, "/") && !slices.Contains(streams, path) {
					all = append(all, path)
				}
			}
			found := map[string]bool{}
			for _, target := range test.targets {
				separator := "?"
				if strings.Contains(target, "?") {
					separator = "&"
				}
				if test.inside == "" {
					target += separator + "$select=" + strings.Join(all, ",")
				}
				for target != "" {
					answer := s.object(target)
					collect(found, answer, "")
					collect(found, answer["value"], "")
					target, _ = answer["@odata.nextLink"].(string)
				}
			}
			for _, path := range slices.Sorted(slices.Values(paths)) {
				if !found[test.inside+path] && !slices.Contains(streams, path) {
					t.Errorf("%s/%s is in no answer", test.name, path)
				}
			}
		})
	}
}

// TestNothingUndocumented: a property that the tables have and the schema does not is a mistake in the tables.
func TestNothingUndocumented(t *testing.T) {
	types := readSchema(t).Types
	check := func(name string, has []string) {
		paths := expect(types, "microsoft.graph."+name, "")
		for _, p := range has {
			if !slices.Contains(paths, p) {
				t.Errorf("%s has no property %s", name, p)
			}
		}
	}
	check("user", propertyNames(userTable))
	check("group", propertyNames(groupTable))
	check("message", propertyNames(messageTable))
	check("mailFolder", propertyNames(folderTable))
	check("event", propertyNames(eventTable))
	check("calendar", propertyNames(calendarTable))
	check("team", propertyNames(teamTable))
	check("channel", propertyNames(channelTable))
	check("chat", propertyNames(chatTable))
	check("chatMessage", propertyNames(chatMessageTable))
	check("chatMessageInfo", propertyNames(previewTable))
	check("aadUserConversationMember", propertyNames(memberTable))
	check("callRecords.callRecord", propertyNames(callRecordTable))
	check("callRecords.participant", propertyNames(participantTable))
	check("callRecords.session", propertyNames(sessionTable))
	check("callRecords.segment", propertyNames(segmentTable))
	check("callRecords.pstnCallLogRow", propertyNames(pstnTable))
	check("callRecords.directRoutingLogRow", propertyNames(directTable))
	check("call", propertyNames(callTable))
	check("onlineMeeting", propertyNames(onlineMeetingTable))
	check("meetingAttendanceReport", propertyNames(reportTable))
	check("attendanceRecord", propertyNames(attendanceTable))
	check("aiInteraction", propertyNames(interactionTable))
	check("drive", propertyNames(driveTable))
	check("driveItem", propertyNames(driveItemTable))
	check("mailboxSettings", propertyNames(settingsTable))
}

func propertyNames[T any](t *table[T]) (list []string) {
	for _, p := range t.properties {
		list = append(list, p.name)
	}
	return list
}

// callLog is the target of a log of the last 80 days.
func callLog(function string) string {
	return "/v1.0/communications/callRecords/" + function + "(fromDateTime=2026-05-10,toDateTime=2026-08-05)"
}

// TestRolesAreTheDocumented compares the table of endpoints with the documented ones: each is served, unless it is known not to be,
// for exactly the documented roles.
func TestRolesAreTheDocumented(t *testing.T) {
	unserved := []string{"/users/{userId}/messages/{messageId}/$value", "/groups/{groupId}/members/$ref", "/users/{userId}/events/{eventId}/attachments",
		"/users/{userId}/mailFolders/{folderId}/messages/{messageId}/attachments"}
	key := regexp.MustCompile(`\{[^}]*\}`)
	checked := 0
	for _, documented := range readSchema(t).Endpoints {
		if slices.Contains(unserved, documented.Template) {
			continue
		}
		for _, template := range append([]string{documented.Template}, documented.Aliases...) {
			target := "/v1.0" + key.ReplaceAllString(template, "2026-08-01")
			request := httptest.NewRequest(http.MethodGet, target, nil)
			found, p := (*Server)(nil).route(request)
			if p != nil {
				t.Errorf("%s is not served: %s", template, p.message)
				continue
			}
			for i, name := range documented.ApplicationPermissions {
				if name == "Calendars.ReadBasic" { // only users consent to that; the role is Calendars.ReadBasic.All (the permissions reference)
					documented.ApplicationPermissions[i] = "Calendars.ReadBasic.All"
				}
			}
			roles, want := slices.Sorted(slices.Values(found.opens)), slices.Sorted(slices.Values(documented.ApplicationPermissions))
			if strings.Contains(template, "/members") { // graph-facts, "Application permissions", leave this one out, which is the stricter
				want = slices.DeleteFunc(want, func(role string) bool { return role == "Group.ReadBasic.All" })
			}
			if !slices.Equal(roles, want) {
				t.Errorf("%s is open to %v, documented are %v", template, roles, want)
			}
			if found.single == documented.Collection {
				t.Errorf("%s: one %t, documented a collection %t", template, found.single, documented.Collection)
			}
			checked++
		}
	}
	if checked < 40 {
		t.Errorf("%d endpoints are documented", checked)
	}
}

// TestEveryEventDetail: each documented kind of system message is among those of a tenant, with all its properties.
func TestEveryEventDetail(t *testing.T) {
	documented := readSchema(t)
	s := open(t, Config{Messages: 1600}, "h2")
	found := map[string]map[string]bool{}
	target := "/v1.0/teams/" + s.TeamID(0) + "/channels/" + s.ChannelIDs(0)[0] + "/messages?$top=50"
	for target != "" {
		page := s.object(target)
		for _, message := range values(t, page) {
			if detail, ok := message["eventDetail"].(map[string]any); ok {
				name := strings.TrimPrefix(detail["@odata.type"].(string), "#")
				if found[name] == nil {
					found[name] = map[string]bool{}
				}
				collect(found[name], detail, "")
			}
		}
		target, _ = page["@odata.nextLink"].(string)
	}
	names := documented.Derived["microsoft.graph.eventMessageDetail"]
	if len(names) < 30 {
		t.Fatalf("%d kinds are documented", len(names))
	}
	for _, name := range names {
		for property, is := range documented.Types[name].Properties {
			if is.Only != "beta" && !found[name][property] {
				t.Errorf("%s/%s is in no answer", name, property)
			}
		}
	}
}
