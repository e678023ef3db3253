package graph

import "net/http"

// Calls are those that an application made: one for each user.

// CallID returns the id of the call of user i.
func (s *Server) CallID(i int) string { return string(s.keys.guid(kindBotCall, uint64(i))) }

// callTable has the structural properties of microsoft.graph.call in v1.0. Source: the v1.0 CSDL and call-get of the Graph reference.
var callTable = lines("microsoft.graph.call", `
id: "${id}"
callbackUri: "https://bot.${domain}/callback/${canary}"
callChainId: "${guid}"
callOptions: {"hideBotAfterEscalation":false,"isContentSharingNotificationEnabled":false,"isDeltaRosterEnabled":false,"isInteractiveRosterEnabled":false}
callRoutes: [{"final":${identity 1},"original":${identity 4},"routingType":"forwarded"}]
chatInfo: {"threadId":"${thread}","messageId":"0","replyChainMessageId":"${millis}"}
direction: "incoming"
incomingContext: {"observedParticipantId":"${guid}","onBehalfOf":${identity 1},"sourceParticipantId":"${guid}","transferor":${identity 1}}
mediaConfig: {"@odata.type":"#microsoft.graph.appHostedMediaConfig","blob":"${base64 30}"}
mediaState: {"audio":"active"}
meetingInfo: {"@odata.type":"#microsoft.graph.organizerMeetingInfo","organizer":${identity 0},"allowConversationWithoutHost":true}
myParticipantId: "${guid}"
requestedModalities: ["audio"]
resultInfo: {"code":${number 90},"message":"${text 3}","subcode":${number 90}}
source: {"countryCode":"US","endpointType":"default","identity":${identity 0},"languageId":"en-us","participantId":"${0.id}","region":"amer"}
state: "established"
subject: "${text 3}"
targets: [{"hidden":false,"identity":${identity 1},"participantId":"${1.id}","removeFromDefaultAudioRoutingGroup":false,"replacesCallId":"${guid}"}]
tenantId: "${tenant}"
toneInfo: {"sequenceId":${number 90},"tone":"tone0"}
transcription: {"lastModifiedDateTime":"${at -7200}","state":"established"}
`, "", fillers{
	"id":     func(r *record, b []byte) []byte { return r.s.keys.appendGUID(b, kindBotCall, uint64(r.n)) },
	"thread": func(r *record, b []byte) []byte { return r.s.appendThread(b, r.who, 0) },
})

func (s *Server) getCall(a *answer, t *target, q *query) *problem {
	i, ok := s.keys.position(kindBotCall, t.keys[0], s.cfg.Users)
	if !ok {
		return &problem{status: http.StatusNotFound, code: "8501", message: "Call '" + t.keys[0] + "' not found."}
	}
	chosen, p := callTable.choose(q.fields)
	if p != nil {
		return p
	}
	r := record{s: s, kind: kindBotCall, n: i, at: newest, who: i}
	a.entity("communications/calls"+contextFields(q), func(b []byte) []byte { return chosen.append(b, &r) })
	return nil
}
