# METADATA
# title: Decision
# description: |
#   Decides each request. `data.graphveil.endpoints` holds, for each connector and
#   endpoint, what the connector wrote about methods, parameters, query and
#   headers, in the form that activation checked and compiled; `input` is described
#   by `policy/schemas/input.json`. A request is allowed when no reason speaks
#   against it.
package graphveil

import future.keywords.not

# METADATA
# title: decision
# description: |
#   Whether the request may go upstream, and if not, why. Evaluated once for each
#   request. Its schema is `policy/schemas/decision.json`.
#
#   The first part sees in one pass what nearly every good request looks like: nothing
#   in it is other than its endpoint takes as it comes, so that no reason could speak
#   against it. Each expression is the opposite of a reason, or asks for more. All
#   other requests go through the reasons one by one. (Comparing with `true` costs
#   less than asking whether a name is there.)
# scope: document
decision := {"allow": true, "reasons": set()} if {
	e := data.graphveil.endpoints[input.endpoint.connector][input.endpoint.id]
	e.methods[input.request.method] == true
	object.subset(input, {"request": {"query": {}, "headers": {}}, "endpoint": {"params": {}}})
	input.odata.malformed == []
	not {
		some name, rule in e.params
		not {
			rule.reversible == true
			is_string(input.endpoint.params[name])
		}
		not rule.values[lower(input.endpoint.params[name])] == true
		not {
			value := input.endpoint.params[name]
			regex.match(rule.pattern, value)
			_is_id(value)
		}
		not _parameter_allowed(rule, name)
	}
	not {
		some name, value in input.request.query
		not e.plain.options[name] == true
		not e.query[name].values[value] == true
		not _value_allowed(e.query[name], value)
		not _from_the_upstream(name)
	}
	not {
		some name, max in e.plain.max
		input.odata[name] > max
		not _from_the_upstream(name)
	}
	not {
		some path in input.odata.select
		not e.plain.free.select == true
		not e.plain.select[path] == true
	}
	not {
		some path in input.odata.filter.properties
		not {
			e.query.filter.properties[path] == true
			e.clear[path] == true
		}
		not _compared_with_tokens(path)
	}
	not {
		some order in input.odata.orderby
		not {
			e.query.orderby.properties[order.property] == true
			e.clear[order.property] == true
		}
	}
	not {
		some item in input.odata.expand
		not {
			e.query.expand.properties[item.path] == true
			item.options == []
		}
		not _expansion_allowed(item)
	}
	not {
		some name, rule in e.headers
		value := input.request.headers[name]
		not rule.values[value] == true
		not regex.match(rule.pattern, value)
		not _header_allowed(rule, value)
	}
	not {
		some _ in data.graphveil.custom.deny
	}
} else := {"allow": count(reasons) == 0, "reasons": reasons}

# METADATA
# title: reasons
# description: |
#   What speaks against the request, as `code` or `code:$option`. Names come from
#   the endpoint or from the list of known options, never from the request.
# scope: document
reasons contains "path_not_allowed" if not _endpoint

reasons contains "policy_error" if not _input_is_complete

reasons contains "method_not_allowed" if not _method_allowed

# Path parameters.

reasons contains sprintf("id_not_allowed:%s", [name]) if {
	some name, rule in _endpoint.params
	not _parameter_allowed(rule, name)
}

# Query options: listed, parsed, and with a value that the rule allows.

reasons contains _about("query_not_allowed", name) if {
	some name, _ in input.request.query
	not _endpoint.query[name]
	not _from_the_upstream(name)
}

reasons contains _about("query_malformed", name) if {
	some name in input.odata.malformed
	_endpoint.query[name]
}

reasons contains _about("query_value_not_allowed", name) if {
	some name, value in input.request.query
	rule := _endpoint.query[name]
	not _from_the_upstream(name)
	not _value_allowed(rule, value)
}

reasons contains _about("query_value_not_allowed", name) if {
	some name, rule in _endpoint.query
	input.odata[name] > rule.max
	not _from_the_upstream(name)
}

reasons contains "query_value_not_allowed:$select" if {
	some path in input.odata.select
	not _endpoint.query.select.properties[path]
	_endpoint.query.select.properties
}

# A delta query returns what has changed in the selected properties, so selecting one
# that the response hides would tell when it changes.

reasons contains "query_value_not_allowed:$select" if {
	_endpoint.function == "delta"
	some path in input.odata.select
	not _endpoint.released[path]
}

reasons contains "query_value_not_allowed:$expand" if {
	some item in input.odata.expand
	not _expansion_allowed(item)
}

# A filter or an order on a property that the response hides would tell it bit by
# bit: by the number of results, by a next page, by the order.

reasons contains "filter_property_not_allowed:$filter" if {
	some path in input.odata.filter.properties
	not _condition_allowed("filter", path)
	not _compared_with_tokens(path)
}

