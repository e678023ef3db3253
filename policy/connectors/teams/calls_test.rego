package graphveil.connectors.teams_test

import data.graphveil.connectors.teams
import data.graphveil.types as t

test_call if {
	teams.endpoints.call == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/communications/calls/{call}",
		"params": {"call": teams.id},
		"query": {"$select": {}},
		"permissions": {"Calls.Initiate.All"},
		"response": t.single(teams.call),
	}
}

test_call_records if {
	teams.endpoints.call_records == {
		"methods": {"GET"},
		"path": "/v1.0/communications/callRecords",
		"query": {
			"$select": {},
			"$filter": {"properties": t.clear_properties(teams.listed_call_record)},
		},
		"headers": teams.endpoints.call_record.headers,
		"permissions": {"CallRecords.Read.All"},
		"limit": teams.call_record_limit,
		"response": teams.page(teams.listed_call_record),
	}
}

test_call_record if {
	teams.endpoints.call_record == {
		"methods": {"GET"},
		"path": "/v1.0/communications/callRecords/{record}",
		"params": {"record": teams.guid},
		"query": {
			"$select": {},
			"$expand": {"properties": {"organizer_v2", "participants_v2", "sessions", "sessions/segments"}},
		},
		"headers": {"Prefer": {"values": {"include-unknown-enum-members", "omit-values=nulls"}}},
		"permissions": {"CallRecords.Read.All"},
		"limit": teams.call_record_limit,
		"response": t.single(teams.call_record),
	}
}

test_call_logs if {
	every name, item in {"direct_routing_calls": teams.direct_routing_call, "pstn_calls": teams.pstn_call} {
		functions := {"direct_routing_calls": "getDirectRoutingCalls", "pstn_calls": "getPstnCalls"}
		object.remove(teams.endpoints[name], {"params"}) == {
			"methods": {"GET"},
			"path": sprintf("/v1.0/communications/callRecords/%s(fromDateTime={from},toDateTime={to})", [functions[name]]),
			"query": {"$skip": {"max": 1000000}},
			"permissions": {"CallRecords.Read.All"},
			"limit": teams.call_record_limit,
			"probe": {"params": {"from": "{yesterday}", "to": "{today}"}},
			"response": teams.page(item),
		}
		object.keys(teams.endpoints[name].params) == {"from", "to"}
		teams.endpoints[name].params.from == teams.endpoints[name].params.to
	}
}

test_times_of_call_logs if {
	pattern := teams.endpoints.pstn_calls.params.from.pattern
	every text in ["2024-03-01", "2024-03-01T09:30Z", "2024-03-01T09:30:00Z", "2024-03-01T09:30:00.1234567Z"] {
		regex.match(pattern, text)
	}
	every text in ["", "2024-03-01T", "2024-03-01'", "now()", "2024-03-01T09:30:00Z)/x"] {
		not regex.match(pattern, text)
	}
}

test_sessions if {
	all := {"endpoints": "all"}
	teams.endpoints.call_record_sessions.enabled == false
	teams.call_record["sessions@odata.nextLink"] == {"$op": "drop"}
	teams.endpoints.call_record_sessions == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/communications/callRecords/{record}/sessions",
		"params": {"record": teams.guid},
		"query": {"$expand": {"properties": {"segments"}}},
		"headers": teams.endpoints.call_record.headers,
		"permissions": {"CallRecords.Read.All"},
		"limit": teams.call_record_limit,
		"response": teams.page(teams.session),
	} with data.graphveil.settings as all
	teams.call_record["sessions@odata.nextLink"] == {"$op": "link"} with data.graphveil.settings as all
}
