# METADATA
# title: Errors
# description: |
#   The shape of Graph's error bodies, and the refusals that every connector
#   gives alike.
package graphveil.errors

import data.graphveil.shape as op

# METADATA
# title: shape
# description: |
#   Graph's error body. Codes and request ids stay: clients decide by the code,
#   Microsoft's support asks for the id. Messages and targets quote the request
#   (addresses, ids, filter values), so they go.
shape := {"error": {
	"code": op.keep,
	"message": op.drop,
	"target": op.drop,
	"details": [{
		"code": op.keep,
		"message": op.drop,
		"target": op.drop,
	}],
	"innerError": _nested,
	"innererror": _nested,
}}

# Services spell it both ways and nest it; two levels are what is seen.
_nested := object.union(_inner, {
	"innerError": _inner,
	"innererror": _inner,
})

_inner := {
	"code": op.keep,
	"date": op.keep,
	"request-id": op.keep,
	"client-request-id": op.keep,
	"message": op.drop,
	"target": op.drop,
}
