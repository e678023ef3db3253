package psoxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// jsonPath is a JSONPath of one of the forms that psoxy-compat section 2.1 lists.
type jsonPath struct {
	text  string
	line  int
	steps []pathStep
}

// pathStep goes down: to members by name, to every element or member, or stays
// at objects for which a filter holds.
type pathStep struct {
	// scan says that the step is taken from the value and from all below it.
	scan bool
	// names are the members; none for a wildcard or a filter.
	names []string
	// filter compares a member with a text.
	filter *pathFilter
}

type pathFilter struct {
	member, value string
	equal         bool
}

// definite tells that the path names one place.
func (p jsonPath) definite() bool {
	for _, s := range p.steps {
		if s.scan || len(s.names) != 1 {
			return false
		}
	}
	return true
}

// root returns the names of the members of the root that the path names, if
// that is all that it does.
func (p jsonPath) root() []string {
	if len(p.steps) == 1 && !p.steps[0].scan {
		return p.steps[0].names
	}
	return nil
}

func parsePath(text string) (jsonPath, error) {
	p := jsonPath{text: text}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return p, errors.New("a path begins with $")
	}
	for rest != "" {
		var s pathStep
		var err error
		dotted := true
		switch {
		case strings.HasPrefix(rest, ".."):
			s.scan, rest = true, rest[2:]
		case rest[0] == '.':
			rest = rest[1:]
		default:
			dotted = false
		}
		switch {
		case strings.HasPrefix(rest, "["):
			rest, err = s.bracket(rest[1:])
		case !dotted:
			err = errors.New("expected . or [")
		case strings.HasPrefix(rest, "*") && !s.scan: // the same as [*]
			before := len(text) - len(rest)
			text, rest = text[:before-1]+"[*]"+rest[1:], rest[1:]
			p.text = text
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			name := rest[:end]
			if name == "" || strings.ContainsAny(name, "()*?' \"]") {
				return p, fmt.Errorf("%q is no member name", name)
			}
			s.names, rest = []string{name}, rest[end:]
		}
		if err != nil {
			return p, err
		}
		if err := s.follows(p.steps); err != nil {
			return p, err
		}
		p.steps = append(p.steps, s)
	}
	if len(p.steps) == 0 {
		return p, errors.New("the whole body cannot be transformed")
	}
	return p, nil
}

// follows refuses combinations of which nobody knows what Psoxy finds.
func (s *pathStep) follows(before []pathStep) error {
	scanned := slices.ContainsFunc(before, func(b pathStep) bool { return b.scan })
	wildcard := s.names == nil && s.filter == nil
	var last pathStep
	if len(before) > 0 {
		last = before[len(before)-1]
	}
	switch {
	case len(last.names) > 1:
		return errors.New("several names can only stand at the end")
	case s.scan && wildcard:
		return errors.New("..[*] is not supported")
	case s.scan && scanned && s.filter == nil:
		return errors.New("a second .. can only stand before a filter")
	case len(s.names) > 1 && !s.scan && scanned:
		return errors.New("several names behind .. can only stand directly behind it")
	case len(before) > 0 && last.names == nil && s.names == nil && !(last.filter == nil && s.filter != nil):
		return errors.New("[*] and filters cannot follow each other so")
	}
	return nil
}

// bracket reads what follows a bracket, with the closing one.
func (s *pathStep) bracket(text string) (string, error) {
	rest := strings.TrimLeft(text, " ")
	switch {
	case strings.HasPrefix(rest, "*"):
		return closing(rest[1:])
	case strings.HasPrefix(rest, "?"):
		return s.readFilter(rest[1:])
	}
	for {
		name, after, err := quoted(rest)
		if err != nil {
			return "", err
		}
		s.names = append(s.names, name)
		after = strings.TrimLeft(after, " ")
		if !strings.HasPrefix(after, ",") {
			return closing(after)
		}
		rest = strings.TrimLeft(after[1:], " ")
	}
}

func closing(rest string) (string, error) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(rest, " "), "]")
	if !ok {
		return "", errors.New("expected ]")
	}
	return rest, nil
}

func quoted(text string) (string, string, error) {
	if text == "" || text[0] != '\'' && text[0] != '"' {
		return "", "", errors.New("only names in quotes, [*] and filters that compare a member with a text are supported in brackets")
	}
	name, rest, ok := strings.Cut(text[1:], text[:1])
	if !ok || strings.Contains(name, `\`) {
		return "", "", errors.New("a name in brackets must end with its quote and has no backslash")
	}
	return name, rest, nil
}

// readFilter reads (@.member == 'text')] or the same with !=.
func (s *pathStep) readFilter(text string) (string, error) {
	bad := errors.New("a filter must be [?(@.member == 'text')] or with !=")
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " "), "(")
	if !ok {
		return "", bad
	}
	if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), "@."); !ok {
		return "", bad
	}
	end := strings.IndexAny(rest, " =!")
	if end <= 0 || strings.ContainsAny(rest[:end], ".[]()") {
		return "", bad
	}
	f := &pathFilter{member: rest[:end]}
	rest = strings.TrimLeft(rest[end:], " ")
	switch {
	case strings.HasPrefix(rest, "=="):
		f.equal = true
	case !strings.HasPrefix(rest, "!="):
		return "", bad
	}
	var err error
	if f.value, rest, err = quoted(strings.TrimLeft(rest[2:], " ")); err != nil {
		return "", bad
	}
	if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), ")"); !ok {
		return "", bad
	}
	s.filter = f
	return closing(rest)
}
