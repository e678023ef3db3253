package graph

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// endpoint is one served path.
type endpoint struct {
	// path is what follows the version, in lower case; a star stands for a key. A segment that ends in parentheses is a function: it may be
	// written without them when it takes no parameters, and be qualified with its namespace.
	path    string
	service *service
	single  bool     // an entity, not a collection
	opens   []string // any of these roles opens it
	serve   func(*Server, *answer, *target, *query) *problem
	also    []string // options it takes besides those of its service, in lower case
	beta    bool     // served in beta too
}

// endpoints are all that is served. Of two that match, the first counts.
var endpoints = []endpoint{
	{path: "users", service: directory, opens: readUsers, serve: (*Server).listUsers},
	{path: "users/delta()", service: directoryDelta, opens: readAllUsers, serve: (*Server).listUserChanges, also: deltaToken},
	{path: "users/$count", service: directory, single: true, opens: readUsers, serve: (*Server).countUsers, also: filterOnly},
	{path: "users/*", service: directory, single: true, opens: readUsers, serve: (*Server).getUser},
	{path: "groups", service: directory, opens: readGroups, serve: (*Server).listGroups},
	{path: "groups/delta()", service: directoryDelta, opens: readGroups, serve: (*Server).listGroupChanges, also: deltaToken},
	{path: "groups/$count", service: directory, single: true, opens: readGroups, serve: (*Server).countGroups, also: filterOnly},
	{path: "groups/*", service: directory, single: true, opens: readGroups, serve: (*Server).getGroup},
	{path: "groups/*/members", service: directory, opens: readMembers, serve: (*Server).listMembers},
	{path: "groups/*/members/$count", service: directory, single: true, opens: readMembers, serve: (*Server).countMembers, also: filterOnly},
	{path: "groups/*/members/microsoft.graph.user", service: directory, opens: readMembers, serve: (*Server).listMemberUsers},

	{path: "users/*/mailboxsettings", service: outlook, single: true, opens: readSettings, serve: (*Server).getSettings},
	{path: "users/*/mailfolders", service: outlook, opens: readMail, serve: (*Server).listFolders},
	{path: "users/*/mailfolders/*", service: outlook, single: true, opens: readMail, serve: (*Server).getFolder},
	{path: "users/*/mailfolders/*/messages", service: outlook, opens: readMail, serve: (*Server).listMessages},
	{path: "users/*/mailfolders/*/messages/delta()", service: outlookDelta, opens: readMail, serve: (*Server).listMessageChanges, also: deltaToken},
	{path: "users/*/mailfolders/*/messages/*", service: outlook, single: true, opens: readMail, serve: (*Server).getMessage},
	{path: "users/*/messages", service: outlook, opens: readMail, serve: (*Server).listMessages},
	{path: "users/*/messages/*", service: outlook, single: true, opens: readMail, serve: (*Server).getMessage},

	{path: "users/*/events", service: outlook, opens: readCalendars, serve: (*Server).listEvents},
	{path: "users/*/events/*", service: outlook, single: true, opens: readCalendars, serve: (*Server).getEvent},
	{path: "users/*/events/*/instances", service: outlook, opens: readCalendars, serve: (*Server).listInstances, also: period},
	{path: "users/*/calendar", service: outlook, single: true, opens: readCalendars, serve: (*Server).getCalendar},
	{path: "users/*/calendar/events", service: outlook, opens: readCalendars, serve: (*Server).listEvents},
	{path: "users/*/calendars", service: outlook, opens: readCalendars, serve: (*Server).listCalendars},
	{path: "users/*/calendars/*/events", service: outlook, opens: readCalendars, serve: (*Server).listCalendarEvents},
	{path: "users/*/calendarview", service: outlook, opens: readCalendars, serve: (*Server).listView, also: period},
	{path: "users/*/calendar/calendarview", service: outlook, opens: readCalendars, serve: (*Server).listView, also: period},

	{path: "teams", service: teamList, opens: readTeams, serve: (*Server).listTeams},
	{path: "teams/*/allchannels", service: teams, opens: readChannels, serve: (*Server).listChannels},
	{path: "teams/*/channels/*/messages", service: teams, opens: readPosts, serve: (*Server).listPosts, also: expand},
	{path: "teams/*/channels/*/messages/delta()", service: teams, opens: readPosts, serve: (*Server).listPostChanges, also: []string{"expand", "deltatoken"}},
	{path: "teams/*/channels/*/messages/*/replies", service: teams, opens: readPosts, serve: (*Server).listReplies},
	{path: "users/*/chats", service: teams, opens: readChats, serve: (*Server).listChats, also: expand},
	{path: "chats/*/messages", service: teams, opens: readChat, serve: (*Server).listChatMessages},

	{path: "communications/callrecords", service: calls, opens: readCalls, serve: (*Server).listCallRecords},
	{path: "communications/callrecords/getpstncalls(fromdatetime,todatetime)", service: callLogs, opens: readCallLogs, serve: (*Server).listPSTN},
	{path: "communications/callrecords/getdirectroutingcalls(fromdatetime,todatetime)", service: callLogs, opens: readCallLogs, serve: (*Server).listDirectRouting},
	{path: "communications/callrecords/*", service: calls, single: true, opens: readCalls, serve: (*Server).getCallRecord, also: expand},
	{path: "communications/callrecords/*/sessions", service: calls, opens: readCalls, serve: (*Server).listSessions, also: expand},
	{path: "communications/calls/*", service: calls, single: true, opens: ownCalls, serve: (*Server).getCall},
	{path: "users/*/onlinemeetings", service: teams, opens: readMeetings, serve: (*Server).listMeetings},
	{path: "users/*/onlinemeetings/*", service: teams, single: true, opens: readMeetings, serve: (*Server).getMeeting},
	{path: "users/*/onlinemeetings/*/attendancereports", service: teams, opens: readReports, serve: (*Server).listReports},
	{path: "users/*/onlinemeetings/*/attendancereports/*", service: teams, single: true, opens: readReports, serve: (*Server).getReport, also: expand},

	{path: "copilot/users/*/interactionhistory/getallenterpriseinteractions()", service: copilot, opens: readCopilot, serve: (*Server).listInteractions, beta: true},

	{path: "users/*/drives", service: drives, opens: readFiles, serve: (*Server).listUserDrives},
	{path: "groups/*/drives", service: drives, opens: readFiles, serve: (*Server).listGroupDrives},
	{path: "drives/*/root/delta(token)", service: drives, opens: readFiles, serve: (*Server).listItemChanges, also: []string{"token"}},
	{path: "drives/*/activities", service: drives, opens: readFiles, serve: (*Server).listActivities, also: expand, beta: true},
	{path: "drives/*/items/*/activities", service: drives, opens: readFiles, serve: (*Server).listItemActivities, also: expand, beta: true},
}

