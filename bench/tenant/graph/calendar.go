package graph

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// calendarTable has the structural properties of microsoft.graph.calendar in v1.0. Source: the v1.0 CSDL.
var calendarTable = lines("microsoft.graph.calendar", `
id: "${id}"
name: "${name}"
color: "auto"
hexColor: ""
isDefaultCalendar: ${default}
changeKey: "${base64 20}"
canShare: true
canViewPrivateItems: true
canEdit: true
allowedOnlineMeetingProviders: ["teamsForBusiness"]
defaultOnlineMeetingProvider: "teamsForBusiness"
isTallyingResponses: true
isRemovable: false
owner: {"name":"${0.name}","address":"${0.mail}"}
`, "", fillers{
	"id": func(r *record, b []byte) []byte { return r.s.keys.appendFolderID(b, r.a, r.n) },
	"name": func(r *record, b []byte) []byte {
		if r.n == defaultCalendar {
			return append(b, "Calendar"...)
		}
		return appendMark(append(b, "Doctors"...), r.s.cfg.Canary)
	},
	"default": func(r *record, b []byte) []byte { return appendBool(b, r.n == defaultCalendar) },
})

// CalendarID returns the id of the default calendar of user i, which has all events.
func (s *Server) CalendarID(i int) string {
	return string(s.keys.appendFolderID(nil, i, defaultCalendar))
}

func (s *Server) calendar(user, n int) *record {
	return &record{s: s, kind: kindEvent, a: user, n: n, at: newest, who: user}
}

func (s *Server) listCalendars(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: keyIn("users", t.keys[0]) + "/calendars" + contextFields(q), total: 2}
	if p := s.arrange(l, q, nil, ""); p != nil {
		return p
	}
	chosen, p := calendarTable.choose(q.fields)
	if p != nil {
		return p
	}
	l.record = func(b []byte, i int) []byte {
		return append(chosen.append(append(b, '{'), s.calendar(user, defaultCalendar+i)), '}')
	}
	return s.list(a, q, l)
}

func (s *Server) getCalendar(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	chosen, p := calendarTable.choose(q.fields)
	if p != nil {
		return p
	}
	a.entity(keyIn("users", t.keys[0])+"/calendar"+contextFields(q), func(b []byte) []byte { return chosen.append(b, s.calendar(user, defaultCalendar)) })
	return nil
}

// listEvents answers the events of the default calendar: single ones and masters of series.
func (s *Server) listEvents(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	return s.events(a, t, q, user, "/events", s.eventCount(), func(k int) int { return k })
}

// listCalendarEvents answers the events of one calendar; the second one has each fifth event.
func (s *Server) listCalendarEvents(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	context := "/" + keyIn("calendars", t.keys[1]) + "/events"
	switch t.keys[1] {
	case string(s.keys.appendFolderID(nil, user, defaultCalendar)):
		return s.events(a, t, q, user, context, s.eventCount(), func(k int) int { return k })
	case string(s.keys.appendFolderID(nil, user, secondCalendar)):
		return s.events(a, t, q, user, context, (s.eventCount()+4)/5, func(k int) int { return 5 * k })
	}
	return itemNotFound(t.keys[1])
}

// listView answers the single events and the occurrences of series, no masters, between two times.
func (s *Server) listView(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	path := "/calendarView"
	if strings.Contains(t.path, "calendar/") {
		path = "/calendar/calendarView"
	}
	return s.between(a, t, q, user, path, s.eventCount()*(occurrences+1), func(k int) int {
		n, occurrence := k/(occurrences+1), k%(occurrences+1)
		if isSeries(n) == (occurrence == 0) {
			return -1
		}
		return n | occurrence<<24
	})
}

// listInstances answers the occurrences of a series between two times.
func (s *Server) listInstances(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	n, p := s.eventOf(user, t.keys[1])
	if p != nil {
		return p
	}
	total := occurrences
	if !isSeries(n) {
		total = 0
	}
	return s.between(a, t, q, user, "/"+keyIn("events", t.keys[1])+"/instances", total, func(k int) int { return n | (k+1)<<24 })
}

// between lists those of the events that number gives (a negative one is none) which touch the period of the query.
func (s *Server) between(a *answer, t *target, q *query, user int, context string, total int, number func(int) int) *problem {
	start, ok := readTime(q.plain["startdatetime"])
	end, ok2 := readTime(q.plain["enddatetime"])
	if !ok || !ok2 {
		return &problem{status: http.StatusBadRequest, code: "ErrorInvalidParameter",
			message: fmt.Sprintf("This request requires a time window specified by the query string parameters StartDateTime and EndDateTime, not '%s' and '%s'.",
				q.plain["startdatetime"], q.plain["enddatetime"])}
	}
	in := func(k int) bool {
		n := number(k)
		if n < 0 {
			return false
		}
		e := s.event(user, n, "")
		return e.at.Before(end) && e.at.Add(time.Hour).After(start)
	}
	// Positions are found once, so that the listing itself has no gaps.
	var kept []int
	for k := range total {
		if in(k) {
			kept = append(kept, number(k))
		}
	}
	return s.events(a, t, q, user, context, len(kept), func(k int) int { return kept[k] })
}

