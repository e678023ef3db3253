package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: person
# description: |
#   An identity of whatever kind, reduced to its id and the kind of account.
person(how) := t.override(t.no_identity, {
	"@odata.type": how.type,
	"id": how.user,
	"userIdentityType": shape.keep,
})

# METADATA
# title: application
# description: A bot, a connector or another application, reduced to its id and kind.
application(how) := t.override(t.no_identity, {
	"@odata.type": how.type,
	"id": how.application,
	"applicationIdentityType": shape.keep,
})

# METADATA
# title: identities
# description: |
#   Who, as person and as application. Devices, phones, guests without an account and
#   whatever else an `identitySet` may hold are dropped. `how` says what happens to the
#   ids (`user`, `application`, `other`, of messages also `chat`) and to names of types
#   (`type`).
identities(how) := object.union(t.no_identities, _who(how))

# METADATA
# title: sender
# description: Who wrote a message. `chatMessageFromIdentitySet`.
sender(how) := object.union(_who(how), {
	"conversation": shape.drop,
	"device": shape.drop,
	"identity": shape.drop,
	"upn": shape.drop,
})

# METADATA
# title: reactor
# description: Who reacted to a message. `chatMessageReactionIdentitySet`.
reactor(how) := object.remove(sender(how), {"conversation"})

# METADATA
# title: mentioned
# description: |
#   Who was mentioned: a person, an application, or all of a team, a channel or a
#   chat. `chatMessageMentionedIdentitySet`.
mentioned(how) := t.override(sender(how), {"conversation": {
	"@odata.type": how.type,
	"id": how.other,
	"conversationIdentityType": shape.keep,
	"displayName": shape.drop,
	"email": shape.drop,
	"userPrincipalName": shape.drop,
}})

_who(how) := {
	"@odata.type": how.type,
	"application": application(how),
	"user": person(how),
}
