# METADATA
# title: Types
# description: |
#   Shapes of Graph's complex types that several connectors share, and the few
#   functions that build shapes from other shapes. A type of one connector only
#   is written in that connector.
package graphveil.types

import data.graphveil.errors
import data.graphveil.shape

# METADATA
# title: entity
# description: |
#   What OData adds to any entity. The type name stays: it tells a guest's mail
#   from a meeting request. The rest are addresses of the entity in Graph, with
#   ids of users and of the tenant, or versions of the unsanitized body.
entity := {
	"@odata.type": shape.keep,
	"@odata.etag": shape.drop,
	"@odata.id": shape.drop,
	"@odata.editLink": shape.drop,
}

# METADATA
# title: page
# description: |
#   One page of a list. For endpoints that allow `$count`; the context and the
#   tips repeat the path that was asked, with the user's id in it. An error beside
#   the items says that the service gave up in the middle: its code stays, or the
#   page would look complete.
page(item) := {
	"@odata.context": shape.drop,
	"@odata.count": shape.keep,
	"@odata.nextLink": shape.link,
	"@microsoft.graph.tips": shape.drop,
	"error": errors.shape.error,
	"value": [item],
}

# METADATA
# title: changes
# description: |
#   One page of a delta query: items that changed, with the properties that did,
#   and items that are gone, with nothing but their id and why.
changes(item) := object.union(
	page(object.union(item, {"@removed": {"reason": shape.keep}})),
	{"@odata.deltaLink": shape.link},
)

# METADATA
# title: single
# description: A body that is one item.
single(item) := override(item, {
	"@odata.context": shape.drop,
	"@microsoft.graph.tips": shape.drop,
})

# METADATA
# title: dropped
# description: |
#   The named members, all dropped. For the relations of a type, which only
#   `$expand` brings, and for properties of kinds that a connector has no use for.
dropped(names) := {name: shape.drop | some name in names}

# METADATA
# title: released_properties
# description: |
#   The properties of an object shape that are not dropped whole: what `$select`
#   may name where it also decides which items come, as in delta queries. Else the
#   appearance of an item would tell that a hidden property changed.
released_properties(object_shape) := {name |
	some name, decision in object_shape
	decision != shape.drop
	not contains(name, "@")
}

# METADATA
# title: override
# description: |
#   The object shape `base` with the members of `changes` in place of its own.
#   `object.union` would merge two operations of one member into a third.
override(base, changes) := object.union(object.remove(base, object.keys(changes)), changes)

# METADATA
# title: clear_properties
# description: |
#   The property paths (`flag/flagStatus`) that an object shape keeps in clear,
#   also in the elements of arrays: what `$filter` and `$orderby` may name
#   without becoming an oracle on what the response hides.
clear_properties(object_shape) := {path |
	walk(object_shape, [steps, value])
	value == shape.keep
	path := concat("/", [step | some step in steps; is_string(step)])
	not contains(path, "@")
}
