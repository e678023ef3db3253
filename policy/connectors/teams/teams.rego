# METADATA
# title: Microsoft Teams
# description: |
#   Who works with whom, when and how: teams and channels, chats and messages without
#   what was said, calls and their quality, online meetings and who attended.
package graphveil.connectors.teams

import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: permissions
# description: |
#   The application permissions that an administrator grants for this connector.
#   `Calls.Initiate.All` is the least that reads a call, and places calls too.
#   `CallRecords.Read.All` opens the logs of phone calls too, so that
#   `CallRecord-PstnCalls.Read.All`, which opens nothing else, is not needed beside it.
permissions := _permissions if not _calls_enabled

permissions := _permissions | {"Calls.Initiate.All"} if _calls_enabled

# METADATA
# title: setup
# description: |
#   What an administrator does beside granting permissions: Graph reads a meeting only
#   where a policy of Teams lets the application, and messages are a protected API.
setup := {"teams_application_access_policy", "teams_protected_apis"}

# METADATA
# title: teams
# description: Lists the teams of the tenant.
endpoints["teams"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams",
	"query": {
		"$select": {},
		"$top": {"max": 999},
		"$filter": {"properties": t.clear_properties(team)},
	},
	"permissions": {"Team.ReadBasic.All"},
	"limit": limit,
	"response": page(team),
}

# METADATA
# title: channels
# description: Lists the channels of a team, with those that other teams share with it.
endpoints["channels"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams/{team}/allChannels",
	"params": {"team": guid},
	"query": {
		"$select": {},
		"$filter": {"properties": t.clear_properties(channel)},
	},
	"headers": _headers,
	"permissions": {"Channel.ReadBasic.All"},
	"limit": limit,
	"response": page(channel),
}

# METADATA
# title: chats
# description: Lists the chats that a user takes part in.
endpoints["chats"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/chats",
	"params": {"user": directory.user_key},
	"query": {
		"$select": {},
		"$top": {"max": 50},
		"$filter": {"properties": t.clear_properties(chat)},
		"$orderby": {"properties": t.clear_properties(chat)},
		"$expand": {"properties": {"lastMessagePreview", "members"}},
	},
	"headers": _headers,
	"permissions": {"Chat.ReadBasic.All"},
	"limit": limit,
	"response": page(chat),
}

# METADATA
# title: channel_messages
# description: |
#   Lists the messages that start a thread in a channel, with `$expand=replies` also
#   the answers.
endpoints["channel_messages"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams/{team}/channels/{channel}/messages",
	"params": {"team": guid, "channel": id},
	"query": {
		"$select": {},
		"$top": {"max": 50},
		"$expand": {"properties": {"replies"}},
	},
	"headers": _headers,
	"permissions": {"ChannelMessage.Read.All"},
	"limit": message_limit,
	"response": page(channel_message),
}

# METADATA
# title: channel_messages_delta
# description: |
#   Lists what changed in a channel. Without `$select`: then a message comes only
#   when a selected property changed, which would tell when hidden ones did.
endpoints["channel_messages_delta"] := {
	"methods": {"GET"},
	"path": "/v1.0/teams/{team}/channels/{channel}/messages/delta()",
	"params": {"team": guid, "channel": id},
	"query": {
		"$top": {"max": 50},
		"$filter": {"properties": {"lastModifiedDateTime"}},
		"$expand": {"properties": {"replies"}},
	},
	"headers": _headers,
	"permissions": {"ChannelMessage.Read.All"},
	"limit": message_limit,
	"response": changes(channel_message),
}

# METADATA
# title: chat_messages
# description: Lists the messages of a chat.
endpoints["chat_messages"] := {
	"methods": {"GET"},
	"path": "/v1.0/chats/{chat}/messages",
	"params": {"chat": shape.opaque_id},
	"query": {
		"$select": {},
		"$top": {"max": 50},
		"$filter": {"properties": {"createdDateTime", "lastModifiedDateTime"}},
		"$orderby": {"properties": {"createdDateTime", "lastModifiedDateTime"}},
	},
	"headers": _headers,
	"permissions": {"Chat.Read.All"},
	"limit": message_limit,
	"response": page(chat_message),
}

# METADATA
# title: users
# description: Lists users.
endpoints["users"] := directory.users

# METADATA
# title: user
# description: Reads one user.
endpoints["user"] := directory.user_by_id

# METADATA
# title: me
# description: Says why `/me` is not served.
refusals["me"] := errors.me

# METADATA
# title: beta
# description: Says why beta is not served.
refusals["beta"] := errors.beta

# Without it Graph writes newer kinds of messages, members and channels (`shared`) as
# `unknownFutureValue`.
_headers := {"Prefer": {"values": {"include-unknown-enum-members"}}}

_permissions := {
	"CallRecords.Read.All",
	"Channel.ReadBasic.All",
	"ChannelMessage.Read.All",
	"Chat.Read.All",
	"Chat.ReadBasic.All",
	"OnlineMeetingArtifact.Read.All",
	"OnlineMeetings.Read.All",
	"Team.ReadBasic.All",
	"User.Read.All",
}
