package graphveil.connectors.meetings_and_drives_test

import data.graphveil
import data.graphveil.connectors.meetings_and_drives

# A request as the decision sees it.
_request(method, endpoint, params, query) := {
	"request": {"method": method, "path": "/", "segments": [], "query": query, "headers": {}, "sealed": false},
	"endpoint": {"connector": "meetings_and_drives", "id": endpoint, "params": params},
	"odata": {"malformed": []},
	"caller": {},
}

test_user_events_is_served if {
	meetings_and_drives.endpoints.user_events.path == "/v1.0/users/{user}/events"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_events", {"user": "a1"}, {})
}

test_user_events_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_events", {"user": "a1"}, {})
	}
}

test_user_events_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_events", {"user": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_calendar_events_is_served if {
	meetings_and_drives.endpoints.user_calendar_events.path == "/v1.0/users/{user}/calendars/{calendar}/events"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_calendar_events", {"user": "a1", "calendar": "a1"}, {})
}

test_user_calendar_events_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_calendar_events", {"user": "a1", "calendar": "a1"}, {})
	}
}

test_user_calendar_events_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_calendar_events", {"user": "a1", "calendar": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_calendar_calendar_view_is_served if {
	meetings_and_drives.endpoints.user_calendar_calendar_view.path == "/v1.0/users/{user}/calendar/calendarView"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_calendar_calendar_view", {"user": "a1"}, {})
}

test_user_calendar_calendar_view_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_calendar_calendar_view", {"user": "a1"}, {})
	}
}

test_user_calendar_calendar_view_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_calendar_calendar_view", {"user": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_communications_call_records_is_served if {
	meetings_and_drives.endpoints.communications_call_records.path == "/v1.0/communications/callRecords"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "communications_call_records", {}, {})
}

test_communications_call_records_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "communications_call_records", {}, {})
	}
}

test_communications_call_records_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "communications_call_records", {}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_communications_call_record_is_served if {
	meetings_and_drives.endpoints.communications_call_record.path == "/v1.0/communications/callRecords/{callChainId}"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "communications_call_record", {"callChainId": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {})
}

test_communications_call_record_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "communications_call_record", {"callChainId": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {})
	}
}

test_communications_call_record_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "communications_call_record", {"callChainId": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_communications_call_records_get_pstn_calls_is_served if {
	meetings_and_drives.endpoints.communications_call_records_get_pstn_calls.path == "/v1.0/communications/callRecords/getPstnCalls(fromDateTime={startDate},toDateTime={endDate})"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "communications_call_records_get_pstn_calls", {"startDate": "1111-11-11", "endDate": "1111-11-11"}, {})
}

test_communications_call_records_get_pstn_calls_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "communications_call_records_get_pstn_calls", {"startDate": "1111-11-11", "endDate": "1111-11-11"}, {})
	}
}

test_communications_call_records_get_pstn_calls_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "communications_call_records_get_pstn_calls", {"startDate": "1111-11-11", "endDate": "1111-11-11"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_beta_copilot_user_interaction_history_get_all_enterprise_interactions_is_served if {
	meetings_and_drives.endpoints.beta_copilot_user_interaction_history_get_all_enterprise_interactions.path == "/beta/copilot/users/{user}/interactionHistory/getAllEnterpriseInteractions"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "beta_copilot_user_interaction_history_get_all_enterprise_interactions", {"user": "p~token"}, {})
}

test_beta_copilot_user_interaction_history_get_all_enterprise_interactions_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "beta_copilot_user_interaction_history_get_all_enterprise_interactions", {"user": "p~token"}, {})
	}
}

test_beta_copilot_user_interaction_history_get_all_enterprise_interactions_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "beta_copilot_user_interaction_history_get_all_enterprise_interactions", {"user": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_beta_copilot_user_interaction_history_get_all_enterprise_interactions_takes_tokens_only if {
	meetings_and_drives.endpoints.beta_copilot_user_interaction_history_get_all_enterprise_interactions.params.user["$op"] == "reversible"
}

test_drive_activities_is_served if {
	meetings_and_drives.endpoints.drive_activities.path == "/v1.0/drives/{driveId}/activities"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "drive_activities", {"driveId": "a1"}, {})
}

test_drive_activities_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "drive_activities", {"driveId": "a1"}, {})
	}
}

test_drive_activities_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "drive_activities", {"driveId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_drive_item_activities_is_served if {
	meetings_and_drives.endpoints.drive_item_activities.path == "/v1.0/drives/{driveId}/items/{itemId}/activities"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "drive_item_activities", {"driveId": "a1", "itemId": "a1"}, {})
}

test_drive_item_activities_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "drive_item_activities", {"driveId": "a1", "itemId": "a1"}, {})
	}
}

test_drive_item_activities_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "drive_item_activities", {"driveId": "a1", "itemId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_drive_root_delta_is_served if {
	meetings_and_drives.endpoints.drive_root_delta.path == "/v1.0/drives/{driveId}/root/delta()"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "drive_root_delta", {"driveId": "a1"}, {})
}

test_drive_root_delta_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "drive_root_delta", {"driveId": "a1"}, {})
	}
}

test_drive_root_delta_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "drive_root_delta", {"driveId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_group_drives_is_served if {
	meetings_and_drives.endpoints.group_drives.path == "/v1.0/groups/{groupId}/drives"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "group_drives", {"groupId": "a1"}, {})
}

test_group_drives_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "group_drives", {"groupId": "a1"}, {})
	}
}

test_group_drives_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "group_drives", {"groupId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_drives_is_served if {
	meetings_and_drives.endpoints.user_drives.path == "/v1.0/users/{userId}/drives"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_drives", {"userId": "p~token"}, {})
}

test_user_drives_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_drives", {"userId": "p~token"}, {})
	}
}

test_user_drives_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_drives", {"userId": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_drives_takes_tokens_only if {
	meetings_and_drives.endpoints.user_drives.params.userId["$op"] == "reversible"
}
