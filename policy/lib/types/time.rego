package graphveil.types

import data.graphveil.shape

# METADATA
# title: date_time_time_zone
# description: |
#   A local time with its zone: UTC, unless the request prefers another or the
#   value was stored with one.
date_time_time_zone := {
	"dateTime": shape.keep,
	"timeZone": shape.organisation,
}

# METADATA
# title: time_slot
# description: From when to when.
time_slot := {
	"start": date_time_time_zone,
	"end": date_time_time_zone,
}

# METADATA
# title: time_zone
# description: |
#   `timeZoneBase` and `customTimeZone`, whose bias and offsets are numbers.
time_zone := {
	"@odata.type": shape.keep,
	"name": shape.organisation,
	"bias": shape.organisation,
	"standardOffset": _time_zone_offset,
	"daylightOffset": _time_zone_offset,
}

_time_zone_offset := {
	"@odata.type": shape.keep,
	"dayOccurrence": shape.organisation,
	"dayOfWeek": shape.organisation,
	"month": shape.organisation,
	"time": shape.organisation,
	"year": shape.organisation,
	"daylightBias": shape.organisation,
}

# METADATA
# title: patterned_recurrence
# description: How a meeting repeats, without what it is about.
patterned_recurrence := {
	"pattern": {
		"dayOfMonth": shape.keep,
		"daysOfWeek": [shape.keep],
		"firstDayOfWeek": shape.keep,
		"index": shape.keep,
		"interval": shape.keep,
		"month": shape.keep,
		"type": shape.keep,
	},
	"range": {
		"endDate": shape.keep,
		"numberOfOccurrences": shape.keep,
		"recurrenceTimeZone": shape.organisation,
		"startDate": shape.keep,
		"type": shape.keep,
	},
}
