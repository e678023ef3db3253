package graph

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// A drive has Messages/2 items and 25 more; item 0 is the root. Which facets an item has is up to its number.

func (s *Server) items(drive int) int { return s.cfg.Messages/2 + 25 }

// DriveItemCount returns the number of items of each drive, with the root.
func (s *Server) DriveItemCount() int { return s.items(0) }

// DriveItemID returns the id of item n of the drive of user i.
func (s *Server) DriveItemID(i, n int) string { return s.itemID(i, n) }

// driveItemTable has the structural properties of microsoft.graph.driveItem in v1.0 but the stream content.
// Source: the v1.0 CSDL and driveitem-delta of the Graph reference.
var driveItemTable = lines("microsoft.graph.driveItem", `
id: "${item}"
createdBy: ${account 0}
createdDateTime: "${at -7200}"
description: "${text 3}"
eTag: "${guid}"
lastModifiedBy: ${account 1}
lastModifiedDateTime: "${at -7200}"
name: "${text 2}.docx"
parentReference: {"driveId":"${drive}","driveType":"business","id":"${root}","name":"${text 1}","path":"/drives/${drive}/root:/${0.local}/${text 1}","shareId":"${guid}","siteId":"${guid}","sharepointIds":{"listId":"${guid}","listItemId":"${guid}","listItemUniqueId":"${guid}","siteId":"${guid}","siteUrl":"https://${domain}/personal/${0.site}","tenantId":"${tenant}","webId":"${guid}"}}
webUrl: "https://${domain}/personal/${0.site}/Documents/${text 2}.docx"
audio: {"album":"${text 3}","albumArtist":"${text 3}","artist":"${text 3}","bitrate":${number 90},"composers":"${text 3}","copyright":"${text 3}","disc":${number 90},"discCount":${number 90},"duration":${number 90},"genre":"${text 3}","hasDrm":false,"isVariableBitrate":false,"title":"${text 3}","track":${number 90},"trackCount":${number 90},"year":${number 90}}
bundle: {"album":{"coverImageItemId":"${guid}"},"childCount":${number 90}}
cTag: "${guid}"
deleted: {"state":"deleted"}
file: {"hashes":{"crc32Hash":"${guid}","quickXorHash":"${guid}","sha1Hash":"${guid}","sha256Hash":"${guid}"},"mimeType":"image/jpeg","processingMetadata":false}
fileSystemInfo: {"createdDateTime":"${at -7200}","lastAccessedDateTime":"${at 0}","lastModifiedDateTime":"${at -7200}"}
folder: {"childCount":${number 90},"view":{"sortBy":"name","sortOrder":"ascending","viewType":"list"}}
image: {"height":${number 90},"width":${number 90}}
location: {"altitude":0.${number 90}1,"latitude":0.${number 90}1,"longitude":0.${number 90}1}
malware: {"description":"${text 3}"}
package: {"type":"oneNote"}
pendingOperations: {"pendingContentUpdate":{"queuedDateTime":"${at 0}"}}
photo: {"cameraMake":"${text 3}","cameraModel":"${text 3}","exposureDenominator":0.${number 90}1,"exposureNumerator":0.${number 90}1,"fNumber":0.${number 90}1,"focalLength":0.${number 90}1,"iso":${number 90},"orientation":${number 90},"takenDateTime":"${at 3600}"}
publication: {"checkedOutBy":${account 4},"level":"published","versionId":"2.0"}
remoteItem: {"createdBy":${account 0},"createdDateTime":"${at -7200}","file":{"hashes":{"crc32Hash":"${guid}","quickXorHash":"${guid}","sha1Hash":"${guid}","sha256Hash":"${guid}"},"mimeType":"image/jpeg","processingMetadata":false},"fileSystemInfo":{"createdDateTime":"${at -7200}","lastAccessedDateTime":"${at 0}","lastModifiedDateTime":"${at -7200}"},"folder":{"childCount":${number 90},"view":{"sortBy":"name","sortOrder":"ascending","viewType":"list"}},"id":"${item}","image":{"height":${number 90},"width":${number 90}},"lastModifiedBy":${account 1},"lastModifiedDateTime":"${at -7200}","name":"${text 2}.docx","package":{"type":"oneNote"},"parentReference":{"driveId":"${drive}","driveType":"business","id":"${root}","name":"${text 1}","path":"/drives/${drive}/root:/${0.local}/${text 1}","shareId":"${guid}","siteId":"${guid}","sharepointIds":{"listId":"${guid}","listItemId":"${guid}","listItemUniqueId":"${guid}","siteId":"${guid}","siteUrl":"https://${domain}/personal/${0.site}","tenantId":"${tenant}","webId":"${guid}"}},"shared":{"owner":${account 3},"scope":"users","sharedBy":${account 1},"sharedDateTime":"${at 0}"},"sharepointIds":{"listId":"${guid}","listItemId":"${guid}","listItemUniqueId":"${guid}","siteId":"${guid}","siteUrl":"https://${domain}/personal/${0.site}","tenantId":"${tenant}","webId":"${guid}"},"size":${number 900000},"specialFolder":{"name":"documents"},"video":{"audioBitsPerSample":${number 90},"audioChannels":${number 90},"audioFormat":"AAC","audioSamplesPerSecond":${number 90},"bitrate":${number 90},"duration":${number 90},"fourCC":"H264","frameRate":0.${number 90}1,"height":${number 90},"width":${number 90}},"webDavUrl":"https://${domain}/personal/${0.site}/Documents/${text 2}.docx","webUrl":"https://${domain}/personal/${0.site}/Documents/${text 2}.docx"}
root: {}
searchResult: {"onClickTelemetryUrl":"https://${domain}/onclicktelemetryurl/${canary}/${0.local}"}
shared: {"owner":${account 2},"scope":"users","sharedBy":${account 0},"sharedDateTime":"${at 0}"}
sharepointIds: {"listId":"${guid}","listItemId":"${guid}","listItemUniqueId":"${guid}","siteId":"${guid}","siteUrl":"https://${domain}/personal/${0.site}","tenantId":"${tenant}","webId":"${guid}"}
size: ${number 900000}
specialFolder: {"name":"documents"}
video: {"audioBitsPerSample":${number 90},"audioChannels":${number 90},"audioFormat":"AAC","audioSamplesPerSecond":${number 90},"bitrate":${number 90},"duration":${number 90},"fourCC":"H264","frameRate":0.${number 90}1,"height":${number 90},"width":${number 90}}
webDavUrl: "https://${domain}/personal/${0.site}/Documents/${text 2}.docx"
`, "", itemWords)

