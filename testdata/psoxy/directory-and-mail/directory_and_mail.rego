# METADATA
# title: "directory_and_mail"
# description: |
#   Imported from the Psoxy rules directory-and-mail.yaml.
package graphveil.connectors.directory_and_mail

import data.graphveil.shape

# METADATA
# title: permissions
# description: |
#   Psoxy's rules do not say which application permissions their requests need: put them here.
permissions := {"unknown"}

# METADATA
# title: users
# description: |
#   From line 7: pathRegex ^/(v1.0|beta)/users(/p~[a-zA-Z0-9_-]+?)?[^/]*
endpoints["users"] := {
	"methods": {"GET"},
	"path": "/v1.0/users",
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": _users_response,
}

# METADATA
# title: user
# description: |
#   From line 7: pathRegex ^/(v1.0|beta)/users(/p~[a-zA-Z0-9_-]+?)?[^/]*
endpoints["user"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}",
	"params": {"user": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": _users_response,
}

# METADATA
# title: beta_users
# description: |
#   From line 7: pathRegex ^/(v1.0|beta)/users(/p~[a-zA-Z0-9_-]+?)?[^/]*
endpoints["beta_users"] := {
	"methods": {"GET"},
	"path": "/beta/users",
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": _users_response,
}

# METADATA
# title: beta_user
# description: |
#   From line 7: pathRegex ^/(v1.0|beta)/users(/p~[a-zA-Z0-9_-]+?)?[^/]*
endpoints["beta_user"] := {
	"methods": {"GET"},
	"path": "/beta/users/{user}",
	"params": {"user": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": _users_response,
}

# METADATA
# title: groups
# description: |
#   From line 47: pathRegex ^/v1.0/groups/?[^/]*
endpoints["groups"] := {
	"methods": {"GET"},
	"path": "/v1.0/groups",
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": _groups_response,
}

# METADATA
# title: group
# description: |
#   From line 47: pathRegex ^/v1.0/groups/?[^/]*
endpoints["group"] := {
	"methods": {"GET"},
	"path": "/v1.0/groups/{group}",
	"params": {"group": shape.keep},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": _groups_response,
}

# METADATA
# title: group_members
# description: |
#   From line 72: pathRegex ^/v1.0/groups/[^/]*/members.*
endpoints["group_members"] := {
	"methods": {"GET"},
	"path": "/v1.0/groups/{group}/members",
	"params": {"group": shape.keep},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": shape.rules(_anything, [
		# In Java: (?i)^smtp:(.*)$
		{"at": ["$..proxyAddresses[*]"], "do": _matched_operation},
		{"at": _redacted, "do": shape.drop},
		{"at": _pseudonymized, "do": shape.pseudonym},
		{"at": ["$..id"], "do": shape.pseudonym},
	]),
}

# METADATA
# title: user_mailbox_settings
# description: |
#   From line 111: pathRegex ^/v1.0/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/mailboxSettings
endpoints["user_mailbox_settings"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/mailboxSettings",
	"params": {"user": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language"},
	"response": shape.rules(_anything, [
		{"at": ["$..internalReplyMessage", "$..externalReplyMessage"], "do": shape.drop},
		{"at": ["$..['@odata.context']"], "do": shape.drop},
	]),
}

# METADATA
# title: user_message
# description: |
#   From line 117: pathRegex ^/v1.0/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/messages/[^/]*
endpoints["user_message"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/messages/{message}",
	"params": {"user": shape.reversible, "message": shape.keep},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language"},
	"response": shape.rules(_anything_2, [
		{"at": _redacted_2, "do": shape.drop},
		{"at": ["$..emailAddress.address"], "do": shape.pseudonym},
		{"at": ["$..['@odata.context']"], "do": shape.drop},
	]),
}

# METADATA
# title: user_mail_folders_sent_items_messages
# description: |
#   From line 136: pathRegex ^/v1.0/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/mailFolders(/SentItems|\('SentItems'\))/messages.*
endpoints["user_mail_folders_sent_items_messages"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/mailFolders/SentItems/messages",
	"params": {"user": shape.reversible},
	"query": {
		"$count": {"values": {"true", "false"}},
		"$select": {},
		"$skip": {},
		"$skiptoken": {},
		"$top": {},
	},
	"headers": {"Accept-Language", "ConsistencyLevel"},
	"response": shape.rules(_anything_2, [
		{"at": _redacted_2, "do": shape.drop},
		{"at": ["$..emailAddress.address"], "do": shape.pseudonym},
		{"at": ["$..['@odata.context']"], "do": shape.drop},
	]),
}

_users_response := shape.rules(_anything, [
	# In Java: (?i)^smtp:(.*)$
	{"at": ["$..proxyAddresses[*]"], "do": _matched_operation},
	{"at": _redacted, "do": shape.drop},
	{"at": _pseudonymized, "do": shape.pseudonym},
	{"at": ["$..id"], "do": shape.reversible},
])

_groups_response := shape.rules(_anything, [
	# In Java: (?i)^smtp:(.*)$
	{"at": ["$..proxyAddresses[*]"], "do": _matched_operation},
	{
		"at": [
			"$..owners",
			"$..rejectedSenders",
			"$..acceptedSenders",
			"$..members",
			"$..membersWithLicenseErrors",
			"$..mailNickname",
			"$..description",
			"$..resourceBehaviorOptions",
			"$..resourceProvisioningOptions",
			"$..onPremisesSamAccountName",
			"$..onPremisesSecurityIdentifier",
			"$..onPremisesProvisioningErrors",
			"$..securityIdentifier",
		],
		"do": shape.drop,
	},
	{"at": ["$..mail"], "do": shape.json_pseudonym_with_original},
])

_anything := shape.any_with({"@odata.deltaLink": shape.link, "@odata.nextLink": shape.link})

_anything_2 := shape.any_with({"@odata.deltaLink": shape.link, "@odata.nextLink": shape.link, "@odata.prevLink": shape.link, "sessions@odata.nextLink": shape.link})

_matched_operation := shape.match(`^[Ss][Mm][Tt][Pp]:([^\n\r\x{85}\x{2028}\x{2029}]*)(?:\r\n|[\n\r\x{85}\x{2028}\x{2029}])?\z`, shape.pseudonym)

_pseudonymized := [
	"$..employeeId",
	"$..userPrincipalName",
	"$..imAddresses[*]",
	"$..mail",
	"$..otherMails[*]",
	"$..onPremisesSamAccountName",
	"$..onPremisesUserPrincipalName",
	"$..onPremisesDistinguishedName",
	"$..onPremisesImmutableId",
	"$..identities[*].issuerAssignedId",
]

_redacted := [
	"$..displayName",
	"$..aboutMe",
	"$..mySite",
	"$..preferredName",
	"$..givenName",
	"$..surname",
	"$..jobTitle",
	"$..mailNickname",
	"$..responsibilities",
	"$..skills",
	"$..faxNumber",
	"$..mobilePhone",
	"$..businessPhones[*]",
	"$..onPremisesExtensionAttributes",
	"$..onPremisesSecurityIdentifier",
	"$..securityIdentifier",
]

_redacted_2 := [
	"$..subject",
	"$..body",
	"$..bodyPreview",
	"$..emailAddress.name",
	"$..extensions",
	"$..multiValueExtendedProperties",
	"$..singleValueExtendedProperties",
	"$..internetMessageHeaders",
]