var (
	expand     = []string{"expand"}                       // of endpoints with navigation properties
	period     = []string{"startdatetime", "enddatetime"} // from when to when
	deltaToken = []string{"deltatoken"}
	filterOnly = []string{"filter"} // of what is counted
)

// takes tells the options that the endpoint serves, by their plain names.
func (e *endpoint) takes(option string) bool {
	return !e.single && slices.Contains(e.service.options, option) || slices.Contains(e.also, option)
}

// target is a request path that names a resource: its endpoint, the keys as they were asked for, and the roles of who asks.
type target struct {
	*endpoint
	keys      []string
	arguments map[string]string // of a function, by lower-case name, without quotes
	roles     []string
}

// versionOf is the first segment of a path that was routed.
func versionOf(r *http.Request) string {
	if version, _, _ := strings.Cut(r.URL.Path[1:], "/"); strings.EqualFold(version, "beta") {
		return "beta"
	}
	return "v1.0"
}

// route reads the path. Names are compared without case, keys may be segments or be quoted in parentheses, and each segment is decoded
// once, after splitting (graph-facts: "URL grammar").
func (s *Server) route(r *http.Request) (*target, *problem) {
	raw := strings.Split(strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/"), "/")
	var segments []string
	for _, segment := range raw {
		text, err := url.PathUnescape(segment)
		if err != nil {
			return nil, &problem{status: http.StatusBadRequest, code: "BadRequest", message: "Malformed URI path."}
		}
		segments = append(segments, splitKey(text)...)
	}
	beta := strings.EqualFold(segments[0], "beta")
	invalid := &problem{status: http.StatusBadRequest, code: "BadRequest", message: "Invalid version: " + segments[0]}
	if !beta && !strings.EqualFold(segments[0], "v1.0") {
		return nil, invalid
	}
	segments = segments[1:]
	if len(segments) > 0 && strings.EqualFold(segments[0], "me") {
		return nil, &problem{status: http.StatusBadRequest, code: "BadRequest", message: "/me request is only valid with delegated authentication flow."}
	}
	for i := range endpoints {
		t := &target{endpoint: &endpoints[i]}
		if t.match(segments) && (t.beta || !beta) {
			return t, nil
		}
	}
	if beta {
		return nil, invalid
	}
	unknown := ""
	if len(segments) > 0 {
		unknown = segments[len(segments)-1]
	}
	return nil, &problem{status: http.StatusBadRequest, code: "BadRequest", message: fmt.Sprintf("Resource not found for the segment '%s'.", unknown)}
}

// match compares the endpoint's path with a request's, and takes keys and arguments.
func (t *target) match(segments []string) bool {
	names := strings.Split(t.path, "/")
	if len(names) != len(segments) {
		return false
	}
	for i, name := range names {
		switch function, _, call := strings.Cut(name, "("); {
		case name == "*" && segments[i] != "":
			t.keys = append(t.keys, segments[i])
		case call:
			if !t.call(function, segments[i]) {
				return false
			}
		case !strings.EqualFold(name, segments[i]):
			return false
		}
	}
	return true
}

// call reads a function segment: "delta", "delta()", "microsoft.graph.delta(token='x')", "getPstnCalls(from=1,to=2)".
func (t *target) call(function, segment string) bool {
	name, arguments, parentheses := strings.Cut(segment, "(")
	if name = strings.TrimPrefix(strings.ToLower(name), "microsoft.graph."); strings.TrimPrefix(name, "callrecords.") != function {
		return false
	}
	if !parentheses {
		return true
	}
	arguments, closed := strings.CutSuffix(arguments, ")")
	t.arguments = map[string]string{}
	for pair := range strings.SplitSeq(arguments, ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			t.arguments[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), "'")
		}
	}
	return closed
}

