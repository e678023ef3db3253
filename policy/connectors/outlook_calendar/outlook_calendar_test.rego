package graphveil.connectors.outlook_calendar_test

import data.graphveil.connectors.outlook_calendar as calendar
import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.outlook
import data.graphveil.shape
import data.graphveil.types as t

_own := {"calendar_events", "calendar_view", "default_calendar_view", "event", "event_instances", "events"}

test_permissions if {
	calendar.permissions == {
		"Calendars.ReadBasic.All",
		"MailboxSettings.Read",
		"User.Read.All",
		"GroupMember.Read.All",
	}
	calendar.permissions == {
		"Calendars.ReadBasic.All",
		"MailboxSettings.Read",
		"User.Read.All",
	} with data.graphveil.settings as {"groups": "off"}
}

test_setup if calendar.setup == {"exchange_rbac"}

_conditions := {"properties": t.clear_properties(calendar.event)}

_list_query := {
	"$select": {},
	"$top": {"max": 1000},
	"$skip": {"max": 1000000},
	"$count": {"values": {"true", "false"}},
	"$filter": _conditions,
	"$orderby": _conditions,
}

test_events if {
	calendar.endpoints.events == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/events",
		"params": {"user": {"$op": "reversible"}},
		"query": _list_query,
		"headers": outlook.headers,
		"permissions": {"Calendars.ReadBasic.All"},
		"response": t.page(calendar.event),
	}
}

test_event_endpoint if {
	calendar.endpoints.event == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/events/{event}",
		"params": {"user": {"$op": "reversible"}, "event": outlook.item_key},
		"query": {"$select": {}},
		"headers": outlook.headers,
		"permissions": {"Calendars.ReadBasic.All"},
		"response": t.single(calendar.event),
	}
}

test_calendar_events if {
	calendar.endpoints.calendar_events == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/calendars/{calendar}/events",
		"params": {"user": {"$op": "reversible"}, "calendar": outlook.item_key},
		"query": _list_query,
		"headers": outlook.headers,
		"permissions": {"Calendars.ReadBasic.All"},
		"response": t.page(calendar.event),
	}
}

test_both_paths_of_the_view_are_one_list if {
	view := calendar.endpoints.calendar_view
	view.path == "/v1.0/users/{user}/calendarView"
	object.remove(view.query, {"startDateTime", "endDateTime"}) == _list_query
	view.response == t.page(calendar.event)
	calendar.endpoints.default_calendar_view == t.override(
		view,
		{"path": "/v1.0/users/{user}/calendar/calendarView"},
	)
}

test_instances if {
	instances := calendar.endpoints.event_instances
	instances.path == "/v1.0/users/{user}/events/{event}/instances"
	instances.params.event == outlook.item_key
	object.keys(instances.query) == {"startDateTime", "endDateTime", "$select", "$top", "$skip"}
	instances.response == t.page(calendar.event)
}

test_periods if {
	query := calendar.endpoints.calendar_view.query
	query.startDateTime == query.endDateTime
	every time in ["2026-03-01", "2026-03-01T09:30", "2026-03-01T09:30:00Z", "2026-03-01T09:30:00.0000000", "2026-03-01T09:30:00+01:00"] {
		regex.match(query.startDateTime.pattern, time)
	}
	every text in ["", "now", "2026-03-01T09", "2026-03-01T09:30:00Z' or", "2026-03-01Z"] {
		not regex.match(query.startDateTime.pattern, text)
	}
}

test_shared_endpoints_are_those_of_the_library if {
	every settings in [{}, {"ids": "clear"}, {"encoding": "json"}, {"groups": "off"}] {
		object.remove(calendar.endpoints, _own) == {
			"mailbox_settings": outlook.mailbox_settings,
			"users": directory.users,
			"users_delta": directory.users_delta,
			"users_count": directory.users_count,
			"user": directory.user_by_id,
			"groups": directory.groups,
			"groups_delta": directory.groups_delta,
			"groups_count": directory.groups_count,
			"group": directory.group_by_id,
			"group_members": directory.group_members,
			"group_members_count": directory.group_members_count,
			"group_member_users": directory.group_member_users,
		} with data.graphveil.settings as settings
	}
}

test_users_are_addressed_as_option_ids_says if {
	every id in _own {
		calendar.endpoints[id].params.user == directory.user_key
		calendar.endpoints[id].params.user.pattern with data.graphveil.settings as {"ids": "clear"}
	}
}

test_event_is_the_same_whatever_ids_and_encoding if {
	every settings in [{"ids": "clear"}, {"encoding": "json"}, {"groups": "off"}] {
		changed := calendar.event with data.graphveil.settings as settings
		changed == calendar.event
	}
}

test_event_releases_nothing_that_anybody_wrote if {
	every name in {
		"attachments", "body", "bodyPreview", "calendar", "calendar@odata.associationLink",
		"calendar@odata.navigationLink", "categories", "exceptionOccurrences", "extensions", "instances",
		"multiValueExtendedProperties", "onlineMeetingUrl", "singleValueExtendedProperties", "transactionId", "webLink",
	} {
		calendar.event[name] == {"$op": "drop"}
	}
}

test_of_the_subject_only_phrases_stay if {
	calendar.event.subject == shape.phrases(calendar.subject_phrases)
	count(calendar.subject_phrases) == 53
	count({phrase | some phrase in calendar.subject_phrases}) == 53
	every word in ["Focus Time", "1:1", "sprint"] {
		word in calendar.subject_phrases
	}
}

test_places_keep_their_kind_only if {
	calendar.event.locations == [calendar.event.location]
	{name | calendar.event.location[name] == {"$op": "keep"}} == {"@odata.type", "locationType", "resolveAvailability", "uniqueIdType"}
}

test_of_the_bridge_only_its_numbers_stay if {
	{name | calendar.event.onlineMeeting[name] != {"$op": "drop"}} == {"tollFreeNumbers", "tollNumber"}
}

test_everybody_is_a_recipient if {
	calendar.event.organizer == t.recipient
	calendar.event.attendees == [t.recipient]
}

test_what_a_filter_may_name if {
	count({"start/dateTime", "isCancelled", "showAs", "attendees/status/response"} - _conditions.properties) == 0
	count({"subject", "body/content", "organizer/emailAddress/address", "location/displayName"} & _conditions.properties) == 0
}

test_strict_drops_the_organisation if {
	strict := calendar.event with data.graphveil.settings as {"level": "strict"}
	every operation in [strict.originalStartTimeZone, strict.originalEndTimeZone, strict.onlineMeeting.tollNumber, strict.onlineMeeting.tollFreeNumbers[0]] {
		operation == {"$op": "drop"}
	}
}

test_refusals if {
	calendar.refusals == {"me": errors.me, "beta": errors.beta}
}
