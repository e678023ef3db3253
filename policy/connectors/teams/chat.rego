package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: chat
# description: |
#   A chat with its kind and times; not what it is about. Its id is a token, because
#   that of a chat between two holds the ids of both.
chat := object.union_n([t.entity, t.dropped(_chat_relations), {
	"id": shape.opaque_id,
	"tenantId": shape.keep,
	"chatType": shape.keep,
	"createdDateTime": shape.keep,
	"isHiddenForAllMembers": shape.keep,
	"lastUpdatedDateTime": shape.keep,
	"migrationMode": shape.keep,
	"originalCreatedDateTime": shape.keep,
	"viewpoint": {
		"isHidden": shape.keep,
		"lastMessageReadDateTime": shape.keep,
	},
	"onlineMeetingInfo": {
		"calendarEventId": shape.keep,
		"joinWebUrl": shape.tokenize,
		"organizer": {
			"@odata.type": shape.keep,
			"id": shape.opaque_id,
			"displayName": shape.drop,
			"email": shape.drop,
			"tenantId": shape.drop,
			"userIdentityType": shape.keep,
			"userPrincipalName": shape.drop,
		},
	},

	# What it is about, and where it is.
	"chatViewpoint": shape.drop,
	"topic": shape.drop,
	"webUrl": shape.drop,

	# Only with $expand.
	"lastMessagePreview": message_preview,
	"lastMessagePreview@odata.context": shape.drop,
	"members": [member],
	"members@odata.context": shape.drop,
}])

# METADATA
# title: member
# description: |
#   Who takes part in a chat, whatever kind of account it is, with a role and since
#   when messages can be read. The member's id holds the tenant's, the chat's and the
#   user's; it is the same in every chat of a kind, so it tells members apart.
member := object.union(t.entity, {
	"id": shape.opaque_id,
	"roles": [shape.keep],
	"visibleHistoryStartDateTime": shape.keep,
	"tenantId": shape.keep,
	"userId": clear_id,
	"anonymousGuestId": shape.drop,
	"azureCommunicationServicesId": shape.drop,
	"displayName": shape.drop,
	"email": shape.drop,
	"phoneNumber": shape.drop,
	"skypeId": shape.drop,
	"user": shape.drop,
})

_chat_relations := {
	"installedApps",
	"messages",
	"permissionGrants",
	"pinnedMessages",
	"tabs",
	"targetedMessages",
}
