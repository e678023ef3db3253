package graph

import (
	"net/http"
	"time"
)

// The logs of calls by telephone have four rows for each user and some more, so that those of 250 users are more than a page; they
// are spread over the last 80 days.

// CallLogCount returns the number of rows in each of the two logs.
func (s *Server) CallLogCount() int { return 4*s.cfg.Users + 7 }

func (s *Server) logTime(n int) time.Time {
	return newest.Add(-time.Duration(n) * (80 * 24 * time.Hour) / time.Duration(s.CallLogCount()))
}

// pstnTable has the structural properties of microsoft.graph.callRecords.pstnCallLogRow in v1.0.
var pstnTable = lines("microsoft.graph.callRecords.pstnCallLogRow", `
callDurationSource: "microsoft"
calleeNumber: "${1.phone}"
callerNumber: "${0.phone}"
callId: "${guid}"
callType: "user_out"
charge: 0.${number 90}1
conferenceId: "${guid}"
connectionCharge: 0.${number 90}1
currency: "USD"
destinationContext: "Domestic ${org}"
destinationName: "Washington ${org}"
duration: ${number 90}
endDateTime: "${at 1800}"
id: "${guid}"
inventoryType: "Subscriber"
licenseCapability: "MCOPSTN_${org}"
operator: "Operator ${org}"
startDateTime: "${at 0}"
tenantCountryCode: "US"
usageCountryCode: "US"
userDisplayName: "${0.name}"
userId: "${0.id}"
userPrincipalName: "${0.upn}"
`, "", nil)

// directTable has the structural properties of microsoft.graph.callRecords.directRoutingLogRow in v1.0.
var directTable = lines("microsoft.graph.callRecords.directRoutingLogRow", `
calleeNumber: "${1.phone}"
callEndSubReason: ${number 90}
callerNumber: "${0.phone}"
callType: "ByotIn"
correlationId: "${guid}"
duration: ${number 90}
endDateTime: "${at 1800}"
failureDateTime: "${at 0}"
finalSipCode: ${number 90}
finalSipCodePhrase: "BYE${org}"
id: "${guid}"
inviteDateTime: "${at 0}"
mediaBypassEnabled: false
mediaPathLocation: "USWE${org}"
signalingLocation: "EUNO${org}"
startDateTime: "${at 0}"
successfulCall: true
trunkFullyQualifiedDomainName: "sbc${number 9}.${0.local}.${domain}"
userDisplayName: "${0.name}"
userId: "${0.id}"
userPrincipalName: "${0.upn}"
`, "", nil)

func (s *Server) listPSTN(a *answer, t *target, q *query) *problem {
	return s.callLog(a, t, q, "Collection(microsoft.graph.callRecords.pstnCallLogRow)", pstnTable, kindPSTN)
}

func (s *Server) listDirectRouting(a *answer, t *target, q *query) *problem {
	return s.callLog(a, t, q, "Collection(microsoft.graph.callRecords.directRoutingLogRow)", directTable, kindDirect)
}

// callLog answers the rows between the two times of the function's arguments.
func (s *Server) callLog(a *answer, t *target, q *query, context string, table *table[record], n kind) *problem {
	from, ok := readTime(t.arguments["fromdatetime"])
	to, ok2 := readTime(t.arguments["todatetime"])
	if !ok || !ok2 || to.Before(from) || to.Sub(from) > 90*24*time.Hour {
		return &problem{status: http.StatusBadRequest, code: "BadRequest",
			message: "Invalid time window from '" + t.arguments["fromdatetime"] + "' to '" + t.arguments["todatetime"] + "'; it may have 90 days."}
	}
	l := &listing{target: t, context: context, total: s.CallLogCount()}
	l.keep = func(i int) bool { at := s.logTime(i); return !at.Before(from) && at.Before(to) }
	l.record = func(b []byte, i int) []byte {
		r := record{s: s, kind: n, n: i, at: s.logTime(i), who: i % s.cfg.Users}
		return append(table.properties.append(append(b, '{'), &r), '}')
	}
	return s.list(a, q, l)
}
