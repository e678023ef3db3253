package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: call
# description: |
#   A call that the application itself takes part in: its state, its routes and who
#   was called; not its subject, and nothing that would let anybody join.
call := object.union_n([entity, t.dropped(_call_relations), {
	"id": shape.keep,
	"callChainId": shape.keep,
	"tenantId": shape.keep,
	"chatInfo": _chat_info(clear_id),

	# Who.
	"callRoutes": [{
		"final": identities(in_calls),
		"original": identities(in_calls),
		"routingType": shape.keep,
	}],
	"incomingContext": {
		"observedParticipantId": shape.drop,
		"onBehalfOf": identities(in_calls),
		"sourceParticipantId": shape.drop,
		"transferor": identities(in_calls),
	},
	"myParticipantId": shape.drop,
	"source": {
		"@odata.type": shape.drop,
		"countryCode": shape.drop,
		"endpointType": shape.keep,
		"identity": identities(in_calls),
		"languageId": shape.drop,
		"participantId": shape.drop,
		"region": shape.drop,
	},
	"targets": [{
		"@odata.type": shape.drop,
		"hidden": shape.keep,
		"identity": identities(in_calls),
		"participantId": shape.drop,
		"removeFromDefaultAudioRoutingGroup": shape.keep,
		"replacesCallId": shape.drop,
	}],

	# Kind and state.
	"callOptions": {
		"@odata.type": shape.drop,
		"hideBotAfterEscalation": shape.keep,
		"isContentSharingNotificationEnabled": shape.keep,
		"isDeltaRosterEnabled": shape.keep,
		"isInteractiveRosterEnabled": shape.keep,
	},
	"direction": shape.keep,
	"mediaState": {"audio": shape.keep},
	"requestedModalities": [shape.keep],
	"resultInfo": {
		"code": shape.keep,
		"message": shape.drop,
		"subcode": shape.keep,
	},
	"state": shape.keep,
	# What a person types, one key at a time: a passcode, an account number.
	"toneInfo": {
		"sequenceId": shape.keep,
		"tone": shape.drop,
	},
	"transcription": {
		"lastModifiedDateTime": shape.keep,
		"state": shape.keep,
	},

	# What it is about, and secrets: addresses of media, passcodes and tokens.
	"callbackUri": shape.drop,
	"mediaConfig": shape.drop,
	"meetingInfo": shape.drop,
	"subject": shape.drop,
}])

# METADATA
# title: in_calls
# description: What calls, call records and meetings tell of an identity.
in_calls := {
	"user": t.person_id,
	"application": shape.keep,
	"other": clear_id,
	"type": shape.drop,
}

_chat_info(chat_id) := {
	"messageId": shape.keep,
	"replyChainMessageId": shape.keep,
	"threadId": chat_id,
}

_call_relations := {
	"audioRoutingGroups",
	"contentSharingSessions",
	"operations",
	"participants",
}
