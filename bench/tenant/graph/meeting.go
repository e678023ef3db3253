package graph

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// onlineMeetingTable has the structural properties of microsoft.graph.onlineMeeting in v1.0 but the stream attendeeReport.
// Source: the v1.0 CSDL and onlinemeeting-get of the Graph reference.
var onlineMeetingTable = lines("microsoft.graph.onlineMeeting", `
id: "${id}"
allowAttendeeToEnableCamera: false
allowAttendeeToEnableMic: false
allowBreakoutRooms: false
allowCopyingAndSharingMeetingContent: false
allowedLobbyAdmitters: "organizerAndCoOrganizersAndPresenters"
allowedPresenters: "everyone"
allowLiveShare: "enabled"
allowMeetingChat: "enabled"
allowParticipantsToChangeName: false
allowPowerPointSharing: false
allowRecording: false
allowTeamworkReactions: false
allowTranscription: false
allowWhiteboard: false
audioConferencing: {"ConferenceId":"${number 900000000}${canary}","conferenceId":"${number 900000000}${canary}","dialinUrl":"https://dialin.teams.microsoft.com/${guid}?id=${number 900000000}&realm=${canary}","tollFreeNumber":"+1 800 555 0${number 100}${org}","tollFreeNumbers":["+1 800 555 0${number 100}${org}"],"tollNumber":"+1 206 555 0${number 100}${org}","tollNumbers":["+1 206 555 0${number 100}${org}"]}
chatInfo: {"threadId":"${thread}","messageId":"0","replyChainMessageId":null}
chatRestrictions: {"allowTextOnly":false}
cloudVideoInteropInfo: {"moreInfoWebUrl":"https://${domain}/vtc/${canary}/${0.local}","tenantKey":"${tenant}","videoTeleconferenceId":"${video}"}
expiryDateTime: "${at 5000000}"
isEndToEndEncryptionEnabled: false
isEntryExitAnnounced: false
joinInformation: {"contentType":"html","content":"data:text/html,%3cdiv%3e%3ca%20href%3d%22${join}%22%3e${0.name}%3c%2fa%3e%20${0.phone}%20${canary}%3c%2fdiv%3e"}
joinMeetingIdSettings: {"isPasscodeRequired":true,"joinMeetingId":"${meeting}","passcode":"${base64url 6}${canary}"}
joinWebUrl: "${join}"
lobbyBypassSettings: {"isDialInBypassEnabled":false,"scope":"organizer"}
meetingOptionsWebUrl: "https://${domain}/meetingoptionsweburl/${canary}/${0.local}"
meetingSpokenLanguageTag: "en-us"
meetingType: "adhoc"
recordAutomatically: false
sensitivityLabelAssignment: {"sensitivityLabelId":"${guid}"}
shareMeetingChatHistoryDefault: "none"
subject: "${subject}"
videoTeleconferenceId: "${video}"
watermarkProtection: {"isEnabledForContentSharing":false,"isEnabledForVideo":false}
broadcastSettings: {"allowedAudience":"roleIsAttendee","captions":{"isCaptionEnabled":false,"spokenLanguage":"en-us","translationLanguages":["de-de","fr-fr"]},"isAttendeeReportEnabled":false,"isQuestionAndAnswerEnabled":false,"isRecordingEnabled":false,"isVideoOnDemandEnabled":false}
creationDateTime: "${at -7200}"
endDateTime: "${at 1800}"
externalId: "${guid}"
isBroadcast: false
meetingTemplateId: "${guid}"
participants: {"organizer":{"identity":{"application":{"id":"${guid}","displayName":"${text 1}"},"device":{"id":"${guid}","displayName":"LAPTOP-${0.local}"},"user":{"id":"${0.id}","displayName":null,"tenantId":"${tenant}","identityProvider":"AAD"}},"role":"presenter","upn":"${0.upn}"},"attendees":[{"identity":${identity 1},"role":"attendee","upn":"${1.upn}"},{"identity":${identity 2},"role":"attendee","upn":"${2.upn}"},{"identity":${identity 3},"role":"attendee","upn":"${3.upn}"}]}
startDateTime: "${at 0}"
`, "", fillers{
	"id":      func(r *record, b []byte) []byte { return append(b, r.s.meetingID(r.a, r.n)...) },
	"join":    joinOfEvent,
	"thread":  func(r *record, b []byte) []byte { return r.s.appendThread(b, r.a, r.n) },
	"subject": eventSubject,
	"video":   videoNumber,
	"meeting": meetingNumber,
})

