# METADATA
# title: Options
# description: |
#   What an operator may set (configuration `policy.options`, or `--set`). The
#   first value listed is the default; anything not listed is refused at load.
package graphveil.options

# METADATA
# title: Schema
# description: Every option with its allowed values, the default first.
schema := {
	"ids": ["reversible", "clear"],
	"groups": ["on", "off"],
	"encoding": ["token", "json"],
	"level": ["standard", "strict"],
	"endpoints": ["psoxy", "all"],
	"calls": ["on", "off"],
}

# METADATA
# title: ids
# description: |
#   Whether ids of users, and identifiers that embed people (of chats, members,
#   meetings), leave as `p~` tokens, which are then the only way to address them
#   (`reversible`), or as they are (`clear`).
ids := _value("ids")

# METADATA
# title: groups
# description: Whether the directory's groups and their members are served.
groups := _value("groups")

# METADATA
# title: encoding
# description: |
#   `token` writes pseudonyms as `t~…` and leaves a group's own address beside
#   its pseudonym; `json` writes directory pseudonyms as JSON strings and never
#   an original.
encoding := _value("encoding")

# METADATA
# title: level
# description: |
#   `standard` keeps what tells about the organisation (names of groups, offices,
#   departments, time zones); `strict` drops that too.
level := _value("level")

# METADATA
# title: endpoints
# description: |
#   `psoxy` serves what Psoxy's rules are written to serve, in one connector or
#   another; `all` also serves what is as safe but Psoxy refuses: changes and count
#   of users with `ids: reversible`, sessions of call records beyond the first page,
#   one meeting by its id, Copilot interactions on v1.0, activities of drives on beta.
endpoints := _value("endpoints")

# METADATA
# title: calls
# description: |
#   Whether a call that is going on is served. Reading it needs a permission that
#   also places or hears calls.
calls := _value("calls")

_value(name) := object.get(_settings, name, schema[name][0])

# Nothing is set where nobody loaded settings, as in tests.
default _settings := {}

_settings := data.graphveil.settings
