# METADATA
# title: OneDrive
# description: |
#   Drives of users and groups, what is in them and who works with it: ids, times,
#   kinds and sizes; no names, no paths, no content.
package graphveil.connectors.onedrive

import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: permissions
# description: |
#   The application permissions that an administrator grants for this connector.
#   `Files.Read.All` can read the content of every file, and Graph has nothing less
#   for drives; no endpoint here leads to content.
permissions := _read_files | directory.permissions

# METADATA
# title: user_drives
# description: Lists the drives of a user.
endpoints["user_drives"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/drives",
	"params": {"user": directory.user_key},
	"query": _drive_options,
	"permissions": _read_files,
	"response": _page(drive),
}

# METADATA
# title: group_drives
# description: Lists the drives of a group.
endpoints["group_drives"] := {
	"enabled": directory.groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups/{group}/drives",
	"params": {"group": directory.group_key},
	"query": _drive_options,
	"permissions": _read_files,
	"response": _page(drive),
}

# METADATA
# title: drive_delta
# description: |
#   Lists the items of a drive, then what changed since. Clients begin with nothing,
#   with `latest` or with a time; every other token is Graph's and comes back sealed.
endpoints["drive_delta"] := {
	"methods": {"GET"},
	"path": "/v1.0/drives/{drive}/root/delta()",
	"params": {"drive": _id},
	"query": {"$select": {}, "$top": {"max": 1000}, "token": _since},
	"permissions": _read_files,
	"probe": {"query": {"token": "latest"}},
	"response": object.union(_page(drive_item), {"@odata.deltaLink": shape.link}),
}

# METADATA
# title: drive_activities
# description: Lists what was done in a drive.
endpoints["drive_activities"] := _activities("/v1.0/drives/{drive}/activities", {"drive": _id})

# METADATA
# title: item_activities
# description: Lists what was done with one item.
endpoints["item_activities"] := _activities("/v1.0/drives/{drive}/items/{item}/activities", {"drive": _id, "item": _id})

# METADATA
# title: beta_drive_activities
# description: Lists what was done in a drive, on beta; option `endpoints`.
endpoints["beta_drive_activities"] := object.union(
	_activities("/beta/drives/{drive}/activities", {"drive": _id}),
	{"enabled": options.endpoints == "all"},
)

# METADATA
# title: beta_item_activities
# description: Lists what was done with one item, on beta; option `endpoints`.
endpoints["beta_item_activities"] := object.union(
	_activities("/beta/drives/{drive}/items/{item}/activities", {"drive": _id, "item": _id}),
	{"enabled": options.endpoints == "all"},
)

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
# title: me
# description: Says why `/me` is not served.
refusals["me"] := errors.me

# METADATA
# title: beta
# description: Says why the rest of beta is not served.
refusals["beta"] := errors.beta

_read_files := {"Files.Read.All"}

_activities(path, params) := {
	"methods": {"GET"},
	"path": path,
	"params": params,
	"query": {"$top": {"max": 1000}, "$expand": {"properties": {"driveItem"}}},
	"permissions": _read_files,
	"response": object.union(_page(activity), {"@microsoft.graph.hasMoreData": shape.typed("boolean")}),
}

# Ids of drives (`b!` and the ids of site, web and list) and of items, base64url or
# GUIDs. No colon: Graph would take what follows for a path with names.
_id := {"pattern": `^[A-Za-z0-9!_=-]+$`}

# No token of Graph's: what those replay was decided when they were sealed.
_since := {"pattern": `^(latest|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z)$`}

_drive_options := {
	"$select": {},
	"$top": {"max": 1000},
	"$orderby": {"properties": t.clear_properties(drive)},
}

# Psoxy's pages have no count.
_page(item) := t.override(t.page(item), {"@odata.count": shape.drop})
