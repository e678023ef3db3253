package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: chat_message
# description: A message of a chat.
chat_message := _message({
	"user": t.person_id,
	"application": shape.keep,
	"type": shape.keep,
	"other": clear_id,
	"chat": shape.opaque_id,
})

# METADATA
# title: channel_message
# description: |
#   A message of a channel, with its replies where `$expand` asks for them. Where not
#   all replies fit, what would lead to the others is dropped.
channel_message := t.override(_channel_message, {
	"replies": [_channel_message],
	"replies@odata.context": shape.drop,
	"replies@odata.count": shape.drop,
	"replies@odata.nextLink": shape.drop,
})

_channel_message := _message({
	"user": t.person_id,
	"application": shape.keep,
	"type": shape.keep,
	"other": clear_id,
	"chat": clear_id,
})

# METADATA
# title: message_preview
# description: |
#   The last message of a chat, in a list of chats. Where chat ids are tokens, all
#   ids in that list are, and those of persons are left out.
message_preview := object.union(t.entity, {
	"id": shape.opaque_id,
	"createdDateTime": shape.keep,
	"isDeleted": shape.keep,
	"messageType": shape.keep,
	"body": _body,
	"from": sender(_preview),
	"eventDetail": event_detail(_preview),
})

_preview := {
	"user": clear_id,
	"application": shape.opaque_id,
	"type": shape.keep,
	"other": shape.opaque_id,
	"chat": clear_id,
}

# What `how` says goes for whoever the message names.
_message(how) := object.union_n([t.entity, {
	# Ids and the thread.
	"id": shape.keep,
	"channelIdentity": {
		"channelId": shape.keep,
		"teamId": shape.keep,
	},
	"chatId": how.chat,
	"replyToId": shape.keep,

	# Who.
	"from": sender(how),
	"mentions": [{
		"id": shape.keep,
		"mentioned": mentioned(how),
		"mentionText": shape.drop,
	}],
	"reactions": [_reaction(how)],
	"messageHistory": [{
		"actions": shape.keep,
		"modifiedDateTime": shape.keep,
		"reaction": _reaction(how),
	}],
	"recipient": shape.drop,

	# When.
	"createdDateTime": shape.keep,
	"deletedDateTime": shape.keep,
	"lastEditedDateTime": shape.keep,
	"lastModifiedDateTime": shape.keep,

	# Kind and state.
	"eventDetail": event_detail(how),
	"importance": shape.keep,
	"locale": shape.keep,
	"messageType": shape.keep,
	"policyViolation": {
		"dlpAction": shape.keep,
		"justificationText": shape.drop,
		"policyTip": shape.drop,
		"userAction": shape.keep,
		"verdictDetails": shape.keep,
	},

	# What was written, and what leads to it.
	"attachments": shape.drop,
	"body": _body,
	"etag": shape.drop,
	"hostedContents": shape.drop,
	"replies": shape.drop,
	"subject": shape.drop,
	"summary": shape.drop,
	"webUrl": shape.drop,
}])

_body := {
	"content": shape.drop,
	"contentType": shape.keep,
}

_reaction(how) := {
	"createdDateTime": shape.keep,
	"displayName": shape.drop,
	"reactionContentUrl": shape.drop,
	"reactionType": shape.keep,
	"user": reactor(how),
}
