package graphveil.types

import data.graphveil.shape

# METADATA
# title: email_address
# description: A mailbox with the name that was shown for it.
email_address := {
	"address": shape.email,
	"name": shape.drop,
}

# METADATA
# title: recipient
# description: |
#   Sender or recipient of a message. In meeting messages Graph may send the
#   derived types `attendeeBase` and `attendee`, with an answer and a counter-proposal.
recipient := {
	"@odata.type": shape.keep,
	"emailAddress": email_address,
	"type": shape.keep,
	"status": response_status,
	"proposedNewTime": time_slot,
}

# METADATA
# title: response_status
# description: What an attendee answered, and when.
response_status := {
	"response": shape.keep,
	"time": shape.keep,
}
