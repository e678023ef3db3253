package graphveil.connectors.outlook_calendar

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: event
# description: |
#   A meeting or appointment: when, how it repeats, who was invited and what they
#   answered, as pseudonyms, and of the subject the listed phrases. Nothing else
#   that anybody wrote, no place, and nothing by which one could join.
event := object.union_n([t.entity, t.dropped(_relations), {
	# Ids, and those of the series.
	"id": shape.keep,
	"cancelledOccurrences": [shape.keep],
	"changeKey": shape.keep,
	"iCalUId": shape.keep,
	"seriesMasterId": shape.keep,

	# Who.
	"attendees": [t.recipient],
	"organizer": t.recipient,

	# When.
	"createdDateTime": shape.keep,
	"end": t.date_time_time_zone,
	"isAllDay": shape.keep,
	"lastModifiedDateTime": shape.keep,
	"originalEndTimeZone": shape.organisation,
	"originalStart": shape.keep,
	"originalStartTimeZone": shape.organisation,
	"recurrence": t.patterned_recurrence,
	"start": t.date_time_time_zone,

	# State.
	"hasAttachments": shape.keep,
	"hideAttendees": shape.keep,
	"importance": shape.keep,
	"isCancelled": shape.keep,
	"isDraft": shape.keep,
	"isOnlineMeeting": shape.keep,
	"isOrganizer": shape.keep,
	"onlineMeetingProvider": shape.keep,
	"responseRequested": shape.keep,
	"responseStatus": t.response_status,
	"sensitivity": shape.keep,
	"showAs": shape.keep,
	"type": shape.keep,

	# What kind of meeting it is, in known words.
	"subject": shape.phrases(subject_phrases),

	# What was written.
	"body": shape.drop,
	"bodyPreview": shape.drop,
	"categories": shape.drop,

	# Where.
	"location": _location,
	"locations": [_location],
	"onlineMeeting": _online_meeting,
	"onlineMeetingUrl": shape.drop,
	"webLink": shape.drop,

	# What the owner's client is to do.
	"allowNewTimeProposals": shape.drop,
	"isReminderOn": shape.drop,
	"reminderMinutesBeforeStart": shape.drop,
	"transactionId": shape.drop,

	# Addresses of the calendar, with the user's id.
	"calendar@odata.associationLink": shape.drop,
	"calendar@odata.navigationLink": shape.drop,
}])

# Name, id and URI are free text: people write links with passcodes into them. In
# a home address a place is a person.
_location := {
	"@odata.type": shape.keep,
	"address": shape.drop,
	"coordinates": shape.drop,
	"displayName": shape.drop,
	"locationEmailAddress": shape.drop,
	"locationType": shape.keep,
	"locationUri": shape.drop,
	"resolveAvailability": shape.keep,
	"uniqueId": shape.drop,
	"uniqueIdType": shape.keep,
}

# The numbers to dial are those of the organisation's bridge. The conference id
# lets in whoever has it, and the quick dial holds it; the link holds the
# organizer's id.
_online_meeting := {
	"conferenceId": shape.drop,
	"joinUrl": shape.drop,
	"phones": shape.drop,
	"quickDial": shape.drop,
	"tollFreeNumbers": [shape.organisation],
	"tollNumber": shape.organisation,
}

_relations := {
	"attachments",
	"calendar",
	"exceptionOccurrences",
	"extensions",
	"instances",
	"multiValueExtendedProperties",
	"singleValueExtendedProperties",
}
