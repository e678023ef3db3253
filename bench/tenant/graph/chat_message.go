package graph

import (
	"strconv"
	"time"
)

// messageWords are those of messages in chats and channels; record.a is the chat's or channel's number, and record.n the message's
// from the newest, with the number of a reply from 1 on in the bits from the 24th.
var messageWords = fillers{
	"id": func(r *record, b []byte) []byte { return strconv.AppendInt(b, r.at.UnixMilli(), 10) },
	"replyTo": func(r *record, b []byte) []byte {
		if r.n>>24 == 0 {
			return append(b, `null`...)
		}
		root := r.s.postTime(r.a, r.n&(1<<24-1), 0)
		return append(strconv.AppendInt(append(b, '"'), root.UnixMilli(), 10), '"')
	},
	"at": func(r *record, b []byte) []byte { return r.at.AppendFormat(b, "2006-01-02T15:04:05.999Z") },
	"edited": func(r *record, b []byte) []byte {
		if !r.flip(1, 9) {
			return append(b, `null`...)
		}
		return appendQuotedTime(b, r.at.Add(90*time.Second))
	},
	"deleted": func(r *record, b []byte) []byte {
		if !isDeleted(r) {
			return append(b, `null`...)
		}
		return appendQuotedTime(b, r.at.Add(time.Hour))
	},
	"messageType": func(r *record, b []byte) []byte {
		if isSystem(r) {
			return append(b, "systemEventMessage"...)
		}
		return append(b, "message"...)
	},
	"chat": func(r *record, b []byte) []byte {
		if r.kind != kindChatMessage {
			return append(b, `null`...)
		}
		return append(threadOf(r, append(b, '"')), '"')
	},
	"channel": func(r *record, b []byte) []byte {
		if r.kind == kindChatMessage {
			return append(b, `null`...)
		}
		b = r.s.keys.appendGUID(append(b, `{"teamId":"`...), kindGroup, uint64(r.a>>8))
		return append(threadOf(r, append(b, `","channelId":"`...)), `"}`...)
	},
	"web": func(r *record, b []byte) []byte {
		if r.kind == kindChatMessage {
			return append(b, `null`...)
		}
		return postLink.write(r, b)
	},
	"from": func(r *record, b []byte) []byte {
		switch {
		case isSystem(r):
			return append(b, `null`...)
		case r.turn()%17 == 3:
			return fromBot.write(r, b)
		case r.turn()%17 == 4:
			return fromDevice.write(r, b)
		}
		return fromUser.write(r, b)
	},
	"body": func(r *record, b []byte) []byte {
		switch {
		case isSystem(r):
			return append(b, `{"contentType":"html","content":"<systemEventMessage/>"}`...)
		case isDeleted(r):
			return append(b, `{"contentType":"html","content":""}`...)
		case r.turn()%3 == 0:
			return plainBody.write(r, b)
		}
		return mentionBody.write(r, b)
	},
	"attachments": some(5, 2, `[{"id":"${guid}","contentType":"reference","contentUrl":"https://${domain}/sites/x/${0.local}/${text 1}.docx","content":null,"name":"${text 2}.docx","thumbnailUrl":null,"teamsAppId":null},{"id":"${guid}","contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":"{\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"body\":[{\"type\":\"TextBlock\",\"text\":\"${text 6}\"},{\"type\":\"TextBlock\",\"text\":\"${1.name} <${1.mail}>\"}]}","name":null,"thumbnailUrl":"https://${domain}/thumbnails/${canary}/${0.local}.png","teamsAppId":"${guid}"}]`),
	"mentions":    some(3, 1, `[{"id":0,"mentionText":"${1.name}","mentioned":{"application":null,"device":null,"conversation":null,"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${1.id}","displayName":"${1.name}","userIdentityType":"aadUser","tenantId":"${tenant}"}}},{"id":1,"mentionText":"${text 2}","mentioned":{"application":{"id":"${guid}","displayName":"${text 2}"},"device":{"id":"${guid}","displayName":"${text 1}"},"user":null,"conversation":{"id":"${thread}","displayName":"${text 2}","conversationIdentityType":"channel"}}}]`),
	"reactions":   some(4, 1, `[`+reaction+`]`),
	"history":     some(4, 1, `[{"modifiedDateTime":"${at 40}","actions":"reactionAdded","reaction":`+reaction+`}]`),
	"violation":   someOr(19, 4, `null`, `{"dlpAction":"notifySender","justificationText":"${text 5}","policyTip":{"complianceUrl":"https://${domain}/policy/${canary}/${0.local}","generalText":"${text 5}","matchedConditionDescriptions":["${text 3}"]},"userAction":"override","verdictDetails":"allowFalsePositiveOverride"}`),
	"subject":     someOr(4, 0, `null`, `"${text 4}"`),
	"summary":     someOr(12, 1, `null`, `"${text 6}"`),
	"event": func(r *record, b []byte) []byte {
		if !isSystem(r) {
			return append(b, `null`...)
		}
		return eventDetails[r.turn()/11%len(eventDetails)].write(r, b)
	},
}

