package graph

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Chats have numbers. Of each user u there are first those with the neighbours u+1 to u+near, then one group that begins with u, and
// then the chats of the meetings that are u's events 0 and 3, with u+1.
const (
	near         = 4
	chatsOfUser  = near + 3
	chatSpacing  = 37 * time.Minute
	oneToOneTail = "@unq.gbl.spaces"
	threadTail   = "@thread.v2"
)

// partners is how many neighbours a user has on each side.
func (s *Server) partners() int { return min(near, (s.cfg.Users-1)/2) }

// groupSize is how many neighbours are in the group that begins with a user.
func (s *Server) groupSize(u int) int { return min(3+u%4, s.cfg.Users) }

// chatNumbers are the chats of user u, in the order of a list.
func (s *Server) chatNumbers(u int) (numbers []int) {
	users := s.cfg.Users
	for d := 1; d <= s.partners(); d++ {
		numbers = append(numbers, u*chatsOfUser+d-1, (u-d+users)%users*chatsOfUser+d-1)
	}
	for d := range min(6, users) {
		if first := (u - d + users) % users; d < s.groupSize(first) {
			numbers = append(numbers, first*chatsOfUser+near)
		}
	}
	for _, first := range slices.Compact([]int{u, (u - 1 + users) % users}) {
		numbers = append(numbers, first*chatsOfUser+near+1, first*chatsOfUser+near+2)
	}
	return numbers
}

// chatMembers are the users of a chat, its founder first.
func (s *Server) chatMembers(number int) (members []int) {
	u, which := number/chatsOfUser, number%chatsOfUser
	next := func(d int) int { return (u + d) % s.cfg.Users }
	switch {
	case which < near:
		return []int{u, next(which + 1)}
	case which == near:
		for d := range s.groupSize(u) {
			members = append(members, next(d))
		}
		return members
	}
	return slices.Compact([]int{u, next(1)})
}

// chatID has both object ids for two people, the number for a group, and is the meeting's thread for a meeting (graph-facts: "1:1 chat id").
func (s *Server) chatID(number int) string {
	u, which := number/chatsOfUser, number%chatsOfUser
	switch {
	case which < near:
		return "19:" + s.UserID(u) + "_" + s.UserID((u+which+1)%s.cfg.Users) + oneToOneTail
	case which == near:
		raw := s.keys.guidBytes(kindChat, uint64(number))
		return "19:" + hex.EncodeToString(raw[:]) + threadTail
	}
	return string(s.appendThread(nil, u, 3*(which-near-1)))
}

// chatNumber reads the id of a chat back.
func (s *Server) chatNumber(id string) (number int, ok bool) {
	rest := strings.TrimPrefix(id, "19:")
	if pair, ok := strings.CutSuffix(rest, oneToOneTail); ok {
		first, second, _ := strings.Cut(pair, "_")
		u, ok := s.keys.position(kindUser, first, s.cfg.Users)
		v, ok2 := s.keys.position(kindUser, second, s.cfg.Users)
		d := (v - u + s.cfg.Users) % s.cfg.Users
		number = u*chatsOfUser + d - 1
		return number, ok && ok2 && d >= 1 && d <= s.partners() && s.chatID(number) == id
	}
	var raw []byte
	thread, _ := strings.CutSuffix(rest, threadTail)
	if meeting, ok := strings.CutPrefix(thread, "meeting_"); ok {
		raw, _ = base64.RawURLEncoding.DecodeString(meeting) // a short result is refused below
		if len(raw) == 16 {
			at, _ := s.keys.number(kindMeeting, [16]byte(raw))
			number = int(at>>24)*chatsOfUser + near + 1 + int(at&(1<<24-1))/3
		}
	} else if raw, _ = hex.DecodeString(thread); len(raw) == 16 {
		at, _ := s.keys.number(kindChat, [16]byte(raw))
		number = int(at)
	}
	return number, len(raw) == 16 && number >= 0 && number < s.cfg.Users*chatsOfUser && s.chatID(number) == id
}

func (s *Server) chatMessages(number int) int {
	d := s.keys.dice(kindChatMessage, number, 0)
	return s.cfg.Messages/4 + 2 + d.below(9)
}

