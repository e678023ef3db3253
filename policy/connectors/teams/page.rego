package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: page
# description: One page of a list. Without the count, which no endpoint lets a client ask for.
page(item) := t.override(t.page(item), {"@odata.count": shape.drop})

# METADATA
# title: changes
# description: One page of a delta query, without the count too.
changes(item) := t.override(t.changes(item), {"@odata.count": shape.drop})

# METADATA
# title: entity
# description: |
#   What OData adds to an entity, without the type: it says nothing that the endpoint
#   does not, except of messages and chats, which keep it.
entity := t.override(t.entity, {"@odata.type": shape.drop})
