# METADATA
# title: Outlook Calendar
# description: |
#   Who meets whom, when and how often: events without what is written in them,
#   the mailbox's settings, and the directory to make sense of both.
package graphveil.connectors.outlook_calendar

import data.graphveil.directory
import data.graphveil.errors
import data.graphveil.outlook
import data.graphveil.types as t

# METADATA
# title: permissions
# description: |
#   The application permissions that an administrator grants for this connector.
#   `Calendars.ReadBasic.All` cannot read bodies, attachments or extensions at all.
#   Graph's pages about events call it `Calendars.ReadBasic`, as users' consent to it
#   is called; the role of an application is the one ending in `.All`.
permissions := {"Calendars.ReadBasic.All", "MailboxSettings.Read"} | directory.permissions

# METADATA
# title: setup
# description: |
#   What an administrator may do beside granting permissions: in Exchange, those for
#   events and mailbox settings can be granted for some mailboxes only.
setup := {"exchange_rbac"}

# METADATA
# title: events
# description: Lists the events of the default calendar; of a series, its master.
endpoints["events"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/events",
	"params": {"user": directory.user_key},
	"query": _list_options,
	"headers": outlook.headers,
	"permissions": {"Calendars.ReadBasic.All"},
	"response": t.page(event),
}

# METADATA
# title: event
# description: Reads one event.
endpoints["event"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/events/{event}",
	"params": {
		"user": directory.user_key,
		"event": outlook.item_key,
	},
	"query": {"$select": {}},
	"headers": outlook.headers,
	"permissions": {"Calendars.ReadBasic.All"},
	"response": t.single(event),
}

# METADATA
# title: event_instances
# description: Lists the occurrences of a series between two times.
endpoints["event_instances"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/events/{event}/instances",
	"params": {
		"user": directory.user_key,
		"event": outlook.item_key,
	},
	"query": object.union(_period, object.filter(_list_options, {"$select", "$top", "$skip"})),
	"headers": outlook.headers,
	"permissions": {"Calendars.ReadBasic.All"},
	"probe": {"query": _day},
	"response": t.page(event),
}

# METADATA
# title: calendar_events
# description: Lists the events of one calendar.
endpoints["calendar_events"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/calendars/{calendar}/events",
	"params": {
		"user": directory.user_key,
		"calendar": outlook.item_key,
	},
	"query": _list_options,
	"headers": outlook.headers,
	"permissions": {"Calendars.ReadBasic.All"},
	"response": t.page(event),
}

# METADATA
# title: default_calendar_view
# description: Lists what happens between two times, occurrences of series one by one.
endpoints["default_calendar_view"] := _view("/v1.0/users/{user}/calendar/calendarView")

# METADATA
# title: calendar_view
# description: The same list under its shorter path.
endpoints["calendar_view"] := _view("/v1.0/users/{user}/calendarView")

# METADATA
# title: mailbox_settings
# description: Reads the settings of a mailbox.
endpoints["mailbox_settings"] := outlook.mailbox_settings

# METADATA
# title: users
# description: Lists users.
endpoints["users"] := directory.users

# METADATA
# title: users_delta
# description: Lists users that changed.
endpoints["users_delta"] := directory.users_delta

# METADATA
# title: users_count
# description: Counts users.
endpoints["users_count"] := directory.users_count

# METADATA
# title: user
# description: Reads one user.
endpoints["user"] := directory.user_by_id

# METADATA
# title: groups
# description: Lists groups.
endpoints["groups"] := directory.groups

# METADATA
# title: groups_delta
# description: Lists groups that changed.
endpoints["groups_delta"] := directory.groups_delta

# METADATA
# title: groups_count
# description: Counts groups.
endpoints["groups_count"] := directory.groups_count

# METADATA
# title: group
# description: Reads one group.
endpoints["group"] := directory.group_by_id

# METADATA
# title: group_members
# description: Lists the members of a group, of any kind.
endpoints["group_members"] := directory.group_members

# METADATA
# title: group_members_count
# description: Counts the members of a group.
endpoints["group_members_count"] := directory.group_members_count

# METADATA
# title: group_member_users
# description: Lists the members of a group that are users.
endpoints["group_member_users"] := directory.group_member_users

# METADATA
# title: me
# description: Says why `/me` is not served.
refusals["me"] := errors.me

# METADATA
# title: beta
# description: Says why beta is not served.
refusals["beta"] := errors.beta

_view(path) := {
	"methods": {"GET"},
	"path": path,
	"params": {"user": directory.user_key},
	"query": object.union(_period, _list_options),
	"headers": outlook.headers,
	"permissions": {"Calendars.ReadBasic.All"},
	"probe": {"query": _day},
	"response": t.page(event),
}

_list_options := {
	"$select": {},
	"$top": {"max": 1000},
	"$skip": {"max": 1000000},
	"$count": {"values": {"true", "false"}},
	"$filter": {"properties": t.clear_properties(event)},
	"$orderby": {"properties": t.clear_properties(event)},
}

# Graph wants both.
_period := {
	"startDateTime": _time,
	"endDateTime": _time,
}

_day := {
	"startDateTime": "{yesterday}T00:00:00Z",
	"endDateTime": "{today}T00:00:00Z",
}

# ISO 8601; without an offset it is UTC.
_time := {"pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,7})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$`}
