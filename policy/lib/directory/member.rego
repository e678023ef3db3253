package graphveil.directory

import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: member_id
# description: |
#   The id of a member is one-way: lists of members say who belongs together, the
#   list of users says how to address a user. The hash inside both tokens is the same.
member_id := shape.keep if options.ids == "clear"

member_id := pseudonym if options.ids == "reversible"

# METADATA
# title: member_user
# description: A user as a member of a group.
member_user := t.override(user, {"id": member_id})

# METADATA
# title: member
# description: |
#   A member of a group of whatever kind; all kinds come in one list. Properties
#   are decided as for users, whom these lists are about, so that names go, also
#   those of nested groups; what only groups have is decided as for groups, and
#   what only devices, contacts and applications have is dropped.
member := t.override(
	object.union(t.dropped(_other_properties), t.override(group, {
		"assignedLabels": [{
			"displayName": shape.drop,
			"labelId": shape.keep,
		}],
		# Users have it too, with what people wrote.
		"infoCatalogs": shape.drop,
	})),
	member_user,
)

# Of device, orgContact, servicePrincipal and the agent kinds: the properties and
# relations that neither users nor groups have.
_other_properties := {
	"addIns",
	"addresses",
	"agentIdentityBlueprintId",
	"alternativeNames",
	"alternativeSecurityIds",
	"appDescription",
	"appDisplayName",
	"appId",
	"applicationTemplateId",
	"appManagementPolicies",
	"appOwnerOrganizationId",
	"appRoleAssignedTo",
	"appRoleAssignmentRequired",
	"appRoles",
	"approximateLastSignInDateTime",
	"claimsMappingPolicies",
	"complianceExpirationDateTime",
	"createdByAppId",
	"delegatedPermissionClassifications",
	"deviceCategory",
	"deviceId",
	"deviceMetadata",
	"deviceOwnership",
	"deviceVersion",
	"disabledByMicrosoftStatus",
	"endpoints",
	"enrollmentProfileName",
	"enrollmentType",
	"federatedIdentityCredentials",
	"homepage",
	"homeRealmDiscoveryPolicies",
	"info",
	"isCompliant",
	"isDisabled",
	"isManaged",
	"isRooted",
	"keyCredentials",
	"loginUrl",
	"logoutUrl",
	"managementType",
	"manufacturer",
	"mdmAppId",
	"model",
	"notes",
	"notificationEmailAddresses",
	"oauth2PermissionScopes",
	"operatingSystem",
	"operatingSystemVersion",
	"passwordCredentials",
	"phones",
	"physicalIds",
	"preferredSingleSignOnMode",
	"preferredTokenSigningKeyThumbprint",
	"profileType",
	"registeredOwners",
	"registeredUsers",
	"registrationDateTime",
	"remoteDesktopSecurityConfiguration",
	"replyUrls",
	"resourceSpecificApplicationPermissions",
	"samlSingleSignOnSettings",
	"servicePrincipalNames",
	"servicePrincipalType",
	"signInAudience",
	"synchronization",
	"systemLabels",
	"tags",
	"tokenEncryptionKeyId",
	"tokenIssuancePolicies",
	"tokenLifetimePolicies",
	"trustType",
	"verifiedPublisher",
}
