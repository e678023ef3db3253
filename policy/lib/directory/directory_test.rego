package graphveil.directory_test

import data.graphveil.directory
import data.graphveil.types as t

_reversible := {"ids": "reversible"}

_clear := {"ids": "clear"}

_json := {"ids": "reversible", "encoding": "json"}

_strict := {"level": "strict"}

_guid := "48d31887-5fad-4d73-a9f5-3c356e68a038"

# What becomes a pseudonym, by operation.
_sealed(object_shape) := {operation: paths |
	some operation in {"pseudonym", "reversible", "json_pseudonym", "match"}
	paths := {path |
		walk(object_shape, [steps, value])
		value["$op"] == operation
		path := concat("/", [step | some step in steps; is_string(step)])
	}
	count(paths) > 0
}

_pseudonyms := {
	"employeeId",
	"identities/issuerAssignedId",
	"imAddresses",
	"mail",
	"onPremisesDistinguishedName",
	"onPremisesImmutableId",
	"onPremisesSamAccountName",
	"onPremisesUserPrincipalName",
	"otherMails",
	"userPrincipalName",
}

test_user_reversible if {
	_sealed(directory.user) == {
		"pseudonym": _pseudonyms,
		"reversible": {"id"},
		"match": {"proxyAddresses"},
	} with data.graphveil.settings as _reversible
}

test_user_clear if {
	_sealed(directory.user) == {"pseudonym": _pseudonyms, "match": {"proxyAddresses"}} with data.graphveil.settings as _clear
	directory.user.id == {"$op": "keep"} with data.graphveil.settings as _clear
}

test_user_json if {
	_sealed(directory.user) == {
		"json_pseudonym": _pseudonyms,
		"reversible": {"id"},
		"match": {"proxyAddresses"},
	} with data.graphveil.settings as _json
}

test_user_releases_no_name_contact_or_secret if {
	every name in {
		"aboutMe", "authorizationInfo", "birthday", "businessPhones", "displayName", "faxNumber",
		"givenName", "jobTitle", "mailNickname", "mobilePhone", "mySite", "onPremisesExtensionAttributes",
		"passwordProfile", "postalCode", "preferredName", "streetAddress", "surname", "manager", "messages",
	} {
		directory.user[name] == {"$op": "drop"}
	}
	directory.user.mailboxSettings.language == {"displayName": {"$op": "drop"}, "locale": {"$op": "keep"}}
}

test_addresses if {
	directory.addresses == [{"$op": "match", "pattern": "(?i)^smtp:(.*)$", "then": "pseudonym"}]
}

test_group_token if {
	_sealed(directory.group) == {
		"json_pseudonym": {"mail"},
		"match": {"proxyAddresses"},
	} with data.graphveil.settings as _reversible
	directory.group.mail == {"$op": "json_pseudonym", "original": true} with data.graphveil.settings as _reversible
}

test_group_json if {
	_sealed(directory.group) == {"json_pseudonym": {"mail"}} with data.graphveil.settings as _json
	directory.group.mail == {"$op": "json_pseudonym"} with data.graphveil.settings as _json
}

test_group_keeps_its_name_and_releases_no_member if {
	directory.group.displayName == {"$op": "keep"}
	directory.group.id == {"$op": "keep"}
	every name in {"description", "mailNickname", "members", "owners", "membershipRule"} {
		directory.group[name] == {"$op": "drop"}
	}
}

# What stays in clear with `level: standard` only.
_only_standard(standard, strict) := t.clear_properties(standard) - t.clear_properties(strict)

test_user_strict if {
	standard := directory.user
	strict := directory.user with data.graphveil.settings as _strict
	_only_standard(standard, strict) == {
		"city",
		"companyName",
		"country",
		"department",
		"employeeHireDate",
		"employeeLeaveDateTime",
		"employeeOrgData/costCenter",
		"employeeOrgData/division",
		"employeeType",
		"hireDate",
		"identities/issuer",
		"mailboxSettings/automaticRepliesSetting/scheduledEndDateTime/timeZone",
		"mailboxSettings/automaticRepliesSetting/scheduledStartDateTime/timeZone",
		"mailboxSettings/language/locale",
		"mailboxSettings/timeZone",
		"officeLocation",
		"onPremisesDomainName",
		"preferredDataLocation",
		"preferredLanguage",
		"state",
		"usageLocation",
	} | {path | some path in t.clear_properties(standard); startswith(path, "mailboxSettings/workingHours/timeZone/")}
}

