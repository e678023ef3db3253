package graphveil.connectors.directory_and_mail_test

import data.graphveil
import data.graphveil.connectors.directory_and_mail

# A request as the decision sees it.
_request(method, endpoint, params, query) := {
	"request": {"method": method, "path": "/", "segments": [], "query": query, "headers": {}, "sealed": false},
	"endpoint": {"connector": "directory_and_mail", "id": endpoint, "params": params},
	"odata": {"malformed": []},
	"caller": {},
}

test_users_is_served if {
	directory_and_mail.endpoints.users.path == "/v1.0/users"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "users", {}, {})
}

test_users_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "users", {}, {})
	}
}

test_users_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "users", {}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_is_served if {
	directory_and_mail.endpoints.user.path == "/v1.0/users/{user}"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user", {"user": "p~token"}, {})
}

test_user_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user", {"user": "p~token"}, {})
	}
}

test_user_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user", {"user": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_takes_tokens_only if {
	directory_and_mail.endpoints.user.params.user["$op"] == "reversible"
}

test_beta_users_is_served if {
	directory_and_mail.endpoints.beta_users.path == "/beta/users"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "beta_users", {}, {})
}

test_beta_users_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "beta_users", {}, {})
	}
}

test_beta_users_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "beta_users", {}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_beta_user_is_served if {
	directory_and_mail.endpoints.beta_user.path == "/beta/users/{user}"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "beta_user", {"user": "p~token"}, {})
}

test_beta_user_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "beta_user", {"user": "p~token"}, {})
	}
}

test_beta_user_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "beta_user", {"user": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_beta_user_takes_tokens_only if {
	directory_and_mail.endpoints.beta_user.params.user["$op"] == "reversible"
}

test_groups_is_served if {
	directory_and_mail.endpoints.groups.path == "/v1.0/groups"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "groups", {}, {})
}

test_groups_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "groups", {}, {})
	}
}

test_groups_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "groups", {}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_group_is_served if {
	directory_and_mail.endpoints.group.path == "/v1.0/groups/{group}"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "group", {"group": "a1"}, {})
}

test_group_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "group", {"group": "a1"}, {})
	}
}

test_group_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "group", {"group": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_group_members_is_served if {
	directory_and_mail.endpoints.group_members.path == "/v1.0/groups/{group}/members"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "group_members", {"group": "a1"}, {})
}

test_group_members_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "group_members", {"group": "a1"}, {})
	}
}

test_group_members_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "group_members", {"group": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_mailbox_settings_is_served if {
	directory_and_mail.endpoints.user_mailbox_settings.path == "/v1.0/users/{user}/mailboxSettings"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_mailbox_settings", {"user": "p~token"}, {})
}

test_user_mailbox_settings_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_mailbox_settings", {"user": "p~token"}, {})
	}
}

test_user_mailbox_settings_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_mailbox_settings", {"user": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_mailbox_settings_takes_tokens_only if {
	directory_and_mail.endpoints.user_mailbox_settings.params.user["$op"] == "reversible"
}

test_user_message_is_served if {
	directory_and_mail.endpoints.user_message.path == "/v1.0/users/{user}/messages/{message}"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_message", {"user": "p~token", "message": "a1"}, {})
}

test_user_message_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_message", {"user": "p~token", "message": "a1"}, {})
	}
}

test_user_message_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_message", {"user": "p~token", "message": "a1"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_message_takes_tokens_only if {
	directory_and_mail.endpoints.user_message.params.user["$op"] == "reversible"
}

test_user_mail_folders_sent_items_messages_is_served if {
	directory_and_mail.endpoints.user_mail_folders_sent_items_messages.path == "/v1.0/users/{user}/mailFolders/SentItems/messages"
	graphveil.decision == {"allow": true, "reasons": set()} with input as _request("GET", "user_mail_folders_sent_items_messages", {"user": "p~token"}, {})
}

test_user_mail_folders_sent_items_messages_is_served_for_reading_only if {
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		"method_not_allowed" in graphveil.decision.reasons with input as _request(method, "user_mail_folders_sent_items_messages", {"user": "p~token"}, {})
	}
}

test_user_mail_folders_sent_items_messages_takes_no_other_options if {
	every option in ["expand", "filter", "orderby", "search", "unlisted"] {
		reasons := graphveil.decision.reasons with input as _request("GET", "user_mail_folders_sent_items_messages", {"user": "p~token"}, {option: "x"})
		some reason in reasons
		startswith(reason, "query_not_allowed")
	}
}

test_user_mail_folders_sent_items_messages_takes_tokens_only if {
	directory_and_mail.endpoints.user_mail_folders_sent_items_messages.params.user["$op"] == "reversible"
}
