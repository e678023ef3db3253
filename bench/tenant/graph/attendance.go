package graph

import "net/http"

// A meeting has one report, or two when it met twice; 2 to 6 people were there.

// reportTable has the structural properties of microsoft.graph.meetingAttendanceReport in v1.0.
var reportTable = lines("microsoft.graph.meetingAttendanceReport", `
id: "${id}"
externalEventInformation: [{"applicationId":"${guid}","externalEventId":"${guid}"}]
meetingEndDateTime: "${at 3600}"
meetingStartDateTime: "${at 0}"
totalParticipantCount: ${attendees}
`, "", fillers{
	"id":        func(r *record, b []byte) []byte { return append(b, r.s.reportID(r.a, r.n)...) },
	"attendees": func(r *record, b []byte) []byte { return appendInt(b, r.attendees()) },
})

// attendanceTable has the structural properties of microsoft.graph.attendanceRecord in v1.0.
var attendanceTable = lines("microsoft.graph.attendanceRecord", `
id: "${0.id}"
attendanceIntervals: [{"joinDateTime":"${at 20}","leaveDateTime":"${at 3100}","durationInSeconds":3080}]
emailAddress: "${0.mail}"
externalRegistrationInformation: {"referrer":"https://${domain}/${canary}/${0.local}","registrationId":"${guid}"}
identity: {"@odata.type":"#microsoft.graph.communicationsUserIdentity","id":"${0.id}","displayName":"${0.name}","tenantId":"${tenant}"}
registrationId: "${guid}"
role: "Attendee"
totalAttendanceInSeconds: ${number 90}
`, "", nil)

func (r *record) attendees() int { return 2 + r.n%5 }

// reports is how many reports a meeting has; report k of meeting n is number 2n+k.
func reports(n int) int { return 1 + n/3%2 }

func (s *Server) reportID(user, number int) string {
	return string(s.keys.guid(kindReport, uint64(user)<<25|uint64(number)))
}

// ReportIDs returns the ids of the attendance reports of the meeting of event n of user i.
func (s *Server) ReportIDs(i, n int) (ids []string) {
	for k := range reports(n) {
		ids = append(ids, s.reportID(i, 2*n+k))
	}
	return ids
}

func (s *Server) report(user, number int) record {
	return record{s: s, kind: kindReport, a: user, n: number, at: s.event(user, number/2, "").at, who: user}
}

func (s *Server) listReports(a *answer, t *target, q *query) *problem {
	user, n, p := s.meetingOf(t)
	if p != nil {
		return p
	}
	chosen, p := reportTable.choose(q.fields)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: keyIn("users", t.keys[0]) + "/" + keyIn("onlineMeetings", t.keys[1]) + "/attendanceReports" + contextFields(q), total: reports(n)}
	l.person = func(int) string { return t.keys[1] }
	if p := s.arrange(l, q, nil, ""); p != nil {
		return p
	}
	l.record = func(b []byte, k int) []byte {
		r := s.report(user, 2*n+k)
		return append(chosen.append(append(b, '{'), &r), '}')
	}
	return s.list(a, q, l)
}

// getReport answers one report, with its records when they are expanded.
func (s *Server) getReport(a *answer, t *target, q *query) *problem {
	user, n, p := s.meetingOf(t)
	if p != nil {
		return p
	}
	with, p := q.expands("attendancerecords")
	if p != nil {
		return p
	}
	number := -1
	for k := range reports(n) {
		if s.reportID(user, 2*n+k) == t.keys[2] {
			number = 2*n + k
		}
	}
	if number < 0 {
		return &problem{status: http.StatusNotFound, code: "NotFound", message: "Report '" + t.keys[2] + "' not found."}
	}
	chosen, p := reportTable.choose(q.fields)
	if p != nil {
		return p
	}
	r := s.report(user, number)
	context := keyIn("users", t.keys[0]) + "/" + keyIn("onlineMeetings", t.keys[1]) + "/attendanceReports"
	a.entity(context+contextFields(q), func(b []byte) []byte {
		b = chosen.append(b, &r)
		if with == nil {
			return b
		}
		b = append(b, `,"attendanceRecords@odata.context":`...)
		b = appendString(b, s.metadata(a.r)+context+"('"+t.keys[2]+"')/attendanceRecords")
		b = append(b, `,"attendanceRecords":[`...)
		for k := range r.attendees() {
			if k > 0 {
				b = append(b, ',')
			}
			visitor := record{s: s, kind: kindReport, a: number<<8 | k, n: user, at: r.at, who: (user + k) % s.cfg.Users}
			b = append(attendanceTable.properties.append(append(b, '{'), &visitor), '}')
		}
		return append(b, ']')
	})
	return nil
}
