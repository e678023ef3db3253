package graph

import (
	"slices"
	"strings"
	"testing"
)

// rounds follows a delta query for so many rounds, and returns the ids of each, those of removed records with a minus.
func (s *site) rounds(target string, count int) (ids [][]string) {
	s.t.Helper()
	for range count {
		var round []string
		for {
			page := s.object(target)
			for _, record := range values(s.t, page) {
				id, _ := record["id"].(string)
				if record["@removed"] != nil || record["deleted"] != nil && len(record) == 3 {
					id = "-" + id
				}
				round = append(round, id)
			}
			link, more := page["@odata.nextLink"].(string)
			if target = link; !more {
				target, _ = page["@odata.deltaLink"].(string)
				break
			}
		}
		if ids = append(ids, round); target == "" {
			s.t.Fatal("the last page has no link")
		}
	}
	return ids
}

// TestChanges: each delta query has everything, then three changes of which one is a removal, then nothing.
func TestChanges(t *testing.T) {
	s := open(t, Config{}, "h2")
	mailbox := "/v1.0/users/" + s.UserID(1)
	for target, count := range map[string]int{
		"/v1.0/users/delta":                                                                      250,
		"/v1.0/users/delta?$select=id,accountEnabled":                                            250,
		"/v1.0/groups/microsoft.graph.delta()":                                                   25,
		mailbox + "/mailFolders/SentItems/messages/delta":                                        120,
		mailbox + "/mailFolders('SentItems')/messages/delta?$select=from":                        120,
		"/v1.0/drives/" + s.DriveID(1) + "/root/delta":                                           s.DriveItemCount(),
		"/v1.0/drives/" + s.DriveID(1) + "/root/delta?$top=7&$select=id,deleted,parentReference": s.DriveItemCount(),
	} {
		t.Run(target, func(t *testing.T) {
			all := s.rounds(target, 3)
			if len(all[0]) != count || distinct(all[0]) != count {
				t.Errorf("%d records, %d distinct, want %d", len(all[0]), distinct(all[0]), count)
			}
			if len(all[1]) != 3 || slices.ContainsFunc(all[1][:2], func(id string) bool { return id[0] == '-' }) || all[1][2][0] != '-' || !slices.Contains(all[0], all[1][2][1:]) {
				t.Errorf("changes are %v", all[1])
			}
			if len(all[2]) != 0 {
				t.Errorf("then there are %d", len(all[2]))
			}
		})
	}
	for _, option := range []string{"$top=5", "$orderby=displayName", "$expand=members"} {
		if r := s.get("/v1.0/groups/delta?" + option); r.StatusCode != 400 {
			t.Errorf("delta with %s: status %d", option, r.StatusCode)
		}
	}
	groups := values(t, s.object("/v1.0/groups/delta?$select=displayName,members"))
	if members, _ := groups[0]["members@delta"].([]any); len(members) != 20 || len(groups[0]) != 2 {
		t.Errorf("a group of delta has %v", names(groups[0]))
	}
}

// TestDrives: drives of users and groups, their items and activities.
func TestDrives(t *testing.T) {
	s := open(t, Config{}, "h2")
	for target, number := range map[string]int{
		"/v1.0/users/" + s.UserID(3) + "/drives":   3,
		"/v1.0/groups/" + s.GroupID(2) + "/drives": 252,
	} {
		want := s.driveID(number)
		ids, _ := s.crawl(target, "id")
		if !slices.Equal(ids, []string{want}) {
			t.Errorf("%s: %v, want %s", target, ids, want)
		}
		drive := "/v1.0/drives/" + want
		if ids := s.rounds(drive+"/root/delta", 1)[0]; len(ids) != s.DriveItemCount() {
			t.Errorf("%d items", len(ids))
		}
		for _, version := range []string{"/v1.0", "/beta"} {
			path := version + "/drives/" + want
			if ids, pages := s.crawl(path+"/activities?$top=30", "id"); distinct(ids) != s.ActivityCount() || pages != (len(ids)+29)/30 {
				t.Errorf("%d activities on %d pages", len(ids), pages)
			}
			if ids, _ := s.crawl(path+"/items/"+s.itemID(number, 4)+"/activities?$expand=driveItem", "id"); len(ids) != s.ActivityCount()/10 {
				t.Errorf("%d activities of an item", len(ids))
			}
		}
	}
	if s.DriveID(3) != s.driveID(3) || s.GroupDriveID(2) != s.driveID(252) {
		t.Error("the drives have other ids")
	}
	drive := "/v1.0/drives/" + s.DriveID(3)
	first := s.object(drive + "/root/delta?$top=4")
	if len(values(t, first)) != 0 || !strings.HasPrefix(first["@odata.nextLink"].(string), s.url+drive+"/root/delta(token='") {
		t.Errorf("the first page has %d items and leads to %v", len(values(t, first)), first["@odata.nextLink"])
	}
	second := s.object(first["@odata.nextLink"].(string))
	list := values(t, second)
	if len(list) != 4 || list[0]["root"] == nil || list[0]["file"] != nil || list[2]["image"] == nil || list[2]["@microsoft.graph.downloadUrl"] == nil {
		t.Errorf("the second page is %v", list)
	}
	if latest := s.object(drive + "/root/delta?token=latest"); len(values(t, latest)) != 0 || !strings.Contains(latest["@odata.deltaLink"].(string), "/root/delta?token=") {
		t.Errorf("latest is %v", latest)
	}
	if n := len(values(t, s.object(drive+"/root/delta?token=2026-03-01T09:30:00Z"))); n != changes {
		t.Errorf("%d changes since March", n)
	}
	gone := s.get(drive + "/root/delta(token='old')?$top=5")
	if gone.StatusCode != 410 || !strings.Contains(string(gone.body), "resyncChangesApplyDifferences") {
		t.Fatalf("an old token: status %d", gone.StatusCode)
	}
	if n := len(values(t, s.object(gone.Header.Get("Location")))); n != 5 {
		t.Errorf("the fresh link has %d items", n)
	}
	for target, status := range map[string]int{
		"/v1.0/drives/" + s.driveID(10000) + "/root/delta":      404,
		drive + "/items/" + s.DriveItemID(4, 1) + "/activities": 404,
		drive + "/items/x/activities":                           404,
		drive + "/activities?$expand=listItem":                  400,
	} {
		if r := s.get(target); r.StatusCode != status {
			t.Errorf("%s: status %d, want %d", target, r.StatusCode, status)
		}
	}
}

// TestCounts: text, only with ConsistencyLevel, of what a filter leaves.
func TestCounts(t *testing.T) {
	s := open(t, Config{}, "h2")
	for target, want := range map[string]string{
		"/v1.0/users/$count":                                               "250",
		"/v1.0/groups/$count":                                              "25",
		"/v1.0/groups/" + s.GroupID(0) + "/members/$count":                 "253",
		"/v1.0/users/$count?$filter=id%20eq%20'" + s.UserID(5) + "'":       "1",
		"/v1.0/users/$count?$filter=not%20id%20eq%20'" + s.UserID(5) + "'": "249",
	} {
		r := s.get(target, "ConsistencyLevel", "eventual")
		if r.StatusCode != 200 || string(r.body) != want || r.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: status %d, %q", target, r.StatusCode, r.body)
		}
		if r := s.get(target); r.StatusCode != 400 {
			t.Errorf("%s without ConsistencyLevel: status %d", target, r.StatusCode)
		}
	}
}
