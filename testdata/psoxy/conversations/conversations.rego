# METADATA
# title: "conversations"
# description: |
#   Imported from the Psoxy rules conversations.yaml.
package graphveil.connectors.conversations

import data.graphveil.shape

# METADATA
# title: permissions
# description: |
#   Psoxy's rules do not say which application permissions their requests need: put them here.
permissions := {"unknown"}

# METADATA
# title: teams
# description: |
#   From line 4: pathTemplate /v1.0/teams
endpoints["teams"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams",
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": _redacted, "do": shape.drop},
	]),
}

# METADATA
# title: team_all_channels
# description: |
#   From line 17: pathTemplate /v1.0/teams/{teamId}/allChannels
endpoints["team_all_channels"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams/{teamId}/allChannels",
	"params": {"teamId": shape.keep},
	"query": {"$select": {}},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": _redacted, "do": shape.drop},
	]),
}

# METADATA
# title: user_chats
# description: |
#   From line 30: pathRegex ^/v1.0/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/chats(\?.*)?
endpoints["user_chats"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/chats",
	"params": {"user": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(_anything_2, [
		{"at": ["$..emailAddress"], "do": shape.pseudonym},
		{"at": ["$..id"], "do": shape.tokenize},
		{
			"at": [
				"$..topic",
				"$..['lastMessagePreview@odata.context']",
				"$..['@odata.context']",
				"$..['@odata.count']",
				"$..user.id",
				"$..userId",
			],
			"do": shape.drop,
		},
		{"at": _redacted_2, "do": shape.drop},
	]),
}

# METADATA
# title: team_channel_messages
# description: |
#   From line 55: pathTemplate /v1.0/teams/{teamId}/channels/{channelId}/messages
endpoints["team_channel_messages"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams/{teamId}/channels/{channelId}/messages",
	"params": {"teamId": shape.keep, "channelId": shape.keep},
	"query": {
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": _redacted_2, "do": shape.drop},
		{"at": _redacted_3, "do": shape.drop},
	]),
}

# METADATA
# title: team_channel_messages_delta
# description: |
#   From line 70: pathTemplate /v1.0/teams/{teamId}/channels/{channelId}/messages/delta
endpoints["team_channel_messages_delta"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams/{teamId}/channels/{channelId}/messages/delta()",
	"params": {"teamId": shape.keep, "channelId": shape.keep},
	"query": {
		"$deltatoken": {"values": {"latest"}},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": _redacted_2, "do": shape.drop},
		{"at": _redacted_3, "do": shape.drop},
	]),
}

# METADATA
# title: chat_messages
# description: |
#   From line 85: pathRegex ^/v1.0/chats/(/p~[a-zA-Z0-9_-]+?)?[^/]*/messages(\?.*)?
endpoints["chat_messages"] := {
	"methods": {"GET"},
	"path": "/v1.0/chats/{chat}/messages",
	"params": {"chat": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(_anything_2, [
		{"at": ["$..emailAddress"], "do": shape.pseudonym},
		{"at": ["$..displayName", "$..description"], "do": shape.drop},
		{"at": _redacted_2, "do": shape.drop},
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": ["$..chatId"], "do": shape.tokenize},
		{"at": ["$..['@odata.context']"], "do": shape.drop},
		{"at": ["$..['@odata.count']"], "do": shape.drop},
	]),
}

# METADATA
# title: communications_call
# description: |
#   From line 110: pathTemplate /v1.0/communications/calls/{callId}
endpoints["communications_call"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/calls/{callId}",
	"params": {"callId": shape.keep},
	"query": {
		"$select": {},
		"$top": {},
	},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": ["$..displayName", "$..['@odata.context']", "$..['@odata.count']", "$..['@odata.type']"], "do": shape.drop},
	]),
}

# METADATA
# title: communications_call_records
# description: |
#   From line 121: pathRegex ^/v1.0/communications/callRecords(/(?<callChainId>[({]?[a-fA-F0-9]{8}[-]?([a-fA-F0-9]{4}[-]?){3}[a-fA-F0-9]{12}[})]?))?(?<queryParameters>[a-zA-z0-9\s\$\=\?\(\)]*)
endpoints["communications_call_records"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords",
	"query": {"$select": {}},
	"response": _communications_call_records_response,
}

# METADATA
# title: communications_call_record
# description: |
#   From line 121: pathRegex ^/v1.0/communications/callRecords(/(?<callChainId>[({]?[a-fA-F0-9]{8}[-]?([a-fA-F0-9]{4}[-]?){3}[a-fA-F0-9]{12}[})]?))?(?<queryParameters>[a-zA-z0-9\s\$\=\?\(\)]*)
endpoints["communications_call_record"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/{callChainId}",
	"params": {"callChainId": {"pattern": `(?:[({]?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}[)}]?)`}},
	"query": {"$select": {}},
	"response": _communications_call_records_response,
}

