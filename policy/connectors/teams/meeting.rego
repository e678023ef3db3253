package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: meeting
# description: |
#   An online meeting with its times, settings and participants; not its subject, and
#   nothing by which anybody could join but a token for the address. Its id is a token, because it holds the
#   organizer's.
meeting := object.union_n([entity, t.dropped(_meeting_relations), {
	"id": shape.opaque_id,
	"chatInfo": _chat_info(shape.opaque_id),
	"meetingTemplateId": shape.keep,
	"sensitivityLabelAssignment": {"sensitivityLabelId": shape.keep},

	# Who.
	"participants": {
		"attendees": [_meeting_participant],
		"organizer": _meeting_participant,
	},

	# When.
	"creationDateTime": shape.keep,
	"endDateTime": shape.keep,
	"expiryDateTime": shape.keep,
	"startDateTime": shape.keep,

	# Settings.
	"allowAttendeeToEnableCamera": shape.keep,
	"allowAttendeeToEnableMic": shape.keep,
	"allowBreakoutRooms": shape.keep,
	"allowCopyingAndSharingMeetingContent": shape.keep,
	"allowedLobbyAdmitters": shape.keep,
	"allowedPresenters": shape.keep,
	"allowLiveShare": shape.keep,
	"allowMeetingChat": shape.keep,
	"allowParticipantsToChangeName": shape.keep,
	"allowPowerPointSharing": shape.keep,
	"allowRecording": shape.keep,
	"allowTeamworkReactions": shape.keep,
	"allowTranscription": shape.keep,
	"allowWhiteboard": shape.keep,
	"autoAdmittedUsers": shape.keep,
	"broadcastSettings": {
		"allowedAudience": shape.keep,
		"captions": {
			"isCaptionEnabled": shape.keep,
			"spokenLanguage": shape.keep,
			"translationLanguages": [shape.keep],
		},
		"isAttendeeReportEnabled": shape.keep,
		"isQuestionAndAnswerEnabled": shape.keep,
		"isRecordingEnabled": shape.keep,
		"isVideoOnDemandEnabled": shape.keep,
	},
	"chatRestrictions": {"allowTextOnly": shape.keep},
	"isBroadcast": shape.keep,
	"isEndToEndEncryptionEnabled": shape.keep,
	"isEntryExitAnnounced": shape.keep,
	"lobbyBypassSettings": {
		"isDialInBypassEnabled": shape.keep,
		"scope": shape.keep,
	},
	"meetingSpokenLanguageTag": shape.keep,
	"meetingType": shape.keep,
	"recordAutomatically": shape.keep,
	"shareMeetingChatHistoryDefault": shape.keep,
	"watermarkProtection": {
		"isEnabledForContentSharing": shape.keep,
		"isEnabledForVideo": shape.keep,
	},

	# The numbers of the meeting bridge, which are the organisation's; not the code.
	"audioConferencing": {
		"conferenceId": shape.drop,
		"ConferenceId": shape.drop,
		"dialinUrl": shape.drop,
		"tollFreeNumber": shape.organisation,
		"tollFreeNumbers": [shape.organisation],
		"tollNumber": shape.organisation,
		"tollNumbers": [shape.organisation],
	},

	# What it is about, and ways in.
	"cloudVideoInteropInfo": shape.drop,
	"externalId": shape.drop,
	"joinInformation": shape.drop,
	"joinMeetingIdSettings": shape.drop,
	"joinWebUrl": shape.tokenize,
	"meetingOptionsWebUrl": shape.drop,
	"subject": shape.drop,
	"videoTeleconferenceId": shape.drop,

	# Content.
	"attendeeReport": shape.drop,
	"attendeeReport@odata.mediaReadLink": shape.drop,
}])

# meetingParticipantInfo, virtualEventPresenterInfo.
_meeting_participant := {
	"@odata.type": shape.drop,
	"identity": identities(in_calls),
	"role": shape.keep,
	"presenterDetails": shape.drop,
	"upn": shape.drop,
}

_meeting_relations := {
	"attendanceReports",
	"recordings",
	"transcripts",
}
