package graphveil.connectors.conversations_test

import data.graphveil
import data.graphveil.connectors.conversations

# A request as the decision sees it.
_request(method, endpoint, params, query) := {
	"request": {"method": method, "path": "/", "segments": [], "query": query, "headers": {}, "sealed": false},
	"endpoint": {"connector": "conversations", "id": endpoint, "params": params},
	"odata": {"malformed": []},
	"caller": {},
}

test_teams_is_served if {
	conversations.endpoints.teams.path == "/v1.0/teams"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "teams", {}, {})
}

test_teams_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "teams", {}, {})
	}
}

test_teams_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "teams", {}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_team_all_channels_is_served if {
	conversations.endpoints.team_all_channels.path == "/v1.0/teams/{teamId}/allChannels"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "team_all_channels", {"teamId": "a1"}, {})
}

test_team_all_channels_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "team_all_channels", {"teamId": "a1"}, {})
	}
}

test_team_all_channels_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "team_all_channels", {"teamId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_chats_is_served if {
	conversations.endpoints.user_chats.path == "/v1.0/users/{user}/chats"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_chats", {"user": "p~token"}, {})
}

test_user_chats_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_chats", {"user": "p~token"}, {})
	}
}

test_user_chats_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_chats", {"user": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_chats_takes_tokens_only if {
	conversations.endpoints.user_chats.params.user["$op"] == "reversible"
}

test_team_channel_messages_is_served if {
	conversations.endpoints.team_channel_messages.path == "/v1.0/teams/{teamId}/channels/{channelId}/messages"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "team_channel_messages", {"teamId": "a1", "channelId": "a1"}, {})
}

test_team_channel_messages_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "team_channel_messages", {"teamId": "a1", "channelId": "a1"}, {})
	}
}

test_team_channel_messages_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "team_channel_messages", {"teamId": "a1", "channelId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_team_channel_messages_delta_is_served if {
	conversations.endpoints.team_channel_messages_delta.path == "/v1.0/teams/{teamId}/channels/{channelId}/messages/delta()"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "team_channel_messages_delta", {"teamId": "a1", "channelId": "a1"}, {})
}

test_team_channel_messages_delta_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "team_channel_messages_delta", {"teamId": "a1", "channelId": "a1"}, {})
	}
}

test_team_channel_messages_delta_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "team_channel_messages_delta", {"teamId": "a1", "channelId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_chat_messages_is_served if {
	conversations.endpoints.chat_messages.path == "/v1.0/chats/{chat}/messages"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "chat_messages", {"chat": "p~token"}, {})
}

test_chat_messages_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "chat_messages", {"chat": "p~token"}, {})
	}
}

test_chat_messages_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "chat_messages", {"chat": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_chat_messages_takes_tokens_only if {
	conversations.endpoints.chat_messages.params.chat["$op"] == "reversible"
}

test_communications_call_is_served if {
	conversations.endpoints.communications_call.path == "/v1.0/communications/calls/{callId}"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "communications_call", {"callId": "a1"}, {})
}

test_communications_call_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "communications_call", {"callId": "a1"}, {})
	}
}

test_communications_call_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "communications_call", {"callId": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_communications_call_records_is_served if {
	conversations.endpoints.communications_call_records.path == "/v1.0/communications/callRecords"
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
	conversations.endpoints.communications_call_record.path == "/v1.0/communications/callRecords/{callChainId}"
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

test_communications_call_records_get_direct_routing_calls_is_served if {
	conversations.endpoints.communications_call_records_get_direct_routing_calls.path == "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime={startDate},toDateTime={endDate})"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "communications_call_records_get_direct_routing_calls", {"startDate": "a1", "endDate": "a1"}, {})
}

test_communications_call_records_get_direct_routing_calls_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "communications_call_records_get_direct_routing_calls", {"startDate": "a1", "endDate": "a1"}, {})
	}
}

test_communications_call_records_get_direct_routing_calls_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "communications_call_records_get_direct_routing_calls", {"startDate": "a1", "endDate": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_communications_call_records_get_pstn_calls_is_served if {
	conversations.endpoints.communications_call_records_get_pstn_calls.path == "/v1.0/communications/callRecords/getPstnCalls(fromDateTime={startDate},toDateTime={endDate})"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "communications_call_records_get_pstn_calls", {"startDate": "a1", "endDate": "a1"}, {})
}

test_communications_call_records_get_pstn_calls_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "communications_call_records_get_pstn_calls", {"startDate": "a1", "endDate": "a1"}, {})
	}
}

test_communications_call_records_get_pstn_calls_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "communications_call_records_get_pstn_calls", {"startDate": "a1", "endDate": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_online_meetings_is_served if {
	conversations.endpoints.user_online_meetings.path == "/v1.0/users/{user}/onlineMeetings"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_online_meetings", {"user": "p~token"}, {})
}

test_user_online_meetings_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_online_meetings", {"user": "p~token"}, {})
	}
}

test_user_online_meetings_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_online_meetings", {"user": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_online_meetings_takes_tokens_only if {
	conversations.endpoints.user_online_meetings.params.user["$op"] == "reversible"
}

test_user_online_meeting_attendance_reports_is_served if {
	conversations.endpoints.user_online_meeting_attendance_reports.path == "/v1.0/users/{user}/onlineMeetings/{onlineMeeting}/attendanceReports"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_online_meeting_attendance_reports", {"user": "p~token", "onlineMeeting": "a"}, {})
}

test_user_online_meeting_attendance_reports_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_online_meeting_attendance_reports", {"user": "p~token", "onlineMeeting": "a"}, {})
	}
}

test_user_online_meeting_attendance_reports_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_online_meeting_attendance_reports", {"user": "p~token", "onlineMeeting": "a"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_online_meeting_attendance_reports_takes_tokens_only if {
	conversations.endpoints.user_online_meeting_attendance_reports.params.user["$op"] == "reversible"
}
