# METADATA
# title: "meetings_and_drives"
# description: |
#   Imported from the Psoxy rules meetings-and-drives.yaml.
package graphveil.connectors.meetings_and_drives

import data.graphveil.shape

# METADATA
# title: permissions
# description: |
#   Psoxy's rules do not say which application permissions their requests need: put them here.
permissions := {"unknown"}

# METADATA
# title: user_events
# description: |
#   From line 4: pathRegex ^/v1.0/users/[^/]*/(((calendars/[^/]*/)?events.*)|(calendar/calendarView(?)[^/]*))
endpoints["user_events"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/events",
	"params": {"user": shape.keep},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": _user_events_response,
}

# METADATA
# title: user_calendar_events
# description: |
#   From line 4: pathRegex ^/v1.0/users/[^/]*/(((calendars/[^/]*/)?events.*)|(calendar/calendarView(?)[^/]*))
endpoints["user_calendar_events"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/calendars/{calendar}/events",
	"params": {"user": shape.keep, "calendar": shape.keep},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": _user_events_response,
}

# METADATA
# title: user_calendar_calendar_view
# description: |
#   From line 4: pathRegex ^/v1.0/users/[^/]*/(((calendars/[^/]*/)?events.*)|(calendar/calendarView(?)[^/]*))
endpoints["user_calendar_calendar_view"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/calendar/calendarView",
	"params": {"user": shape.keep},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": _user_events_response,
}

# METADATA
# title: communications_call_records
# description: |
#   From line 96: pathRegex ^/v1.0/communications/callRecords(/(?<callChainId>[({]?[a-fA-F0-9]{8}[-]?([a-fA-F0-9]{4}[-]?){3}[a-fA-F0-9]{12}[})]?))?(?<queryParameters>[a-zA-z0-9\s\$\=\?\(\)]*)
endpoints["communications_call_records"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords",
	"query": {"$select": {}},
	"response": _communications_call_records_response,
}

# METADATA
# title: communications_call_record
# description: |
#   From line 96: pathRegex ^/v1.0/communications/callRecords(/(?<callChainId>[({]?[a-fA-F0-9]{8}[-]?([a-fA-F0-9]{4}[-]?){3}[a-fA-F0-9]{12}[})]?))?(?<queryParameters>[a-zA-z0-9\s\$\=\?\(\)]*)
endpoints["communications_call_record"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/{callChainId}",
	"params": {"callChainId": {"pattern": `(?:[({]?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}[)}]?)`}},
	"query": {"$select": {}},
	"response": _communications_call_records_response,
}

# METADATA
# title: communications_call_records_get_pstn_calls
# description: |
#   From line 119: pathTemplate /v1.0/communications/callRecords/getPstnCalls(fromDateTime={startDate},toDateTime={endDate})
endpoints["communications_call_records_get_pstn_calls"] := {
	"methods": {"GET"},
	"path": "/v1.0/communications/callRecords/getPstnCalls(fromDateTime={startDate},toDateTime={endDate})",
	"params": {"startDate": {"pattern": `[0-9]{4}-[0-9][0-9]-[0-9][0-9]`}, "endDate": {"pattern": `[0-9]{4}-[0-9][0-9]-[0-9][0-9]`}},
	"query": {"$skip": {}},
	"response": shape.rules(_anything, [
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": ["$..callId"], "do": shape.tokenize},
		{
			"at": [
				"$..value[*].userPrincipalName",
				"$..value[*].userDisplayName",
				"$..value[*].callerNumber",
				"$..value[*].calleeNumber",
			],
			"do": shape.drop,
		},
		{"at": ["$..['@odata.context']", "$..['@odata.type']", "$..['@odata.count']"], "do": shape.drop},
	]),
}

