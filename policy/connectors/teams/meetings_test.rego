package graphveil.connectors.teams_test

import data.graphveil.connectors.teams
import data.graphveil.types as t

_no_meeting := "joinWebUrl eq 'https://teams.microsoft.com/l/meetup-join/19%3ameeting_AAAAAAAAAAAAAAAAAAAAAA%40thread.v2/0?context=%7b%22Tid%22%3a%2200000000-0000-0000-0000-000000000000%22%2c%22Oid%22%3a%2200000000-0000-0000-0000-000000000000%22%7d'"

test_online_meetings if {
	teams.endpoints.online_meetings == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/onlineMeetings",
		"params": {"user": {"$op": "reversible"}},
		"query": {
			"$select": {},
			"$filter": {"reversible": {"joinWebUrl"}},
		},
		"permissions": {"OnlineMeetings.Read.All"},
		"probe": {"query": {"$filter": _no_meeting}},
		"response": teams.page(teams.meeting),
	}
}

test_attendance_reports if {
	teams.endpoints.attendance_reports == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/onlineMeetings/{meeting}/attendanceReports",
		"params": {"user": {"$op": "reversible"}, "meeting": {"$op": "tokenize"}},
		"query": {"$select": {}},
		"permissions": {"OnlineMeetingArtifact.Read.All"},
		"response": teams.page(teams.listed_attendance_report),
	}
}

test_attendance_report if {
	teams.endpoints.attendance_report == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/onlineMeetings/{meeting}/attendanceReports/{report}",
		"params": {"user": {"$op": "reversible"}, "meeting": {"$op": "tokenize"}, "report": teams.id},
		"query": {
			"$select": {},
			"$expand": {"properties": {"attendanceRecords"}},
		},
		"permissions": {"OnlineMeetingArtifact.Read.All"},
		"response": t.single(teams.attendance_report),
	}
}

test_meetings_are_addressed_as_option_ids_says if {
	every name in ["online_meetings", "attendance_reports", "attendance_report"] {
		teams.endpoints[name].params.user.pattern with data.graphveil.settings as _clear
	}
	every name in ["attendance_reports", "attendance_report"] {
		teams.endpoints[name].params.meeting == {"$op": "keep"} with data.graphveil.settings as _clear
	}
}

test_nothing_of_a_meeting_that_anybody_wrote_leaves if {
	every name in {"joinInformation", "joinMeetingIdSettings", "meetingOptionsWebUrl", "subject", "videoTeleconferenceId"} {
		teams.meeting[name] == _drop
	}
	every name in {"externalRegistrationInformation", "registrationId"} {
		teams.attendance_record[name] == _drop
	}
	teams.listed_attendance_report.attendanceRecords == _drop
}

test_persons_in_meetings if {
	every person in [teams.meeting.participants.organizer.identity.user, teams.attendance_record.identity] {
		person.id == _one_way
		person.displayName == _drop
		person.email == _drop
		person.userPrincipalName == _drop
	}
	teams.attendance_record.emailAddress == _one_way
}

test_ids_of_meetings if {
	teams.meeting.id == _token
	teams.meeting.chatInfo.threadId == _token
	teams.attendance_record.id == _drop
	every id in [teams.meeting.id, teams.meeting.chatInfo.threadId, teams.attendance_record.id] {
		id == _keep
	} with data.graphveil.settings as _clear
}

test_address_of_a_meeting_is_a_token_always if {
	every settings in [{}, _clear] {
		teams.meeting.joinWebUrl == _token with data.graphveil.settings as settings
	}
}

test_strict_drops_the_meeting_bridge if {
	every name in {"tollNumber", "tollFreeNumber"} {
		teams.meeting.audioConferencing[name] == _drop
	} with data.graphveil.settings as {"level": "strict"}
}

test_one_meeting if {
	teams.endpoints.online_meeting.enabled == false
	meeting := teams.endpoints.online_meeting with data.graphveil.settings as {"endpoints": "all"}
	meeting.enabled
	meeting.path == "/v1.0/users/{user}/onlineMeetings/{meeting}"
	meeting.params == teams.endpoints.attendance_reports.params
	meeting.response.id == teams.meeting.id
}
