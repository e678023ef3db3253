package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy/odata"
)

// template is the path of an endpoint.
type template []templateSegment

// segmentKind is what a segment of a template matches.
type segmentKind uint8

const (
	// literal matches its text, without regard to case.
	literal segmentKind = iota
	// parameter matches any segment but a call.
	parameter
	// function matches a call with exactly its arguments. One without arguments
	// matches its bare name too.
	function
)

type templateSegment struct {
	kind segmentKind
	// text is the literal or the function's name as spelled, or the name of the
	// parameter.
	text string
	// arguments are a function's, as spelled.
	arguments []templateArgument
}

// templateArgument is name={param}.
type templateArgument struct{ name, param string }

// parseTemplate reads /v1.0/users/{user}/messages, /v1.0/users/delta() and
// /v1.0/f(from={from},to={to}).
func parseTemplate(path string) (template, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("the path must begin with a slash")
	}
	var t template
	for _, text := range strings.Split(path[1:], "/") {
		s, err := parseTemplateSegment(text)
		if err != nil {
			return nil, err
		}
		t = append(t, s)
	}
	names := t.params()
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("the parameter {%s} is there twice", name)
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
		if s.kind != parameter && target.Segments[i].Value != s.text {
			return nil, fmt.Errorf("write %q without percent-encoding", s.text)
		}
	}
	return t, nil
}

func parseTemplateSegment(text string) (templateSegment, error) {
	if name, ok := braced(text); ok {
		return templateSegment{kind: parameter, text: name}, nil
	}
	name, inner, isCall := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if isCall && closed && !strings.HasPrefix(inner, "'") {
		if strings.Contains(name, ".") {
			return templateSegment{}, fmt.Errorf("write the function %q without its namespace", text)
		}
		s := templateSegment{kind: function, text: name}
		if inner == "" {
			return s, nil
		}
		for _, argument := range strings.Split(inner, ",") {
			name, value, _ := strings.Cut(argument, "=")
			param, ok := braced(value)
			if !ok || !plainName(name) {
				return templateSegment{}, fmt.Errorf("an argument must be name={parameter}: %q", text)
			}
			s.arguments = append(s.arguments, templateArgument{name, param})
		}
		return s, nil
	}
	if strings.ContainsAny(text, "{}") && !isCall {
		return templateSegment{}, fmt.Errorf("a parameter must be a whole segment, as {name}: %q", text)
	}
	return templateSegment{text: text}, nil
}

// braced reads {name}.
func braced(text string) (name string, ok bool) {
	name, opened := strings.CutPrefix(text, "{")
	name, closed := strings.CutSuffix(name, "}")
	return name, opened && closed && plainName(name)
}

// params are the names of the parameters, in the order of the path.
func (t template) params() []string {
	var names []string
	for _, s := range t {
		if s.kind == parameter {
			names = append(names, s.text)
		}
		for _, a := range s.arguments {
			names = append(names, a.param)
		}
	}
	return names
}

// key is what a literal or a function is found by.
func (s templateSegment) key() string {
	if s.kind == literal {
		return foldASCII(s.text)
	}
	names := make([]string, len(s.arguments))
	for i, a := range s.arguments {
		names[i] = foldASCII(a.name)
	}
	return callKey(foldASCII(s.text), names)
}

// callKey is the key of a function by its name and its arguments' names, all in
// lower case.
func callKey(name string, arguments []string) string {
	slices.Sort(arguments)
	return name + "(" + strings.Join(arguments, ",") + ")"
}

// example is the template with its parameters' names for values.
func (t template) example() string {
	return strings.NewReplacer("{", "", "}", "").Replace(t.String())
}

// String is the path as the policy has it.
func (t template) String() string {
	var b strings.Builder
	for _, s := range t {
		switch s.kind {
		case literal:
			b.WriteString("/" + s.text)
		case parameter:
			b.WriteString("/{" + s.text + "}")
		case function:
			b.WriteString("/" + s.text + "(")
			for i, a := range s.arguments {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(a.name + "={" + a.param + "}")
			}
			b.WriteByte(')')
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

// appendFolded appends s in lower case, as foldASCII makes it: for looking it up
// without an allocation.
func appendFolded(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}
