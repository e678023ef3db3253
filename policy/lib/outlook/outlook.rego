# METADATA
# title: Outlook
# description: |
#   What the connectors to an Exchange mailbox share: how items are addressed, which
#   preferences are passed on, and the mailbox's settings.
package graphveil.outlook

import data.graphveil.directory
import data.graphveil.types as t

# METADATA
# title: mailbox_settings
# description: The settings of a mailbox; needs `MailboxSettings.Read`.
mailbox_settings := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/mailboxSettings",
	"params": {"user": directory.user_key},
	"permissions": {"MailboxSettings.Read"},
	"response": t.single(t.mailbox_settings),
}

# METADATA
# title: item_key
# description: |
#   A message, event or calendar in a path. Base64url with a digit or a sign in
#   it, as every Exchange id has: so a function such as `delta` is no id. The id
#   holds the GUID of the mailbox in Exchange, which is not the user's id in the
#   directory, so it stays in clear.
item_key := {"pattern": `^[A-Za-z0-9_=-]*[0-9_=-][A-Za-z0-9_=-]*$`}

# METADATA
# title: headers
# description: |
#   Preferences that clients set by default or for paging. Those about bodies
#   change nothing that gets out, but refusing them would break clients.
headers := {"Prefer": {"pattern": sprintf(`(?i)^%[1]s(\s*,\s*%[1]s)*$`, [_preference])}}

_preference := `(IdType="ImmutableId"|odata\.maxpagesize=[0-9]{1,4}|outlook\.timezone="[^"]{1,64}"|outlook\.body-content-type="(text|html)")`
