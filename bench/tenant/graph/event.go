package graph

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A user's calendar is Messages/2 events, at least 24, newest first. Each third is a meeting in Teams, each seventh the master of a
// weekly series with six occurrences.
const (
	eventSpacing = 7 * time.Hour
	occurrences  = 6
	week         = 7 * 24 * time.Hour
)

func (s *Server) eventCount() int { return max(s.cfg.Messages/2, 24) }

// event is event n of a user's calendar. Occurrence k, from 1 on, of a series is number n + k·2²⁴.
func (s *Server) event(user, n int, from string) record {
	master, k := n&(1<<24-1), n>>24
	d := s.keys.dice(kindEvent, user, master)
	at := newest.Add(14*24*time.Hour - time.Duration(master)*eventSpacing - time.Duration(d.below(6))*time.Hour).Truncate(time.Hour)
	if k > 0 {
		at = at.Add(time.Duration(k-1) * week)
	}
	return record{s: s, kind: kindEvent, a: user, n: n, at: at, who: user, from: from}
}

func isSeries(n int) bool { return n < 1<<24 && n%7 == 3 }

func isOnline(r *record) bool { return r.n&(1<<24-1)%3 == 0 }

// appendEventID writes an id like those of messages, of another item.
func (k keys) appendEventID(b []byte, user, n int) []byte {
	return k.appendEntry(b, itemIDSize, user, k.scramble(kindItem, uint64(n)|1<<61))
}

func (k keys) eventNumber(user int, id string, limit int) (n int, ok, wellFormed bool) {
	raw, err := base64.URLEncoding.DecodeString(id)
	if err != nil || len(raw) != itemIDSize {
		return 0, false, false
	}
	y := k.unscramble(kindItem, binary.BigEndian.Uint64(raw[itemPlace:]))
	n = int(y &^ (1 << 61))
	master, occurrence := n&(1<<24-1), n>>24
	ok = y>>61 == 1 && master < limit && (occurrence == 0 || occurrence <= occurrences && isSeries(master)) &&
		bytes.Equal(k.appendEventID(nil, user, n), []byte(id))
	return n, ok, true
}

// EventID returns the id of event n, counted from the newest, of user i.
func (s *Server) EventID(i, n int) string { return string(s.keys.appendEventID(nil, i, n)) }

// EventCount returns how many events each user has, occurrences of series not counted.
func (s *Server) EventCount() int { return s.eventCount() }

// calendars of a user: the default one and a second, which has each fifth event. Ids are those of folders.
const (
	defaultCalendar = int(folderCount) + 1 + iota
	secondCalendar
)