reasons contains "filter_property_not_allowed:$orderby" if {
	some order in input.odata.orderby
	not _order_allowed(order)
}

# Headers: others than these are not forwarded, so they need no reason.

reasons contains sprintf("header_value_not_allowed:%s", [name]) if {
	some name, rule in _endpoint.headers
	value := input.request.headers[name]
	not _header_allowed(rule, value)
}

# What the policy's author adds, in `package graphveil.custom`: who may call what,
# when and how much, as `deny contains "outside_office_hours" if ...`. A reason is a
# code; the caller and the log get to see it, so it never holds a value.

reasons contains reason if some reason in data.graphveil.custom.deny

# METADATA
# title: reserved_segments
# description: |
#   Path segments that name a function or a part of a collection where an id could
#   stand: `/users/delta` is no user. In lower case.
reserved_segments := {
	"delta",
	"getallmessages",
	"getallrecordings",
	"getallretainedmessages",
	"getalltranscripts",
	"me",
}

# METADATA
# title: namespaces
# description: |
#   What clients may write before the name of a function: Graph's own SDKs send
#   `/users/microsoft.graph.delta()` for `/users/delta`.
namespaces := {"microsoft.graph", "microsoft.graph.callRecords"}

# METADATA
# title: delta_options
# description: |
#   Options in which Graph keeps the state of a delta query, without `$`, in lower
#   case. In `delta(token='x')` the state is an argument instead.
delta_options := {"deltatoken", "token"}

_endpoint := data.graphveil.endpoints[input.endpoint.connector][input.endpoint.id]

# A `not` also holds where what it asks about is undefined (`import future.keywords.not`).
# So it may stand before what is good, whose absence then speaks against the request; of
# what is bad, the list is named first, and must be there.

_method_allowed if _endpoint.methods[input.request.method]

_input_is_complete if {
	is_object(input.request.query)
	is_object(input.request.headers)
	is_object(input.endpoint.params)
	is_array(input.odata.malformed)
}

_about(code, name) := sprintf("%s:%s", [code, _endpoint.query[name].name])

_about(code, name) := sprintf("%s:$%s", [code, name]) if {
	not _endpoint.query[name]
	name in _known_options
}

_about(code, name) := code if {
	not _endpoint.query[name]
	not name in _known_options
}

_known_options := {
	"apply",
	"compute",
	"count",
	"deltatoken",
	"expand",
	"filter",
	"format",
	"orderby",
	"search",
	"select",
	"skip",
	"skiptoken",
	"top",
}

# Options that Graph itself puts into a page link.
_from_the_upstream(name) if {
	input.request.sealed
	name in ({"skiptoken", "skip", "top"} | delta_options)
}

_value_allowed(rule, _) if {
	not rule.values
	not rule.pattern
}

_value_allowed(rule, value) if rule.values[value]

_value_allowed(rule, value) if regex.match(rule.pattern, value)

# That the value has the form of a token was seen when the endpoint was found.
_parameter_allowed(rule, name) if {
	rule.reversible
	is_string(input.endpoint.params[name])
}

_parameter_allowed(rule, name) if rule.values[lower(input.endpoint.params[name])]

_parameter_allowed(rule, name) if {
	value := input.endpoint.params[name]
	regex.match(rule.pattern, value)
	_is_id(value)
}

_parameter_allowed(rule, name) if {
	rule.keep
	_is_id(input.endpoint.params[name])
}

# With a colon at its end an id begins a path by names: `/items/root:/salaries.xlsx`.
_is_id(value) if {
	not lower(value) in reserved_segments
	not regex.match(`(?i)^\$|[()]|:$|^microsoft\.graph\.`, value)
}

_header_allowed(rule, value) if {
	rule.values
	every part in split(value, ",") {
		rule.values[trim_space(part)]
	}
}

_header_allowed(rule, value) if {
	not rule.values
	_value_allowed(rule, value)
}

_expansion_allowed(item) if {
	_endpoint.query.expand.properties[item.path]
	every option in item.options {
		option in {"select", "expand", "top"}
	}
}

# What its response has as a token a filter may compare with tokens, for being the
# same or not. That they are tokens is seen where they are revealed; what the
# upstream wrote into a page link is the value itself.
_compared_with_tokens(path) if {
	_endpoint.query.filter.reversible[path]
	others := input.odata.filter.others
	not path in others
	every comparison in input.odata.filter.comparisons {
		_about_sameness(comparison, path)
	}
}

_about_sameness(comparison, path) if comparison.property != path

_about_sameness(comparison, _) if comparison.operator in {"eq", "ne", "in"}

_order_allowed(order) if _condition_allowed("orderby", order.property)

_condition_allowed(option, path) if {
	_endpoint.query[option].properties[path]
	_endpoint.clear[path]
}
