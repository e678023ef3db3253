# METADATA
# title: Microsoft 365 Copilot
# description: |
#   Who asked Copilot something, when and in which application, and how long prompts
#   and answers are; not what was asked or answered.
package graphveil.connectors.m365_copilot

import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: permissions
# description: |
#   The application permissions that an administrator grants for this connector.
#   `AiEnterpriseInteraction.Read.All` reads every prompt and answer of the tenant;
#   Graph has nothing less.
permissions := {"AiEnterpriseInteraction.Read.All", "User.Read.All"}

# METADATA
# title: beta_interactions
# description: Lists a user's prompts and Copilot's answers, on beta as Psoxy does.
endpoints["beta_interactions"] := _interactions("/beta")

# METADATA
# title: interactions
# description: The same on v1.0; option `endpoints`.
endpoints["interactions"] := object.union(_interactions("/v1.0"), {"enabled": options.endpoints == "all"})

# METADATA
# title: users
# description: Lists users.
endpoints["users"] := directory.users

# METADATA
# title: user
# description: Reads one user.
endpoints["user"] := directory.user_by_id

# METADATA
# title: me
# description: Says why `/me` is not served.
refusals["me"] := errors.me

# METADATA
# title: beta
# description: Says why the rest of beta is not served.
refusals["beta"] := errors.beta

# METADATA
# title: copilot
# description: Says what is served of Copilot, where, and what to set.
refusals["copilot"] := {
	"path": "/v1.0/copilot",
	"code": "copilot_not_served",
	"message": "Of Copilot, the interactions of a user are served under /beta. The policy's option endpoints: all serves them under /v1.0 too.",
}

_interactions(version) := {
	"methods": {"GET"},
	"path": concat("", [version, "/copilot/users/{user}/interactionHistory/getAllEnterpriseInteractions()"]),
	"params": {"user": directory.user_key},
	"query": {
		"$top": {"max": 1000},
		"$filter": {"properties": {"appClass", "conversationType", "createdDateTime", "interactionType"}},
	},
	"permissions": {"AiEnterpriseInteraction.Read.All"},
	"response": t.override(t.page(interaction), {"@odata.count": shape.drop}),
}
