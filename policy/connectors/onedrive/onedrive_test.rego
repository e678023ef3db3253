package graphveil.connectors.onedrive_test

import data.graphveil.connectors.onedrive
import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.types as t

_clear := {"ids": "clear"}

_id := "^[A-Za-z0-9!_=-]+$"

_kept(object_shape) := {path |
	walk(object_shape, [steps, value])
	value == {"$op": "keep"}
	path := concat("/", [step | some step in steps; is_string(step)])
}

_identity(path) := {concat("/", [path, property]) |
	some property in ["application/id", "application/tenantId", "user/tenantId"]
}

_identities(paths) := union({_identity(path) | some path in paths})

test_permissions if {
	onedrive.permissions == {"Files.Read.All", "User.Read.All", "GroupMember.Read.All"}
	onedrive.permissions == {"Files.Read.All", "User.Read.All"} with data.graphveil.settings as {"groups": "off"}
}

test_user_drives if {
	onedrive.endpoints.user_drives == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/drives",
		"params": {"user": {"$op": "reversible"}},
		"query": {
			"$select": {},
			"$top": {"max": 1000},
			"$orderby": {"properties": t.clear_properties(onedrive.drive)},
		},
		"permissions": {"Files.Read.All"},
		"response": object.union(object.remove(t.page(onedrive.drive), {"@odata.count"}), {"@odata.count": {"$op": "drop"}}),
	}
}

test_group_drives if {
	onedrive.endpoints.group_drives == object.union(object.remove(onedrive.endpoints.user_drives, {"params"}), {
		"enabled": true,
		"path": "/v1.0/groups/{group}/drives",
		"params": {"group": directory.group_key},
	})
	onedrive.endpoints.group_drives.enabled == false with data.graphveil.settings as {"groups": "off"}
}

test_drive_delta if {
	onedrive.endpoints.drive_delta == {
		"methods": {"GET"},
		"path": "/v1.0/drives/{drive}/root/delta()",
		"params": {"drive": {"pattern": _id}},
		"query": {
			"$select": {},
			"$top": {"max": 1000},
			"token": {"pattern": `^(latest|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z)$`},
		},
		"permissions": {"Files.Read.All"},
		"probe": {"query": {"token": "latest"}},
		"response": {
			"@odata.context": {"$op": "drop"},
			"@odata.count": {"$op": "drop"},
			"@odata.nextLink": {"$op": "link"},
			"@odata.deltaLink": {"$op": "link"},
			"@microsoft.graph.tips": {"$op": "drop"},
			"error": errors.shape.error,
			"value": [onedrive.drive_item],
		},
	}
}

test_where_a_delta_may_begin if {
	pattern := onedrive.endpoints.drive_delta.query.token.pattern
	every token in ["latest", "2026-03-01T09:30:00Z", "2026-03-01T09:30:00.123Z"] {
		regex.match(pattern, token)
	}
	every token in ["", "aTE09NjM2NTk4NDI3MTAxNjM7SWQ9MQ", "latest'", "Latest", "2026-03-01"] {
		not regex.match(pattern, token)
	}
}

test_ids if {
	every id in ["b!t18F8ybsHUq1z3LTz8xvZqP8zaSWjkFNhsME-Fepo75dTf9vQKfeRblBZjoSQrd7", "01ZPZ3WGVVDHLHJLFUBBHJK", "AAMkCANARY-00001-102bd0AAA="] {
		regex.match(_id, id)
	}
	every text in ["", "root:", "a/b", "$count", "delta()", "..", "a b"] {
		not regex.match(_id, text)
	}
}

test_activities if {
	onedrive.endpoints.drive_activities == {
		"methods": {"GET"},
		"path": "/v1.0/drives/{drive}/activities",
		"params": {"drive": {"pattern": _id}},
		"query": {"$top": {"max": 1000}, "$expand": {"properties": {"driveItem"}}},
		"permissions": {"Files.Read.All"},
		"response": {
			"@odata.context": {"$op": "drop"},
			"@odata.count": {"$op": "drop"},
			"@odata.nextLink": {"$op": "link"},
			"@microsoft.graph.hasMoreData": {"$op": "typed", "type": "boolean"},
			"@microsoft.graph.tips": {"$op": "drop"},
			"error": errors.shape.error,
			"value": [onedrive.activity],
		},
	}
	onedrive.endpoints.item_activities == object.union(onedrive.endpoints.drive_activities, {
		"path": "/v1.0/drives/{drive}/items/{item}/activities",
		"params": {"drive": {"pattern": _id}, "item": {"pattern": _id}},
	})
}