const reaction = `{"reactionType":"like","displayName":"Like ${canary}","reactionContentUrl":"https://${domain}/emoji/${canary}/${2.local}","createdDateTime":"${at 40}","user":{"application":{"id":"${guid}","displayName":"${text 1}"},"device":{"id":"${guid}","displayName":"${text 1}"},"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${2.id}","displayName":null,"userIdentityType":"aadUser"}}}`

// turn is what decides about the form of a message; that of neighbours differs, in a chat and between chats.
func (r *record) turn() int { return r.n + r.a }

// Each eleventh message is an event, and of the others each thirteenth is deleted.
func isSystem(r *record) bool  { return r.turn()%11 == 7 }
func isDeleted(r *record) bool { return r.turn()%13 == 5 }

// some is a template for one record in so many, and an empty list for the others; events have none.
func some(in, which int, text string) filler { return someOr(in, which, `[]`, text) }

func someOr(in, which int, other, text string) filler {
	t := compile(text, 240+in, fillers{"thread": threadOf})
	return func(r *record, b []byte) []byte {
		if isSystem(r) || r.turn()%in != which {
			return append(b, other...)
		}
		return t.write(r, b)
	}
}

var (
	fromUser    = compile(`{"application":null,"device":null,"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${0.id}","displayName":"${0.name}","userIdentityType":"aadUser","tenantId":"${tenant}"}}`, 260, nil)
	fromBot     = compile(`{"device":null,"user":null,"application":{"@odata.type":"#microsoft.graph.teamworkApplicationIdentity","id":"${guid}","displayName":"${text 1}","applicationIdentityType":"bot"}}`, 261, nil)
	fromDevice  = compile(`{"application":null,"user":null,"device":{"id":"${guid}","displayName":"LAPTOP-${0.local}"}}`, 262, nil)
	plainBody   = compile(`{"contentType":"text","content":"${text 12}"}`, 263, nil)
	mentionBody = compile(`{"contentType":"html","content":"<div><at id=\"0\">${1.name}</at>&nbsp;${text 15}<img src=\"https://graph.microsoft.com/v1.0/chats/${thread}/messages/${millis}/hostedContents/${base64 30}/$value\"></div>"}`, 264, fillers{"thread": threadOf})
	postLink    = compile(`"https://teams.microsoft.com/l/message/${escaped}/${millis}?groupId=${team}&tenantId=${tenant}&createdTime=${millis}&parentMessageId=${millis}"`, 265, fillers{
		"escaped": func(r *record, b []byte) []byte { return append(b, escapeThread(string(threadOf(r, nil)))...) },
		"team":    func(r *record, b []byte) []byte { return r.s.keys.appendGUID(b, kindGroup, uint64(r.a>>8)) },
	})
)

// threadOf is the id of the chat or channel that a message is in.
func threadOf(r *record, b []byte) []byte {
	if r.kind == kindChatMessage {
		return append(b, r.s.chatID(r.a)...)
	}
	return append(b, r.s.channelID(r.a>>8, r.a&255)...)
}

// chatMessageTable has the structural properties of microsoft.graph.chatMessage in v1.0.
// Source: the v1.0 CSDL and channel-list-messages of the Graph reference.
var chatMessageTable = lines("microsoft.graph.chatMessage", `
id: "${id}"
replyToId: ${replyTo}
etag: "${id}"
messageType: "${messageType}"
createdDateTime: "${at}"
lastModifiedDateTime: "${at}"
lastEditedDateTime: ${edited}
deletedDateTime: ${deleted}
subject: ${subject}
summary: ${summary}
chatId: ${chat}
importance: "normal"
locale: "en-us"
webUrl: ${web}
channelIdentity: ${channel}
policyViolation: ${violation}
eventDetail: ${event}
from: ${from}
body: ${body}
attachments: ${attachments}
mentions: ${mentions}
reactions: ${reactions}
messageHistory: ${history}
`, "", messageWords)

// messageColumns are what $filter may use on messages; both times are the same here.
func messageColumns(at func(m int) time.Time) map[string]column {
	c := column{instant, func(m int) string { return at(m).Format(time.RFC3339) }}
	return map[string]column{"lastmodifieddatetime": c, "createddatetime": c}
}

// newestFirst checks the orders that Teams takes, which are the one that it has anyway.
func newestFirst(q *query) *problem {
	switch lowerTrim(q.orderBy) {
	case "", "createddatetime desc", "lastmodifieddatetime desc", "lastupdateddatetime desc":
		return nil
	}
	return badQuery("QueryOptions to order by '%s' is not supported.", q.orderBy)
}
