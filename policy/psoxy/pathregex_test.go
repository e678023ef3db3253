package psoxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// describe writes a template with the rules of its parameters.
func (t template) describe() string {
	var b strings.Builder
	for _, s := range t.segments {
		switch {
		case s.reversible:
			fmt.Fprintf(&b, "/{%s:token}", s.param)
		case s.pattern != "":
			fmt.Fprintf(&b, "/{%s:%s}", s.param, s.pattern)
		case s.param != "":
			fmt.Fprintf(&b, "/{%s}", s.param)
		default:
			b.WriteString("/" + s.literal)
		}
	}
	return b.String()
}

func describeAll(all []template) []string {
	var out []string
	for _, t := range all {
		out = append(out, t.describe())
	}
	return out
}

func TestPathRegex(t *testing.T) {
	const guid = `(?:[({]?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}[)}]?)`
	for _, v := range []struct {
		regex string
		want  []string
		notes []string
	}{
		{`^/v1.0/users/?[^/]*`, []string{"/v1.0/users", "/v1.0/users/{user}"}, []string{noteDot, noteKey}},
		{`^/v1\.0/users$`, []string{"/v1.0/users"}, nil},
		{`^/(v1\.0|beta)/users`, []string{"/v1.0/users", "/beta/users"}, nil},
		{`^/v[12]/users`, []string{"/v1/users", "/v2/users"}, nil},
		{`^/users(/p~[a-zA-Z0-9_-]+?)?[^/]*`, []string{"/users", "/users/{user:token}"}, []string{noteKey}},
		{`^/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/messages/[^/]*`, []string{"/users/{user:token}/messages/{message}"}, []string{noteKey}},
		{`^/chats/(/p~[a-zA-Z0-9_-]+?)?[^/]*/messages(\?.*)?`, []string{"/chats/{chat:token}/messages"}, []string{noteStray}},
		{`^/users/[^/]+/settings`, []string{"/users/{user}/settings"}, nil},
		{`^/users/?[^/]*/settings`, []string{"/users/{user}/settings"}, []string{noteEmpty, noteKey}},
		{`^/groups/[^/]+/members.*`, []string{"/groups/{group}/members"}, []string{noteTail}},
		{`^/groups/[^/]+/members/.*`, []string{"/groups/{group}/members/{member}"}, []string{noteTail}},
		{`^/f(/SentItems|\('SentItems'\))/messages`, []string{"/f/SentItems/messages"}, nil},
		{`^/users\('[^/]*'\)/events`, []string{"/users/{user}/events"}, nil},
		{`^/users/[^/]+/(((calendars/[^/]+/)?events.*)|(calendar/calendarView(?)[^/]*))`, []string{"/users/{user}/events", "/users/{user}/calendars/{calendar}/events", "/users/{user}/calendar/calendarView"}, []string{noteKey, noteTail}},
		{`^/callRecords(/(?<chain>[({]?[a-fA-F0-9]{8}[-]?([a-fA-F0-9]{4}[-]?){3}[a-fA-F0-9]{12}[})]?))?(?<query>[a-zA-z0-9\s\$\=\?\(\)]*)`, []string{"/callRecords", "/callRecords/{chain:" + guid + "}"}, nil},
		{`^/meetings/[a-zA-Z0-9_-]+/reports[/[a-zA-Z0-9_-]+](\?.*)?`, []string{"/meetings/{meeting:[\\-0-9A-Z_a-z]+}/reports"}, []string{noteRest}},
		{`^/t\?\$top=\d+`, []string{"/t"}, []string{noteQuery}},
		{`^\/v1\.0\/users\/?[^\/]*$`, []string{"/v1.0/users", "/v1.0/users/{user}"}, []string{noteKey}},
		{`^/users/[a-f0-9-]{36}/messages`, []string{"/users/{user:[\\-0-9A-Fa-f]{36}}/messages"}, nil},
		{`^/users/(?<userId>[^/]+)/messages(/(?<messageId>[^/]+))?`, []string{"/users/{userId}/messages", "/users/{userId}/messages/{messageId}"}, nil},
		{`^/users/([^/]+@b\.co)/x`, []string{"/users/{user:[^/]+@[Bb]\\.[Cc][Oo]}/x"}, nil},
		{`^/(users|groups)/[^/]+$`, []string{"/users/{user}", "/groups/{group}"}, nil},
		{`^/channels/[^/]+/messages(/delta)?(\?.*)?`, []string{"/channels/{channel}/messages", "/channels/{channel}/messages/delta"}, nil},
		{`^/me(/.*)?`, []string{"/me", "/me/{id}"}, []string{noteTail}},
		{`^/users/[^/]+/calendarView\?.*startDateTime=.*`, []string{"/users/{user}/calendarView"}, []string{noteQuery}},
		{`^/users/(?<id>[^/]+)/policies/[^/]+`, []string{"/users/{id}/policies/{policy}"}, nil},
	} {
		w, err := parsePathRegex(v.regex)
		if err != nil {
			t.Errorf("%s: %v", v.regex, err)
			continue
		}
		if got := describeAll(w.templates); !slices.Equal(got, v.want) {
			t.Errorf("%s:\n got %q\nwant %q", v.regex, got, v.want)
		}
		for _, note := range w.notes {
			if !slices.Contains(v.notes, note) {
				t.Errorf("%s: also says: %s", v.regex, note)
			}
		}
		for _, note := range v.notes {
			if !slices.Contains(w.notes, note) {
				t.Errorf("%s: does not say: %s", v.regex, note)
			}
		}
	}
}

func TestPathRegexRefused(t *testing.T) {
	for regex, want := range map[string]string{
		`users`:                                  "does not begin with a slash",
		`^/a.*/b`:                                "stands in the middle",
		`.*`:                                     "does not begin with a slash",
		`^(/a)*`:                                 "any number of times",
		`^/(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)`: "more than 64 paths",
		`^/a(?=b)`:                               "lookaround",
		`^/a\b`:                                  `\b`,
		`^/a//b`:                                 "empty segment",
		`^/`:                                     "an empty segment",
		`^/users[^/]*/messages`:                  "where a segment ends",
	} {
		w, err := parsePathRegex(regex)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", regex, w, err, want)
		}
	}
}

func TestPathTemplate(t *testing.T) {
	for text, want := range map[string][]string{
		"/v1.0/users":                       {"/v1.0/users"},
		"/v1.0/users/{userId}/drives":       {"/v1.0/users/{userId}/drives"},
		"/users/{id?}":                      {"/users", "/users/{id}"},
		"/users('{id}')/events":             {"/users/{id}/events"},
		"/f/g(from={start},to={end})":       {"/f/g(from={start},to={end})"},
		"/drives/{id}/root:/a.txt:/content": {"/drives/{id}/root:/a.txt:/content"},
		"users":                             nil,
		"/users/{id?}/events":               nil,
		"/users/x{id}":                      nil,
		"/users//events":                    nil,
	} {
		all, err := parsePathTemplate(text)
		if got := describeAll(all); (err != nil) != (want == nil) || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}
