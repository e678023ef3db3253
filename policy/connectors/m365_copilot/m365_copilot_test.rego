package graphveil.connectors.m365_copilot_test

import data.graphveil.connectors.m365_copilot
import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.types as t

_clear := {"ids": "clear"}

_all := {"endpoints": "all"}

test_permissions if {
	every settings in [{}, {"groups": "off"}] {
		m365_copilot.permissions == {"AiEnterpriseInteraction.Read.All", "User.Read.All"} with data.graphveil.settings as settings
	}
}

test_interactions if {
	m365_copilot.endpoints.beta_interactions == {
		"methods": {"GET"},
		"path": "/beta/copilot/users/{user}/interactionHistory/getAllEnterpriseInteractions()",
		"params": {"user": directory.user_key},
		"query": {
			"$top": {"max": 1000},
			"$filter": {"properties": {"appClass", "conversationType", "createdDateTime", "interactionType"}},
		},
		"permissions": {"AiEnterpriseInteraction.Read.All"},
		"response": {
			"@odata.context": {"$op": "drop"},
			"@odata.count": {"$op": "drop"},
			"@odata.nextLink": {"$op": "link"},
			"@microsoft.graph.tips": {"$op": "drop"},
			"error": errors.shape.error,
			"value": [m365_copilot.interaction],
		},
	}
}

test_interactions_on_v1_are_an_option if {
	m365_copilot.endpoints.interactions.enabled == false
	m365_copilot.endpoints.interactions == object.union(m365_copilot.endpoints.beta_interactions, {
		"enabled": true,
		"path": "/v1.0/copilot/users/{user}/interactionHistory/getAllEnterpriseInteractions()",
	}) with data.graphveil.settings as _all
}

test_directory_endpoints_are_those_of_the_directory if {
	every settings in [{}, {"ids": "clear"}, {"encoding": "json"}, {"level": "strict"}] {
		object.remove(m365_copilot.endpoints, {"beta_interactions", "interactions"}) == {
			"users": directory.users,
			"user": directory.user_by_id,
		} with data.graphveil.settings as settings
	}
}

test_no_text_no_title_no_address if {
	every texts in [m365_copilot.interaction.attachments[0], m365_copilot.interaction.contexts[0], m365_copilot.interaction.links[0], m365_copilot.interaction.mentions[0]] {
		every name in {"content", "contentUrl", "name", "contextReference", "displayName", "linkUrl", "mentionText"} & object.keys(texts) {
			texts[name] == {"$op": "drop"}
		}
	}
	m365_copilot.interaction.body == {
		"content": {"$op": "digest", "then": {"$op": "drop"}},
		"contentType": {"$op": "keep"},
	}
}

test_who_reversible if {
	m365_copilot.interaction.from.user.id == {"$op": "pseudonym"}
	m365_copilot.interaction.sessionId == {"$op": "tokenize"}
	m365_copilot.interaction.attachments[0].attachmentId == {"$op": "tokenize"}
	mentioned := m365_copilot.interaction.mentions[0].mentioned
	mentioned.user.id == {"$op": "drop"}
	mentioned.conversation.id == {"$op": "drop"}
	mentioned.application.id == {"$op": "keep"}
}

test_who_clear if {
	m365_copilot.interaction.from.user.id == {"$op": "keep"} with data.graphveil.settings as _clear
	m365_copilot.interaction.sessionId == {"$op": "keep"} with data.graphveil.settings as _clear
	mentioned := m365_copilot.interaction.mentions[0].mentioned with data.graphveil.settings as _clear
	mentioned.user.id == {"$op": "keep"}
	mentioned.conversation.id == {"$op": "keep"}
}

test_only_bots_keep_their_ids if {
	application := m365_copilot.interaction.from.application
	application["$op"] == "select"
	application.member == "applicationIdentityType"
	object.keys(application.cases) == {"bot"}
	application.cases.bot.id == {"$op": "keep"}
	application.otherwise.id == {"$op": "pseudonym"}
	object.remove(application.cases.bot, {"id"}) == object.remove(application.otherwise, {"id"})
}

test_no_names_of_persons if {
	every identity in [m365_copilot.interaction.from.user, m365_copilot.interaction.from.application.otherwise, m365_copilot.interaction.mentions[0].mentioned.user] {
		every name in {"displayName", "email", "userPrincipalName", "ipAddress", "loginName"} {
			identity[name] == {"$op": "drop"}
		}
	}
	object.keys(t.no_identities) - object.keys(m365_copilot.interaction.from) == set()
}

test_strict_drops_what_tells_of_the_organisation if {
	strict := m365_copilot.interaction with data.graphveil.settings as {"level": "strict"}
	strict.locale == {"$op": "drop"}
	strict.from.user.tenantId == {"$op": "drop"}
}

test_refusals if {
	object.remove(m365_copilot.refusals, {"copilot"}) == {"me": errors.me, "beta": errors.beta}
	m365_copilot.refusals.copilot.path == "/v1.0/copilot"
	m365_copilot.refusals.copilot.code == "copilot_not_served"
	contains(m365_copilot.refusals.copilot.message, "endpoints: all")
}
