package graph

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type schemaType struct {
	Base       string
	Properties map[string]schemaProperty
}

type schemaProperty struct{ Ref, Only string }

// readSchema reads the documented types from ../shared beside the repository.
func readSchema(t *testing.T) map[string]schemaType {
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
	var schema struct{ Types map[string]schemaType }
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Types
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
	types := readSchema(t)
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
	types := readSchema(t)
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
