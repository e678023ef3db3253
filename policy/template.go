package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy/odata"
)

// template is the path of an endpoint: literal segments, and parameters that
// fill whole segments.
type template []templateSegment

type templateSegment struct {
	// text is the literal as spelled, or the name of the parameter.
	text  string
	param bool
}

// parseTemplate reads /v1.0/users/{user}/messages.
func parseTemplate(path string) (template, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("the path must begin with a slash")
	}
	var t template
	for _, text := range strings.Split(path[1:], "/") {
		name, isParam := strings.CutPrefix(text, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case isParam && closed && plainName(name):
			if slices.ContainsFunc(t, func(s templateSegment) bool { return s.param && s.text == name }) {
				return nil, fmt.Errorf("the parameter {%s} is there twice", name)
			}
			t = append(t, templateSegment{name, true})
		case strings.ContainsAny(text, "{}"):
			return nil, fmt.Errorf("a parameter must be a whole segment, as {name}: %q", text)
		default:
			t = append(t, templateSegment{text, false})
		}
	}
	// Whatever a request with this very path would be refused for is wrong here
	// too, and a key must be written as a segment of its own.
	target, err := odata.ParseTarget(t.example())
	if err != nil {
		return nil, fmt.Errorf("no request can have this path: %w", err)
	}
	if len(target.Options) > 0 || strings.Contains(path, "?") {
		return nil, fmt.Errorf("the path must not have a query")
	}
	if len(target.Segments) != len(t) {
		return nil, fmt.Errorf("keys are segments of their own: users/{user}, not users('{user}')")
	}
	for i, s := range t {
		if !s.param && target.Segments[i].Value != s.text {
			return nil, fmt.Errorf("write %q without percent-encoding", s.text)
		}
	}
	return t, nil
}

// example is the template with its parameters' names for values.
func (t template) example() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString("/" + s.text)
	}
	return b.String()
}

// String is the path as the policy has it.
func (t template) String() string {
	var b strings.Builder
	for _, s := range t {
		if s.param {
			b.WriteString("/{" + s.text + "}")
		} else {
			b.WriteString("/" + s.text)
		}
	}
	return b.String()
}

// foldASCII lower-cases ASCII letters only. Graph compares path names without
// case; Unicode folding would make more of them equal than Graph does.
func foldASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}
