package graphveil.connectors.teams

# What Graph takes from an application in a tenant, by service:
# https://learn.microsoft.com/graph/throttling-limits. The calls and meetings that are
# not here have limits that no rate limit service could count: in a month, for a user,
# for one record.

# METADATA
# title: limit
# description: Teams, channels and chats, the lowest of their limits.
limit := {"service": "teams", "requests": 30, "per": "second"}

# METADATA
# title: message_limit
# description: Messages of channels and chats.
message_limit := {"service": "teams_messages", "requests": 20, "per": "second"}

# METADATA
# title: call_record_limit
# description: Call records, 1,500 requests in 20 seconds.
call_record_limit := {"service": "call_records", "requests": 75, "per": "second"}
