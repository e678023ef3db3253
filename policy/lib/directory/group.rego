package graphveil.directory

import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: group_mail
# description: |
#   The address of a group, which is no person's: its pseudonym with the original
#   beside it, or the pseudonym only with `encoding: json` or `level: strict`.
group_mail := shape.json_pseudonym_with_original if _original_mail

group_mail := shape.json_pseudonym if not _original_mail

_original_mail if {
	options.encoding == "token"
	options.level == "standard"
}

# METADATA
# title: group
# description: |
#   A group with its name, kind and state; without what people wrote about it, who
#   belongs to it, and whatever names it elsewhere.
group := object.union_n([t.entity, t.dropped(_group_relations), {
	"id": shape.keep,
	"displayName": shape.organisation,
	"mail": group_mail,
	"proxyAddresses": _group_addresses,

	# Other names, and free text.
	"description": shape.drop,
	"mailNickname": shape.drop,
	"membershipRule": shape.drop,
	"onPremisesExtensionAttributes": shape.drop,
	"onPremisesSamAccountName": shape.drop,
	"onPremisesSecurityIdentifier": shape.drop,
	"securityIdentifier": shape.drop,

	# Kind and state.
	"accessType": shape.keep,
	"allowExternalSenders": shape.keep,
	"assignedLabels": [{
		"displayName": shape.organisation,
		"labelId": shape.keep,
	}],
	"assignedLicenses": _assigned_licenses,
	"autoSubscribeNewMembers": shape.keep,
	"classification": shape.organisation,
	"createdDateTime": shape.keep,
	"creationOptions": [shape.keep],
	"deletedDateTime": shape.keep,
	"expirationDateTime": shape.keep,
	"groupTypes": [shape.keep],
	"hasMembersWithLicenseErrors": shape.keep,
	"hideFromAddressLists": shape.keep,
	"hideFromOutlookClients": shape.keep,
	"infoCatalogs": [shape.organisation],
	"isArchived": shape.keep,
	"isAssignableToRole": shape.keep,
	"isFavorite": shape.keep,
	"isManagementRestricted": shape.keep,
	"isSubscribedByMail": shape.keep,
	"licenseProcessingState": {"state": shape.keep},
	"mailEnabled": shape.keep,
	"membershipRuleProcessingState": shape.keep,
	"onPremisesDomainName": shape.organisation,
	"onPremisesLastSyncDateTime": shape.keep,
	"onPremisesNetBiosName": shape.organisation,
	"onPremisesProvisioningErrors": shape.drop,
	"onPremisesSyncEnabled": shape.keep,
	"organizationId": shape.organisation,
	"preferredDataLocation": shape.organisation,
	"preferredLanguage": shape.organisation,
	"renewedDateTime": shape.keep,
	"resourceBehaviorOptions": shape.drop,
	"resourceProvisioningOptions": shape.drop,
	"securityEnabled": shape.keep,
	"serviceProvisioningErrors": _service_provisioning_errors,
	"theme": shape.keep,
	"uniqueName": shape.organisation,
	"unseenConversationsCount": shape.keep,
	"unseenCount": shape.keep,
	"unseenMessagesCount": shape.keep,
	"visibility": shape.keep,
	"welcomeMessageEnabled": shape.keep,
}])

# Psoxy hashes these twice where it leaves out the original; nothing joins on that.
_group_addresses := addresses if options.encoding == "token"

_group_addresses := shape.drop if options.encoding == "json"

_group_relations := {
	"acceptedSenders",
	"appRoleAssignments",
	"calendar",
	"calendarView",
	"conversations",
	"createdOnBehalfOf",
	"drive",
	"drives",
	"events",
	"extensions",
	"groupLifecyclePolicies",
	"memberOf",
	"members",
	"membersWithLicenseErrors",
	"onenote",
	"onPremisesSyncBehavior",
	"owners",
	"permissionGrants",
	"photo",
	"photos",
	"planner",
	"rejectedSenders",
	"settings",
	"sites",
	"team",
	"threads",
	"transitiveMemberOf",
	"transitiveMembers",
}