var itemWords = fillers{
	"drive": func(r *record, b []byte) []byte { return append(b, r.s.driveID(r.a)...) },
	"root":  func(r *record, b []byte) []byte { return append(b, r.s.itemID(r.a, 0)...) },
	"item":  func(r *record, b []byte) []byte { return append(b, r.s.itemID(r.a, r.n)...) },
}

// facets say what an item is; an item has those of one row, and no others.
var (
	facets = [][]string{
		{"file", "shared", "publication", "searchResult"},
		{"folder", "specialFolder"},
		{"file", "image", "photo", "location", "pendingOperations"},
		{"file", "audio", "malware"},
		{"file", "video"},
		{"package", "bundle"},
		{"remoteItem", "shared"},
		{"deleted"},
	}
	root      = []string{"root", "folder"}
	allFacets = slices.Concat(append(facets, root)...)
)

// forItem leaves out of a selection the facets that the item does not have.
func forItem(chosen selection[record], n int) selection[record] {
	has := facets[n%len(facets)]
	if n == 0 {
		has = root
	}
	return slices.DeleteFunc(slices.Clone(chosen), func(p property[record]) bool {
		return slices.Contains(allFacets, p.name) && !slices.Contains(has, p.name)
	})
}

// downloadURL opens a file without a token (graph-facts: "Always drop"); it is on files only, unless properties are selected.
var downloadURL = compile(`"@microsoft.graph.downloadUrl":"https://${domain}/personal/${0.site}/_layouts/15/download.aspx?UniqueId=${guid}&tempauth=${base64url 40}${canary}",`, 340, nil)

func (s *Server) item(drive, n int) record {
	d := s.keys.dice(kindDriveItem, drive, n)
	at := newest.Add(-time.Duration(n)*3*time.Hour - time.Duration(d.below(3600))*time.Second)
	return record{s: s, kind: kindDriveItem, a: drive, n: n, at: at, who: s.driveOwner(drive)}
}

func (s *Server) appendItem(b []byte, r *record, q *query, chosen selection[record]) []byte {
	b = append(b, '{')
	if len(q.fields) == 0 && slices.Contains(facets[r.n%len(facets)], "file") && r.n > 0 {
		b = downloadURL.write(r, b)
	}
	return append(forItem(chosen, r.n).append(b, r), '}')
}