// readTime reads a time as Graph's options have it: with a zone, or without one in UTC.
func readTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.9999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// events writes a page of a user's events, those that number gives.
func (s *Server) events(a *answer, t *target, q *query, user int, context string, total int, number func(int) int) *problem {
	l := &listing{target: t, context: keyIn("users", t.keys[0]) + context + contextFields(q), total: total}
	at := func(k int) record { return s.event(user, number(k), "") }
	columns := map[string]column{
		"start/datetime":       {quoted, func(k int) string { r := at(k); return r.at.Format("2006-01-02T15:04:05.0000000") }},
		"end/datetime":         {quoted, func(k int) string { r := at(k); return r.at.Add(time.Hour).Format("2006-01-02T15:04:05.0000000") }},
		"createddatetime":      {instant, func(k int) string { r := at(k); return r.at.Add(-48 * time.Hour).Format(time.RFC3339) }},
		"lastmodifieddatetime": {instant, func(k int) string { r := at(k); return r.at.Add(-24 * time.Hour).Format(time.RFC3339) }},
		"subject":              {quoted, func(k int) string { r := at(k); return string(eventSubject(&r, nil)) }},
	}
	if p := s.arrange(l, q, columns, fmt.Sprintf("%s/%d/%d", context, user, total), "start/datetime", "end/datetime", "createddatetime", "lastmodifieddatetime"); p != nil {
		return p
	}
	chosen, p := chooseEvent(q, t.roles)
	if p != nil {
		return p
	}
	from := s.version(a.r)
	l.record = func(b []byte, k int) []byte {
		e := s.event(user, number(k), from)
		return append(e.members(append(b, '{'), q, chosen), '}')
	}
	return s.list(a, q, l)
}

func (s *Server) eventOf(user int, id string) (int, *problem) {
	n, ok, wellFormed := s.keys.eventNumber(user, id, s.eventCount())
	switch {
	case ok:
		return n, nil
	case wellFormed:
		return 0, itemNotFound(id)
	}
	return 0, &problem{status: http.StatusBadRequest, code: "ErrorInvalidIdMalformed", message: fmt.Sprintf("Id '%s' is malformed.", id)}
}

func itemNotFound(id string) *problem {
	return &problem{status: http.StatusNotFound, code: "ErrorItemNotFound",
		message: fmt.Sprintf("The specified object '%s' was not found in the store., The process failed to get the correct properties.", id)}
}

func (s *Server) getEvent(a *answer, t *target, q *query) *problem {
	user, p := s.user(t)
	if p != nil {
		return p
	}
	n, p := s.eventOf(user, t.keys[1])
	if p != nil {
		return p
	}
	chosen, p := chooseEvent(q, t.roles)
	if p != nil {
		return p
	}
	e := s.event(user, n, s.version(a.r))
	a.entity(keyIn("users", t.keys[0])+"/events"+contextFields(q), func(b []byte) []byte { return e.members(b, q, chosen) })
	return nil
}

// chooseEvent applies $select, and leaves out the content that Calendars.ReadBasic.All does not open.
func chooseEvent(q *query, roles []string) (selection[record], *problem) {
	chosen, p := eventTable.choose(q.fields)
	if p != nil {
		return nil, p
	}
	if len(q.fields) > 0 && !chosen.has("id") {
		chosen = append(selection[record]{eventTable.properties[0]}, chosen...)
	}
	if !holds(roles, "Calendars.Read") {
		chosen = chosen.without(contentProperties)
	}
	return chosen, nil
}

var (
	etag        = compile(`"@odata.etag":"W/\"${base64 20}\"",`, 210, nil)
	calendarRef = compile(`,"calendar@odata.associationLink":"${from}/users('${0.id}')/calendars('${calendar}')/$ref","calendar@odata.navigationLink":"${from}/users('${0.id}')/calendars('${calendar}')"`, 211,
		eventWords)
	eventText = compile(`{"contentType":"text","content":"${text 20}\r\n${0.name}, ${0.phone}\r\nhttps://${domain}.zoom.us/j/9${number 900000000}?pwd=${canary}${base64url 12}\r\n"}`, 212, nil)
)

// members writes an event with its annotations; Outlook adds the calendar's links unless properties were selected.
func (r *record) members(b []byte, q *query, chosen selection[record]) []byte {
	b = etag.write(r, b)
	for i := range chosen {
		if i > 0 {
			b = append(b, ',')
		}
		if chosen[i].name == "body" && q.text {
			b = eventText.write(r, append(b, `"body":`...))
			continue
		}
		b = chosen[i:i+1].append(b, r)
	}
	if len(q.fields) == 0 {
		b = calendarRef.write(r, b)
	}
	return b
}
