package graphveil_test

import data.graphveil

endpoint := {
	"methods": {"GET": true},
	"params": {
		"user": {"reversible": true},
		"folder": {"keep": true},
		"kind": {"values": {"inbox": true, "sentitems": true}},
		"message": {"pattern": "^(?:[0-9]+)$"},
	},
	"query": {
		"select": {"name": "$select", "properties": {"id": true}},
		"top": {"name": "$top", "max": 10},
		"skip": {"name": "$skip", "max": 100},
		"count": {"name": "$count", "values": {"true": true}},
		"filter": {"name": "$filter", "properties": {"id": true, "mail": true}},
		"orderby": {"name": "$orderby", "properties": {"id": true}},
		"expand": {"name": "$expand", "properties": {"manager": true}},
		"model": {"name": "Model", "pattern": "^(?:[a-z]+)$"},
	},
	"headers": {
		"prefer": {"pattern": "^(?:x=[0-9])$"},
		"consistencylevel": {"values": {"eventual": true, "strong": true}},
		"accept": {},
	},
	"clear": {"id": true, "name": true},
	"plain": {
		"options": {"select": true, "top": true, "skip": true, "filter": true, "orderby": true, "expand": true},
		"max": {"top": 10, "skip": 100},
		"free": {},
		"select": {"id": true},
	},
}

good := {
	"request": {"method": "GET", "path": "/x", "segments": ["x"], "query": {}, "headers": {}, "sealed": false},
	"endpoint": {
		"connector": "c",
		"id": "e",
		"params": {"user": "p~x", "folder": "AAMk", "kind": "Inbox", "message": "42"},
	},
	"odata": {"malformed": []},
	"caller": {},
}

# A good request with one change.
reasons(patch) := decided(json.patch(good, [patch]), endpoint).reasons

# The decision, which must be the one that the reasons make, however it was found.
decided(request, contract) := decision if {
	decision := graphveil.decision with input as request
		with data.graphveil.endpoints as {"c": {"e": contract}}
	found := graphveil.reasons with input as request
		with data.graphveil.endpoints as {"c": {"e": contract}}
	decision == {"allow": found == set(), "reasons": found}
}

replace(path, value) := {"op": "replace", "path": path, "value": value}

query(options) := replace("/request/query", options)

odata(parsed) := replace("/odata", object.union({"malformed": []}, parsed))

param(name, value) := replace(sprintf("/endpoint/params/%s", [name]), value)

header(name, value) := replace("/request/headers", {name: value})

test_allowed if {
	graphveil.decision == {"allow": true, "reasons": set()} with input as good
		with data.graphveil.endpoints as {"c": {"e": endpoint}}
}

test_nothing_is_known_of_the_request if {
	decision := graphveil.decision with input as {}
	decision == {"allow": false, "reasons": {"path_not_allowed", "policy_error", "method_not_allowed"}}
}

test_no_such_endpoint if {
	"path_not_allowed" in reasons(replace("/endpoint/id", "f"))
	"path_not_allowed" in reasons(replace("/endpoint/connector", "d"))
}

test_incomplete_input if {
	every path in ["/request/query", "/request/headers", "/endpoint/params", "/odata/malformed"] {
		"policy_error" in reasons({"op": "remove", "path": path})
		"policy_error" in reasons(replace(path, "text"))
	}
}

test_method if {
	reasons(replace("/request/method", "POST")) == {"method_not_allowed"}
	reasons(replace("/request/method", "get")) == {"method_not_allowed"}
}

test_parameter if {
	every name, value in {"user": "p~y", "folder": "x", "kind": "SENTITEMS", "message": "7"} {
		reasons(param(name, value)) == set()
	}
	reasons(param("kind", "drafts")) == {"id_not_allowed:kind"}
	reasons(param("message", "42x")) == {"id_not_allowed:message"}
	reasons({"op": "remove", "path": "/endpoint/params/message"}) == {"id_not_allowed:message"}
}

test_functions_are_no_ids_whatever_the_pattern if {
	any_id := json.patch(endpoint, [replace("/params/message/pattern", "^.*$")])
	every name in ["delta", "GetAllMessages", "$count", "microsoft.graph.delta"] {
		decided(json.patch(good, [param("message", name)]), any_id).reasons == {"id_not_allowed:message"}
	}
}

test_functions_are_no_ids if {
	every name in ["delta", "Delta", "me", "$count", "$ref", "delta()", "microsoft.graph.delta", "Microsoft.Graph.user", "f(x='y')"] {
		reasons(param("folder", name)) == {"id_not_allowed:folder"}
	}
}

test_reserved_segments if {
	every name in graphveil.reserved_segments {
		name == lower(name)
	}
	count({"delta", "me"} - graphveil.reserved_segments) == 0
}

test_namespaces if "microsoft.graph" in graphveil.namespaces

test_option_that_is_not_listed if {
	reasons(query({"search": "x"})) == {"query_not_allowed:$search"}
	reasons(query({"anything": "x"})) == {"query_not_allowed"}
}

test_option_that_does_not_parse if {
	reasons(odata({"malformed": ["filter"]})) == {"query_malformed:$filter"}
	reasons(odata({"malformed": ["search"]})) == set()
}

