package graph

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// resource is one kind of endpoint.
type resource int

const (
	users resource = iota + 1
	oneUser
	groups
	oneGroup
	members
	memberUsers
	folders
	oneFolder
	messages
	oneMessage
	folderMessages
	oneFolderMessage
	settings
)

// version is the first segment of every path.
const version = "v1.0"

// templates are the served paths after the version, in lower case; a star stands for a key.
var templates = []struct {
	path     string
	resource resource
}{
	{"users", users},
	{"users/*", oneUser},
	{"groups", groups},
	{"groups/*", oneGroup},
	{"groups/*/members", members},
	{"groups/*/members/microsoft.graph.user", memberUsers},
	{"users/*/mailboxsettings", settings},
	{"users/*/mailfolders", folders},
	{"users/*/mailfolders/*", oneFolder},
	{"users/*/mailfolders/*/messages", folderMessages},
	{"users/*/mailfolders/*/messages/*", oneFolderMessage},
	{"users/*/messages", messages},
	{"users/*/messages/*", oneMessage},
}

// target is a request path that names a resource, with the keys as they were asked for.
type target struct {
	resource resource
	keys     []string
}

// outlook tells the resources of a mailbox from those of the directory: paging, errors and limits differ.
func (t *target) outlook() bool { return t.resource >= folders }

// single tells an entity from a collection.
func (t *target) single() bool {
	switch t.resource {
	case oneUser, oneGroup, oneFolder, oneMessage, oneFolderMessage, settings:
		return true
	}
	return false
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
	if !strings.EqualFold(segments[0], version) {
		return nil, &problem{status: http.StatusBadRequest, code: "BadRequest", message: "Invalid version: " + segments[0]}
	}
	segments = segments[1:]
	if len(segments) > 0 && strings.EqualFold(segments[0], "me") {
		return nil, &problem{status: http.StatusBadRequest, code: "BadRequest", message: "/me request is only valid with delegated authentication flow."}
	}
	for _, template := range templates {
		if keys, ok := match(template.path, segments); ok {
			return &target{resource: template.resource, keys: keys}, nil
		}
	}
	unknown := ""
	if len(segments) > 0 {
		unknown = segments[len(segments)-1]
	}
	return nil, &problem{status: http.StatusBadRequest, code: "BadRequest", message: fmt.Sprintf("Resource not found for the segment '%s'.", unknown)}
}

func match(template string, segments []string) (keys []string, ok bool) {
	names := strings.Split(template, "/")
	if len(names) != len(segments) {
		return nil, false
	}
	for i, name := range names {
		switch {
		case name == "*" && segments[i] != "":
			keys = append(keys, segments[i])
		case !strings.EqualFold(name, segments[i]):
			return nil, false
		}
	}
	return keys, true
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
	if t.outlook() {
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
