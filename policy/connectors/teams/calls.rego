package graphveil.connectors.teams

import data.graphveil.options
import data.graphveil.types as t

# METADATA
# title: call
# description: |
#   Reads a call that is going on and that the application itself takes part in.
#   Graph has no permission that only reads calls: option `calls`.
endpoints["call"] := {
	"enabled": _calls_enabled,
	"methods": {"GET"},
	"path": "/v1.0/communications/calls/{call}",
	"params": {"call": id},
	"query": {"$select": {}},
	"permissions": {"Calls.Initiate.All"},
	"response": t.single(call),
}

# METADATA
# title: call_records
# description: Lists the calls and meetings of the last 30 days.
endpoints["call_records"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords",
	"query": {
		"$select": {},
		"$filter": {"properties": t.clear_properties(listed_call_record)},
	},
	"headers": _call_record_headers,
	"permissions": {"CallRecords.Read.All"},
	"limit": call_record_limit,
	"response": page(listed_call_record),
}

# METADATA
# title: call_record
# description: Reads the record of one call or meeting, with `$expand` also who took part and how well it worked.
endpoints["call_record"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/{record}",
	"params": {"record": guid},
	"query": {
		"$select": {},
		"$expand": {"properties": {"organizer_v2", "participants_v2", "sessions", "sessions/segments"}},
	},
	"headers": _call_record_headers,
	"permissions": {"CallRecords.Read.All"},
	"limit": call_record_limit,
	"response": t.single(call_record),
}

# METADATA
# title: call_record_sessions
# description: |
#   Lists the sessions of a call record: where `sessions@odata.nextLink` of the
#   record leads. With `endpoints: all`; Psoxy refuses it.
endpoints["call_record_sessions"] := {
	"enabled": options.endpoints == "all",
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/{record}/sessions",
	"params": {"record": guid},
	"query": {"$expand": {"properties": {"segments"}}},
	"headers": _call_record_headers,
	"permissions": {"CallRecords.Read.All"},
	"limit": call_record_limit,
	"response": page(session),
}

# METADATA
# title: direct_routing_calls
# description: Lists calls over the organisation's own session border controllers, of at most 90 days.
endpoints["direct_routing_calls"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime={from},toDateTime={to})",
	"params": {"from": _time, "to": _time},
	"query": {"$skip": {"max": 1000000}},
	"permissions": {"CallRecords.Read.All"},
	"limit": call_record_limit,
	"probe": {"params": {"from": "{yesterday}", "to": "{today}"}},
	"response": page(direct_routing_call),
}

# METADATA
# title: pstn_calls
# description: Lists calls over Microsoft's calling plans, of at most 90 days.
endpoints["pstn_calls"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/getPstnCalls(fromDateTime={from},toDateTime={to})",
	"params": {"from": _time, "to": _time},
	"query": {"$skip": {"max": 1000000}},
	"permissions": {"CallRecords.Read.All"},
	"limit": call_record_limit,
	"probe": {"params": {"from": "{yesterday}", "to": "{today}"}},
	"response": page(pstn_call),
}

_calls_enabled := options.calls == "on"

# A day, or a moment of it, in UTC.
_time := {"pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,7})?)?Z)?$`}

_call_record_headers := {"Prefer": {"values": {"include-unknown-enum-members", "omit-values=nulls"}}}