func (s *Server) chatMessageTime(number, m int) time.Time {
	d := s.keys.dice(kindChatMessage, number, m)
	return newest.Add(-time.Duration(m)*chatSpacing - time.Duration(d.below(900_000))*time.Millisecond)
}

func (s *Server) chatMessage(number, m int) record {
	d := s.keys.dice(kindChatMessage, number, m)
	members := s.chatMembers(number)
	return record{s: s, kind: kindChatMessage, a: number, n: m, at: s.chatMessageTime(number, m), who: members[d.below(len(members))]}
}

// ChatIDs returns the ids of the chats of user i.
func (s *Server) ChatIDs(i int) (ids []string) {
	for _, number := range s.chatNumbers(i) {
		ids = append(ids, s.chatID(number))
	}
	return ids
}

// ChatMessageCount returns how many messages a chat has, and 0 for an id that is no chat's.
func (s *Server) ChatMessageCount(id string) int {
	number, ok := s.chatNumber(id)
	if !ok {
		return 0
	}
	return s.chatMessages(number)
}

// chatTable has the structural properties of microsoft.graph.chat in v1.0. Source: the v1.0 CSDL and chat-list of the Graph reference.
var chatTable = lines("microsoft.graph.chat", `
id: "${id}"
topic: ${topic}
createdDateTime: "${at -9000000}"
lastUpdatedDateTime: "${at 0}"
chatType: "${type}"
webUrl: "https://teams.microsoft.com/l/chat/${escaped}/0?tenantId=${tenant}"
tenantId: "${tenant}"
onlineMeetingInfo: ${meeting}
viewpoint: {"isHidden":false,"lastMessageReadDateTime":"${at -60}"}
isHiddenForAllMembers: false
`, `
migrationMode: "completed"
originalCreatedDateTime: "${at -9000000}"
`, chatWords)

var chatWords = fillers{
	"id":      func(r *record, b []byte) []byte { return append(b, r.s.chatID(r.n)...) },
	"escaped": func(r *record, b []byte) []byte { return append(b, escapeThread(r.s.chatID(r.n))...) },
	"type": func(r *record, b []byte) []byte {
		switch which := r.n % chatsOfUser; {
		case which < near:
			return append(b, "oneOnOne"...)
		case which == near:
			return append(b, "group"...)
		}
		return append(b, "meeting"...)
	},
	"topic": func(r *record, b []byte) []byte {
		if r.n%chatsOfUser < near {
			return append(b, `null`...)
		}
		return topic.write(r, b)
	},
	"meeting": func(r *record, b []byte) []byte {
		if r.n%chatsOfUser <= near {
			return append(b, `null`...)
		}
		return meetingOfChat.write(r, b)
	},
}

var (
	topic         = compile(`"${text 3}"`, 270, nil)
	meetingOfChat = compile(`{"calendarEventId":"${event}","joinWebUrl":"${join}","organizer":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${0.id}","displayName":"${0.name}","userIdentityType":"aadUser","tenantId":"${tenant}"}}`, 271, fillers{
		"event": func(r *record, b []byte) []byte { return r.s.keys.appendEventID(b, r.who, r.meetingEvent()) },
		"join":  func(r *record, b []byte) []byte { return r.s.appendJoinURL(b, r.who, r.meetingEvent()) },
	})
)

// meetingEvent is the event of its founder that a meeting's chat is of.
func (r *record) meetingEvent() int { return 3 * (r.n%chatsOfUser - near - 1) }

func (s *Server) chat(number int) record {
	return record{s: s, kind: kindChat, n: number, at: s.chatMessageTime(number, 0), who: number / chatsOfUser}
}

