package graph

import "net/http"

// service is a workload behind Graph: paging and refusals are its own. Page sizes are those of graph-facts, "Page sizes".
type service struct {
	page, maxPage int
	options       []string // that its collections take besides $select, in lower case
	skips         bool     // pages are counted with $top and $skip; else there is a $skiptoken
	linkLast      bool     // the page link is after the records
	noTop         bool     // the page size is not said in links
	counts        bool     // each page has the number of its records as @odata.count
	refusal       problem  // for want of a role

	tokenHead string // how the bytes of a $skiptoken begin
	tokenHex  bool   // they are written as digits before base64
	badToken  string // code of the refusal of one
}

func (v *service) denied() *problem { return &v.refusal }

var (
	directory = &service{page: 100, maxPage: 999, options: []string{"top", "count", "filter", "orderby", "skiptoken"},
		refusal:   forbidden("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
		tokenHead: "DSpt\x02\x00\x01\x00\x00\x00", badToken: "Directory_ExpiredPageToken"}
	// directoryDelta takes neither $top nor $orderby (graph-facts: "user/group delta").
	directoryDelta = &service{page: 100, maxPage: 999, options: []string{"filter", "skiptoken"}, refusal: directory.refusal,
		tokenHead: directory.tokenHead, badToken: directory.badToken}
	// teams counts the records of each page, as teamList does, which lists teams.
	teams = &service{page: 20, maxPage: 50, options: []string{"top", "count", "filter", "orderby", "skiptoken"}, counts: true,
		refusal:  forbidden("Forbidden", "Missing role permissions on the request. API requires one of other roles."),
		tokenHex: true, badToken: "BadRequest"}
	teamList = &service{page: 100, maxPage: 999, options: teams.options, counts: true, refusal: teams.refusal, tokenHex: true, badToken: "BadRequest"}
	drives   = &service{page: 200, maxPage: 999, options: []string{"top", "count", "filter", "orderby", "skiptoken"},
		refusal: forbidden("accessDenied", "Access denied."), badToken: "invalidRequest"}
	calls = &service{page: 60, maxPage: 130, options: []string{"count", "filter", "skiptoken"},
		refusal: forbidden("Forbidden", "Application is not authorized to perform this operation."), badToken: "BadRequest"}
	// callLogs counts pages with $skip alone, and the records of each.
	callLogs = &service{page: 1000, maxPage: 1000, options: []string{"skip"}, skips: true, noTop: true, counts: true, linkLast: true,
		refusal: forbidden("Forbidden", "Application is not authorized to perform this operation.")}
	copilot = &service{page: 100, maxPage: 100, options: []string{"top", "filter", "skiptoken"}, counts: true,
		refusal:   forbidden("Forbidden", "Insufficient privileges to complete the operation."),
		tokenHead: "SkipValue=10#MailboxFolder=MailFolders/TeamsMessagesData#", badToken: "BadRequest"}
	// outlookDelta has tokens, where the lists of Outlook have $skip.
	outlookDelta = &service{page: 10, maxPage: 1000, options: []string{"top", "filter", "orderby", "skiptoken"}, linkLast: true,
		refusal: forbidden("ErrorAccessDenied", "Access is denied. Check credentials and try again."), badToken: "SyncStateNotFound"}
	outlook = &service{page: 10, maxPage: 1000, options: []string{"top", "count", "filter", "orderby", "skip"}, skips: true, linkLast: true,
		refusal: forbidden("ErrorAccessDenied", "Access is denied. Check credentials and try again.")}
)

func forbidden(code, message string) problem {
	return problem{status: http.StatusForbidden, code: code, message: message}
}

// The application roles that open each resource, least privileged first.
// Source: the permissions reference of Microsoft Graph v1.0; TestRolesAreTheDocumented compares.
var (
	readUsers     = []string{"User.ReadBasic.All", "User.Read.All", "Directory.Read.All"}
	readAllUsers  = []string{"User.Read.All", "Directory.Read.All"}
	readGroups    = []string{"Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"}
	readMembers   = []string{"GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"}
	readMail      = []string{"Mail.ReadBasic.All", "Mail.Read"}
	readSettings  = []string{"MailboxSettings.Read"}
	readTeams     = []string{"Team.ReadBasic.All", "TeamSettings.Read.All"}
	readChannels  = []string{"Channel.ReadBasic.All", "ChannelSettings.Read.All"}
	readPosts     = []string{"ChannelMessage.Read.All", "ChannelMessage.Read.Group", "Group.Read.All"}
	readChats     = []string{"Chat.ReadBasic.All"}
	readChat      = []string{"ChatMessage.Read.Chat", "Chat.Read.All"}
	readCalls     = []string{"CallRecords.Read.All"}
	readCallLogs  = []string{"CallRecord-PstnCalls.Read.All", "CallRecords.Read.All"}
	ownCalls      = []string{"Calls.Initiate.All", "Calls.AccessMedia.All"}
	readMeetings  = []string{"OnlineMeetings.Read.All"}
	readReports   = []string{"OnlineMeetingArtifact.Read.All"}
	readCopilot   = []string{"AiEnterpriseInteraction.Read.All"}
	readFiles     = []string{"Files.Read.All", "Sites.Read.All"}
	readCalendars = []string{"Calendars.ReadBasic.All", "Calendars.Read"}
)
