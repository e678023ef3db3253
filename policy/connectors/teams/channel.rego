package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: channel
# description: A channel with its kind and size; not its name, subject and address.
channel := object.union_n([entity, t.dropped(_channel_relations), {
	"id": shape.keep,
	"tenantId": shape.keep,
	"createdDateTime": shape.keep,
	"originalCreatedDateTime": shape.keep,

	# What people called it, and where it is.
	"description": shape.drop,
	"displayName": shape.drop,
	"email": shape.drop,
	"webUrl": shape.drop,

	# Kind, state and size.
	"isArchived": shape.keep,
	"isFavoriteByDefault": shape.keep,
	"layoutType": shape.keep,
	"membershipType": shape.keep,
	"migrationMode": shape.keep,
	"summary": {
		"guestsCount": shape.keep,
		"hasMembersFromOtherTenants": shape.keep,
		"membersCount": shape.keep,
		"ownersCount": shape.keep,
	},
}])

_channel_relations := {
	"allMembers",
	"enabledApps",
	"filesFolder",
	"members",
	"messages",
	"sharedWithTeams",
	"tabs",
}
