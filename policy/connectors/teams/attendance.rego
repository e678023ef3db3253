package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: attendance_report
# description: |
#   How many attended a meeting and when it was; with `$expand` also who was there
#   from when to when.
attendance_report := object.union(entity, {
	"id": shape.keep,
	"externalEventInformation": shape.drop,
	"meetingEndDateTime": shape.keep,
	"meetingStartDateTime": shape.keep,
	"totalParticipantCount": shape.keep,
	# Only with $expand.
	"attendanceRecords": [attendance_record],
	"attendanceRecords@odata.context": shape.drop,
	"attendanceRecords@odata.nextLink": shape.drop,
})

# METADATA
# title: listed_attendance_report
# description: An attendance report in a list, which cannot be expanded.
listed_attendance_report := t.override(attendance_report, {"attendanceRecords": shape.drop})

# METADATA
# title: attendance_record
# description: |
#   When somebody was in a meeting. The record's id is the person's.
attendance_record := object.union(entity, {
	"id": clear_id,
	"@odata.context": shape.drop,
	"attendanceIntervals": [{
		"durationInSeconds": shape.keep,
		"joinDateTime": shape.keep,
		"leaveDateTime": shape.keep,
	}],
	"emailAddress": shape.email,
	"externalRegistrationInformation": shape.drop,
	"identity": person(in_calls),
	"registrationId": shape.drop,
	"role": shape.keep,
	"totalAttendanceInSeconds": shape.keep,
})
