package graphveil.outlook_test

import data.graphveil.directory
import data.graphveil.outlook
import data.graphveil.types as t

test_mailbox_settings if {
	outlook.mailbox_settings == {
		"methods": {"GET"},
		"path": "/v1.0/users/{user}/mailboxSettings",
		"params": {"user": {"$op": "reversible"}},
		"permissions": {"MailboxSettings.Read"},
		"response": t.single(t.mailbox_settings),
	}
	outlook.mailbox_settings.params.user == directory.user_key with data.graphveil.settings as {"ids": "clear"}
}

test_item_key if {
	every id in ["AAMkAGUyYWQ2LTRmNzU=", "AQMkADAwATM0MDAAMS0y-_A"] {
		regex.match(outlook.item_key.pattern, id)
	}
	every text in ["delta", "Delta", "$count", "microsoft.graph.delta", "a/b", ""] {
		not regex.match(outlook.item_key.pattern, text)
	}
}

test_headers if {
	pattern := outlook.headers.Prefer.pattern
	every value in [
		`IdType="ImmutableId"`,
		`idtype="immutableid"`,
		"odata.maxpagesize=50",
		`outlook.timezone="Pacific Standard Time", outlook.body-content-type="text"`,
	] {
		regex.match(pattern, value)
	}
	every value in ["", "return=minimal", `IdType="ImmutableId",`, "odata.maxpagesize=50 ,respond-async"] {
		not regex.match(pattern, value)
	}
}
