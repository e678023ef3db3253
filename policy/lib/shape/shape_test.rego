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

test_organisation if {
	shape.organisation == {"$op": "keep"} with data.graphveil.settings as {}
	shape.organisation == {"$op": "drop"} with data.graphveil.settings as {"level": "strict"}
}

test_opaque_id if {
	shape.opaque_id == {"$op": "tokenize"} with data.graphveil.settings as {}
	shape.opaque_id == {"$op": "keep"} with data.graphveil.settings as {"ids": "clear"}
}

test_tokens_of_a_value if {
	shape.tokenize == {"$op": "tokenize"}
	shape.tokenize_match("^a(.*)$") == {"$op": "tokenize", "pattern": "^a(.*)$"}
	shape.hash == {"$op": "hash"}
	shape.json_reversible == {"$op": "json_pseudonym", "reversible": true}
	shape.json_reversible_with_original == {"$op": "json_pseudonym", "original": true, "reversible": true}
	shape.email_header == {"$op": "email_header"}
	shape.json_email_header == {"$op": "email_header", "json": true}
	shape.hash_ip == {"$op": "hash_ip"}
	shape.encrypt_ip == {"$op": "encrypt_ip"}
}

test_text if {
	shape.phrases(["a"]) == {"$op": "phrases", "phrases": ["a"]}
	shape.without(["a"]) == {"$op": "without", "patterns": ["a"]}
	shape.only(["a"]) == {"$op": "only", "patterns": ["a"]}
	shape.tokens(" ", ["a"]) == {"$op": "tokens", "delimiter": " ", "patterns": ["a"]}
	shape.steps([shape.hash]) == {"$op": "steps", "steps": [{"$op": "hash"}]}
	shape.text_digest == {"$op": "text_digest"}
	shape.digest(shape.drop) == {"$op": "digest", "then": {"$op": "drop"}}
	shape.digest_json(shape.drop, {"text": shape.text_digest}) == {
		"$op": "digest",
		"then": {"$op": "drop"},
		"inner": {"text": {"$op": "text_digest"}},
	}
	shape.json({"a": shape.keep}) == {"$op": "json", "shape": {"a": {"$op": "keep"}}}
}

test_containers if {
	shape.select("a", {"b": {}}, shape.drop) == {
		"$op": "select",
		"member": "a",
		"cases": {"b": {}},
		"otherwise": {"$op": "drop"},
	}
	shape.any == {"$op": "any"}
	shape.any_with({"a": shape.link}) == {"$op": "any", "shape": {"a": {"$op": "link"}}}
	shape.open({"a": shape.keep}, shape.any) == {
		"$op": "open",
		"shape": {"a": {"$op": "keep"}},
		"rest": {"$op": "any"},
	}
	shape.refuse == {"$op": "refuse"}
	shape.typed("string") == {"$op": "typed", "type": "string"}
	shape.schema([shape.any]) == {"$op": "schema", "shape": [{"$op": "any"}]}
	shape.rules(shape.any, [{"at": ["$..a"], "do": shape.drop}]) == {
		"$op": "rules",
		"shape": {"$op": "any"},
		"rules": [{"at": ["$..a"], "do": {"$op": "drop"}}],
	}
}
