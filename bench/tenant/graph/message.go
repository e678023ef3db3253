package graph

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"
)

// mail is the message at a position of a user's mailbox.
type mail struct {
	owner    person
	position int
	folder   folder
	time     time.Time // received; sent a few seconds before
	seed     dice      // copy before use
	text     bool      // body as text
}

// spacing is the time between neighbours in a mailbox; a random part of it is added, so dates fall with the position.
const spacing = 11 * time.Minute

func (s *Server) mail(owner *person, position int, text bool) mail {
	m := mail{owner: *owner, position: position, folder: folderAt(position), seed: s.keys.dice(kindItem, owner.i, position), text: text}
	m.time = s.received(owner.i, position)
	return m
}

func (s *Server) received(user, position int) time.Time {
	d := s.keys.dice(kindMailbox, user, position)
	return newest.Add(-time.Duration(position)*spacing - time.Duration(d.below(int(spacing/time.Second)))*time.Second)
}

// messageTable has the structural properties of microsoft.graph.message in v1.0; internetMessageHeaders and uniqueBody only by
// $select. Source: the v1.0 CSDL and message-get of the Graph reference.
var messageTable = newTable("Microsoft.OutlookServices.Message",
	[]property[mail]{
		{"id", func(m *mail, b []byte) []byte {
			return append(m.owner.s.keys.appendMessageID(append(b, '"'), m.owner.i, m.position), '"')
		}},
		{"createdDateTime", func(m *mail, b []byte) []byte { return appendQuotedTime(b, m.time.Add(-9*time.Second)) }},
		{"lastModifiedDateTime", func(m *mail, b []byte) []byte { return appendQuotedTime(b, m.time.Add(70*time.Second)) }},
		{"changeKey", func(m *mail, b []byte) []byte { return append(m.appendChangeKey(append(b, '"')), '"') }},
		{"categories", (*mail).categories},
		{"receivedDateTime", func(m *mail, b []byte) []byte { return appendQuotedTime(b, m.time) }},
		{"sentDateTime", func(m *mail, b []byte) []byte { return appendQuotedTime(b, m.time.Add(-4*time.Second)) }},
		{"hasAttachments", func(m *mail, b []byte) []byte { return appendBool(b, m.hasAttachments()) }},
		{"internetMessageId", (*mail).internetMessageID},
		{"subject", func(m *mail, b []byte) []byte { return append(m.appendSubject(append(b, '"')), '"') }},
		{"bodyPreview", (*mail).bodyPreview},
		{"importance", func(m *mail, b []byte) []byte { return append(append(append(b, '"'), m.importance()...), '"') }},
		{"parentFolderId", func(m *mail, b []byte) []byte {
			return append(m.owner.s.keys.appendFolderID(append(b, '"'), m.owner.i, int(m.folder)), '"')
		}},
		{"conversationId", func(m *mail, b []byte) []byte { return append(m.appendConversation(append(b, `"AAQk`...), 72), '"') }},
		{"conversationIndex", func(m *mail, b []byte) []byte { return append(m.appendConversation(append(b, `"AQHa`...), 18), '"') }},
		{"isDeliveryReceiptRequested", raw[mail](`null`)},
		{"isReadReceiptRequested", raw[mail](`false`)},
		{"isRead", func(m *mail, b []byte) []byte { return appendBool(b, m.isRead()) }},
		{"isDraft", func(m *mail, b []byte) []byte { return appendBool(b, m.folder == drafts) }},
		{"webLink", (*mail).webLink},
		{"inferenceClassification", raw[mail](`"focused"`)},
		{"body", (*mail).body},
		{"sender", (*mail).from},
		{"from", (*mail).from},
		{"toRecipients", (*mail).to},
		{"ccRecipients", func(m *mail, b []byte) []byte { return m.some(b, 1, 3) }},
		{"bccRecipients", func(m *mail, b []byte) []byte { return m.some(b, 2, 2) }},
		{"replyTo", func(m *mail, b []byte) []byte { return m.some(b, 3, 1) }},
		{"flag", (*mail).flag},
	},
	[]property[mail]{
		{"internetMessageHeaders", (*mail).headers},
		{"uniqueBody", (*mail).body},
	})

