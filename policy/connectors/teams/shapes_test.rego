package graphveil.connectors.teams_test

import data.graphveil.connectors.teams

_drop := {"$op": "drop"}

_keep := {"$op": "keep"}

_one_way := {"$op": "pseudonym"}

_token := {"$op": "tokenize"}

test_nothing_that_anybody_wrote_leaves if {
	every names in [
		[teams.team, {"description", "displayName", "firstChannelName", "webUrl"}],
		[teams.channel, {"description", "displayName", "email", "webUrl"}],
		[teams.chat, {"topic", "webUrl"}],
		[teams.member, {"displayName", "email", "phoneNumber", "skypeId"}],
		[teams.chat_message, {"attachments", "hostedContents", "subject", "summary", "webUrl", "replies"}],
		[teams.channel_message, {"attachments", "hostedContents", "subject", "summary", "webUrl", "replies@odata.nextLink"}],
		[teams.call, {"callbackUri", "mediaConfig", "meetingInfo", "subject"}],
		[teams.call_record, {"joinWebUrl", "sessions@odata.nextLink"}],
		[teams.pstn_call, {"calleeNumber", "callerNumber", "conferenceId", "userDisplayName", "userPrincipalName"}],
		[teams.direct_routing_call, {"calleeNumber", "callerNumber", "userDisplayName", "userPrincipalName"}],
	] {
		every name in names[1] {
			names[0][name] == _drop
		}
	}
	teams.chat_message.body.content == _drop
	teams.message_preview.body.content == _drop
	teams.call.toneInfo.tone == _drop
}

# In the settings of each option, what happens to the ids of persons.

test_persons_in_messages_and_calls if {
	every person in [
		teams.channel_message.from.user,
		teams.channel_message.replies[0].from.user,
		teams.chat_message.from.user,
		teams.chat_message.reactions[0].user.user,
		teams.chat_message.mentions[0].mentioned.user,
		teams.chat_message.eventDetail.initiator.user,
		teams.call.source.identity.user,
		teams.call_record.organizer.user,
		teams.call_record.sessions[0].caller.identity.user,
	] {
		person.id == _one_way
		person.displayName == _drop
		person.userPrincipalName == _drop
		person.email == _drop
	}
	teams.chat_message.from.user.id == _keep with data.graphveil.settings as _clear
	teams.call_record.organizer.user.id == _keep with data.graphveil.settings as _clear
	teams.pstn_call.userId == _one_way
	teams.direct_routing_call.userId == _one_way
	teams.pstn_call.userId == _keep with data.graphveil.settings as _clear
}

test_ids_in_chats if {
	teams.chat.id == _token
	teams.chat.onlineMeetingInfo.organizer.id == _token
	teams.call.chatInfo.threadId == _drop
	teams.member.id == _token
	teams.member.userId == _drop
	teams.message_preview.id == _token
	teams.message_preview.from.user.id == _drop
	teams.message_preview.from.application.id == _token
	teams.message_preview.eventDetail.members[0].id == _token
	teams.chat_message.chatId == _token
	teams.chat_message.eventDetail.chatId == _token
	teams.channel_message.chatId == _drop
	teams.chat_message.eventDetail.members[0].id == _drop
	teams.chat_message.mentions[0].mentioned.conversation.id == _drop
}

test_clear_ids_in_chats if {
	every id in [
		teams.chat.id,
		teams.member.id,
		teams.member.userId,
		teams.message_preview.from.user.id,
		teams.chat_message.chatId,
		teams.channel_message.chatId,
		teams.chat_message.eventDetail.members[0].id,
		teams.chat_message.mentions[0].mentioned.conversation.id,
		teams.call.chatInfo.threadId,
	] {
		id == _keep
	} with data.graphveil.settings as _clear
}

test_addresses_to_join_are_tokens_always if {
	every settings in [{}, _clear] {
		teams.chat.onlineMeetingInfo.joinWebUrl == _token with data.graphveil.settings as settings
		teams.pstn_call.callId == _token with data.graphveil.settings as settings
	}
}

test_participants_have_no_ids if {
	teams.call_record.organizer_v2.id == _drop
	teams.call_record.participants_v2[0].id == _drop
	teams.call_record.participants_v2[0].identity.phone == _drop
	teams.call_record.participants_v2[0].identity.user.id == _one_way
}

test_machines_and_networks_cannot_be_told_apart if {
	teams.session.caller.name == _drop
	teams.segment.callee.userAgent.headerValue == _drop
	every name in {"basicServiceSetIdentifier", "dnsSuffix", "ipAddress", "macAddress", "reflexiveIPAddress", "relayIPAddress", "subnet"} {
		teams.media.callerNetwork[name] == _drop
	}
	every name in {"captureDeviceName", "captureDeviceDriver", "renderDeviceName", "renderDeviceDriver"} {
		teams.media.calleeDevice[name] == _drop
	}
	teams.media.callerNetwork.traceRouteHops[0].ipAddress == _drop
}

test_lists_have_no_expansions if {
	every name in {"organizer_v2", "participants_v2", "sessions"} {
		teams.listed_call_record[name] == _drop
	}
}

test_strict_drops_what_tells_about_the_organisation if {
	every value in [
		teams.team.classification,
		teams.pstn_call.operator,
		teams.direct_routing_call.signalingLocation,
		teams.call_record.participants_v2[0].administrativeUnitInfos[0].id,
	] {
		value == _drop
	} with data.graphveil.settings as {"level": "strict"}
}
