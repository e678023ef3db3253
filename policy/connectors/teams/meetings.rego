package graphveil.connectors.teams

import data.graphveil.directory
import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: online_meetings
# description: |
#   Finds a meeting of a user by the address to join it, which lists of chats give as
#   a token. Graph lists no meetings without such a condition.
endpoints["online_meetings"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/onlineMeetings",
	"params": {"user": directory.user_key},
	"query": {
		"$select": {},
		"$filter": {"reversible": {"joinWebUrl"}},
	},
	"permissions": {"OnlineMeetings.Read.All"},
	"probe": {"query": {"$filter": sprintf("joinWebUrl eq '%s'", [_no_meeting])}},
	"response": page(meeting),
}

# METADATA
# title: online_meeting
# description: |
#   Reads a meeting by its id. With `endpoints: all`; Psoxy refuses it.
endpoints["online_meeting"] := {
	"enabled": options.endpoints == "all",
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/onlineMeetings/{meeting}",
	"params": {"user": directory.user_key, "meeting": shape.opaque_id},
	"query": {"$select": {}},
	"permissions": {"OnlineMeetings.Read.All"},
	"response": t.single(meeting),
}

# METADATA
# title: attendance_reports
# description: Lists the attendance reports of a meeting, one for each time that it was held.
endpoints["attendance_reports"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/onlineMeetings/{meeting}/attendanceReports",
	"params": {"user": directory.user_key, "meeting": shape.opaque_id},
	"query": {"$select": {}},
	"permissions": {"OnlineMeetingArtifact.Read.All"},
	"response": page(listed_attendance_report),
}

# METADATA
# title: attendance_report
# description: Reads an attendance report, with `$expand=attendanceRecords` also who attended.
endpoints["attendance_report"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/onlineMeetings/{meeting}/attendanceReports/{report}",
	"params": {"user": directory.user_key, "meeting": shape.opaque_id, "report": id},
	"query": {
		"$select": {},
		"$expand": {"properties": {"attendanceRecords"}},
	},
	"permissions": {"OnlineMeetingArtifact.Read.All"},
	"response": t.single(attendance_report),
}

# An address of the form that Teams gives, of no meeting: Graph finds nothing, or says so.
_no_meeting := concat("", [
	"https://teams.microsoft.com/l/meetup-join/19%3ameeting_AAAAAAAAAAAAAAAAAAAAAA%40thread.v2/0",
	"?context=%7b%22Tid%22%3a%2200000000-0000-0000-0000-000000000000%22",
	"%2c%22Oid%22%3a%2200000000-0000-0000-0000-000000000000%22%7d",
])
