# METADATA
# title: Directory
# description: |
#   Users, groups and members as Entra ID holds them. A connector that needs the
#   directory takes its endpoints from here, so that a user looks the same, with
#   the same pseudonyms, whichever connector was asked.
package graphveil.directory

import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: permissions
# description: The application permissions for the endpoints below, as options have them.
permissions := read_users if not groups_enabled

permissions := read_members if groups_enabled

# METADATA
# title: read_users
# description: |
#   What users need. `User.ReadBasic.All` is less, and opens names and addresses, but
#   nothing of what says where a user stands and what the account may do.
read_users := {"User.Read.All"}

# METADATA
# title: read_groups
# description: |
#   What groups need, and how many members they have: no conversation, file or event of a
#   group. `Group.ReadBasic.All` would open memberships too, and fewer properties.
read_groups := {"GroupMember.Read.All"}

# METADATA
# title: read_members
# description: |
#   What members need. Who may not read users too sees of each member that it is one:
#   its type and id.
read_members := read_groups | read_users

# METADATA
# title: limit
# description: |
#   What the directory takes from an application in a small tenant: 3,500 resource units
#   in 10 seconds, of which a page of members costs 3, the others less. Larger tenants
#   have more. https://learn.microsoft.com/graph/throttling-limits
limit := {"service": "directory", "requests": 116, "per": "second"}

# METADATA
# title: groups_enabled
# description: Whether the endpoints of groups are served; option `groups`.
groups_enabled := options.groups == "on"

# METADATA
# title: users
# description: Lists the users of the tenant.
users := {
	"methods": {"GET"},
	"path": "/v1.0/users",
	"query": object.union(_list_options, _conditions(user)),
	"headers": _headers,
	"permissions": read_users,
	"limit": limit,
	"response": t.page(user),
}

# METADATA
# title: users_delta
# description: |
#   Lists users that changed. With `ids: clear` or `endpoints: all`: where users are
#   addressed by token Psoxy refuses it.
users_delta := {
	"enabled": _users_as_a_whole,
	"methods": {"GET"},
	"path": "/v1.0/users/delta()",
	"query": _delta_options(user),
	"permissions": read_users,
	"limit": limit,
	"probe": {"query": {"$deltatoken": "latest"}},
	"response": t.changes(user),
}

# METADATA
# title: users_count
# description: |
#   How many users there are. With `ids: clear` or `endpoints: all`, as the delta.
users_count := {
	"enabled": _users_as_a_whole,
	"methods": {"GET"},
	"path": "/v1.0/users/$count",
	"headers": _headers,
	"media": {"text/plain"},
	"permissions": read_users,
	"limit": limit,
	"probe": {"headers": {"ConsistencyLevel": "eventual"}},
	"response": shape.keep,
}

# METADATA
# title: user_by_id
# description: One user.
user_by_id := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}",
	"params": {"user": user_key},
	"query": {"$select": {}},
	"headers": _headers,
	"permissions": read_users,
	"limit": limit,
	"response": t.single(user),
}

# METADATA
# title: groups
# description: Lists the groups of the tenant.
groups := {
	"enabled": groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups",
	"query": object.union(_list_options, _conditions(group)),
	"headers": _headers,
	"permissions": read_groups,
	"limit": limit,
	"response": t.page(group),
}

# METADATA
# title: groups_delta
# description: Lists groups that changed; not whose membership did.
groups_delta := {
	"enabled": groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups/delta()",
	"query": _delta_options(group),
	"permissions": read_groups,
	"limit": limit,
	"probe": {"query": {"$deltatoken": "latest"}},
	"response": t.changes(object.union(group, {"members@delta": shape.drop, "owners@delta": shape.drop})),
}

# METADATA
# title: groups_count
# description: How many groups there are.
groups_count := {
	"enabled": groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups/$count",
	"headers": _headers,
	"media": {"text/plain"},
	"permissions": read_groups,
	"limit": limit,
	"probe": {"headers": {"ConsistencyLevel": "eventual"}},
	"response": shape.keep,
}

# METADATA
# title: group_by_id
# description: One group.
group_by_id := {
	"enabled": groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups/{group}",
	"params": {"group": group_key},
	"query": {"$select": {}},
	"headers": _headers,
	"permissions": read_groups,
	"limit": limit,
	"response": t.single(group),
}

# METADATA
# title: group_members
# description: |
#   Lists who and what belongs to a group. No `$filter`: it would tell of hidden
#   members what the shape drops.
group_members := {
	"enabled": groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups/{group}/members",
	"params": {"group": group_key},
	"query": object.union(_list_options, _order(member)),
	"headers": _headers,
	"permissions": read_members,
	"limit": limit,
	"response": t.page(member),
}

# METADATA
# title: group_member_users
# description: Lists the members of a group that are users.
group_member_users := {
	"enabled": groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups/{group}/members/microsoft.graph.user",
	"params": {"group": group_key},
	"query": object.union(_list_options, _order(member_user)),
	"headers": _headers,
	"permissions": read_members,
	"limit": limit,
	"response": t.page(member_user),
}

# METADATA
# title: group_members_count
# description: How many members a group has.
group_members_count := {
	"enabled": groups_enabled,
	"methods": {"GET"},
	"path": "/v1.0/groups/{group}/members/$count",
	"params": {"group": group_key},
	"headers": _headers,
	"media": {"text/plain"},
	"permissions": read_groups,
	"limit": limit,
	"probe": {"headers": {"ConsistencyLevel": "eventual"}},
	"response": shape.keep,
}

# METADATA
# title: user_key
# description: |
#   The user in a path: with `ids: reversible` only a `p~` token, with
#   `ids: clear` an object id or a user principal name. Not any text, because
#   `/users/delta` and `/users/$count` name no user.
user_key := shape.reversible if options.ids == "reversible"

user_key := {"pattern": sprintf(`^(%s|[^@/\s]+@[^@/\s]+)$`, [_guid])} if options.ids == "clear"

# METADATA
# title: group_key
# description: The group in a path, by object id. Groups keep their ids.
group_key := {"pattern": sprintf("^%s$", [_guid])}

_guid := `[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`

# 999 is Graph's own limit for directory objects.
_list_options := {
	"$select": {},
	"$top": {"max": 999},
	"$count": {"values": {"true", "false"}},
}

# Graph takes no $top, $orderby or $expand here, and $filter by id only.
default _users_as_a_whole := false

_users_as_a_whole if options.ids == "clear"

_users_as_a_whole if options.endpoints == "all"

_delta_options(item) := {
	"$select": {"properties": t.released_properties(item)},
	"$filter": {"reversible": {"id"}},
	"$deltatoken": {"values": {"latest"}},
}

# Ids are compared with the tokens that the response gave out, or in clear if it
# gave them so.
_conditions(item) := object.union(_order(item), {"$filter": {
	"properties": t.clear_properties(item),
	"reversible": {"id"},
}})

_order(item) := {"$orderby": {"properties": t.clear_properties(item)}}

# Graph wants it for $count and for some orders; clients send it with every request.
_headers := {"ConsistencyLevel": {"pattern": `(?i)^eventual(\s*,\s*eventual)*$`}}
