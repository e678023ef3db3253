package graph

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
)

// Each user and each team has a drive. The drive of a user is number i, that of a group g is Users + g.

// driveTable has the structural properties of microsoft.graph.drive in v1.0. Source: the v1.0 CSDL and drive-list of the Graph reference.
var driveTable = lines("microsoft.graph.drive", `
id: "${drive}"
createdBy: ${account 0}
createdDateTime: "${at -7200}"
description: "${text 3}"
eTag: "${guid}"
lastModifiedBy: ${account 1}
lastModifiedDateTime: "${at -7200}"
name: "OneDrive"
parentReference: {"driveId":"${drive}","driveType":"business","id":"${root}","name":"${text 1}","path":"/drives/${drive}/root:/${0.local}/${text 1}","shareId":"${guid}","siteId":"${guid}","sharepointIds":{"listId":"${guid}","listItemId":"${guid}","listItemUniqueId":"${guid}","siteId":"${guid}","siteUrl":"https://${domain}/personal/${0.site}","tenantId":"${tenant}","webId":"${guid}"}}
webUrl: "https://${domain}/personal/${0.site}/Documents"
driveType: "business"
owner: ${owner}
quota: {"deleted":0,"remaining":1099511557000,"state":"normal","total":1099511627776,"used":${number 90000},"storagePlanInformation":{"upgradeAvailable":false}}
sharePointIds: {"listId":"${guid}","listItemId":"${guid}","listItemUniqueId":"${guid}","siteId":"${guid}","siteUrl":"https://${domain}/personal/${0.site}","tenantId":"${tenant}","webId":"${guid}"}
system: {}
`, "", fillers{
	"drive": func(r *record, b []byte) []byte { return append(b, r.s.driveID(r.n)...) },
	"root":  func(r *record, b []byte) []byte { return append(b, r.s.itemID(r.n, 0)...) },
	"owner": func(r *record, b []byte) []byte {
		if r.n < r.s.cfg.Users {
			return ownerUser.write(r, b)
		}
		return append((&team{r.s, r.n - r.s.cfg.Users}).appendName(ownerGroup.write(r, b)), `"}}`...)
	},
})

var (
	ownerUser  = compile(`{"application":{"id":"${guid}","displayName":"${text 1}"},"device":{"id":"${guid}","displayName":"LAPTOP-${0.local}"},"user":{"email":"${0.mail}","id":"${0.id}","displayName":"${0.name}"}}`, 330, nil)
	ownerGroup = compile(`{"group":{"email":"${0.mail}","id":"${guid}","displayName":"`, 331, nil)
)

// driveID looks like SharePoint's: "b!" and base64url, here with the number inside.
func (s *Server) driveID(number int) string {
	g, store := s.keys.guidBytes(kindDrive, uint64(number)), s.keys.guidBytes(kindSecret, uint64(number))
	return "b!" + base64.RawURLEncoding.EncodeToString(append(append(g[:], store[:]...), g[:]...))
}

// itemID looks like SharePoint's: "01" and capitals, here with the numbers of drive and item inside.
func (s *Server) itemID(drive, item int) string {
	g := s.keys.guidBytes(kindDriveItem, uint64(drive)<<24|uint64(item))
	return "01" + strings.ToUpper(hex.EncodeToString(g[:]))
}

// DriveID returns the id of the drive of user i.
func (s *Server) DriveID(i int) string { return s.driveID(i) }

// GroupDriveID returns the id of the drive of group i.
func (s *Server) GroupDriveID(i int) string { return s.driveID(s.cfg.Users + i) }

func (s *Server) drive(t *target) (number int, p *problem) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(t.keys[0], "b!"))
	if err == nil && len(raw) == 48 {
		if n, ok := s.keys.number(kindDrive, [16]byte(raw[:16])); ok && n < uint64(s.cfg.Users+s.cfg.Groups) && s.driveID(int(n)) == t.keys[0] {
			return int(n), nil
		}
	}
	return 0, driveNotFound(t.keys[0])
}

func driveNotFound(key string) *problem {
	return &problem{status: http.StatusNotFound, code: "itemNotFound", message: "The resource '" + key + "' could not be found."}
}

// owner is the user whose drive it is, or the first of a group.
func (s *Server) driveOwner(number int) int {
	if number < s.cfg.Users {
		return number
	}
	return s.memberUser(number-s.cfg.Users, 0)
}

func (s *Server) listUserDrives(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	return s.listDrives(a, t, q, keyIn("users", t.keys[0]), user)
}

func (s *Server) listGroupDrives(a *answer, t *target, q *query) *problem {
	g, p := s.group(t)
	if p != nil {
		return p
	}
	return s.listDrives(a, t, q, keyIn("groups", t.keys[0]), s.cfg.Users+g)
}

func (s *Server) listDrives(a *answer, t *target, q *query, context string, number int) *problem {
	l := &listing{target: t, context: context + "/drives" + contextFields(q), total: 1}
	l.person = func(int) string { return s.driveID(number) }
	if p := s.arrange(l, q, map[string]column{"name": {quoted, func(int) string { return "OneDrive" }}}, context, "name"); p != nil {
		return p
	}
	chosen, p := driveTable.choose(q.fields)
	if p != nil {
		return p
	}
	l.record = func(b []byte, _ int) []byte {
		r := record{s: s, kind: kindDrive, n: number, at: newest, who: s.driveOwner(number)}
		return append(chosen.append(append(b, '{'), &r), '}')
	}
	return s.list(a, q, l)
}
