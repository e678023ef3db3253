package graphveil.connectors.teams

import data.graphveil.shape
import data.graphveil.types as t

# METADATA
# title: pstn_call
# description: |
#   A call over Microsoft's calling plans, as it is billed. The call's id is a token
#   whatever option `ids` says, as it is for Psoxy.
pstn_call := {
	"@odata.type": shape.drop,
	"id": shape.keep,
	"callId": shape.tokenize,
	"userId": t.person_id,
	"callType": shape.keep,
	"endDateTime": shape.keep,
	"startDateTime": shape.keep,
	# What it cost.
	"callDurationSource": shape.keep,
	"charge": shape.keep,
	"connectionCharge": shape.keep,
	"currency": shape.keep,
	"duration": shape.keep,
	"inventoryType": shape.organisation,
	"licenseCapability": shape.organisation,
	"operator": shape.organisation,
	# Where to; `destinationName` is a country or region.
	"destinationContext": shape.organisation,
	"destinationName": shape.organisation,
	"tenantCountryCode": shape.organisation,
	"usageCountryCode": shape.organisation,
	# Who, and the number to dial into a conference.
	"calleeNumber": shape.drop,
	"callerNumber": shape.drop,
	"conferenceId": shape.drop,
	"userDisplayName": shape.drop,
	"userPrincipalName": shape.drop,
}

# METADATA
# title: direct_routing_call
# description: A call over a session border controller of the organisation's own.
direct_routing_call := {
	"@odata.type": shape.drop,
	"id": shape.keep,
	"correlationId": shape.keep,
	"userId": t.person_id,
	"callType": shape.keep,
	"duration": shape.keep,
	"endDateTime": shape.keep,
	"failureDateTime": shape.keep,
	"inviteDateTime": shape.keep,
	"startDateTime": shape.keep,
	# How it went.
	"callEndSubReason": shape.keep,
	"finalSipCode": shape.keep,
	"finalSipCodePhrase": shape.drop,
	"mediaBypassEnabled": shape.keep,
	"successfulCall": shape.keep,
	# Where; both are regions of a data centre.
	"mediaPathLocation": shape.organisation,
	"signalingLocation": shape.organisation,
	"trunkFullyQualifiedDomainName": shape.drop,
	# Who.
	"calleeNumber": shape.drop,
	"callerNumber": shape.drop,
	"userDisplayName": shape.drop,
	"userPrincipalName": shape.drop,
}