test_option_value if {
	reasons(query({"count": "true"})) == set()
	reasons(query({"count": "false"})) == {"query_value_not_allowed:$count"}
	reasons(query({"model": "a"})) == set()
	reasons(query({"model": "1"})) == {"query_value_not_allowed:Model"}
}

test_max if {
	reasons(odata({"top": 10})) == set()
	reasons(odata({"top": 11})) == {"query_value_not_allowed:$top"}
	reasons(odata({"skip": 101})) == {"query_value_not_allowed:$skip"}
}

test_select if {
	reasons(odata({"select": ["id"]})) == set()
	reasons(odata({"select": ["id", "mail"]})) == {"query_value_not_allowed:$select"}

	free := json.patch(endpoint, [{"op": "remove", "path": "/query/select/properties"}, replace("/plain/free", {"select": true})])
	decided(json.patch(good, [odata({"select": ["mail"]})]), free).allow
}

test_select_of_a_delta if {
	every call, reason in {"delta": {"query_value_not_allowed:$select"}, "recent": set()} {
		function := object.union(json.remove(endpoint, ["query/select/properties"]), {
			"function": call,
			"released": {"id": true},
			"plain": {"free": {"select": call != "delta"}},
		})
		every case in [[["id"], set()], [["mail"], reason], [["id", "mail"], reason], [["*"], reason]] {
			decided(json.patch(good, [odata({"select": case[0]})]), function).reasons == case[1]
		}
	}
}

test_expand if {
	reasons(odata({"expand": [{"path": "manager", "select": [], "options": ["select", "expand", "top"]}]})) == set()
	reasons(odata({"expand": [{"path": "manager", "select": [], "options": ["filter"]}]})) == {"query_value_not_allowed:$expand"}
	reasons(odata({"expand": [{"path": "members", "select": [], "options": []}]})) == {"query_value_not_allowed:$expand"}
}

# mail is listed but not in clear, name is in clear but not listed.
test_filter if {
	reasons(odata({"filter": {"properties": ["id"], "lambdas": false}})) == set()
	reasons(odata({"filter": {"properties": ["id"], "lambdas": true}})) == set()
	every path in ["mail", "name", "other"] {
		reasons(odata({"filter": {"properties": ["id", path], "lambdas": false}})) == {"filter_property_not_allowed:$filter"}
	}
}

# Properties that are tokens in the response, compared with tokens.
test_reversible_filter if {
	with_ids := json.patch(endpoint, [{"op": "add", "path": "/query/filter/reversible", "value": {"user": true}}])
	cases := [
		[{"property": "user", "operator": "eq"}, [], set()],
		[{"property": "user", "operator": "ne"}, [], set()],
		[{"property": "user", "operator": "in"}, [], set()],
		[{"property": "user", "operator": "ge"}, [], {"filter_property_not_allowed:$filter"}],
		[{"property": "user", "operator": "has"}, [], {"filter_property_not_allowed:$filter"}],
		[{"property": "user", "operator": "eq"}, ["user"], {"filter_property_not_allowed:$filter"}],
		[{"property": "mail", "operator": "eq"}, [], {"filter_property_not_allowed:$filter"}],
	]
	every case in cases {
		parsed := {"filter": {
			"properties": ["id", case[0].property],
			"lambdas": false,
			"comparisons": [case[0], {"property": "id", "operator": "gt"}],
			"others": case[1],
		}}
		decided(json.patch(good, [odata(parsed)]), with_ids).reasons == case[2]
		unread := {"filter": json.remove(parsed.filter, ["others"])}
		decided(json.patch(good, [odata(unread)]), with_ids).reasons == {"filter_property_not_allowed:$filter"}
	}
}

test_orderby if {
	reasons(odata({"orderby": [{"property": "id", "descending": true}]})) == set()
	reasons(odata({"orderby": [{"property": "name", "descending": true}]})) == {"filter_property_not_allowed:$orderby"}
}

test_header if {
	every name, value in {"prefer": "x=1", "consistencylevel": "strong, eventual", "accept": "anything", "other": "anything"} {
		reasons(header(name, value)) == set()
	}
	reasons(header("prefer", "x=1, y")) == {"header_value_not_allowed:prefer"}
	reasons(header("consistencylevel", "eventual, weak")) == {"header_value_not_allowed:consistencylevel"}
	reasons(header("consistencylevel", "")) == {"header_value_not_allowed:consistencylevel"}
}

sealed(options, parsed) := decided(json.patch(good, [replace("/request/sealed", true), query(options), odata(parsed)]), endpoint).reasons

test_page_link if {
	sealed({"skiptoken": "x", "deltatoken": "x", "token": "x", "top": "999", "skip": "5000"}, {"top": 999, "skip": 5000}) == set()
	sealed({"search": "x"}, {}) == {"query_not_allowed:$search"}
	sealed({"filter": "mail eq 1"}, {"filter": {"properties": ["mail"], "lambdas": false}}) == {"filter_property_not_allowed:$filter"}
	reasons(query({"skiptoken": "x"})) == {"query_not_allowed:$skiptoken"}
}

test_custom_denial if {
	decision := graphveil.decision with input as good
		with data.graphveil.endpoints as {"c": {"e": endpoint}}
		with data.graphveil.custom.deny as {"after_hours"}
	decision == {"allow": false, "reasons": {"after_hours"}}
}