test_group_strict if {
	standard := directory.group
	strict := directory.group with data.graphveil.settings as _strict
	_only_standard(standard, strict) == {
		"assignedLabels/displayName",
		"classification",
		"displayName",
		"infoCatalogs",
		"onPremisesDomainName",
		"onPremisesNetBiosName",
		"organizationId",
		"preferredDataLocation",
		"preferredLanguage",
		"uniqueName",
	}
	strict.mail == {"$op": "json_pseudonym"}
}

test_what_strict_drops_cannot_be_filtered if {
	properties := directory.users.query["$filter"].properties with data.graphveil.settings as _strict
	count({"department", "city", "employeeOrgData/costCenter"} & properties) == 0
	"accountEnabled" in properties
}

test_member_reversible if {
	_sealed(directory.member) == {
		"pseudonym": (_pseudonyms | {"id"}),
		"match": {"proxyAddresses"},
	} with data.graphveil.settings as _reversible
	directory.member.mail == {"$op": "pseudonym"} with data.graphveil.settings as _reversible
	directory.member_user.id == {"$op": "pseudonym"} with data.graphveil.settings as _reversible
}

test_member_clear if {
	directory.member.id == {"$op": "keep"} with data.graphveil.settings as _clear
	directory.member_user.id == {"$op": "keep"} with data.graphveil.settings as _clear
}

test_member_json if {
	directory.member.id == {"$op": "json_pseudonym"} with data.graphveil.settings as _json
	directory.member_user.id == {"$op": "json_pseudonym"} with data.graphveil.settings as _json
}

test_member_releases_no_name_of_any_kind if {
	every name in {"displayName", "appDisplayName", "deviceId", "phones", "addresses", "keyCredentials", "description"} {
		directory.member[name] == {"$op": "drop"}
	}
	directory.member.assignedLabels == [{"displayName": {"$op": "drop"}, "labelId": {"$op": "keep"}}]
	directory.member.groupTypes == [{"$op": "keep"}]
}

_list_query := {
	"$select": {},
	"$top": {"max": 999},
	"$count": {"values": {"true", "false"}},
}

_headers := {"ConsistencyLevel": {"pattern": `(?i)^eventual(\s*,\s*eventual)*$`}}

test_users if {
	properties := t.clear_properties(directory.user)
	directory.users == {
		"methods": {"GET"},
		"path": "/v1.0/users",
		"query": object.union(_list_query, {
			"$filter": {"properties": properties, "reversible": {"id"}},
			"$orderby": {"properties": properties},
		}),
		"headers": _headers,
		"permissions": {"User.Read.All"},
		"limit": directory.limit,
		"response": t.page(directory.user),
	}
}

test_user_by_id if {
	directory.user_by_id == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}",
		"params": {"user": {"$op": "reversible"}},
		"query": {"$select": {}},
		"headers": _headers,
		"permissions": {"User.Read.All"},
		"limit": directory.limit,
		"response": t.single(directory.user),
	} with data.graphveil.settings as _reversible
}

test_groups if {
	properties := t.clear_properties(directory.group)
	directory.groups == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/groups",
		"query": object.union(_list_query, {
			"$filter": {"properties": properties, "reversible": {"id"}},
			"$orderby": {"properties": properties},
		}),
		"headers": _headers,
		"permissions": {"GroupMember.Read.All"},
		"limit": directory.limit,
		"response": t.page(directory.group),
	}
}

test_group_by_id if {
	directory.group_by_id == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/groups/{group}",
		"params": {"group": directory.group_key},
		"query": {"$select": {}},
		"headers": _headers,
		"permissions": {"GroupMember.Read.All"},
		"limit": directory.limit,
		"response": t.single(directory.group),
	}
}

test_group_members if {
	directory.group_members == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/groups/{group}/members",
		"params": {"group": directory.group_key},
		"query": object.union(_list_query, {"$orderby": {"properties": t.clear_properties(directory.member)}}),
		"headers": _headers,
		"permissions": {"User.Read.All", "GroupMember.Read.All"},
		"limit": directory.limit,
		"response": t.page(directory.member),
	}
}

test_group_member_users if {
	directory.group_member_users == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/groups/{group}/members/microsoft.graph.user",
		"params": {"group": directory.group_key},
		"query": object.union(_list_query, {"$orderby": {"properties": t.clear_properties(directory.member_user)}}),
		"headers": _headers,
		"permissions": {"User.Read.All", "GroupMember.Read.All"},
		"limit": directory.limit,
		"response": t.page(directory.member_user),
	}
}

