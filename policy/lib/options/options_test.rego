package graphveil.options_test

import data.graphveil.options

test_first_value_is_the_default if {
	options.ids == "reversible" with data.graphveil.settings as {}
	options.groups == "on" with data.graphveil.settings as {}
	options.encoding == "token" with data.graphveil.settings as {}
}

test_settings_win if {
	settings := {"ids": "clear", "groups": "off", "encoding": "json"}
	options.ids == "clear" with data.graphveil.settings as settings
	options.groups == "off" with data.graphveil.settings as settings
	options.encoding == "json" with data.graphveil.settings as settings
}

test_every_option_of_the_schema_is_a_rule if {
	every name, values in options.schema {
		options[name] == values[0] with data.graphveil.settings as {}
	}
}
