package graphveil.connectors.entra_id_test

import data.graphveil.connectors.entra_id
import data.graphveil.directory
import data.graphveil.errors

test_permissions if {
	entra_id.permissions == {"User.Read.All", "GroupMember.Read.All"}
	entra_id.permissions == {"User.Read.All"} with data.graphveil.settings as {"groups": "off"}
}

test_endpoints if {
	every settings in [{}, {"ids": "clear"}, {"encoding": "json"}, {"groups": "off"}] {
		entra_id.endpoints == {
			"users": directory.users,
			"users_delta": directory.users_delta,
			"users_count": directory.users_count,
			"user": directory.user_by_id,
			"groups": directory.groups,
			"groups_delta": directory.groups_delta,
			"groups_count": directory.groups_count,
			"group": directory.group_by_id,
			"group_members": directory.group_members,
			"group_members_count": directory.group_members_count,
			"group_member_users": directory.group_member_users,
		} with data.graphveil.settings as settings
	}
}

test_paths if {
	{endpoint.path | some endpoint in entra_id.endpoints} == {
		"/v1.0/users",
		"/v1.0/users/delta()",
		"/v1.0/users/$count",
		"/v1.0/users/{user}",
		"/v1.0/groups",
		"/v1.0/groups/delta()",
		"/v1.0/groups/$count",
		"/v1.0/groups/{group}",
		"/v1.0/groups/{group}/members",
		"/v1.0/groups/{group}/members/$count",
		"/v1.0/groups/{group}/members/microsoft.graph.user",
	}
}

test_only_reads if {
	{endpoint.methods | some endpoint in entra_id.endpoints} == {{"GET"}}
}

test_refusals if {
	entra_id.refusals == {"me": errors.me, "beta": errors.beta}
}