// The numbers that people type to join; filters find a meeting by them.
func videoNumber(r *record, b []byte) []byte {
	return appendInt(append(appendInt(b, 100000+r.a), '0'), 100000+r.n)
}

func meetingNumber(r *record, b []byte) []byte {
	return appendInt(appendInt(append(b, '3'), 100000+r.n), 100000+r.a)
}

// meetingID is base64 of the organizer's object id and the thread (graph-facts: "onlineMeeting.id").
func (s *Server) meetingID(user, n int) string {
	return base64.StdEncoding.EncodeToString([]byte("1*" + s.UserID(user) + "*0**" + string(s.appendThread(nil, user, n))))
}

// OnlineMeetingID returns the id of the meeting of event n of user i, which is one if n is divisible by three.
func (s *Server) OnlineMeetingID(i, n int) string { return s.meetingID(i, n) }

// JoinURL returns its join link.
func (s *Server) JoinURL(i, n int) string { return string(s.appendJoinURL(nil, i, n)) }

// organizer finds the user of a meeting by object id; principal names are not taken here (graph-facts: "UPN not accepted by doc").
func (s *Server) organizer(t *target) (int, *problem) {
	if i, ok := s.keys.position(kindUser, t.keys[0], s.cfg.Users); ok {
		return i, nil
	}
	return 0, &problem{status: http.StatusNotFound, code: "NotFound", message: "UserId '" + t.keys[0] + "' is not a valid object id."}
}

func (s *Server) meetingRecord(user, n int) record {
	r := s.event(user, n, "")
	r.kind = kindMeeting
	return r
}

// listMeetings answers a search by join link or number; there is no other list.
func (s *Server) listMeetings(a *answer, t *target, q *query) *problem {
	user, p := s.organizer(t)
	if p != nil {
		return p
	}
	if q.filter == "" {
		return badQuery("Filter expression expected - /onlineMeetings?$filter=JoinWebUrl eq '{joinUrl}'.")
	}
	at := func(k int) record { return s.meetingRecord(user, 3*k) }
	by := func(write filler) column {
		return column{quoted, func(k int) string { r := at(k); return string(write(&r, nil)) }}
	}
	chosen, p := onlineMeetingTable.choose(q.fields)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: keyIn("users", t.keys[0]) + "/onlineMeetings" + contextFields(q), total: (s.eventCount() + 2) / 3}
	l.person = func(int) string { return s.UserID(user) }
	if p := s.arrange(l, q, map[string]column{"joinweburl": by(joinOfEvent), "videoteleconferenceid": by(videoNumber),
		"joinmeetingidsettings/joinmeetingid": by(meetingNumber)}, ""); p != nil {
		return p
	}
	l.record = func(b []byte, k int) []byte {
		r := at(k)
		return append(chosen.append(append(b, '{'), &r), '}')
	}
	return s.list(a, q, l)
}

// meetingOf reads the keys of a user and of a meeting of that user.
func (s *Server) meetingOf(t *target) (user, n int, p *problem) {
	if user, p = s.organizer(t); p != nil {
		return 0, 0, p
	}
	raw, _ := base64.StdEncoding.DecodeString(t.keys[1]) // nonsense is refused below
	_, thread, _ := strings.Cut(string(raw), "19:meeting_")
	thread, _ = strings.CutSuffix(thread, threadTail)
	if number, err := base64.RawURLEncoding.DecodeString(thread); err == nil && len(number) == 16 {
		at, _ := s.keys.number(kindMeeting, [16]byte(number))
		n = int(at & (1<<24 - 1))
	}
	if n >= s.eventCount() || n%3 != 0 || s.meetingID(user, n) != t.keys[1] {
		return 0, 0, &problem{status: http.StatusNotFound, code: "NotFound", message: "Meeting '" + t.keys[1] + "' not found."}
	}
	return user, n, nil
}

func (s *Server) getMeeting(a *answer, t *target, q *query) *problem {
	user, n, p := s.meetingOf(t)
	if p != nil {
		return p
	}
	chosen, p := onlineMeetingTable.choose(q.fields)
	if p != nil {
		return p
	}
	r := s.meetingRecord(user, n)
	a.entity(keyIn("users", t.keys[0])+"/onlineMeetings"+contextFields(q), func(b []byte) []byte { return chosen.append(b, &r) })
	return nil
}
