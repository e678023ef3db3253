package graphveil.connectors.onedrive

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: activity
# description: |
#   Who did what with an item, and when; not what it was called before and after.
#   Beta's CSDL has the type as `itemActivityOLD`; v1.0 answers with the same.
activity := object.union(_entity, {
	"id": shape.keep,
	"action": {
		"access": {},
		"comment": {
			"isReply": shape.typed("boolean"),
			"parentAuthor": identities,
			"participants": [identities],
		},
		"create": {},
		"delete": {"name": shape.drop, "objectType": shape.drop},
		"edit": {},
		"mention": {"mentionees": [identities]},
		"move": {"from": shape.drop, "to": shape.drop},
		"rename": {"newName": shape.drop, "oldName": shape.drop},
		"restore": {},
		"share": {"recipients": [identities]},
		"version": {"newVersion": shape.drop},
	},
	"actor": identities,
	"times": {
		"lastRecordedDateTime": shape.drop,
		"observedDateTime": shape.keep,
		"recordedDateTime": shape.keep,
	},
	# Only with $expand.
	"driveItem": drive_item,
	"listItem": shape.drop,
})

# METADATA
# title: identities
# description: |
#   Who, as person and as application. Whatever else may stand there (devices,
#   groups and accounts of SharePoint, chats) is dropped.
identities := object.union(t.no_identities, {
	"@odata.type": shape.drop,
	"application": t.override(t.no_identity, {
		"@odata.type": shape.drop,
		"id": shape.keep,
		"tenantId": shape.organisation,
	}),
	"user": t.override(t.no_identity, {
		"@odata.type": shape.drop,
		"id": t.person_id,
		"email": shape.email,
		"tenantId": shape.organisation,
	}),
})
