package psoxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// template is one path that an endpoint serves.
type template struct {
	segments []segment
}

// segment is a literal, or a parameter.
type segment struct {
	// literal as a client writes it; a call of a function has {parameters} in it.
	literal string
	// param is the name of a parameter that fills the segment.
	param string
	// pattern is what a parameter must match, in RE2; "" for anything.
	pattern string
	// reversible says that a parameter must be a token.
	reversible bool
}

func (t template) String() string {
	var b strings.Builder
	for _, s := range t.segments {
		b.WriteByte('/')
		if s.param != "" {
			b.WriteString("{" + s.param + "}")
		} else {
			b.WriteString(s.literal)
		}
	}
	return b.String()
}

// key is the same for templates that the same requests match.
func (t template) key() string {
	var b strings.Builder
	for _, s := range t.segments {
		if s.param != "" {
			b.WriteString("/{}")
		} else {
			b.WriteString("/" + strings.ToLower(call.ReplaceAllString(s.literal, "={}")))
		}
	}
	return b.String()
}

// isDelta tells whether it asks for changes.
func (t template) isDelta() bool {
	return strings.EqualFold(t.segments[len(t.segments)-1].literal, "delta()")
}

// call finds the parameters of a function.
var call = regexp.MustCompile(`=\{[A-Za-z][A-Za-z0-9]*\??\}`)

// params are the names of the parameters with their segments.
func (t template) params() []segment {
	var out []segment
	for _, s := range t.segments {
		if s.param != "" {
			out = append(out, s)
			continue
		}
		for _, p := range call.FindAllString(s.literal, -1) {
			out = append(out, segment{param: strings.Trim(p, "={?}")})
		}
	}
	return out
}

// nameFor is the name of a parameter behind the segments so far: "user" behind
// "users".
func (t *template) nameFor(given string) string {
	name := given
	if n := len(t.segments); name == "" && n > 0 && t.segments[n-1].param == "" {
		name = singular(t.segments[n-1].literal)
	}
	if name == "" || !plain(name) {
		name = "id"
	}
	unique := name
	for i := 2; slices.ContainsFunc(t.params(), func(s segment) bool { return s.param == unique }); i++ {
		unique = fmt.Sprintf("%s%d", name, i)
	}
	return unique
}

func plain(name string) bool {
	return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`).MatchString(name)
}

// singular is the English singular of a collection's name, or "".
func singular(name string) string {
	stem, ok := strings.CutSuffix(name, "ies")
	if ok {
		return stem + "y"
	}
	stem, ok = strings.CutSuffix(name, "s")
	if !ok || strings.HasSuffix(stem, "s") {
		return ""
	}
	return stem
}

// parsePathTemplate reads a pathTemplate, which may mean two paths: {name?} at
// the end may be empty.
func parsePathTemplate(text string) ([]template, error) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, fmt.Errorf("it must begin with a slash")
	}
	var out []template
	var t template
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		whole := regexp.MustCompile(`^\{([A-Za-z][A-Za-z0-9]*)(\??)\}$`).FindStringSubmatch(part)
		key := regexp.MustCompile(`^([A-Za-z][A-Za-z0-9.]*)\('?(\{[A-Za-z][A-Za-z0-9]*\}|[^'{}=()]+)'?\)$`).FindStringSubmatch(part)
		switch {
		case whole != nil && whole[2] == "?" && i != len(parts)-1:
			return nil, fmt.Errorf("{%s?} may be empty only at the end", whole[1])
		case whole != nil:
			if whole[2] == "?" {
				out = append(out, t.clone())
			}
			t.segments = append(t.segments, segment{param: whole[1]})
		case key != nil:
			t.segments = append(t.segments, segment{literal: key[1]})
			if name, ok := strings.CutPrefix(key[2], "{"); ok {
				t.segments = append(t.segments, segment{param: strings.TrimSuffix(name, "}")})
			} else {
				t.segments = append(t.segments, segment{literal: key[2]})
			}
		case strings.ContainsAny(call.ReplaceAllString(part, "="), "{}"):
			return nil, fmt.Errorf("a parameter must fill a segment, a key or a parameter of a function: %q", part)
		case part == "":
			return nil, fmt.Errorf("an empty segment")
		default:
			t.segments = append(t.segments, segment{literal: part})
		}
	}
	return append(out, t), nil
}

func (t template) clone() template { return template{slices.Clone(t.segments)} }
