package graphveil.shape_test

import data.graphveil.shape

test_operations if {
	shape.keep == {"$op": "keep"}
	shape.drop == {"$op": "drop"}
	shape.pseudonym == {"$op": "pseudonym"}
	shape.email == {"$op": "pseudonym"}
	shape.reversible == {"$op": "reversible"}
	shape.json_pseudonym == {"$op": "json_pseudonym"}
	shape.json_pseudonym_with_original == {"$op": "json_pseudonym", "original": true}
	shape.link == {"$op": "link"}
}

test_match if {
	shape.match("^a(.*)$", shape.email) == {"$op": "match", "pattern": "^a(.*)$", "then": "pseudonym"}
	shape.match("^a(.*)$", shape.reversible) == {"$op": "match", "pattern": "^a(.*)$", "then": "reversible"}
}

test_user_id if {
	shape.user_id == {"$op": "reversible"} with data.graphveil.settings as {}
	shape.user_id == {"$op": "keep"} with data.graphveil.settings as {"ids": "clear"}
}
