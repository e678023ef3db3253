package graph

import (
	"time"
)

// Each user asked Copilot Messages/6 times and a little more; each prompt is followed by an answer.

func (s *Server) interactions(user int) int {
	d := s.keys.dice(kindInteraction, user, 0)
	return 2 * (s.cfg.Messages/6 + 2 + d.below(5))
}

// InteractionCount returns the number of prompts and answers of user i.
func (s *Server) InteractionCount(i int) int { return s.interactions(i) }

func (s *Server) interaction(user, n int) record {
	d := s.keys.dice(kindInteraction, user, n)
	at := newest.Add(-time.Duration(n)*47*time.Minute - time.Duration(d.below(900_000))*time.Millisecond)
	return record{s: s, kind: kindInteraction, a: user, n: n, at: at, who: user}
}

// isAnswer tells what Copilot wrote; the newest interaction is an answer.
func isAnswer(r *record) bool { return r.n%2 == 0 }

// interactionTable has the structural properties of microsoft.graph.aiInteraction in v1.0.
// Source: the v1.0 CSDL and aiinteractionhistory-getallenterpriseinteractions of the Graph reference.
var interactionTable = lines("microsoft.graph.aiInteraction", `
id: "${millis}"
sessionId: "19:${session}@thread.v2"
requestId: "${guid}"
appClass: "${app}"
interactionType: "${type}"
conversationType: "bizchat"
etag: "${millis}"
createdDateTime: "${precise 0}Z"
locale: "en-us"
contexts: [{"contextReference":"https://${domain}/personal/${0.site}/Documents/${text 2}.docx","displayName":"${text 2}","contextType":"webpage"},{"contextReference":"https://teams.microsoft.com/l/meetup-join/19%3a${hex 16}%40thread.v2/0?context=%7b%22Tid%22%3a%22${tenant}%22%2c%22Oid%22%3a%22${0.id}%22%7d","displayName":"${text 2}","contextType":"TeamsMeeting"}]
from: ${from}
body: ${body}
attachments: ${attachments}
links: [{"linkUrl":"https://${domain}/personal/${0.site}/Documents/${text 2}.pptx","displayName":"${text 2}","linkType":"File"},{"linkUrl":"https://www.${domain}/news?${canary}","displayName":"${text 3}","linkType":"Web"}]
mentions: ${mentions}
`, "", fillers{
	"type": func(r *record, b []byte) []byte {
		if isAnswer(r) {
			return append(b, "aiResponse"...)
		}
		return append(b, "userPrompt"...)
	},
	"app": func(r *record, b []byte) []byte {
		d := r.s.keys.dice(kindInteraction, r.a, r.n/10)
		return append(b, pick(&d, []string{"IPM.SkypeTeams.Message.Copilot.BizChat", "IPM.SkypeTeams.Message.Copilot.Word", "IPM.SkypeTeams.Message.Copilot.Teams"})...)
	},
	"session": func(r *record, b []byte) []byte { // ten interactions are one
		session := record{s: r.s, kind: kindInteraction, a: r.a, n: r.n / 10, who: r.who}
		return sessionDigits.write(&session, b)
	},
	"from":        either(`{"device":null,"user":null,"application":{"@odata.type":"#microsoft.graph.teamworkApplicationIdentity","id":"fb8d773d-7ef8-4ec0-a117-179f88add510","displayName":"Copilot ${org}","applicationIdentityType":"bot"}}`, `{"application":null,"device":{"id":"${guid}","displayName":"LAPTOP-${0.local}"},"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${0.id}","displayName":"8:orgid:${0.id}","userIdentityType":"aadUser","tenantId":"${tenant}"}}`),
	"body":        either(`{"contentType":"html","content":"<attachment id=\"${guid}\"></attachment> ${text 8}"}`, `{"contentType":"text","content":"${text 14}"}`),
	"attachments": either(`[{"attachmentId":"${guid}","contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"name":null,"content":"{\"type\":\"AdaptiveCard\",\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\",\"version\":\"1.5\",\"body\":[{\"type\":\"TextBlock\",\"text\":\"${text 12}\",\"wrap\":true},{\"type\":\"TextBlock\",\"text\":\"${1.name}: ${text 6}\"}]}"},{"attachmentId":"${guid}","contentType":"reference","contentUrl":"https://${domain}/personal/${0.site}/Documents/${text 2}.docx","name":"${text 2}.docx","content":null}]`, `[]`),
	"mentions":    either(`[]`, `[{"mentionId":0,"mentionText":"${1.name}","mentioned":{"application":null,"device":null,"conversation":null,"tag":null,"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${1.id}","displayName":"${1.name}","userIdentityType":"aadUser","tenantId":"${tenant}"}}},{"mentionId":1,"mentionText":"${text 1}","mentioned":{"application":{"id":"${guid}","displayName":"${text 1}"},"device":{"id":"${guid}","displayName":"LAPTOP-${0.local}"},"user":null,"conversation":{"id":"19:${hex 16}@thread.v2","displayName":"${text 2}","conversationIdentityType":"chat"},"tag":{"id":"${guid}","displayName":"${text 1}"}}}]`),
})

var sessionDigits = compile(`${hex 16}`, 320, nil)

// either is one template for answers and another for prompts.
func either(answer, prompt string) filler {
	is, isNot := compile(answer, 321, nil), compile(prompt, 321, nil)
	return func(r *record, b []byte) []byte {
		if isAnswer(r) {
			return is.write(r, b)
		}
		return isNot.write(r, b)
	}
}

func (s *Server) listInteractions(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: "Collection(microsoft.graph.aiInteraction)" + contextFields(q), total: s.interactions(user)}
	l.person = func(n int) string { return s.UserID(user) }
	columns := map[string]column{
		"createddatetime": {instant, func(n int) string { r := s.interaction(user, n); return r.at.Format(time.RFC3339) }},
		"appclass": {quoted, func(n int) string {
			r := s.interaction(user, n)
			return string(interactionTable.properties[3].write(&r, nil))
		}},
	}
	if p := s.arrange(l, q, columns, ""); p != nil {
		return p
	}
	chosen, p := interactionTable.choose(q.fields)
	if p != nil {
		return p
	}
	l.record = func(b []byte, n int) []byte {
		r := s.interaction(user, n)
		return append(chosen.append(append(b, '{'), &r), '}')
	}
	return s.list(a, q, l)
}