// contentProperties are what Mail.ReadBasic.All does not open.
var contentProperties = []string{"body", "bodyPreview", "uniqueBody"}

func (m *mail) isRead() bool         { return m.folder == sentItems || m.position%3 != 0 }
func (m *mail) hasAttachments() bool { return m.position%9 == 5 }
func (m *mail) isInvitation() bool   { return m.position%29 == 9 }

func (m *mail) importance() string {
	switch m.position % 19 {
	case 4:
		return "high"
	case 11:
		return "low"
	}
	return "normal"
}

// members writes the members of a message: annotations always, then the chosen properties. Invitations are a derived type.
func (m *mail) members(b []byte, chosen selection[mail]) []byte {
	if m.isInvitation() {
		b = append(b, `"@odata.type":"#microsoft.graph.eventMessage",`...)
	}
	b = append(m.appendChangeKey(append(b, `"@odata.etag":"W/\"`...)), `\"",`...)
	b = chosen.append(b, m)
	if m.isInvitation() && len(chosen) == messageTable.standard {
		b = append(b, `,"meetingMessageType":"meetingRequest","type":"singleInstance","isOutOfDate":false,"isAllDay":false,"isDelegated":false,"location":{"displayName":"`...)
		d := m.dice(9)
		b = appendMark(appendSentence(b, &d, 2), m.owner.s.cfg.Canary)
		b = append(b, `"}`...)
	}
	return b
}

func (m *mail) dice(n int) dice { return dice{state: m.seed.state ^ uint64(n)*0x9fb21c651e98df25} }

func (m *mail) appendChangeKey(b []byte) []byte {
	d := m.dice(10)
	var key [20]byte
	copy(key[:], "\x09\x00\x00\x00\x16\x00\x00\x00")
	binary.BigEndian.PutUint64(key[8:], d.next())
	binary.BigEndian.PutUint32(key[16:], uint32(d.next()))
	return base64.StdEncoding.AppendEncode(b, key[:])
}

func (m *mail) appendConversation(b []byte, size int) []byte {
	d := m.owner.s.keys.dice(kindMailbox, m.owner.i, m.position/5)
	var id [72]byte
	for n := 0; n < len(id); n += 8 {
		binary.BigEndian.PutUint64(id[n:], d.next())
	}
	return base64.StdEncoding.AppendEncode(b, id[:size])
}

// columnsOfMessages are what $filter and $orderby may use on messages; at gives the mailbox position of a listed message.
func (s *Server) columnsOfMessages(owner *person, at func(int) int) map[string]column {
	is := func(test func(*mail) bool) column {
		return column{boolean, func(k int) string { m := s.mail(owner, at(k), false); return string(appendBool(nil, test(&m))) }}
	}
	received := column{instant, func(k int) string { return s.received(owner.i, at(k)).Format(time.RFC3339) }}
	return map[string]column{
		"receiveddatetime": received,
		"sentdatetime": {instant, func(k int) string {
			return s.received(owner.i, at(k)).Add(-4 * time.Second).Format(time.RFC3339)
		}},
		"isread":         is((*mail).isRead),
		"isdraft":        is(func(m *mail) bool { return m.folder == drafts }),
		"hasattachments": is((*mail).hasAttachments),
		"importance":     {quoted, func(k int) string { m := s.mail(owner, at(k), false); return m.importance() }},
		"subject":        {quoted, func(k int) string { m := s.mail(owner, at(k), false); return string(m.appendSubject(nil)) }},
		"from/emailaddress/address": {quoted, func(k int) string {
			m := s.mail(owner, at(k), false)
			sender := m.sender()
			return string(sender.appendMail(nil))
		}},
	}
}

// chooseMessage applies $select and leaves out the content that the token may not see.
func chooseMessage(q *query, roles []string) (selection[mail], *problem) {
	chosen, p := messageTable.choose(q.fields)
	if p != nil {
		return nil, p
	}
	if len(q.fields) > 0 && !chosen.has("id") {
		chosen = append(selection[mail]{messageTable.properties[0]}, chosen...)
	}
	if !holds(roles, "Mail.Read") {
		chosen = chosen.without(contentProperties)
	}
	return chosen, nil
}

