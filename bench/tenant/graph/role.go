package graph

import (
	"net/http"
	"slices"
	"strings"
)

// permissions names the application roles that open each resource, least privileged first.
// Source: the permissions reference of Microsoft Graph v1.0.
var permissions = map[resource][]string{
	users:            {"User.ReadBasic.All", "User.Read.All", "Directory.Read.All"},
	oneUser:          {"User.ReadBasic.All", "User.Read.All", "Directory.Read.All"},
	groups:           {"Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
	oneGroup:         {"Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
	members:          {"GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
	memberUsers:      {"GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
	folders:          {"Mail.ReadBasic.All", "Mail.Read"},
	oneFolder:        {"Mail.ReadBasic.All", "Mail.Read"},
	messages:         {"Mail.ReadBasic.All", "Mail.Read"},
	folderMessages:   {"Mail.ReadBasic.All", "Mail.Read"},
	oneMessage:       {"Mail.ReadBasic.All", "Mail.Read"},
	oneFolderMessage: {"Mail.ReadBasic.All", "Mail.Read"},
	settings:         {"MailboxSettings.Read"},
}

func (t *target) permitted(roles []string) bool { return holds(roles, permissions[t.resource]...) }

func holds(roles []string, any ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(any, r) })
}

func (t *target) denied() *problem {
	if t.outlook() {
		return &problem{status: http.StatusForbidden, code: "ErrorAccessDenied", message: "Access is denied. Check credentials and try again."}
	}
	return &problem{status: http.StatusForbidden, code: "Authorization_RequestDenied",
		message: "Insufficient privileges to complete the operation."}
}

// authorize reads the bearer token and asks Config.Authorize about it.
func (s *Server) authorize(r *http.Request) ([]string, *problem) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(r.Header.Values("Authorization")) != 1 {
		return nil, &problem{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: "Access token is empty."}
	}
	roles, err := s.cfg.Authorize(token)
	if err != nil {
		return nil, &problem{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken",
			message: "Access token validation failure. Invalid or expired token."}
	}
	return roles, nil
}
