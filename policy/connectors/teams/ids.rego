package graphveil.connectors.teams

import data.graphveil.options
import data.graphveil.shape

# METADATA
# title: clear_id
# description: |
#   An id that may lead to a person and that nothing is joined by: as it is with
#   `ids: clear`, else dropped.
clear_id := shape.keep if options.ids == "clear"

clear_id := shape.drop if options.ids == "reversible"

# METADATA
# title: guid
# description: The id of a team or of a call record in a path.
guid := {"pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"}

# METADATA
# title: id
# description: |
#   Any other id in a path, of a channel (`19:…@thread.tacv2`), a call or a report.
#   It has a digit, so that `getAllMessages` or `$count` is none.
id := {"pattern": "^[A-Za-z0-9:@._=-]*[0-9][A-Za-z0-9:@._=-]*$"}