func (s *Server) listMessages(a *answer, t *target, q *query) *problem {
	l, _, p := s.messages(t, q)
	if p != nil {
		return p
	}
	return s.list(a, q, l)
}

// listMessageChanges answers delta of a folder.
func (s *Server) listMessageChanges(a *answer, t *target, q *query) *problem {
	l, id, p := s.messages(t, q)
	if p != nil {
		return p
	}
	l.context = "Collection(message)" + contextFields(q)
	l.person = func(int) string { return t.keys[0] }
	l.removed = func(b []byte, k int) []byte {
		b = id(append(b, `{"@odata.type":"#microsoft.graph.message","id":"`...), k)
		return append(b, `","@removed":{"reason":"deleted"}}`...)
	}
	return s.delta(a, q, l)
}

// messages is the listing of a mailbox or of one folder, and how to write the id of message k.
func (s *Server) messages(t *target, q *query) (l *listing, id func(b []byte, k int) []byte, p *problem) {
	user, p := s.user(t)
	if p != nil {
		return nil, nil, p
	}
	l = &listing{target: t, context: keyIn("users", t.keys[0]) + "/messages", total: 4 * s.cfg.Messages}
	at := func(k int) int { return k }
	if len(t.keys) == 2 { // of one folder
		f, p := s.folder(user, t.keys[1])
		if p != nil {
			return nil, nil, p
		}
		l.context, l.total, at = keyIn("users", t.keys[0])+"/"+keyIn("mailFolders", t.keys[1])+"/messages", f.size(s.cfg.Messages), f.position
	}
	l.context += contextFields(q)
	owner := s.person(user)
	newestFirst, p := dateOrder(q)
	if p != nil {
		return nil, nil, p
	}
	if p := s.arrange(l, &query{filter: q.filter}, s.columnsOfMessages(&owner, at), ""); p != nil {
		return nil, nil, p
	}
	if !newestFirst {
		l.order = func(position int) int { return l.total - 1 - position }
	}
	chosen, p := chooseMessage(q, t.roles)
	if p != nil {
		return nil, nil, p
	}
	l.record = func(b []byte, k int) []byte {
		m := s.mail(&owner, at(k), q.text)
		return append(m.members(append(b, '{'), chosen), '}')
	}
	id = func(b []byte, k int) []byte { return s.keys.appendMessageID(b, user, at(k)) }
	return l, id, nil
}

// dateOrder reads the only orders of messages served, those by date.
func dateOrder(q *query) (newestFirst bool, p *problem) {
	switch lowerTrim(q.orderBy) {
	case "", "receiveddatetime desc", "sentdatetime desc":
		return true, nil
	case "receiveddatetime", "receiveddatetime asc", "sentdatetime", "sentdatetime asc":
		return false, nil
	}
	return false, badQuery("Invalid orderby clause: '%s'.", q.orderBy)
}

func (s *Server) getMessage(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	context, id := keyIn("users", t.keys[0]), t.keys[len(t.keys)-1]
	position, ok, wellFormed := s.keys.messagePosition(user, id, 4*s.cfg.Messages)
	if !wellFormed {
		return &problem{status: http.StatusBadRequest, code: "ErrorInvalidIdMalformed", message: fmt.Sprintf("Id '%s' is malformed.", id)}
	}
	if len(t.keys) == 3 { // of one folder
		f, p := s.folder(user, t.keys[1])
		if p != nil {
			return p
		}
		ok = ok && folderAt(position) == f
		context += "/" + keyIn("mailFolders", t.keys[1])
	}
	if !ok {
		return &problem{status: http.StatusNotFound, code: "ErrorItemNotFound",
			message: fmt.Sprintf("The specified object '%s' was not found in the store., The process failed to get the correct properties.", id)}
	}
	chosen, p := chooseMessage(q, t.roles)
	if p != nil {
		return p
	}
	owner := s.person(user)
	m := s.mail(&owner, position, q.text)
	a.entity(context+"/messages"+contextFields(q), func(b []byte) []byte { return m.members(b, chosen) })
	return nil
}
