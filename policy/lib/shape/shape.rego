# METADATA
# title: Shapes
# description: |
#   Operations for the scalar positions of a shape. A shape mirrors the JSON: an
#   object is an object shape, `[shape]` an array of that shape, and an
#   operation is an object with the reserved key `$op`.
package graphveil.shape

import data.graphveil.options

# METADATA
# title: keep
# description: Copies a scalar byte for byte. An object or array here is dropped.
keep := {"$op": "keep"}

# METADATA
# title: drop
# description: Removes the member. It is known, so it is not reported as drift.
drop := {"$op": "drop"}

# METADATA
# title: pseudonym
# description: One-way token `t~…` of a string or number.
pseudonym := {"$op": "pseudonym"}

# METADATA
# title: email
# description: |
#   One-way token `t~…@domain` of an e-mail address (canonicalised before it is
#   hashed). A value that is no address is hashed as it is.
email := pseudonym

# METADATA
# title: reversible
# description: |
#   Token `p~…` that this sidecar, and nobody else, turns back into the value in
#   a later request.
reversible := {"$op": "reversible"}

# METADATA
# title: json_pseudonym
# description: The pseudonym as a JSON string with `domain` and `hash`.
json_pseudonym := {"$op": "json_pseudonym"}

# METADATA
# title: json_pseudonym_with_original
# description: As `json_pseudonym`, with the original value inside. For addresses of groups, not of people.
json_pseudonym_with_original := {"$op": "json_pseudonym", "original": true}

# METADATA
# title: link
# description: Seals a page link so that it leads back to this sidecar and works nowhere else.
link := {"$op": "link"}

# METADATA
# title: match
# description: |
#   Applies `then` (`pseudonym` or `reversible`) to group 1 of each match of an
#   RE2 `pattern` and keeps the text around it; a string without a match
#   becomes null.
match(pattern, operation) := {"$op": "match", "pattern": pattern, "then": operation["$op"]}

# METADATA
# title: user_id
# description: The id of a user, in a response or as a path parameter, as option `ids` says.
user_id := reversible if options.ids == "reversible"

user_id := keep if options.ids == "clear"