test_activities_on_beta_are_an_option if {
	every endpoint in [onedrive.endpoints.beta_drive_activities, onedrive.endpoints.beta_item_activities] {
		endpoint.enabled == false
	}
	every id in ["drive_activities", "item_activities"] {
		on_v1 := onedrive.endpoints[id]
		onedrive.endpoints[concat("_", ["beta", id])] == object.union(on_v1, {
			"enabled": true,
			"path": replace(on_v1.path, "/v1.0/", "/beta/"),
		}) with data.graphveil.settings as {"endpoints": "all"}
	}
}

test_directory_endpoints_are_those_of_the_directory if {
	every settings in [{}, {"ids": "clear"}, {"groups": "off"}, {"level": "strict"}] {
		object.filter(onedrive.endpoints, {"users", "user", "groups", "group"}) == {
			"users": directory.users,
			"user": directory.user_by_id,
			"groups": directory.groups,
			"group": directory.group_by_id,
		} with data.graphveil.settings as settings
	}
}

test_only_reads if {
	{endpoint.methods | some endpoint in onedrive.endpoints} == {{"GET"}}
}

test_drive_keeps if {
	_kept(onedrive.drive) == {"id", "driveType", "createdDateTime", "lastModifiedDateTime"} | _identities({"createdBy", "lastModifiedBy"})
}

test_item_keeps if {
	content := {
		"id",
		"createdDateTime",
		"file/mimeType",
		"lastModifiedDateTime",
		"package/type",
		"shared/sharedDateTime",
		"specialFolder/name",
	}
	_kept(onedrive.drive_item) == union({
		content,
		{concat("/", ["remoteItem", path]) | some path in content},
		{
			"fileSystemInfo/createdDateTime",
			"fileSystemInfo/lastModifiedDateTime",
			"parentReference/driveId",
			"parentReference/driveType",
			"parentReference/id",
			"parentReference/siteId",
			"sharepointIds/listId",
			"sharepointIds/listItemId",
			"sharepointIds/listItemUniqueId",
			"sharepointIds/siteId",
			"sharepointIds/webId",
		},
		_identities({
			"createdBy",
			"lastModifiedBy",
			"shared/owner",
			"shared/sharedBy",
			"remoteItem/createdBy",
			"remoteItem/lastModifiedBy",
			"remoteItem/shared/owner",
			"remoteItem/shared/sharedBy",
		}),
	})
}

# Psoxy's schema lets numbers and booleans through in their own places only.
test_numbers_and_booleans if {
	every items in [onedrive.drive_item, onedrive.drive_item.remoteItem] {
		items.size == {"$op": "typed", "type": "integer"}
		items.folder.childCount == {"$op": "typed", "type": "integer"}
	}
	onedrive.activity.action.comment.isReply == {"$op": "typed", "type": "boolean"}
}

test_activity_keeps if {
	_kept(object.remove(onedrive.activity, {"driveItem"})) == union({
		{"id", "times/observedDateTime", "times/recordedDateTime"},
		_identities({
			"actor",
			"action/comment/parentAuthor",
			"action/comment/participants",
			"action/mention/mentionees",
			"action/share/recipients",
		}),
	})
	onedrive.activity.driveItem == onedrive.drive_item
}

test_no_name_no_path_no_link_no_content if {
	every name in {"name", "description", "webUrl", "webDavUrl", "content", "@microsoft.graph.downloadUrl", "searchResult", "listItem", "permissions"} {
		onedrive.drive_item[name] == {"$op": "drop"}
	}
	onedrive.activity.action.rename == {"newName": {"$op": "drop"}, "oldName": {"$op": "drop"}}
	onedrive.activity.action.move == {"from": {"$op": "drop"}, "to": {"$op": "drop"}}
	onedrive.drive.owner == {"$op": "drop"}
}

test_person if {
	onedrive.identities.user.id == {"$op": "pseudonym"}
	onedrive.identities.user.id == {"$op": "keep"} with data.graphveil.settings as _clear
	every settings in [{}, _clear] {
		onedrive.identities.user.email == {"$op": "pseudonym"} with data.graphveil.settings as settings
	}
	onedrive.identities.user.displayName == {"$op": "drop"}
	onedrive.identities.application.email == {"$op": "drop"}
	onedrive.identities.device == {"$op": "drop"}
}

test_strict_drops_what_tells_of_the_organisation if {
	kept := _kept(onedrive.drive_item) with data.graphveil.settings as {"level": "strict"}
	not "createdBy/user/tenantId" in kept
	not "createdBy/application/tenantId" in kept
	"createdBy/application/id" in kept
}

test_refusals if {
	onedrive.refusals == {"me": errors.me, "beta": errors.beta}
}