# METADATA
# title: beta_copilot_user_interaction_history_get_all_enterprise_interactions
# description: |
#   From line 133: pathRegex ^/beta/copilot/users/(/p~[a-zA-Z0-9_-]+?)?[^/]*/interactionHistory/getAllEnterpriseInteractions(\?.*)?
endpoints["beta_copilot_user_interaction_history_get_all_enterprise_interactions"] := {
	"methods": {"GET"},
	"path": "/beta/copilot/users/{user}/interactionHistory/getAllEnterpriseInteractions",
	"params": {"user": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(shape.any_with({"@odata.deltaLink": shape.link, "@odata.nextLink": shape.link, "@odata.prevLink": shape.link, "sessions@odata.nextLink": shape.link}), [
		{"at": ["$..attachments[*].content"], "do": shape.digest_json(shape.keep, shape.rules(shape.any, [{"at": ["$..text"], "do": shape.text_digest}]))},
		{"at": ["$..body.content"], "do": shape.digest(shape.keep)},
		{"at": ["$..emailAddress"], "do": shape.pseudonym},
		{"at": ["$..sessionId", "$..attachments[*].attachmentId"], "do": shape.tokenize},
		{
			"at": [
				"$..from..[?(@.applicationIdentityType != \"bot\")].id",
				"$..mentions[*][?(@.applicationIdentityType != \"bot\")].id",
			],
			"do": shape.pseudonym,
		},
		{"at": ["$..body.content", "$..attachments[*].content"], "do": shape.drop},
		{
			"at": [
				"$..displayName",
				"$..contentUrl",
				"$..attachments[*].name",
				"$..attachments[*].contentUrl",
				"$..mentions[*].mentionText",
				"$..contexts[*].contextReference",
				"$..links[?(@.linkType == 'File')].linkUrl",
				"$..['@odata.context']",
				"$..['@odata.count']",
				"$..['@odata.type']",
			],
			"do": shape.drop,
		},
	]),
}

# METADATA
# title: drive_activities
# description: |
#   From line 164: pathTemplate /v1.0/drives/{driveId}/activities
endpoints["drive_activities"] := {
	"methods": {"GET"},
	"path": "/v1.0/drives/{driveId}/activities",
	"params": {"driveId": shape.keep},
	"query": {"$skiptoken": {}},
	"response": shape.rules(
		shape.schema({
			"@microsoft.graph.hasMoreData": shape.typed("boolean"),
			"@odata.deltaLink": shape.link,
			"@odata.nextLink": shape.link,
			"value": [_item_activity],
		}),
		[
			{"at": _pseudonymized_2, "do": shape.pseudonym},
		],
	),
}

# METADATA
# title: drive_item_activities
# description: |
#   From line 176: pathTemplate /v1.0/drives/{driveId}/items/{itemId}/activities
endpoints["drive_item_activities"] := {
	"methods": {"GET"},
	"path": "/v1.0/drives/{driveId}/items/{itemId}/activities",
	"params": {"driveId": shape.keep, "itemId": shape.keep},
	"query": {"$skiptoken": {}},
	"response": shape.rules(
		shape.schema({
			"@microsoft.graph.hasMoreData": shape.typed("boolean"),
			"@odata.deltaLink": shape.link,
			"@odata.nextLink": shape.link,
			"value": [_item_activity],
		}),
		[
			{"at": _pseudonymized_2, "do": shape.pseudonym},
		],
	),
}

# METADATA
# title: drive_root_delta
# description: |
#   From line 188: pathTemplate /v1.0/drives/{driveId}/root/delta
endpoints["drive_root_delta"] := {
	"methods": {"GET"},
	"path": "/v1.0/drives/{driveId}/root/delta()",
	"params": {"driveId": shape.keep},
	"query": {
		"$top": {},
		"token": {},
	},
	"response": shape.rules(
		shape.schema({
			"@microsoft.graph.hasMoreData": shape.typed("boolean"),
			"@odata.deltaLink": shape.link,
			"@odata.nextLink": shape.link,
			"value": [_drive_item],
		}),
		[
			{"at": _pseudonymized_2, "do": shape.pseudonym},
		],
	),
}

# METADATA
# title: group_drives
# description: |
#   From line 200: pathTemplate /v1.0/groups/{groupId}/drives
endpoints["group_drives"] := {
	"methods": {"GET"},
	"path": "/v1.0/groups/{groupId}/drives",
	"params": {"groupId": shape.keep},
	"query": {
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(
		shape.schema({
			"@microsoft.graph.hasMoreData": shape.typed("boolean"),
			"@odata.deltaLink": shape.link,
			"@odata.nextLink": shape.link,
			"value": [_drive],
		}),
		[
			{"at": _pseudonymized_2, "do": shape.pseudonym},
		],
	),
}

# METADATA
# title: user_drives
# description: |
#   From line 212: pathTemplate /v1.0/users/{userId}/drives
endpoints["user_drives"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{userId}/drives",
	"params": {"userId": shape.reversible},
	"query": {
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"response": shape.rules(
		shape.schema({
			"@microsoft.graph.hasMoreData": shape.typed("boolean"),
			"@odata.deltaLink": shape.link,
			"@odata.nextLink": shape.link,
			"value": [_drive],
		}),
		[
			{"at": _pseudonymized_2, "do": shape.pseudonym},
		],
	),
}

_user_events_response := shape.rules(_anything, [
	{
		"at": ["$..subject"],
		"do": shape.phrases([
			"Focus Time",
			"Focus",
			"No Meetings",
			"No Meeting",
			"no mtg",
			"Prep",
			"OOO",
			"Out of Office",
			"Out of the Office",
			"call",
			"brainstorm",
			"brainstorming",
			"brain storm",
			"check in",
			"check-in",
			"checkin",
			"coffee",
			"food",
			"happy hour",
			"lunch",
			"office hours",
			"onsite",
			"on-site",
			"social",
			"stand up",
			"stand-up",
			"standup",
			"team building",
			"teambuilding",
			"daily",
			"bi-weekly",
			"biweekly",
			"weekly",
			"monthly",
			"quarterly",
			"1:1",
			"1-on-1",
			"one-on-one",
			"all-hands",
			"all hands",
			"allhands",
			"team meeting",
			"decision making",
			"decision",
			"hand off",
			"hand-off",
			"handoff",
			"handover",
			"information sharing",
			"problem solving",
			"retro",
			"review",
			"sprint",
		]),
	},
	{
		"at": [
			"$..reminderMinutesBeforeStart",
			"$..isReminderOn",
			"$..allowNewTimeProposals",
			"$..transactionId",
			"$..emailAddress.name",
			"$..extensions",
			"$..multiValueExtendedProperties",
			"$..singleValueExtendedProperties",
			"$..location.coordinates",
			"$..locations[*].coordinates",
			"$..location.address",
			"$..locations[*].address",
		],
		"do": shape.drop,
	},
	{"at": ["$..emailAddress.address"], "do": shape.pseudonym},
	# In Java: (?i)pwd=[^&]*
	{
		"at": [
			"$..location.uniqueId",
			"$..locations[*].uniqueId",
			"$..location.displayName",
			"$..locations[*].displayName",
			"$..location.locationUri",
			"$..locations[*].locationUri",
			"$..onlineMeeting.joinUrl",
			"$..onlineMeetingUrl",
			"$..body.content",
			"$..bodyPreview",
		],
		"do": shape.without([`[Pp][Ww][Dd]=[^&]*`]),
	},
	# In Java: \s+
	# In Java: https://[^.]+\.zoom\.us/.*
	{"at": ["$..body.content", "$..bodyPreview"], "do": shape.tokens(`[\t-\r ]+`, [`https://[^.]+\.zoom\.us/[^\n\r\x{85}\x{2028}\x{2029}]*`])},
])

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
	{"at": ["$..['@odata.context']", "$..['@odata.type']"], "do": shape.drop},
])

_anything := shape.any_with({"@odata.deltaLink": shape.link, "@odata.nextLink": shape.link})

_pseudonymized := ["$..user.id", "$..userId"]

_pseudonymized_2 := ["$..user.id", "$..user.email"]

# The definition Identity.
_identity := {
	"email": shape.typed("string"),
	"id": shape.typed("string"),
	"tenantId": shape.typed("string"),
}

# The definition IdentitySet.
_identity_set := {
	"application": _identity,
	"applicationInstance": _identity,
	"conversation": _identity,
	"conversationIdentityType": _identity,
	"device": _identity,
	"encrypted": _identity,
	"guest": _identity,
	"onPremises": _identity,
	"phone": _identity,
	"user": _identity,
}

# The definition ItemActionSet.
_item_action_set := {
	"access": {},
	"create": {},
	"delete": {},
	"edit": {},
	"move": {},
	"restore": {},
	"comment": {
		"isReply": shape.typed("boolean"),
		"parentAuthor": _identity_set,
		"participants": [_identity_set],
	},
	"mention": {"mentionees": [_identity_set]},
	"rename": {"oldName": shape.typed("string")},
	"share": {"recipients": [_identity_set]},
	"version": {"newVersion": shape.typed("string")},
}

# The definition RemoteItem.
_remote_item := {
	"createdBy": _identity_set,
	"createdDateTime": shape.typed("string"),
	"file": {"mimeType": shape.typed("string")},
	"folder": {"childCount": shape.typed("integer")},
	"id": shape.typed("string"),
	"lastModifiedBy": _identity_set,
	"lastModifiedDateTime": shape.typed("string"),
	"package": {"type": shape.typed("string")},
	"shared": {
		"owner": _identity_set,
		"sharedBy": _identity_set,
		"sharedDateTime": shape.typed("string"),
	},
	"size": shape.typed("integer"),
	"specialFolder": {"name": shape.typed("string")},
}

# The definition DriveItem.
_drive_item := {
	"createdBy": _identity_set,
	"lastModifiedBy": _identity_set,
	"createdDateTime": shape.typed("string"),
	"lastModifiedDateTime": shape.typed("string"),
	"deleted": {},
	"file": {"mimeType": shape.typed("string")},
	"fileSystemInfo": {
		"createdDateTime": shape.typed("string"),
		"lastModifiedDateTime": shape.typed("string"),
	},
	"folder": {"childCount": shape.typed("integer")},
	"id": shape.typed("string"),
	"malware": {},
	"package": {"type": shape.typed("string")},
	"parentReference": {
		"driveId": shape.typed("string"),
		"driveType": shape.typed("string"),
		"id": shape.typed("string"),
		"siteId": shape.typed("string"),
	},
	"remoteItem": _remote_item,
	"root": {},
	"rootDriveItem": shape.typed("boolean"),
	"shared": {
		"owner": _identity_set,
		"sharedBy": _identity_set,
		"sharedDateTime": shape.typed("string"),
	},
	"sharepointIds": {
		"listId": shape.typed("string"),
		"listItemId": shape.typed("string"),
		"listItemUniqueId": shape.typed("string"),
		"siteId": shape.typed("string"),
		"webId": shape.typed("string"),
	},
	"size": shape.typed("integer"),
	"specialFolder": {"name": shape.typed("string")},
}

# The definition ItemActivity.
_item_activity := {
	"action": _item_action_set,
	"actor": _identity_set,
	"docDetails": {
		"contentId": shape.typed("string"),
		"navigationId": shape.typed("string"),
	},
	"driveItem": _drive_item,
	"id": shape.typed("string"),
	"listItem": {"id": shape.typed("string")},
	"times": {
		"observedDateTime": shape.typed("string"),
		"recordedDateTime": shape.typed("string"),
	},
}

# The definition Drive.
_drive := {
	"createdBy": _identity_set,
	"createdDateTime": shape.typed("string"),
	"driveType": shape.typed("string"),
	"id": shape.typed("string"),
	"lastModifiedBy": _identity_set,
	"lastModifiedDateTime": shape.typed("string"),
	"system": {},
}
