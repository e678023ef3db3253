package graphveil.types

import data.graphveil.shape

# METADATA
# title: mailbox_settings
# description: |
#   Time zone, working hours and whether automatic replies are on; never the
#   replies themselves.
mailbox_settings := {
	"archiveFolder": shape.keep,
	"automaticRepliesSetting": {
		"externalAudience": shape.keep,
		"externalReplyMessage": shape.drop,
		"internalReplyMessage": shape.drop,
		"scheduledStartDateTime": date_time_time_zone,
		"scheduledEndDateTime": date_time_time_zone,
		"status": shape.keep,
	},
	"dateFormat": shape.keep,
	"delegateMeetingMessageDeliveryOptions": shape.keep,
	"language": {
		"displayName": shape.organisation,
		"locale": shape.organisation,
	},
	"timeFormat": shape.keep,
	"timeZone": shape.organisation,
	"userPurpose": shape.keep,
	"workingHours": {
		"daysOfWeek": [shape.keep],
		"startTime": shape.keep,
		"endTime": shape.keep,
		"timeZone": time_zone,
	},
}