var eventWords = fillers{
	"id":       func(r *record, b []byte) []byte { return r.s.keys.appendEventID(b, r.a, r.n) },
	"master":   func(r *record, b []byte) []byte { return r.s.keys.appendEventID(b, r.a, r.n&(1<<24-1)) },
	"calendar": func(r *record, b []byte) []byte { return r.s.keys.appendFolderID(b, r.a, defaultCalendar) },
	"subject":  eventSubject,
	"type": func(r *record, b []byte) []byte {
		switch {
		case isSeries(r.n):
			return append(b, "seriesMaster"...)
		case r.n == r.n&(1<<24-1):
			return append(b, "singleInstance"...)
		case r.n>>24 == 2:
			return append(b, "exception"...)
		}
		return append(b, "occurrence"...)
	},
	"seriesMasterId": func(r *record, b []byte) []byte {
		if r.n>>24 == 0 {
			return append(b, `null`...)
		}
		return append(r.s.keys.appendEventID(append(b, '"'), r.a, r.n&(1<<24-1)), '"')
	},
	"recurrence": func(r *record, b []byte) []byte {
		if !isSeries(r.n) {
			return append(b, `null`...)
		}
		return recurrence.write(r, b)
	},
	"cancelled": func(r *record, b []byte) []byte {
		if !isSeries(r.n) {
			return append(b, `[]`...)
		}
		return cancelled.write(r, b)
	},
	"online":        func(r *record, b []byte) []byte { return appendBool(b, isOnline(r)) },
	"onlineMeeting": onlyOnline(`{"joinUrl":"${join}","conferenceId":"${number 900000000}${canary}","quickDial":"+12065550100,,${number 900000000}#${canary}","tollFreeNumbers":["+1 800 555 0${number 100}${org}"],"tollNumber":"+1 206 555 0${number 100}${org}","phones":[{"type":"business","number":"${2.phone}","region":"${text 1}","language":"${text 1}"}]}`, `null`),
	"joinUrl":       onlyOnline(`"${join}"`, `null`),
	"provider":      onlyOnline(`"teamsForBusiness"`, `"unknown"`),
	"location":      func(r *record, b []byte) []byte { return places[r.n%len(places)].write(r, b) },
	"organizer": func(r *record, b []byte) []byte {
		p := r.organizer()
		return appendRecipient(b, &p, false)
	},
	"mine":      func(r *record, b []byte) []byte { p := r.organizer(); return appendBool(b, p.i == r.a) },
	"attendees": attendees,
	"response": func(r *record, b []byte) []byte {
		if p := r.organizer(); p.i == r.a {
			return append(b, `{"response":"organizer","time":"0001-01-01T00:00:00Z"}`...)
		}
		return accepted.write(r, b)
	},
}

var (
	recurrence = compile(`{"pattern":{"type":"weekly","interval":1,"month":0,"dayOfMonth":0,"daysOfWeek":["monday"],"firstDayOfWeek":"sunday","index":"first"},"range":{"type":"numbered","startDate":"${day 0}","endDate":"0001-01-01","recurrenceTimeZone":"W. Europe Standard Time","numberOfOccurrences":6}}`, 200, nil)
	cancelled  = compile(`["OID.${base64url 60}.${day 604800}"]`, 201, nil)
	accepted   = compile(`{"response":"accepted","time":"${at -90000}"}`, 202, nil)
)

// places have all that a location can: a room, a home, and a link of another conference service with its password.
var places = [...]template{
	compile(`{"displayName":"${text 2}","locationType":"default","uniqueId":"${text 2}","uniqueIdType":"private"}`, 203, nil),
	compile(`{"displayName":"Room ${number 40} ${canary}","locationUri":"room${number 40}${canary}@${domain}","locationEmailAddress":"room${number 40}${canary}@${domain}","locationType":"conferenceRoom","uniqueId":"room${number 40}${canary}@${domain}","uniqueIdType":"directory","address":{"street":"${number 90} ${text 2}","city":"Bergen${org}","state":"Vestland${org}","countryOrRegion":"Norway${org}","postalCode":"5003 ${canary}"},"coordinates":{"latitude":60.3913,"longitude":5.3221,"accuracy":12.5,"altitude":3.1,"altitudeAccuracy":9.5}}`, 204, nil),
	compile(`{"displayName":"https://${domain}.zoom.us/j/9${number 900000000}?pwd=${canary}${base64url 12}","locationType":"default","uniqueId":"https://${domain}.zoom.us/j/9${number 900000000}?pwd=${canary}${base64url 12}","uniqueIdType":"private"}`, 205, nil),
}

// onlyOnline is a template for meetings in Teams, and text for the rest.
func onlyOnline(is, isNot string) filler {
	t := compile(is, 206, fillers{"join": joinOfEvent})
	return func(r *record, b []byte) []byte {
		if !isOnline(r) {
			return append(b, isNot...)
		}
		return t.write(r, b)
	}
}

func joinOfEvent(r *record, b []byte) []byte { return r.s.appendJoinURL(b, r.a, r.n&(1<<24-1)) }

var subjects = []string{"Focus Time", "1:1", "Weekly team meeting", "Sprint review", "Lunch", "OOO"}

