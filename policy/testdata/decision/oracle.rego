# The decision as it was when each request went through all reasons one by one: what
# the library decides must be what this decides. It changes only with the meaning of a
# rule, never for speed.
package oracle

decision := {"allow": count(reasons) == 0, "reasons": reasons}

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

reserved_segments := {
	"delta",
	"getallmessages",
	"getallrecordings",
	"getallretainedmessages",
	"getalltranscripts",
	"me",
}

namespaces := {"microsoft.graph", "microsoft.graph.callRecords"}

delta_options := {"deltatoken", "token"}

_endpoint := data.graphveil.endpoints[input.endpoint.connector][input.endpoint.id]

# Below, what is asked of `input` under a `not` is asked in a rule of its own: a
# reference that is an argument is evaluated before the `not`, and where it is
# undefined the reason would be lost.

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

_value_allowed(rule, value) if value in object.keys(rule.values)

_value_allowed(rule, value) if regex.match(rule.pattern, value)

# That the value has the form of a token was seen when the endpoint was found.
_parameter_allowed(rule, name) if {
	rule.reversible
	is_string(input.endpoint.params[name])
}

_parameter_allowed(rule, name) if lower(input.endpoint.params[name]) in object.keys(rule.values)

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
		trim_space(part) in object.keys(rule.values)
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
	not path in input.odata.filter.others
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
