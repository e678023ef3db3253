package graphveil.connectors.teams

import data.graphveil.shape

# METADATA
# title: event_detail
# description: |
#   What a system message reports, of all kinds: who did something to whom, when, and
#   to which call, channel or team; not how they are called.
event_detail(how) := {
	"@odata.type": shape.keep,
	"initiator": identities(how),
	"eventDateTime": shape.keep,
	# Calls, recordings and transcripts.
	"callDuration": shape.keep,
	"callEventType": shape.keep,
	"callId": shape.keep,
	"callParticipants": [{"participant": identities(how)}],
	"callRecordingDisplayName": shape.drop,
	"callRecordingDuration": shape.keep,
	"callRecordingStatus": shape.keep,
	"callRecordingUrl": shape.drop,
	"callTranscriptICalUid": shape.drop,
	"meetingOrganizer": identities(how),
	# Members.
	"conversationMemberRoles": [shape.keep],
	"conversationMemberUser": _member(how),
	"members": [_member(how)],
	"visibleHistoryStartDateTime": shape.keep,
	# Channels, chats, teams and what is in them.
	"channelDescription": shape.drop,
	"channelDisplayName": shape.drop,
	"channelId": shape.keep,
	"chatDisplayName": shape.drop,
	"chatId": how.chat,
	"meetingChatEnabled": shape.keep,
	"meetingChatId": clear_id,
	"tabId": shape.keep,
	"teamDescription": shape.drop,
	"teamDisplayName": shape.drop,
	"teamId": shape.keep,
	"teamsAppDisplayName": shape.drop,
	"teamsAppId": shape.keep,
}

_member(how) := {
	"@odata.type": shape.keep,
	"id": how.other,
	"displayName": shape.drop,
	"email": shape.drop,
	"tenantId": shape.drop,
	"userIdentityType": shape.keep,
	"userPrincipalName": shape.drop,
}
