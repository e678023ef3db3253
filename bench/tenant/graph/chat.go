package graph

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// chatSpacing is the time between neighbours in a chat.
const chatSpacing = 37 * time.Minute

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