# METADATA
# title: communications_call_records_get_direct_routing_calls
# description: |
#   From line 144: pathTemplate /v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime={startDate},toDateTime={endDate})
endpoints["communications_call_records_get_direct_routing_calls"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime={startDate},toDateTime={endDate})",
	"params": {"startDate": shape.keep, "endDate": shape.keep},
	"query": {"$skip": {}},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": _redacted_5, "do": shape.drop},
		{"at": _redacted_6, "do": shape.drop},
	]),
}

# METADATA
# title: communications_call_records_get_pstn_calls
# description: |
#   From line 157: pathTemplate /v1.0/communications/callRecords/getPstnCalls(fromDateTime={startDate},toDateTime={endDate})
endpoints["communications_call_records_get_pstn_calls"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/getPstnCalls(fromDateTime={startDate},toDateTime={endDate})",
	"params": {"startDate": shape.keep, "endDate": shape.keep},
	"query": {"$skip": {}},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": ["$..callId"], "do": shape.tokenize},
		{"at": _redacted_5, "do": shape.drop},
		{"at": _redacted_6, "do": shape.drop},
	]),
}

# METADATA
# title: user_online_meetings
# description: |
#   From line 172: pathRegex ^/v1.0/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/onlineMeetings(\?.*)?
endpoints["user_online_meetings"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/onlineMeetings",
	"params": {"user": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(_anything_2, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": ["$..emailAddress"], "do": shape.pseudonym},
		{"at": ["$..identity.id"], "do": shape.pseudonym},
		{"at": _redacted_7, "do": shape.drop},
		{"at": _redacted_4, "do": shape.drop},
	]),
}

# METADATA
# title: user_online_meeting_attendance_reports
# description: |
#   From line 193: pathRegex ^/v1.0/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/onlineMeetings/[a-zA-Z0-9_-]+/attendanceReports[/[a-zA-Z0-9_-]+](\?.*)?
endpoints["user_online_meeting_attendance_reports"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/onlineMeetings/{onlineMeeting}/attendanceReports",
	"params": {"user": shape.reversible, "onlineMeeting": {"pattern": `[\-0-9A-Z_a-z]+`}},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(_anything_2, [
		{"at": ["$..emailAddress"], "do": shape.pseudonym},
		{"at": ["$..identity.id"], "do": shape.pseudonym},
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": _redacted_7, "do": shape.drop},
		{"at": ["$..['@odata.context']"], "do": shape.drop},
		{"at": ["$..['@odata.type']"], "do": shape.drop},
	]),
}

_communications_call_records_response := shape.rules(_anything, [
	{"at": _pseudonymized, "do": shape.pseudonym},
	{
		"at": [
			"$..user.displayName",
			"$..reflexiveIPAddress",
			"$..relayIPAddress",
			"$..ipAddress",
			"$..subnet",
			"$..macAddress",
			"$..caller.name",
			"$..callee.name",
			"$..captureDeviceName",
			"$..renderDeviceName",
			"$..organizer_v2.id",
			"$..participants_v2[*].id",
			"$..phone",
			"$..['organizer_v2@odata.context']",
		],
		"do": shape.drop,
	},
	{"at": _redacted_4, "do": shape.drop},
])

_anything := shape.any_with({"@odata.deltaLink": shape.link, "@odata.nextLink": shape.link})

_anything_2 := shape.any_with({"@odata.deltaLink": shape.link, "@odata.nextLink": shape.link, "@odata.prevLink": shape.link, "sessions@odata.nextLink": shape.link})

_pseudonymized := ["$..user.id", "$..userId"]

_redacted := [
	"$..displayName",
	"$..description",
	"$..['@odata.context']",
	"$..['@odata.id']",
	"$..['@odata.type']",
	"$..['@odata.count']",
]

_redacted_2 := [
	"$..user.displayName",
	"$..body.content",
	"$..attachments",
	"$..mentions[*].mentionText",
	"$..eventDetail.teamDescription",
	"$..eventDetail.chatDisplayName",
]

_redacted_3 := ["$..['@odata.context']", "$..['@odata.count']"]

_redacted_4 := ["$..['@odata.context']", "$..['@odata.type']"]

_redacted_5 := [
	"$..value[*].userPrincipalName",
	"$..value[*].userDisplayName",
	"$..value[*].callerNumber",
	"$..value[*].calleeNumber",
]

_redacted_6 := ["$..['@odata.context']", "$..['@odata.type']", "$..['@odata.count']"]

_redacted_7 := [
	"$..displayName",
	"$..subject",
	"$..joinInformation",
	"$..joinMeetingIdSettings.isPasscodeRequired",
	"$..joinMeetingIdSettings.passcode",
	"$..upn",
]