// splitKey turns users('x') and users(userPrincipalName='x') into the two segments users and x; a doubled quote stands for one.
func splitKey(segment string) []string {
	name, rest, ok := strings.Cut(segment, "(")
	if !ok || name == "" || !strings.HasSuffix(rest, "')") {
		return []string{segment}
	}
	key := strings.TrimSuffix(rest, "')")
	const alternate = "userprincipalname="
	if strings.EqualFold(name, "users") && len(key) > len(alternate) && strings.EqualFold(key[:len(alternate)], alternate) {
		key = key[len(alternate):]
	}
	if !strings.HasPrefix(key, "'") {
		return []string{segment}
	}
	return []string{name, strings.ReplaceAll(key[1:], "''", "'")}
}

// user finds the user by object id or user principal name.
func (s *Server) user(t *target) (int, *problem) {
	key := t.keys[0]
	if i, ok := s.keys.position(kindUser, key, s.cfg.Users); ok {
		return i, nil
	}
	if i, ok := s.userByName(key); ok {
		return i, nil
	}
	if t.service != directory {
		return 0, &problem{status: http.StatusNotFound, code: "ErrorInvalidUser", message: fmt.Sprintf("The requested user '%s' is invalid.", key)}
	}
	return 0, notFound(key)
}

func (s *Server) group(t *target) (int, *problem) {
	if i, ok := s.keys.position(kindGroup, t.keys[0], s.cfg.Groups); ok {
		return i, nil
	}
	return 0, notFound(t.keys[0])
}

func notFound(key string) *problem {
	return &problem{status: http.StatusNotFound, code: "Request_ResourceNotFound",
		message: fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", key)}
}
