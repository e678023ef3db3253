package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: team
# description: A team with its settings and size; not what it is called and about.
team := object.union_n([entity, t.dropped(_team_relations), {
	"id": shape.keep,
	"internalId": shape.keep,
	"tenantId": shape.keep,
	"createdDateTime": shape.keep,

	# What people called it, and where it is.
	"description": shape.drop,
	"displayName": shape.drop,
	"firstChannelName": shape.drop,
	"webUrl": shape.drop,

	# Kind, state and size.
	"classification": shape.organisation,
	"isArchived": shape.keep,
	"specialization": shape.keep,
	"visibility": shape.keep,
	"summary": {
		"guestsCount": shape.keep,
		"membersCount": shape.keep,
		"ownersCount": shape.keep,
	},

	# Settings.
	"funSettings": {
		"allowCustomMemes": shape.keep,
		"allowGiphy": shape.keep,
		"allowStickersAndMemes": shape.keep,
		"giphyContentRating": shape.keep,
	},
	"guestSettings": {
		"allowCreateUpdateChannels": shape.keep,
		"allowDeleteChannels": shape.keep,
	},
	"memberSettings": {
		"allowAddRemoveApps": shape.keep,
		"allowCreatePrivateChannels": shape.keep,
		"allowCreateUpdateChannels": shape.keep,
		"allowCreateUpdateRemoveConnectors": shape.keep,
		"allowCreateUpdateRemoveTabs": shape.keep,
		"allowDeleteChannels": shape.keep,
	},
	"messagingSettings": {
		"allowChannelMentions": shape.keep,
		"allowOwnerDeleteMessages": shape.keep,
		"allowTeamMentions": shape.keep,
		"allowUserDeleteMessages": shape.keep,
		"allowUserEditMessages": shape.keep,
	},
}])

_team_relations := {
	"allChannels",
	"channels",
	"group",
	"incomingChannels",
	"installedApps",
	"members",
	"operations",
	"permissionGrants",
	"photo",
	"primaryChannel",
	"schedule",
	"tags",
	"template",
}
