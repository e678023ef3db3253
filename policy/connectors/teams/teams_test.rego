package graphveil.connectors.teams_test

import data.graphveil.connectors.teams
import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.types as t

_clear := {"ids": "clear"}

_headers := {"Prefer": {"values": {"include-unknown-enum-members"}}}

test_permissions if {
	teams.permissions == {
		"CallRecords.Read.All",
		"Calls.Initiate.All",
		"Channel.ReadBasic.All",
		"ChannelMessage.Read.All",
		"Chat.Read.All",
		"Chat.ReadBasic.All",
		"OnlineMeetingArtifact.Read.All",
		"OnlineMeetings.Read.All",
		"Team.ReadBasic.All",
		"User.Read.All",
	}
}

test_setup if teams.setup == {"teams_application_access_policy", "teams_protected_apis"}

test_calls_off if {
	teams.endpoints.call.enabled == true
	teams.endpoints.call.enabled == false with data.graphveil.settings as {"calls": "off"}
	not "Calls.Initiate.All" in teams.permissions with data.graphveil.settings as {"calls": "off"}
	count(teams.permissions) == 9 with data.graphveil.settings as {"calls": "off"}
}

test_teams if {
	teams.endpoints.teams == {
		"methods": {"GET"},
		"path": "/v1.0/teams",
		"query": {
			"$select": {},
			"$top": {"max": 999},
			"$filter": {"properties": t.clear_properties(teams.team)},
		},
		"permissions": {"Team.ReadBasic.All"},
		"limit": teams.limit,
		"response": teams.page(teams.team),
	}
}

test_channels if {
	teams.endpoints.channels == {
		"methods": {"GET"},
		"path": "/v1.0/teams/{team}/allChannels",
		"params": {"team": teams.guid},
		"query": {
			"$select": {},
			"$filter": {"properties": t.clear_properties(teams.channel)},
		},
		"headers": _headers,
		"permissions": {"Channel.ReadBasic.All"},
		"limit": teams.limit,
		"response": teams.page(teams.channel),
	}
}

test_chats if {
	conditions := {"properties": t.clear_properties(teams.chat)}
	teams.endpoints.chats == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/chats",
		"params": {"user": {"$op": "reversible"}},
		"query": {
			"$select": {},
			"$top": {"max": 50},
			"$filter": conditions,
			"$orderby": conditions,
			"$expand": {"properties": {"lastMessagePreview", "members"}},
		},
		"headers": _headers,
		"permissions": {"Chat.ReadBasic.All"},
		"limit": teams.limit,
		"response": teams.page(teams.chat),
	}
}

test_channel_messages if {
	teams.endpoints.channel_messages == {
		"methods": {"GET"},
		"path": "/v1.0/teams/{team}/channels/{channel}/messages",
		"params": {"team": teams.guid, "channel": teams.id},
		"query": {
			"$select": {},
			"$top": {"max": 50},
			"$expand": {"properties": {"replies"}},
		},
		"headers": _headers,
		"permissions": {"ChannelMessage.Read.All"},
		"limit": teams.message_limit,
		"response": teams.page(teams.channel_message),
	}
}

test_changed_messages_come_without_select if {
	teams.endpoints.channel_messages_delta == {
		"methods": {"GET"},
		"path": "/v1.0/teams/{team}/channels/{channel}/messages/delta()",
		"params": {"team": teams.guid, "channel": teams.id},
		"query": {
			"$top": {"max": 50},
			"$filter": {"properties": {"lastModifiedDateTime"}},
			"$expand": {"properties": {"replies"}},
		},
		"headers": _headers,
		"permissions": {"ChannelMessage.Read.All"},
		"limit": teams.message_limit,
		"response": teams.changes(teams.channel_message),
	}
}

test_chat_messages if {
	times := {"properties": {"createdDateTime", "lastModifiedDateTime"}}
	teams.endpoints.chat_messages == {
		"methods": {"GET"},
		"path": "/v1.0/chats/{chat}/messages",
		"params": {"chat": {"$op": "tokenize"}},
		"query": {
			"$select": {},
			"$top": {"max": 50},
			"$filter": times,
			"$orderby": times,
		},
		"headers": _headers,
		"permissions": {"Chat.Read.All"},
		"limit": teams.message_limit,
		"response": teams.page(teams.chat_message),
	}
}

test_users_are_those_of_the_directory if {
	every settings in [{}, _clear, {"encoding": "json"}] {
		teams.endpoints.users == directory.users with data.graphveil.settings as settings
		teams.endpoints.user == directory.user_by_id with data.graphveil.settings as settings
	}
}

test_everybody_is_addressed_as_option_ids_says if {
	teams.endpoints.chats.params.user == {"$op": "reversible"}
	teams.endpoints.chats.params.user.pattern with data.graphveil.settings as _clear
	teams.endpoints.chat_messages.params.chat == {"$op": "keep"} with data.graphveil.settings as _clear
}

test_ids_in_paths if {
	every text in ["19:4a95f7d8db4c4e7fae857bcebe0623e6@thread.tacv2", "57dab8b1-894c-409a-b240-bd8beae78896", "MSo1N2Y5="] {
		regex.match(teams.id.pattern, text)
	}
	every text in ["delta", "getAllMessages", "microsoft.graph.delta", "$count", "", "a/1", "getPstnCalls(fromDateTime=1)"] {
		not regex.match(teams.id.pattern, text)
	}
	regex.match(teams.guid.pattern, "57DAB8B1-894c-409a-b240-bd8beae78896")
	not regex.match(teams.guid.pattern, "57dab8b1-894c-409a-b240-bd8beae78896x")
	not regex.match(teams.guid.pattern, "getAllMessages")
}

test_no_page_counts if {
	every endpoint in object.remove(teams.endpoints, {"users", "user"}) {
		object.get(endpoint.response, "@odata.count", {"$op": "drop"}) == {"$op": "drop"}
		not endpoint.query["$count"]
		not endpoint.query["$search"]
	}
}

test_a_page_of_changes_has_a_link_to_the_next_ones if {
	page := teams.changes({"id": {"$op": "keep"}})
	page["@odata.deltaLink"] == {"$op": "link"}
	page["@odata.count"] == {"$op": "drop"}
	page.value == [{"id": {"$op": "keep"}, "@removed": {"reason": {"$op": "keep"}}}]
}

test_refusals if {
	teams.refusals == {"me": errors.me, "beta": errors.beta}
}