func (s *Server) listChats(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	with, p := q.expands("members", "lastmessagepreview")
	if p != nil {
		return p
	}
	numbers := s.chatNumbers(user)
	l := &listing{target: t, context: keyIn("users", t.keys[0]) + "/chats" + contextFields(q), total: len(numbers)}
	l.person = func(k int) string { return s.UserID(user) + `{"SyncState":"` + s.chatID(numbers[k]) + `"}` }
	if p := newestFirst(&query{orderBy: strings.Replace(lowerTrim(q.orderBy), "lastmessagepreview/", "", 1)}); p != nil {
		return p
	}
	columns := map[string]column{
		"chattype": {quoted, func(k int) string { r := s.chat(numbers[k]); return string(chatWords["type"](&r, nil)) }},
		"topic":    {quoted, func(k int) string { r := s.chat(numbers[k]); return string(chatWords["topic"](&r, nil)) }},
	}
	if p := s.arrange(l, &query{filter: q.filter}, columns, ""); p != nil {
		return p
	}
	chosen, p := chatTable.choose(q.fields)
	if p != nil {
		return p
	}
	l.record = func(b []byte, k int) []byte {
		r := s.chat(numbers[k])
		b = chosen.append(append(b, '{'), &r)
		if _, ok := with["members"]; ok {
			b = s.appendMembers(a, append(b, `,"members@odata.context":`...), numbers[k])
		}
		if _, ok := with["lastmessagepreview"]; ok {
			m := s.chatMessage(numbers[k], 0)
			b = append(b, `,"lastMessagePreview@odata.context":`...)
			b = appendString(b, s.metadata(a.r)+keyIn("users", t.keys[0])+"/chats('"+escapeThread(s.chatID(numbers[k]))+"')/lastMessagePreview/$entity")
			b = append(previewTable.properties.append(append(b, `,"lastMessagePreview":{`...), &m), '}')
		}
		return append(b, '}')
	}
	return s.list(a, q, l)
}

// memberTable has the structural properties of microsoft.graph.aadUserConversationMember in v1.0. The id is base64 of tenant, thread and
// user (graph-facts: "conversationMember.id").
var memberTable = lines("microsoft.graph.aadUserConversationMember", `
id: "${id}"
roles: ["owner"]
displayName: "${0.name}"
visibleHistoryStartDateTime: "0001-01-01T00:00:00Z"
userId: "${0.id}"
email: "${0.mail}"
tenantId: "${tenant}"
`, "", fillers{"id": func(r *record, b []byte) []byte {
	return base64.StdEncoding.AppendEncode(b, fmt.Appendf(nil, "0##0##%s##%s##%s", r.s.cfg.TenantID, r.s.chatID(r.a), r.s.UserID(r.who)))
}})

// previewTable has the structural properties of microsoft.graph.chatMessageInfo in v1.0.
var previewTable = lines("microsoft.graph.chatMessageInfo", `
id: "${id}"
createdDateTime: "${at}"
isDeleted: false
messageType: "${messageType}"
eventDetail: ${event}
body: ${body}
from: ${from}
`, "", messageWords)

func (s *Server) appendMembers(a *answer, b []byte, number int) []byte {
	b = appendString(b, s.metadata(a.r)+"chats('"+escapeThread(s.chatID(number))+"')/members")
	b = append(b, `,"members":[`...)
	for k, user := range s.chatMembers(number) {
		if k > 0 {
			b = append(b, ',')
		}
		r := record{s: s, kind: kindChat, a: number, n: user, at: newest, who: user}
		// The type is before the other members, or after them.
		if k%2 == 0 {
			b = append(memberTable.properties.append(append(b, `{"@odata.type":"#microsoft.graph.aadUserConversationMember",`...), &r), '}')
		} else {
			b = append(memberTable.properties.append(append(b, '{'), &r), `,"@odata.type":"#microsoft.graph.aadUserConversationMember"}`...)
		}
	}
	return append(b, ']')
}

func (s *Server) listChatMessages(a *answer, t *target, q *query) *problem {
	number, ok := s.chatNumber(t.keys[0])
	if !ok {
		return teamsNotFound("thread", t.keys[0])
	}
	l := &listing{target: t, context: "chats('" + escapeThread(t.keys[0]) + "')/messages" + contextFields(q), total: s.chatMessages(number)}
	l.person = func(m int) string {
		return fmt.Sprintf("%s/%d", t.keys[0], s.chatMessageTime(number, m).UnixMilli())
	}
	if p := newestFirst(q); p != nil {
		return p
	}
	columns := messageColumns(func(m int) time.Time { return s.chatMessageTime(number, m) })
	if p := s.arrange(l, &query{filter: q.filter}, columns, ""); p != nil {
		return p
	}
	chosen, p := chatMessageTable.choose(q.fields)
	if p != nil {
		return p
	}
	l.record = func(b []byte, m int) []byte {
		r := s.chatMessage(number, m)
		return append(chosen.append(append(b, '{'), &r), '}')
	}
	return s.list(a, q, l)
}
