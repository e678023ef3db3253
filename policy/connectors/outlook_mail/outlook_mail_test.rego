package graphveil.connectors.outlook_mail_test

import data.graphveil.connectors.outlook_mail
import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.outlook
import data.graphveil.types as t

test_permissions if {
	outlook_mail.permissions == {
		"Mail.ReadBasic.All",
		"MailboxSettings.Read",
		"User.Read.All",
		"GroupMember.Read.All",
	}
	outlook_mail.permissions == {
		"Mail.ReadBasic.All",
		"MailboxSettings.Read",
		"User.Read.All",
	} with data.graphveil.settings as {"groups": "off"}
}

test_setup if outlook_mail.setup == {"exchange_rbac"}

test_mailbox_settings if {
	outlook_mail.endpoints.mailbox_settings == outlook.mailbox_settings
}

test_message_endpoint if {
	outlook_mail.endpoints.message == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/messages/{message}",
		"params": {
			"user": {"$op": "reversible"},
			"message": outlook.item_key,
		},
		"query": {"$select": {}},
		"headers": outlook.headers,
		"permissions": {"Mail.ReadBasic.All"},
		"response": t.single(outlook_mail.message),
	}
}

test_sent_messages if {
	conditions := {"properties": t.clear_properties(outlook_mail.message)}
	outlook_mail.endpoints.sent_messages == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/mailFolders/SentItems/messages",
		"params": {"user": {"$op": "reversible"}},
		"query": {
			"$select": {},
			"$top": {"max": 1000},
			"$skip": {"max": 1000000},
			"$count": {"values": {"true", "false"}},
			"$filter": conditions,
			"$orderby": conditions,
		},
		"headers": outlook.headers,
		"permissions": {"Mail.ReadBasic.All"},
		"response": t.page(outlook_mail.message),
	}
}

test_sent_messages_delta if {
	outlook_mail.endpoints.sent_messages_delta == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/mailFolders/SentItems/messages/delta()",
		"params": {"user": {"$op": "reversible"}},
		"query": {
			"$select": {"properties": t.released_properties(outlook_mail.message)},
			"$top": {"max": 1000},
			"$filter": {"properties": {"receivedDateTime"}},
			"$orderby": {"properties": {"receivedDateTime"}},
			"changeType": {"values": {"created", "updated", "deleted"}},
		},
		"headers": outlook.headers,
		"permissions": {"Mail.ReadBasic.All"},
		"response": t.changes(outlook_mail.message),
	}
}

test_delta_selects_no_hidden_property if {
	properties := outlook_mail.endpoints.sent_messages_delta.query["$select"].properties
	count({"id", "isRead", "flag", "toRecipients"} - properties) == 0
	count({"subject", "body", "categories", "location"} & properties) == 0
}

test_directory_endpoints_are_those_of_the_directory if {
	every settings in [{}, {"ids": "clear"}, {"encoding": "json"}, {"groups": "off"}] {
		object.remove(outlook_mail.endpoints, {"mailbox_settings", "message", "sent_messages", "sent_messages_delta"}) == {
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

test_users_are_addressed_as_option_ids_says if {
	every id in ["mailbox_settings", "message", "sent_messages", "sent_messages_delta"] {
		outlook_mail.endpoints[id].params.user == directory.user_key
		outlook_mail.endpoints[id].params.user.pattern with data.graphveil.settings as {"ids": "clear"}
	}
}

test_message_is_the_same_whatever_the_options if {
	every settings in [{"ids": "clear"}, {"encoding": "json"}] {
		changed := outlook_mail.message with data.graphveil.settings as settings
		changed == outlook_mail.message
	}
}

test_message_releases_nothing_that_anybody_wrote if {
	every name in {
		"attachments", "body", "bodyPreview", "categories", "event", "extensions", "internetMessageHeaders",
		"location", "multiValueExtendedProperties", "previousLocation", "singleValueExtendedProperties",
		"subject", "suggestedCalendarName", "uniqueBody", "webLink",
	} {
		outlook_mail.message[name] == {"$op": "drop"}
	}
}

test_everybody_is_a_recipient if {
	outlook_mail.message.from == t.recipient
	outlook_mail.message.sender == t.recipient
	every name in {"toRecipients", "ccRecipients", "bccRecipients", "replyTo"} {
		outlook_mail.message[name] == [t.recipient]
	}
}

test_what_a_filter_may_name if {
	properties := outlook_mail.endpoints.sent_messages.query["$filter"].properties
	count({"sentDateTime", "isRead", "flag/flagStatus", "conversationId"} - properties) == 0
	count({"subject", "body/content", "from/emailAddress/address", "toRecipients/emailAddress/address"} & properties) == 0
}

test_refusals if {
	outlook_mail.refusals == {"me": errors.me, "beta": errors.beta}
}
