package graphveil.connectors.teams

import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: call_record
# description: |
#   A call or meeting that has ended: when, who and how; with `$expand` also its
#   sessions. Where not all fit on a page, what leads to the others is dropped unless
#   these are served (`endpoints: all`), as are the ids of participants, which can be
#   phone numbers.
call_record := object.union(entity, {
	"id": shape.keep,
	"version": shape.keep,
	"type": shape.keep,
	"modalities": [shape.keep],
	"endDateTime": shape.keep,
	"lastModifiedDateTime": shape.keep,
	"startDateTime": shape.keep,
	"joinWebUrl": shape.drop,
	# Who; the older properties are going to be retired by Graph.
	"organizer": identities(in_calls),
	"participants": [identities(in_calls)],
	# Only with $expand.
	"organizer_v2": _participant,
	"organizer_v2@odata.context": shape.drop,
	"participants_v2": [_participant],
	"participants_v2@odata.context": shape.drop,
	"participants_v2@odata.nextLink": shape.drop,
	"sessions": [session],
	"sessions@odata.context": shape.drop,
	"sessions@odata.nextLink": _sessions_link,
})

_sessions_link := shape.link if options.endpoints == "all"

_sessions_link := shape.drop if options.endpoints == "psoxy"

# METADATA
# title: listed_call_record
# description: A call record in a list, which cannot be expanded.
listed_call_record := t.override(call_record, t.dropped({"organizer_v2", "participants_v2", "sessions"}))

_participant := object.union(entity, {
	"id": shape.drop,
	"administrativeUnitInfos": [{"id": shape.organisation}],
	"identity": object.remove(identities(in_calls), _never_in_calls),
})

# A `communicationsIdentitySet`, and nothing derived from it.
_never_in_calls := {
	"audience",
	"conversation",
	"group",
	"sharePointGroup",
	"siteGroup",
	"siteUser",
	"tag",
}
