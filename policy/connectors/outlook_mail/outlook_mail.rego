# METADATA
# title: Outlook Mail
# description: |
#   Who wrote to whom and when: message metadata without subject and content, the
#   mailbox's settings, and the directory to make sense of both.
package graphveil.connectors.outlook_mail

import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.types as t

# METADATA
# title: permissions
# description: |
#   The application permissions that an administrator grants for this connector.
#   `Mail.ReadBasic.All` cannot read bodies, previews or attachments at all.
permissions := {"Mail.ReadBasic.All", "MailboxSettings.Read"} | directory.permissions

# METADATA
# title: mailbox_settings
# description: Reads the settings of a mailbox.
endpoints["mailbox_settings"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/mailboxSettings",
	"params": {"user": directory.user_key},
	"response": t.single(t.mailbox_settings),
}

# METADATA
# title: message
# description: Reads one message.
endpoints["message"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/messages/{message}",
	"params": {
		"user": directory.user_key,
		"message": _message_key,
	},
	"query": {"$select": {}},
	"headers": _headers,
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
	"headers": _headers,
	"response": t.page(message),
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
# title: groups
# description: Lists groups.
endpoints["groups"] := directory.groups

# METADATA
# title: group
# description: Reads one group.
endpoints["group"] := directory.group_by_id

# METADATA
# title: group_members
# description: Lists the members of a group, of any kind.
endpoints["group_members"] := directory.group_members

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

# Base64url with a digit or a sign in it, as every Exchange id has: so a function
# such as `delta` is no id.
_message_key := {"pattern": `^[A-Za-z0-9_=-]*[0-9_=-][A-Za-z0-9_=-]*$`}

# Preferences that clients set by default or for paging. Those about bodies change
# nothing that gets out, but refusing them would break clients.
_headers := {"Prefer": {"pattern": sprintf(`(?i)^%[1]s(\s*,\s*%[1]s)*$`, [_preference])}}

_preference := `(IdType="ImmutableId"|odata\.maxpagesize=[0-9]{1,4}|outlook\.timezone="[^"]{1,64}"|outlook\.body-content-type="(text|html)")`
