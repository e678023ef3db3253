package graphveil.types

import data.graphveil.options
import data.graphveil.shape

# METADATA
# title: person_id
# description: |
#   The id of a person who did something: the one-way token, with the hash that the
#   person's `p~` token has too, or as it is with `ids: clear`.
person_id := shape.pseudonym if options.ids == "reversible"

person_id := shape.keep if options.ids == "clear"

# METADATA
# title: no_identities
# description: |
#   What the types derived from `identitySet` add to application, device and user,
#   all dropped: chats and phones, guests, groups and accounts of SharePoint.
no_identities := dropped({
	"acsUser",
	"applicationInstance",
	"assertedIdentity",
	"audience",
	"azureCommunicationServicesUser",
	"conversation",
	"device",
	"encrypted",
	"endpointType",
	"group",
	"guest",
	"identity",
	"onPremises",
	"phone",
	"sharePointGroup",
	"siteGroup",
	"siteUser",
	"spoolUser",
	"tag",
	"upn",
})

# METADATA
# title: no_identity
# description: |
#   What `identity` and the types derived from it have beside the id, all dropped:
#   names, logins, addresses, numbers and kinds.
no_identity := dropped({
	"appId",
	"applicationIdentityType",
	"applicationType",
	"azureCommunicationServicesResourceId",
	"conversationIdentityType",
	"details",
	"displayName",
	"email",
	"hidden",
	"homeTenantId",
	"homeTenantName",
	"identityType",
	"initiatorType",
	"ipAddress",
	"loginName",
	"mailNickname",
	"principalId",
	"tenantId",
	"title",
	"type",
	"userIdentityType",
	"userPrincipalName",
})
