package graphveil.errors_test

import data.graphveil.errors

test_shape if {
	inner := {
		"code": {"$op": "keep"},
		"date": {"$op": "keep"},
		"request-id": {"$op": "keep"},
		"client-request-id": {"$op": "keep"},
		"message": {"$op": "drop"},
		"target": {"$op": "drop"},
	}
	nested := object.union(inner, {"innerError": inner, "innererror": inner})
	errors.shape == {"error": {
		"code": {"$op": "keep"},
		"message": {"$op": "drop"},
		"target": {"$op": "drop"},
		"details": [{"code": {"$op": "keep"}, "message": {"$op": "drop"}, "target": {"$op": "drop"}}],
		"innerError": nested,
		"innererror": nested,
	}}
}

test_refusals if {
	errors.me.path == "/v1.0/me"
	errors.me.code == "me_not_served"
	contains(errors.me.message, "/v1.0/users/{id}")
	errors.beta.path == "/beta"
	errors.beta.code == "beta_not_served"
	contains(errors.beta.message, "/v1.0")
}
