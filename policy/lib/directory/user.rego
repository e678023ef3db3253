package graphveil.directory

import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: pseudonym
# description: |
#   How the directory writes one-way pseudonyms: as a token, or as JSON in a
#   string (option `encoding`).
pseudonym := shape.pseudonym if options.encoding == "token"

pseudonym := shape.json_pseudonym if options.encoding == "json"

# METADATA
# title: addresses
# description: |
#   `proxyAddresses`: SMTP addresses become pseudonyms behind their prefix; any
#   other kind of address (SIP, X.500, SharePoint) becomes null.
addresses := [shape.match(`(?i)^smtp:(.*)$`, shape.pseudonym)]

# METADATA
# title: user
# description: |
#   A user without name, contact, address and self-description: where the person
#   stands in the organisation, what the account may use, and pseudonyms to join by.
user := object.union_n([t.entity, t.dropped(_user_relations), {
	# Who: pseudonyms.
	"id": shape.user_id,
	"employeeId": pseudonym,
	"identities": [{
		"issuer": shape.organisation,
		"issuerAssignedId": pseudonym,
		"signInType": shape.keep,
	}],
	"imAddresses": [pseudonym],
	"mail": pseudonym,
	"onPremisesDistinguishedName": pseudonym,
	"onPremisesImmutableId": pseudonym,
	"onPremisesSamAccountName": pseudonym,
	"onPremisesUserPrincipalName": pseudonym,
	"otherMails": [pseudonym],
	"proxyAddresses": addresses,
	"userPrincipalName": pseudonym,

	# Who: names and numbers that lead to the person.
	"authorizationInfo": shape.drop,
	"businessPhones": shape.drop,
	"displayName": shape.drop,
	"faxNumber": shape.drop,
	"givenName": shape.drop,
	"identityParentId": shape.drop,
	"mailNickname": shape.drop,
	"mobilePhone": shape.drop,
	"mySite": shape.drop,
	"onPremisesSecurityIdentifier": shape.drop,
	"preferredName": shape.drop,
	"securityIdentifier": shape.drop,
	"surname": shape.drop,

	# What people write about themselves, and what is nobody's business at work.
	"aboutMe": shape.drop,
	"ageGroup": shape.drop,
	"birthday": shape.drop,
	"consentProvidedForMinor": shape.drop,
	"interests": shape.drop,
	"legalAgeGroupClassification": shape.drop,
	"pastProjects": shape.drop,
	"responsibilities": shape.drop,
	"schools": shape.drop,
	"skills": shape.drop,

	# Anything an administrator cared to store.
	"customSecurityAttributes": shape.drop,
	"onPremisesExtensionAttributes": shape.drop,

	# Place in the organisation.
	"companyName": shape.organisation,
	"department": shape.organisation,
	"employeeHireDate": shape.organisation,
	"employeeLeaveDateTime": shape.organisation,
	"employeeOrgData": {
		"costCenter": shape.organisation,
		"division": shape.organisation,
	},
	"employeeType": shape.organisation,
	"hireDate": shape.organisation,
	"jobTitle": shape.drop,

	# Place on the map, as far as the office.
	"city": shape.organisation,
	"country": shape.organisation,
	"officeLocation": shape.organisation,
	"postalCode": shape.drop,
	"preferredDataLocation": shape.organisation,
	"preferredLanguage": shape.organisation,
	"state": shape.organisation,
	"streetAddress": shape.drop,
	"usageLocation": shape.organisation,

	# The account.
	"accountEnabled": shape.keep,
	"createdDateTime": shape.keep,
	"creationType": shape.keep,
	"deletedDateTime": shape.keep,
	"deviceEnrollmentLimit": shape.keep,
	"externalUserState": shape.keep,
	"externalUserStateChangeDateTime": shape.keep,
	"isManagementRestricted": shape.keep,
	"isResourceAccount": shape.keep,
	"lastPasswordChangeDateTime": shape.keep,
	"passwordPolicies": shape.keep,
	"passwordProfile": shape.drop,
	"print": shape.drop,
	"showInAddressList": shape.keep,
	"signInActivity": {
		"lastNonInteractiveSignInDateTime": shape.keep,
		"lastNonInteractiveSignInRequestId": shape.drop,
		"lastSignInDateTime": shape.keep,
		"lastSignInRequestId": shape.drop,
		"lastSuccessfulSignInDateTime": shape.keep,
		"lastSuccessfulSignInRequestId": shape.drop,
	},
	"signInSessionsValidFromDateTime": shape.keep,
	"userType": shape.keep,

	# Synchronisation with a directory on premises.
	"onPremisesDomainName": shape.organisation,
	"onPremisesLastSyncDateTime": shape.keep,
	"onPremisesProvisioningErrors": [{
		"category": shape.keep,
		"occurredDateTime": shape.keep,
		"propertyCausingError": shape.keep,
		"value": shape.drop,
	}],
	"onPremisesSyncEnabled": shape.keep,
	"serviceProvisioningErrors": _service_provisioning_errors,

	# Licences.
	"assignedLicenses": _assigned_licenses,
	"assignedPlans": [{
		"assignedDateTime": shape.keep,
		"capabilityStatus": shape.keep,
		"service": shape.keep,
		"servicePlanId": shape.keep,
	}],
	"licenseAssignmentStates": [{
		"assignedByGroup": shape.keep,
		"disabledPlans": [shape.keep],
		"error": shape.keep,
		"lastUpdatedDateTime": shape.keep,
		"skuId": shape.keep,
		"state": shape.keep,
	}],
	"provisionedPlans": [{
		"capabilityStatus": shape.keep,
		"provisioningStatus": shape.keep,
		"service": shape.keep,
	}],

	# The mailbox, where the token may read it.
	"mailboxSettings": object.union(t.mailbox_settings, {"language": {"displayName": shape.drop}}),
}])

_assigned_licenses := [{
	"disabledPlans": [shape.keep],
	"skuId": shape.keep,
}]

# The detail is XML of the service that failed, with the values it failed on.
_service_provisioning_errors := [{
	"@odata.type": shape.keep,
	"createdDateTime": shape.keep,
	"errorDetail": shape.drop,
	"isResolved": shape.keep,
	"serviceInstance": shape.keep,
}]

_user_relations := {
	"activities",
	"adhocCalls",
	"agreementAcceptances",
	"appRoleAssignments",
	"authentication",
	"calendar",
	"calendarGroups",
	"calendars",
	"calendarView",
	"chats",
	"cloudClipboard",
	"cloudPCs",
	"contactFolders",
	"contacts",
	"createdObjects",
	"dataSecurityAndGovernance",
	"deviceManagementTroubleshootingEvents",
	"directReports",
	"drive",
	"drives",
	"employeeExperience",
	"events",
	"extensions",
	"followedSites",
	"inferenceClassification",
	"insights",
	"joinedTeams",
	"licenseDetails",
	"mailFolders",
	"managedAppRegistrations",
	"managedDevices",
	"manager",
	"memberOf",
	"messages",
	"oauth2PermissionGrants",
	"onenote",
	"onlineMeetings",
	"onPremisesSyncBehavior",
	"outlook",
	"ownedDevices",
	"ownedObjects",
	"people",
	"permissionGrants",
	"photo",
	"photos",
	"planner",
	"presence",
	"registeredDevices",
	"scopedRoleMemberOf",
	"settings",
	"solutions",
	"sponsorOf",
	"sponsors",
	"teamwork",
	"todo",
	"transitiveMemberOf",
}