// listItemChanges answers the items of a drive, and then what changed.
func (s *Server) listItemChanges(a *answer, t *target, q *query) *problem {
	drive, p := s.drive(t)
	if p != nil {
		return p
	}
	chosen, p := driveItemTable.choose(q.fields)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: "Collection(driveItem)" + contextFields(q), total: s.items(drive)}
	l.url = s.version(a.r) + "/drives/" + t.keys[0] + "/root/delta"
	l.person = func(n int) string { return s.driveID(drive) + "/" + s.itemID(drive, n) }
	if p := s.arrange(l, q, nil, ""); p != nil {
		return p
	}
	l.record = func(b []byte, n int) []byte {
		r := s.item(drive, n)
		return s.appendItem(b, &r, q, chosen)
	}
	l.removed = func(b []byte, n int) []byte {
		r := s.item(drive, n)
		return removedItem.write(&r, b)
	}
	return s.delta(a, q, l)
}

var removedItem = compile(`{"id":"${item}","parentReference":{"driveId":"${drive}","driveType":"business","id":"${root}"},"deleted":{"state":"deleted"}}`, 341, itemWords)

// activityTable has the structural properties of itemActivityOLD, which beta documents and v1.0 answers too.
// Source: the beta reference of activities; graph-facts: "drive/activities".
var activityTable = lines("microsoft.graph.itemActivityOLD", `
id: "${base64url 24}"
action: ${action}
actor: ${account 0}
times: {"recordedDateTime":"${at 0}","observedDateTime":"${at -5}","lastRecordedDateTime":"${at 0}"}
`, "", fillers{
	"action": func(r *record, b []byte) []byte { return actions[r.n%len(actions)].write(r, b) },
})

var actions = []template{
	compile(`{"edit":{},"version":{"newVersion":"7.0"}}`, 350, nil),
	compile(`{"create":{}}`, 351, nil),
	compile(`{"delete":{"name":"${text 2}.docx","objectType":"File"}}`, 352, nil),
	compile(`{"comment":{"isReply":true,"parentAuthor":${account 1},"participants":[${account 2},${account 3}]}}`, 353, nil),
	compile(`{"mention":{"mentionees":[${account 1}]}}`, 354, nil),
	compile(`{"move":{"from":"/${0.local}/${text 1}","to":"/${text 1}"},"rename":{"oldName":"${text 2}.docx","newName":"${text 2}.docx"}}`, 355, nil),
	compile(`{"share":{"recipients":[${account 1},${account 2}]}}`, 356, nil),
	compile(`{"restore":{}}`, 357, nil),
}

// ActivityCount returns the number of activities of each drive; an item has a tenth of them.
func (s *Server) ActivityCount() int { return s.cfg.Messages/2 + 11 }

func (s *Server) listActivities(a *answer, t *target, q *query) *problem {
	drive, p := s.drive(t)
	if p != nil {
		return p
	}
	return s.activities(a, t, q, drive, -1, s.ActivityCount())
}

func (s *Server) listItemActivities(a *answer, t *target, q *query) *problem {
	drive, p := s.drive(t)
	if p != nil {
		return p
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(t.keys[1], "01"))
	if err == nil && len(raw) == 16 {
		n, ok := s.keys.number(kindDriveItem, [16]byte(raw))
		if item := int(n & (1<<24 - 1)); ok && item < s.items(drive) && s.itemID(drive, item) == t.keys[1] {
			return s.activities(a, t, q, drive, item, s.ActivityCount()/10)
		}
	}
	return driveNotFound(t.keys[1])
}

// activities answers those of a drive, or of one item.
func (s *Server) activities(a *answer, t *target, q *query, drive, item, total int) *problem {
	with, p := q.expands("driveitem")
	if p != nil {
		return p
	}
	chosen, p := activityTable.choose(q.fields)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: "Collection(microsoft.graph.itemActivityOLD)" + contextFields(q), total: total}
	l.person = func(int) string { return s.UserPrincipalName(s.driveOwner(drive)) }
	if p := s.arrange(l, q, nil, ""); p != nil {
		return p
	}
	l.record = func(b []byte, n int) []byte {
		d := s.keys.dice(kindActivity, drive, n)
		r := record{s: s, kind: kindActivity, a: drive, n: n, at: newest.Add(-time.Duration(n) * time.Hour), who: d.below(s.cfg.Users)}
		b = chosen.append(append(b, '{'), &r)
		if with != nil {
			of := s.item(drive, n%s.items(drive))
			if item >= 0 {
				of = s.item(drive, item)
			}
			b = s.appendItem(append(b, `,"driveItem":`...), &of, q, driveItemTable.properties)
		}
		return append(b, '}')
	}
	return s.list(a, q, l)
}
