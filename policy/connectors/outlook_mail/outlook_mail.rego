# METADATA
# title: Outlook Mail
# description: |
#   Who wrote to whom and when: message metadata without subject and content, the
#   mailbox's settings, and the directory to make sense of both.
package graphveil.connectors.outlook_mail

import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.outlook
import data.graphveil.types as t

# METADATA
# title: permissions
# description: |
#   The application permissions that an administrator grants for this connector.
#   `Mail.ReadBasic.All` cannot read bodies, previews or attachments at all.
permissions := {"Mail.ReadBasic.All", "MailboxSettings.Read"} | directory.permissions

# METADATA
# title: setup
# description: |
#   What an administrator may do beside granting permissions: in Exchange, those for
#   mail and mailbox settings can be granted for some mailboxes only.
setup := {"exchange_rbac"}

# METADATA
# title: mailbox_settings
# description: Reads the settings of a mailbox.
endpoints["mailbox_settings"] := outlook.mailbox_settings

# METADATA
# title: message
# description: Reads one message.
endpoints["message"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/messages/{message}",
	"params": {
		"user": directory.user_key,
		"message": outlook.item_key,
	},
	"query": {"$select": {}},
	"headers": outlook.headers,
	"permissions": {"Mail.ReadBasic.All"},
	"response": t.single(message),
}

# METADATA
# title: sent_messages
# description: Lists the messages of the Sent Items folder.
endpoints["sent_messages"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/mailFolders/SentItems/messages",
	"params": {"user": directory.user_key},
	"query": {
		"$select": {},
		"$top": {"max": 1000},
		"$skip": {"max": 1000000},
		"$count": {"values": {"true", "false"}},
		"$filter": {"properties": t.clear_properties(message)},
		"$orderby": {"properties": t.clear_properties(message)},
	},
	"headers": outlook.headers,
	"permissions": {"Mail.ReadBasic.All"},
	"response": t.page(message),
}

# METADATA
# title: sent_messages_delta
# description: |
#   Lists the messages of the Sent Items folder that came, changed or went. Graph
#   filters and sorts it by `receivedDateTime` only.
endpoints["sent_messages_delta"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/mailFolders/SentItems/messages/delta()",
	"params": {"user": directory.user_key},
	"query": {
		"$select": {"properties": t.released_properties(message)},
		"$top": {"max": 1000},
		"$filter": {"properties": {"receivedDateTime"}},
		"$orderby": {"properties": {"receivedDateTime"}},
		"changeType": {"values": {"created", "updated", "deleted"}},
	},
	"headers": outlook.headers,
	"permissions": {"Mail.ReadBasic.All"},
	"response": t.changes(message),
}

# METADATA
# title: users
# description: Lists users.
endpoints["users"] := directory.users

# METADATA
# title: users_delta
# description: Lists users that changed.
endpoints["users_delta"] := directory.users_delta

# METADATA
# title: users_count
# description: Counts users.
endpoints["users_count"] := directory.users_count

# METADATA
# title: user
# description: Reads one user.
endpoints["user"] := directory.user_by_id

# METADATA
# title: groups
# description: Lists groups.
endpoints["groups"] := directory.groups

# METADATA
# title: groups_delta
# description: Lists groups that changed.
endpoints["groups_delta"] := directory.groups_delta

# METADATA
# title: groups_count
# description: Counts groups.
endpoints["groups_count"] := directory.groups_count

# METADATA
# title: group
# description: Reads one group.
endpoints["group"] := directory.group_by_id

# METADATA
# title: group_members
# description: Lists the members of a group, of any kind.
endpoints["group_members"] := directory.group_members

# METADATA
# title: group_members_count
# description: Counts the members of a group.
endpoints["group_members_count"] := directory.group_members_count

# METADATA
# title: group_member_users
# description: Lists the members of a group that are users.
endpoints["group_member_users"] := directory.group_member_users

# METADATA
# title: me
# description: Says why `/me` is not served.
refusals["me"] := errors.me

# METADATA
# title: beta
# description: Says why beta is not served.
refusals["beta"] := errors.beta
