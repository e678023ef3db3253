package graphveil.connectors.onedrive

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: drive
# description: |
#   A drive: its id and kind, and who made it when. Its name can be a person's.
drive := object.union_n([_entity, t.dropped(_drive_relations), _made, {
	"driveType": shape.keep,
	"system": {},

	# Names and places, and what tells how full it is.
	"description": shape.drop,
	"eTag": shape.drop,
	"name": shape.drop,
	"owner": shape.drop,
	"parentReference": shape.drop,
	"quota": shape.drop,
	"sharePointIds": shape.drop,
	"webUrl": shape.drop,
}])

# METADATA
# title: drive_item
# description: |
#   A file or folder: ids, times, kind and size, and who made, changed and shared it.
#   Names, paths and addresses are what people wrote, and an address holds the
#   owner's login.
drive_item := object.union_n([_entity, t.dropped(_item_relations), _made, _content, {
	"parentReference": {
		"driveId": shape.keep,
		"driveType": shape.keep,
		"id": shape.keep,
		"name": shape.drop,
		"path": shape.drop,
		"shareId": shape.drop,
		"sharepointIds": shape.drop,
		"siteId": shape.keep,
	},
	"remoteItem": _remote_item,
	"sharepointIds": {
		"listId": shape.keep,
		"listItemId": shape.keep,
		"listItemUniqueId": shape.keep,
		"siteId": shape.keep,
		"siteUrl": shape.drop,
		"tenantId": shape.drop,
		"webId": shape.keep,
	},

	# What the item is. An empty facet tells by being there.
	"deleted": {"state": shape.drop},
	"fileSystemInfo": {
		"createdDateTime": shape.keep,
		"lastAccessedDateTime": shape.drop,
		"lastModifiedDateTime": shape.keep,
	},
	"malware": {"description": shape.drop},
	"root": {},

	# Content, ways to it, and what tells of it.
	"@microsoft.graph.downloadUrl": shape.drop,
	"@microsoft.graph.conflictBehavior": shape.drop,
	"@microsoft.graph.sourceUrl": shape.drop,
	"@microsoft.graph.Decorator": shape.drop,
	"audio": shape.drop,
	"bundle": shape.drop,
	"cTag": shape.drop,
	"content": shape.drop,
	"contentStream": shape.drop,
	"description": shape.drop,
	"eTag": shape.drop,
	"image": shape.drop,
	"location": shape.drop,
	"lockInfo": shape.drop,
	"media": shape.drop,
	"name": shape.drop,
	"pendingOperations": shape.drop,
	"photo": shape.drop,
	"publication": shape.drop,
	"searchResult": shape.drop,
	"source": shape.drop,
	"video": shape.drop,
	"viewpoint": shape.drop,
	"webDavUrl": shape.drop,
	"webUrl": shape.drop,
}])

# An item of another drive, as a folder that somebody shared.
_remote_item := object.union_n([_made, _content, {
	"fileSystemInfo": shape.drop,
	"image": shape.drop,
	"name": shape.drop,
	"parentReference": shape.drop,
	"sharepointIds": shape.drop,
	"video": shape.drop,
	"webDavUrl": shape.drop,
	"webUrl": shape.drop,
}])

# What an item and a remote item have alike.
_content := {
	"file": {
		"archiveStatus": shape.drop,
		"hashes": shape.drop,
		"mimeType": shape.keep,
		"processingMetadata": shape.drop,
	},
	"folder": {
		"childCount": shape.typed("integer"),
		"view": shape.drop,
	},
	"package": {"type": shape.keep},
	"shared": {
		"owner": identities,
		"scope": shape.drop,
		"sharedBy": identities,
		"sharedDateTime": shape.keep,
	},
	"size": shape.typed("integer"),
	"specialFolder": {"name": shape.keep},
}

_made := {
	"id": shape.keep,
	"createdBy": identities,
	"createdDateTime": shape.keep,
	"lastModifiedBy": identities,
	"lastModifiedDateTime": shape.keep,
}

# The type is dropped too: it tells nothing that the facets do not.
_entity := t.override(t.entity, {"@odata.type": shape.drop})

_drive_relations := {
	"activities",
	"bundles",
	"createdByUser",
	"following",
	"items",
	"lastModifiedByUser",
	"list",
	"root",
	"special",
}

_item_relations := {
	"activities",
	"analytics",
	"children",
	"createdByUser",
	"extensions",
	"lastModifiedByUser",
	"listItem",
	"permissions",
	"retentionLabel",
	"subscriptions",
	"thumbnails",
	"versions",
	"workbook",
}
