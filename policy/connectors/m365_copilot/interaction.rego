package graphveil.connectors.m365_copilot

import data.graphveil.options
import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: interaction
# description: |
#   A prompt or an answer: who, when, in which application and session, and the
#   length of the text. Texts, titles and addresses are what people work on.
interaction := object.union(t.override(t.entity, {"@odata.type": shape.drop}), {
	"id": shape.keep,
	"appClass": shape.keep,
	"conversationType": shape.keep,
	"createdDateTime": shape.keep,
	"etag": shape.drop,
	"interactionType": shape.keep,
	"locale": shape.organisation,
	"requestId": shape.keep,
	"sessionId": shape.opaque_id,
	# Who. Ids of bots stay, so that agents can be told apart.
	"from": object.union(t.no_identities, {
		"@odata.type": shape.drop,
		"application": shape.select("applicationIdentityType", {"bot": _application(shape.keep)}, _application(t.person_id)),
		"user": t.override(t.no_identity, {
			"@odata.type": shape.drop,
			"id": t.person_id,
			"tenantId": shape.organisation,
			"userIdentityType": shape.keep,
		}),
	}),
	# What, by number and kind.
	"attachments": [{
		"attachmentId": shape.opaque_id,
		"content": shape.drop,
		"contentType": shape.keep,
		"contentUrl": shape.drop,
		"name": shape.drop,
	}],
	"body": {
		"content": shape.digest(shape.drop),
		"contentType": shape.keep,
	},
	"contexts": [{
		"contextReference": shape.drop,
		"contextType": shape.keep,
		"displayName": shape.drop,
	}],
	"links": [{
		"displayName": shape.drop,
		"linkType": shape.keep,
		"linkUrl": shape.drop,
	}],
	"mentions": [{
		"mentioned": _mentioned,
		"mentionId": shape.keep,
		"mentionText": shape.drop,
	}],
})

_application(id) := t.override(t.no_identity, {
	"@odata.type": shape.drop,
	"id": id,
	"applicationIdentityType": shape.keep,
})

# Psoxy means to make pseudonyms of these ids and leaves them in clear: a pseudonym
# here would have another value than there, so they are dropped.
_mentioned := t.override(t.no_identities, {
	"@odata.type": shape.drop,
	"application": _application(shape.keep),
	"conversation": t.override(t.no_identity, {
		"@odata.type": shape.drop,
		"id": _mentioned_id,
		"conversationIdentityType": shape.keep,
	}),
	"user": t.override(t.no_identity, {
		"@odata.type": shape.drop,
		"id": _mentioned_id,
		"userIdentityType": shape.keep,
	}),
})

_mentioned_id := shape.drop if options.ids == "reversible"

_mentioned_id := shape.keep if options.ids == "clear"
