package graph

// eventDetails are the values of chatMessage.eventDetail, one for each derived type of eventMessageDetail in v1.0; the type may come
// before or after the other members. Source: the v1.0 CSDL.
var eventDetails = []template{
	detail(`{"@odata.type":"#microsoft.graph.callEndedEventMessageDetail","callDuration":"PT1H20M13S","callEventType":"call","callId":"${guid}","callParticipants":[{"participant":${identity}}],"initiator":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.callRecordingEventMessageDetail","callId":"${guid}","callRecordingDisplayName":"${text 2}","callRecordingDuration":"PT1H20M13S","callRecordingStatus":"success","callRecordingUrl":"https://${domain}-my.sharepoint.example/personal/${0.site}/Documents/Recordings/${base64url 12}.mp4?canary=${canary}","initiator":${identity},"meetingOrganizer":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.callStartedEventMessageDetail","callEventType":"call","callId":"${guid}","initiator":${identity}}`),
	detail(`{"callId":"${guid}","callTranscriptICalUid":"${guid}","meetingOrganizer":${identity},"@odata.type":"#microsoft.graph.callTranscriptEventMessageDetail"}`),
	detail(`{"@odata.type":"#microsoft.graph.channelAddedEventMessageDetail","channelDisplayName":"${text 2}","channelId":"${thread}","initiator":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.channelDeletedEventMessageDetail","channelDisplayName":"${text 2}","channelId":"${thread}","initiator":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.channelDescriptionUpdatedEventMessageDetail","channelDescription":"${text 2}","channelId":"${thread}","initiator":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.channelRenamedEventMessageDetail","channelDisplayName":"${text 2}","channelId":"${thread}","initiator":${identity}}`),
	detail(`{"channelId":"${thread}","initiator":${identity},"@odata.type":"#microsoft.graph.channelSetAsFavoriteByDefaultEventMessageDetail"}`),
	detail(`{"@odata.type":"#microsoft.graph.channelSharingUpdatedEventMessageDetail","initiator":${identity},"ownerTeamId":"${guid}","ownerTenantId":"${tenant}","sharedChannelId":"${thread}"}`),
	detail(`{"@odata.type":"#microsoft.graph.channelUnsetAsFavoriteByDefaultEventMessageDetail","channelId":"${thread}","initiator":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.chatRenamedEventMessageDetail","chatDisplayName":"${text 2}","chatId":"${thread}","initiator":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.conversationMemberRoleUpdatedEventMessageDetail","conversationMemberRoles":["owner"],"conversationMemberUser":${member},"initiator":${identity}}`),
	detail(`{"initiator":${identity},"meetingChatEnabled":true,"meetingChatId":"${thread}","@odata.type":"#microsoft.graph.meetingPolicyUpdatedEventMessageDetail"}`),
	detail(`{"@odata.type":"#microsoft.graph.membersAddedEventMessageDetail","initiator":${identity},"members":[${member}],"visibleHistoryStartDateTime":"${at -600}"}`),
	detail(`{"@odata.type":"#microsoft.graph.membersDeletedEventMessageDetail","initiator":${identity},"members":[${member}]}`),
	detail(`{"@odata.type":"#microsoft.graph.membersJoinedEventMessageDetail","initiator":${identity},"members":[${member}]}`),
	detail(`{"@odata.type":"#microsoft.graph.membersLeftEventMessageDetail","initiator":${identity},"members":[${member}]}`),
	detail(`{"eventDateTime":"${at -600}","initiator":${identity},"@odata.type":"#microsoft.graph.messagePinnedEventMessageDetail"}`),
	detail(`{"@odata.type":"#microsoft.graph.messageUnpinnedEventMessageDetail","eventDateTime":"${at -600}","initiator":${identity}}`),
	detail(`{"@odata.type":"#microsoft.graph.tabUpdatedEventMessageDetail","initiator":${identity},"tabId":"${guid}"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamArchivedEventMessageDetail","initiator":${identity},"teamId":"${guid}"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamCreatedEventMessageDetail","initiator":${identity},"teamDescription":"${text 2}","teamDisplayName":"${text 2}","teamId":"${guid}"}`),
	detail(`{"initiator":${identity},"teamDescription":"${text 2}","teamId":"${guid}","@odata.type":"#microsoft.graph.teamDescriptionUpdatedEventMessageDetail"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamJoiningDisabledEventMessageDetail","initiator":${identity},"teamId":"${guid}"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamJoiningEnabledEventMessageDetail","initiator":${identity},"teamId":"${guid}"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamRenamedEventMessageDetail","initiator":${identity},"teamDisplayName":"${text 2}","teamId":"${guid}"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamUnarchivedEventMessageDetail","initiator":${identity},"teamId":"${guid}"}`),
	detail(`{"initiator":${identity},"teamsAppDisplayName":"${text 2}","teamsAppId":"${guid}","@odata.type":"#microsoft.graph.teamsAppInstalledEventMessageDetail"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamsAppRemovedEventMessageDetail","initiator":${identity},"teamsAppDisplayName":"${text 2}","teamsAppId":"${guid}"}`),
	detail(`{"@odata.type":"#microsoft.graph.teamsAppUpgradedEventMessageDetail","initiator":${identity},"teamsAppDisplayName":"${text 2}","teamsAppId":"${guid}"}`),
}

func detail(text string) template {
	return compile(text, 230, fillers{
		"identity": compile(`{"application":null,"device":null,"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${0.id}","displayName":"${0.name}","userIdentityType":"aadUser","tenantId":"${tenant}"}}`, 231, nil).write,
		"member":   compile(`{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"${1.id}","displayName":"${1.name}","userIdentityType":"aadUser","tenantId":"${tenant}"}`, 232, nil).write,
		"thread":   threadOf,
	})
}
