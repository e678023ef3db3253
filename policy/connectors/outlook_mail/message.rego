package graphveil.connectors.outlook_mail

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: message
# description: |
#   A message, with what meeting and sharing messages add to it: times, ids, flags
#   and the pseudonyms of those who took part; nothing that anybody wrote.
message := object.union_n([t.entity, t.dropped(_relations), _meeting, _sharing, {
	# Ids and the thread.
	"id": shape.keep,
	"changeKey": shape.keep,
	"conversationId": shape.keep,
	"conversationIndex": shape.keep,
	"internetMessageId": shape.keep,
	"parentFolderId": shape.keep,

	# Who.
	"from": t.recipient,
	"sender": t.recipient,
	"toRecipients": [t.recipient],
	"ccRecipients": [t.recipient],
	"bccRecipients": [t.recipient],
	"replyTo": [t.recipient],

	# When.
	"createdDateTime": shape.keep,
	"lastModifiedDateTime": shape.keep,
	"receivedDateTime": shape.keep,
	"sentDateTime": shape.keep,

	# State.
	"flag": {
		"completedDateTime": t.date_time_time_zone,
		"dueDateTime": t.date_time_time_zone,
		"flagStatus": shape.keep,
		"startDateTime": t.date_time_time_zone,
	},
	"hasAttachments": shape.keep,
	"importance": shape.keep,
	"inferenceClassification": shape.keep,
	"isDeliveryReceiptRequested": shape.keep,
	"isDraft": shape.keep,
	"isRead": shape.keep,
	"isReadReceiptRequested": shape.keep,

	# What was written, and links and headers that lead to it.
	"body": shape.drop,
	"bodyPreview": shape.drop,
	"categories": shape.drop,
	"internetMessageHeaders": shape.drop,
	"subject": shape.drop,
	"uniqueBody": shape.drop,
	"webLink": shape.drop,
}])

# eventMessage, eventMessageRequest, eventMessageResponse.
_meeting := {
	"allowNewTimeProposals": shape.keep,
	"endDateTime": t.date_time_time_zone,
	"isAllDay": shape.keep,
	"isDelegated": shape.keep,
	"isOutOfDate": shape.keep,
	"location": shape.drop,
	"meetingMessageType": shape.keep,
	"meetingRequestType": shape.keep,
	"previousEndDateTime": t.date_time_time_zone,
	"previousLocation": shape.drop,
	"previousStartDateTime": t.date_time_time_zone,
	"proposedNewTime": t.time_slot,
	"recurrence": t.patterned_recurrence,
	"responseRequested": shape.keep,
	"responseType": shape.keep,
	"startDateTime": t.date_time_time_zone,
	"type": shape.keep,
}

# calendarSharingMessage.
_sharing := {
	"canAccept": shape.keep,
	"sharingMessageAction": _sharing_action,
	"sharingMessageActions": [_sharing_action],
	"suggestedCalendarName": shape.drop,
}

_sharing_action := {
	"action": shape.keep,
	"actionType": shape.keep,
	"importance": shape.keep,
}

_relations := {
	"attachments",
	"event",
	"extensions",
	"multiValueExtendedProperties",
	"singleValueExtendedProperties",
}
