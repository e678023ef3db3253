package graph

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// unmarked is what needs no mark: enumeration values and the like, durations, and what a service writes.
	unmarked = regexp.MustCompile(`^(OneDrive|[a-z#.]*[a-z][a-zA-Z0-9./-]*|PT[0-9A-Z.]+|<systemEventMessage/>|[A-Z]{2,3}|[0-9.]*|)$`)
	// identified is text without room for a word, or with nothing but ids in it.
	identified = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-|[0-9a-f]{32}|^[A-Za-z0-9+/=_-]{20,}$|^19:meeting_[A-Za-z0-9_-]{22}@thread.v2$|^b![A-Za-z0-9_-]{64}$|^0001-01-01`)
)

// listed are fields of enumerations whose values have capitals.
var listed = []string{"callType", "inventoryType", "linkType", "contextType", "appClass", "role", "fourCC", "objectType"}

// TestCanariesOfRecords: every text of the types that templates make is marked, or is an id, an enumeration value or a time.
func TestCanariesOfRecords(t *testing.T) {
	s := open(t, Config{Canary: "Qx7Person", OrgCanary: "Qx7Office"}, "h2")
	var marked int
	var check func(t *testing.T, name string, value any)
	check = func(t *testing.T, name string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for inner, is := range v {
				check(t, inner, is)
			}
		case []any:
			for _, is := range v {
				check(t, name, is)
			}
		case string:
			if strings.Contains(v, "Qx7Person") || strings.Contains(v, "Qx7Office") {
				marked++
				return
			}
			_, isTime := readTime(v)
			if !isTime && !slices.Contains(listed, name) && !unmarked.MatchString(v) && !identified.MatchString(v) && !strings.HasPrefix(name, "@odata.") && !strings.HasSuffix(name, "@odata.context") {
				t.Errorf("%s is %q, which nothing marks", name, v)
			}
		}
	}
	user := "/v1.0/users/" + s.UserID(0)
	for name, target := range map[string]string{
		"teams":        "/v1.0/teams?$select=" + strings.Join(propertyNames(teamTable), ","),
		"channels":     "/v1.0/teams/" + s.TeamID(0) + "/allChannels?$select=" + strings.Join(propertyNames(channelTable), ","),
		"chats":        user + "/chats?$expand=members,lastMessagePreview&$top=50",
		"messages":     "/v1.0/chats/" + s.ChatIDs(0)[0] + "/messages?$top=50",
		"posts":        "/v1.0/teams/" + s.TeamID(0) + "/channels/" + s.ChannelIDs(0)[0] + "/messages?$expand=replies&$top=50",
		"records":      "/v1.0/communications/callRecords",
		"record":       "/v1.0/communications/callRecords/" + s.CallRecordID(7) + "?$expand=sessions($expand=segments),participants_v2",
		"pstn":         callLog("getPstnCalls"),
		"direct":       callLog("getDirectRoutingCalls"),
		"call":         "/v1.0/communications/calls/" + s.CallID(3),
		"meeting":      user + "/onlineMeetings/" + url.PathEscape(s.OnlineMeetingID(0, 3)),
		"attendance":   user + "/onlineMeetings/" + url.PathEscape(s.OnlineMeetingID(0, 3)) + "/attendanceReports/" + s.ReportIDs(0, 3)[0] + "?$expand=attendanceRecords",
		"interactions": "/beta/copilot/users/" + s.UserID(0) + "/interactionHistory/getAllEnterpriseInteractions",
		"drives":       user + "/drives",
		"items":        s.object("/v1.0/drives/" + s.DriveID(0) + "/root/delta")["@odata.nextLink"].(string),
		"activities":   "/v1.0/drives/" + s.DriveID(0) + "/activities?$expand=driveItem",
	} {
		t.Run(name, func(t *testing.T) {
			marked = 0
			check(t, "", s.object(target))
			if marked < 5 {
				t.Errorf("%d marks", marked)
			}
		})
	}
}