// eventSubject has one of the usual words in half of the events, and is private besides.
func eventSubject(r *record, b []byte) []byte {
	d := r.dice(1 << 22)
	if d.below(2) == 0 {
		b = append(append(b, pick(&d, subjects)...), ' ')
	}
	return appendMark(appendSentence(b, &d, 1+d.below(4)), r.s.cfg.Canary)
}

// organizer is the owner of two events in three.
func (r *record) organizer() person {
	if r.n&(1<<24-1)%3 == 1 {
		return r.user(9)
	}
	return r.user(0)
}

func attendees(r *record, b []byte) []byte {
	d := r.dice(1 << 23)
	count := 1 + d.below(5)
	b = append(b, '[')
	for k := range count {
		if k > 0 {
			b = append(b, ',')
		}
		p := r.s.person(d.below(r.s.cfg.Users))
		b = append(b, `{"type":"`...)
		b = append(b, pick(&d, []string{"required", "optional", "resource"})...)
		b = append(b, `","status":{"response":"`...)
		b = append(b, pick(&d, []string{"none", "accepted", "declined", "tentativelyAccepted"})...)
		b = appendQuotedTime(append(b, `","time":`...), r.at.Add(-30*time.Hour))
		b = append(b, `},`...)
		if k == 1 {
			b = appendZoned(append(b, `"proposedNewTime":{"start":`...), r.at.Add(time.Hour))
			b = appendZoned(append(b, `,"end":`...), r.at.Add(2*time.Hour))
			b = append(b, `},`...)
		}
		b = append(b, appendRecipient(nil, &p, d.below(8) == 0)[1:]...)
	}
	return append(b, ']')
}

// eventTable has the structural properties of microsoft.graph.event in v1.0; all are standard but one.
// Source: the v1.0 CSDL and user-list-events of the Graph reference.
var eventTable = lines("microsoft.graph.event", `
id: "${id}"
createdDateTime: "${precise -172800}Z"
lastModifiedDateTime: "${precise -86400}Z"
changeKey: "${base64 20}"
categories: ["Blue category","${text 2}"]
transactionId: "${guid}"
originalStartTimeZone: "W. Europe Standard Time"
originalEndTimeZone: "W. Europe Standard Time"
iCalUId: "040000008200E00074C5B7101A82E008${hex 40}"
reminderMinutesBeforeStart: 15
isReminderOn: ${yes 2}
hasAttachments: ${yes 9}
subject: "${subject}"
bodyPreview: "${text 9} Join: https://${domain}.zoom.us/j/9${number 900000000}?pwd=${canary}${base64url 12}"
importance: "normal"
sensitivity: "normal"
isAllDay: ${yes 12}
isCancelled: ${yes 20}
isOrganizer: ${mine}
responseRequested: true
seriesMasterId: ${seriesMasterId}
showAs: "busy"
type: "${type}"
webLink: "https://outlook.office365.com/owa/?itemid=${id}&exvsurl=1&path=/calendar/item&realm=${canary}"
onlineMeetingUrl: ${joinUrl}
isOnlineMeeting: ${online}
onlineMeetingProvider: ${provider}
allowNewTimeProposals: true
isDraft: false
hideAttendees: false
recurrence: ${recurrence}
responseStatus: ${response}
body: {"contentType":"html","content":"<html><body><p>${text 20}</p><p>${0.name}, ${0.phone}</p> https://${domain}.zoom.us/j/9${number 900000000}?pwd=${canary}${base64url 12} </body></html>"}
start: {"dateTime":"${precise 0}","timeZone":"UTC"}
end: {"dateTime":"${precise 3600}","timeZone":"UTC"}
location: ${location}
locations: [${location}]
attendees: ${attendees}
organizer: ${organizer}
onlineMeeting: ${onlineMeeting}
originalStart: "${at 0}"
`, `
cancelledOccurrences: ${cancelled}
`, eventWords)
