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

# METADATA
# title: organisation
# description: |
#   A fact about the organisation rather than a person (the name of a group, a
#   department, an office): kept, and dropped with `level: strict`.
organisation := keep if options.level == "standard"

organisation := drop if options.level == "strict"

# METADATA
# title: tokenize
# description: |
#   Token `p~…` of a string as it is: no address is canonicalised and no domain
#   left beside it. For identifiers that embed people, as ids of chats do.
tokenize := {"$op": "tokenize"}

# METADATA
# title: opaque_id
# description: |
#   An identifier that embeds people (of a chat, a member, a meeting), in a
#   response or as a path parameter, as option `ids` says.
opaque_id := tokenize if options.ids == "reversible"

opaque_id := keep if options.ids == "clear"

# METADATA
# title: tokenize_match
# description: |
#   Takes group 1 of an RE2 `pattern` that matches the whole string, and puts its
#   token `p~…` wherever in the string that text occurs. A string that does not
#   match stays as it is: for imported rules; links are sealed with `link`.
tokenize_match(pattern) := {"$op": "tokenize", "pattern": pattern}

# METADATA
# title: json_reversible
# description: As `json_pseudonym`, with the token `p~…` inside.
json_reversible := {"$op": "json_pseudonym", "reversible": true}

# METADATA
# title: json_reversible_with_original
# description: As `json_reversible`, with the original value inside.
json_reversible_with_original := {"$op": "json_pseudonym", "original": true, "reversible": true}

# METADATA
# title: email_header
# description: |
#   One-way tokens of the addresses of an RFC 5322 address list, joined by commas.
#   What is no such list becomes null.
email_header := {"$op": "email_header"}

# METADATA
# title: json_email_header
# description: As `email_header`, as the text of a JSON array of JSON pseudonyms.
json_email_header := {"$op": "email_header", "json": true}

# METADATA
# title: hash_ip
# description: One-way token of an IP address; anything else becomes null.
hash_ip := {"$op": "hash_ip"}

# METADATA
# title: encrypt_ip
# description: Token `p~…` of an IP address; anything else becomes null.
encrypt_ip := {"$op": "encrypt_ip"}

# METADATA
# title: text_digest
# description: |
#   Replaces a string by the text of a JSON object with its length and number of
#   words. Other types stay as they are.
text_digest := {"$op": "text_digest"}

# METADATA
# title: refuse
# description: Refuses the body that has a value here, whatever it is.
refuse := {"$op": "refuse"}

# METADATA
# title: hash
# description: |
#   The bare hash of a string or number, 43 characters. Anything else, also null
#   and blank strings, refuses the body: for imported rules.
hash := {"$op": "hash"}

# METADATA
# title: phrases
# description: |
#   Keeps of a string only the listed phrases, as whole words and without regard
#   to ASCII case, joined by commas in the order of the list.
phrases(list) := {"$op": "phrases", "phrases": list}

# METADATA
# title: without
# description: Removes from a string whatever one of the RE2 patterns matches.
without(patterns) := {"$op": "without", "patterns": patterns}

# METADATA
# title: only
# description: Keeps of a string only what one of the RE2 patterns matches.
only(patterns) := {"$op": "only", "patterns": patterns}

# METADATA
# title: tokens
# description: |
#   Splits a string at `delimiter` (RE2), keeps the parts that one of the patterns
#   matches as a whole and joins them with a space; none left is null.
tokens(delimiter, patterns) := {"$op": "tokens", "delimiter": delimiter, "patterns": patterns}

# METADATA
# title: steps
# description: Puts a scalar through several operations, one after the other.
steps(list) := {"$op": "steps", "steps": list}

# METADATA
# title: digest
# description: |
#   Applies `operation` to a string and adds a sibling `+<name>:textDigest` with
#   the length and the number of words of the original.
digest(operation) := {"$op": "digest", "then": operation}

# METADATA
# title: digest_json
# description: |
#   As `digest` for a string that holds JSON text: the sibling is a string that
#   holds the same JSON sanitized by the shape `inner`. It is added only if `inner`
#   made a `text_digest` of something.
digest_json(operation, inner) := {"$op": "digest", "then": operation, "inner": inner}

# METADATA
# title: json
# description: |
#   Takes a string for JSON text and sanitizes that by a shape of its own; what is
#   no JSON becomes null.
json(inner) := {"$op": "json", "shape": inner}

# METADATA
# title: select
# description: |
#   Chooses the shape of an object by the string value of one of its members,
#   wherever that stands: `cases` maps values to object shapes, any other value
#   (or none) gets `otherwise`.
select(member, cases, otherwise) := {"$op": "select", "member": member, "cases": cases, "otherwise": otherwise}

# METADATA
# title: any
# description: |
#   Keeps whatever is there, with everything below it. For imported rules, which
#   name what to hide; no connector that ships uses it.
any := {"$op": "any"}

# METADATA
# title: any_with
# description: |
#   As `any`, but an object there has shapes for the listed members: page links,
#   in a body of which nothing else is known.
any_with(members) := {"$op": "any", "shape": members}

# METADATA
# title: open
# description: |
#   An object shape whose unlisted members are decided by `rest`.
open(members, rest) := {"$op": "open", "shape": members, "rest": rest}

# METADATA
# title: typed
# description: |
#   Keeps a scalar of one type: `string`, `integer` (fractions are cut off, 64
#   bits), `number`, `boolean` (null becomes false), `null`, or `scalar` for any.
#   A value of another type becomes null, as in Psoxy's response schemas.
typed(name) := {"$op": "typed", "type": name}

# METADATA
# title: schema
# description: |
#   Reads a shape as Psoxy's response schemas: where an object or array is expected
#   and another type found there is null, and elements that are null, or become it,
#   are removed from their array. A body that as a whole has the wrong type is
#   refused. A position without items in Psoxy's schema is `[shape.refuse]`.
schema(inner) := {"$op": "schema", "shape": inner}

# METADATA
# title: rules
# description: |
#   Applies rules at any depth, for imported rules; only as a whole `response`, or
#   the whole shape of JSON inside a string. A rule is
#   `{"at": [JSONPath, ...], "do": operation}`, with `"when": JSONPath` to apply
#   only to bodies in which that path finds something. `do` is an operation on a
#   scalar, `drop` (also objects, arrays, elements), or `digest`/`digest_json`.
#
#   First `base` decides (`any`, a shape, or a `schema`), then the rules change what
#   it keeps, in order; a value may be changed by several. A digest is that of the
#   original string, also of one that `base` or a rule drops; its rule says
#   `digest(keep)` and stands before all others. The body is read and written as
#   Psoxy does.
rules(base, list) := {"$op": "rules", "shape": base, "rules": list}