test_users_delta if {
	directory.users_delta == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/users/delta()",
		"query": {
			"$select": {"properties": t.released_properties(directory.user)},
			"$filter": {"reversible": {"id"}},
			"$deltatoken": {"values": {"latest"}},
		},
		"permissions": {"User.Read.All"},
		"limit": directory.limit,
		"probe": {"query": {"$deltatoken": "latest"}},
		"response": t.changes(directory.user),
	} with data.graphveil.settings as _clear
}

test_groups_delta if {
	item := object.union(directory.group, {
		"members@delta": {"$op": "drop"},
		"owners@delta": {"$op": "drop"},
	})
	directory.groups_delta == {
		"enabled": true,
		"methods": {"GET"},
		"path": "/v1.0/groups/delta()",
		"query": {
			"$select": {"properties": t.released_properties(directory.group)},
			"$filter": {"reversible": {"id"}},
			"$deltatoken": {"values": {"latest"}},
		},
		"permissions": {"GroupMember.Read.All"},
		"limit": directory.limit,
		"probe": {"query": {"$deltatoken": "latest"}},
		"response": t.changes(item),
	}
}

# An item comes when one of the selected properties changed.
test_delta_selects_no_hidden_property if {
	properties := directory.users_delta.query["$select"].properties with data.graphveil.settings as _clear
	count({"id", "mail", "department"} - properties) == 0
	count({"displayName", "passwordProfile", "manager", "jobTitle"} & properties) == 0
	groups := directory.groups_delta.query["$select"].properties
	count({"displayName", "groupTypes"} - groups) == 0
	count({"members", "owners", "description"} & groups) == 0
}

test_counts if {
	number := {
		"enabled": true,
		"methods": {"GET"},
		"headers": _headers,
		"media": {"text/plain"},
		"permissions": {"GroupMember.Read.All"},
		"limit": directory.limit,
		"probe": {"headers": {"ConsistencyLevel": "eventual"}},
		"response": {"$op": "keep"},
	}
	users := {"path": "/v1.0/users/$count", "permissions": {"User.Read.All"}}
	directory.users_count == object.union(number, users) with data.graphveil.settings as _clear
	directory.groups_count == object.union(number, {"path": "/v1.0/groups/$count"})
	directory.group_members_count == object.union(number, {
		"path": "/v1.0/groups/{group}/members/$count",
		"params": {"group": directory.group_key},
	})
}

test_users_delta_and_count_need_clear_ids if {
	every endpoint in [directory.users_delta, directory.users_count] {
		endpoint.enabled == false
	} with data.graphveil.settings as _reversible
}

test_hidden_properties_cannot_be_filtered if {
	properties := directory.users.query["$filter"].properties with data.graphveil.settings as _reversible
	count({"id", "displayName", "mail", "userPrincipalName", "passwordProfile"} & properties) == 0
	count({"department", "assignedLicenses/skuId", "employeeOrgData/costCenter"} - properties) == 0
}

test_clear_ids_can_be_filtered if {
	"id" in directory.users.query["$filter"].properties with data.graphveil.settings as _clear
}

test_groups_off if {
	every endpoint in [
		directory.groups, directory.groups_delta, directory.groups_count, directory.group_by_id,
		directory.group_members, directory.group_members_count, directory.group_member_users,
	] {
		endpoint.enabled == false
	} with data.graphveil.settings as {"groups": "off"}
	directory.permissions == {"User.Read.All"} with data.graphveil.settings as {"groups": "off"}
	directory.permissions == {"User.Read.All", "GroupMember.Read.All"} with data.graphveil.settings as {"groups": "on"}
}

test_user_key_clear if {
	pattern := directory.user_key.pattern with data.graphveil.settings as _clear
	every user in [_guid, upper(_guid), "alice@acme.com", "bob_partner.example#EXT#@acme.com"] {
		regex.match(pattern, user)
	}
	every text in ["delta", "$count", "me", "", concat("", [_guid, "/x"]), "a@b/c", "a b@acme.com"] {
		not regex.match(pattern, text)
	}
}

test_group_key if {
	regex.match(directory.group_key.pattern, _guid)
	every text in ["delta", "$count", "", concat("", [_guid, "x"])] {
		not regex.match(directory.group_key.pattern, text)
	}
}

test_consistency_level if {
	pattern := directory.users.headers.ConsistencyLevel.pattern
	every level in ["eventual", "Eventual", "eventual, eventual"] {
		regex.match(pattern, level)
	}
	every level in ["", "strong", "eventual, strong"] {
		not regex.match(pattern, level)
	}
}

test_users_as_a_whole if {
	every endpoint in [directory.users_delta, directory.users_count] {
		endpoint.enabled == false
	}
	directory.users_delta.enabled with data.graphveil.settings as _clear
	directory.users_count.enabled with data.graphveil.settings as {"endpoints": "all"}
}
