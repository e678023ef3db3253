package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: session
# description: One connection between two endpoints of a call, with `$expand` also its segments.
session := object.union(_connection, {
	"isTest": shape.keep,
	"modalities": [shape.keep],
	# Only with $expand.
	"segments": [segment],
	"segments@odata.context": shape.drop,
	"segments@odata.nextLink": shape.drop,
})

# METADATA
# title: segment
# description: A part of a session, with the quality of its media.
segment := object.union(_connection, {"media": [media]})

_connection := object.union(entity, {
	"id": shape.keep,
	"callee": _endpoint,
	"caller": _endpoint,
	"endDateTime": shape.keep,
	"startDateTime": shape.keep,
	"failureInfo": {
		"reason": shape.drop,
		"stage": shape.keep,
	},
})

# participantEndpoint, serviceEndpoint. The name is that of a person's machine.
_endpoint := {
	"@odata.type": shape.drop,
	"associatedIdentity": t.override(person(in_calls), {"id": clear_id}),
	"cpuCoresCount": shape.keep,
	"cpuName": shape.drop,
	"cpuProcessorSpeedInMhz": shape.keep,
	"feedback": {
		"rating": shape.keep,
		"text": shape.drop,
		"tokens": shape.drop,
	},
	"identity": identities(in_calls),
	"name": shape.drop,
	"userAgent": {
		"@odata.type": shape.drop,
		"applicationVersion": shape.keep,
		"azureADAppId": shape.keep,
		"communicationServiceId": shape.drop,
		"headerValue": shape.drop,
		"platform": shape.keep,
		"productFamily": shape.keep,
		"role": shape.keep,
	},
}
