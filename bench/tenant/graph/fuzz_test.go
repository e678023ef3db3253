package graph

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzTarget asks for anything: the answer is one JSON document or a count, and a status that Graph gives.
func FuzzTarget(f *testing.F) {
	s, err := New(Config{Users: 3, Groups: 3, Messages: 8, Authorize: func(string) ([]string, error) { return everyRole, nil }})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"/v1.0/users?$filter=id in ('x','y') and not (startswith(mail,'a'))&$count=true", "/v1.0/groups/" + s.GroupID(0) + "/members/$count",
		"/v1.0/users/" + s.UserID(0) + "/events/" + s.EventID(0, 3) + "/instances" + everything, "/v1.0/users('" + s.UserID(0) + "')/calendarView" + everything,
		"/v1.0/teams/" + s.TeamID(0) + "/channels/" + s.ChannelIDs(0)[0] + "/messages/delta()?$expand=replies&$deltatoken=latest",
		"/v1.0/chats/" + s.ChatIDs(0)[0] + "/messages?$top=2", "/v1.0/chats/19:meeting_f85t8XE4S-iqGAc_yrlz5A@thread.v2/messages",
		"/v1.0/communications/callRecords/" + s.CallRecordID(1) + "?$expand=sessions($expand=segments),participants_v2", callLog("getPstnCalls") + "?$skip=2",
		"/v1.0/users/" + s.UserID(0) + "/onlineMeetings/" + s.OnlineMeetingID(0, 3) + "/attendanceReports", "/v1.0/communications/calls/" + s.CallID(0),
		"/v1.0/drives/" + s.DriveID(0) + "/root/delta(token='x')", "/v1.0/drives/" + s.DriveID(0) + "/items/" + s.DriveItemID(0, 1) + "/activities",
		"/beta/copilot/users/" + s.UserID(0) + "/interactionHistory/microsoft.graph.getAllEnterpriseInteractions()?$top=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		path, query, _ := strings.Cut(target, "?")
		request.URL.Path, request.URL.RawPath, request.URL.RawQuery = "/"+strings.TrimPrefix(path, "/"), "", query
		request.Header.Set("Authorization", "Bearer all")
		request.Header.Set("ConsistencyLevel", "eventual")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request)
		if w.Code != 200 && (w.Code < 400 || w.Code > 501) {
			t.Errorf("status %d", w.Code)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %.300s", w.Body)
		}
	})
}
