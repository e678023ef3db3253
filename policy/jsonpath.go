package policy

import (
	"fmt"
	"slices"
	"strings"
)

// jsonPath is a path of Jayway's JSONPath in the forms of which psoxy-compat
// section 2.1 says what they find. It is never empty.
type jsonPath []pathSegment

// pathSegment is one step of a path.
type pathSegment struct {
	// scan: the step is made from the value and from everything below it.
	scan bool
	kind pathStep
	// names of members. Several stand only at the end of a path; with scan an
	// object must have them all.
	names []string
	// test of a filter.
	test pathTest
}

type pathStep uint8

const (
	// byName goes to a member of an object.
	byName pathStep = iota
	// byWildcard goes to all elements of an array, or all members of an object.
	byWildcard
	// byFilter stays at an object that passes a test, and goes from an array to
	// those of its elements that do.
	byFilter
)

// pathTest compares a member with a string. A member that is missing, or no string,
// is unequal to it.
type pathTest struct {
	member, value string
	unequal       bool
}

// pathError says what is wrong with a path, and where.
type pathError struct {
	// offset counts bytes from 0.
	offset  int
	message string
}

func (e *pathError) Error() string {
	return fmt.Sprintf("at byte %d: %s", e.offset, e.message)
}

// parseJSONPath reads a path. Forms whose meaning nobody has checked are refused
// by name.
func parseJSONPath(text string) (jsonPath, error) {
	p := pathParser{text: text}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	return path, nil
}

type pathParser struct {
	text string
	i    int
}

func (p *pathParser) errorf(offset int, format string, args ...any) *pathError {
	return &pathError{offset, fmt.Sprintf(format, args...)}
}

// take consumes a literal if it is next.
func (p *pathParser) take(literal string) bool {
	if !strings.HasPrefix(p.text[p.i:], literal) {
		return false
	}
	p.i += len(literal)
	return true
}

func (p *pathParser) space() {
	for p.take(" ") {
	}
}

func (p *pathParser) path() (jsonPath, *pathError) {
	if !p.take("$") {
		return nil, p.errorf(0, "a path begins with $")
	}
	var path jsonPath
	for p.i < len(p.text) {
		start := p.i
		s, err := p.segment()
		if err != nil {
			return nil, err
		}
		path = append(path, s)
		if err := p.supported(path, start); err != nil {
			return nil, err
		}
	}
	if len(path) == 0 {
		return nil, p.errorf(p.i, "$ alone is the whole body; name something in it")
	}
	return path, nil
}

// supported refuses combinations of which nobody has checked what they find. The
// last segment of the path began at start.
func (p *pathParser) supported(path jsonPath, start int) *pathError {
	last, before := path[len(path)-1], path[:len(path)-1]
	scanned := slices.ContainsFunc(before, func(s pathSegment) bool { return s.scan })
	switch {
	case len(before) > 0 && len(before[len(before)-1].names) > 1:
		return p.errorf(start, "several names are supported at the end of a path only")
	case last.scan && last.kind == byWildcard:
		return p.errorf(start, "..[*], everything at any depth, is not supported")
	case last.scan && scanned && last.kind != byFilter:
		return p.errorf(start, "a second .. is supported only before a filter, as $..a..[?(@.p != \"v\")].b")
	case len(last.names) > 1 && !last.scan && scanned:
		return p.errorf(start, "several names after .. are supported only as $..['a','b']")
	case last.kind == byWildcard && len(before) > 0 && before[len(before)-1].kind == byWildcard:
		return p.errorf(start, "[*][*] is not supported")
	case last.kind == byFilter && len(before) > 0 && before[len(before)-1].kind == byFilter:
		return p.errorf(start, "a filter of a filter is not supported")
	case last.kind == byWildcard && len(before) > 0 && before[len(before)-1].kind == byFilter:
		return p.errorf(start, "[*] after a filter is not supported")
	}
	return nil
}

func (p *pathParser) segment() (pathSegment, *pathError) {
	start := p.i
	scan := p.take("..")
	switch {
	case p.take("["):
		s, err := p.bracket(start)
		s.scan = scan
		return s, err
	case scan:
	case !p.take("."):
		return pathSegment{}, p.errorf(p.i, "expected ., .. or [")
	case p.take("["):
		return p.bracket(start) // $.['a'] is $['a']
	}
	begin := p.i
	for p.i < len(p.text) && !strings.ContainsRune(".[]()*'\"?,:=!<>&| \\", rune(p.text[p.i])) && p.text[p.i] >= ' ' {
		p.i++
	}
	name := p.text[begin:p.i]
	switch {
	case name == "" && p.take("*"):
		return pathSegment{}, p.errorf(start, ".* is not supported; write [*]")
	case name == "":
		return pathSegment{}, p.errorf(p.i, "expected a name")
	case p.i < len(p.text) && p.text[p.i] == '(':
		return pathSegment{}, p.errorf(begin, "functions are not supported")
	}
	return pathSegment{scan: scan, names: []string{name}}, nil
}

// bracket reads what follows "[".
func (p *pathParser) bracket(start int) (pathSegment, *pathError) {
	p.space()
	var s pathSegment
	switch {
	case p.i == len(p.text):
		return s, p.errorf(p.i, "[ without ]")
	case p.take("*"):
		s.kind = byWildcard
	case p.take("?"):
		t, err := p.filter(start)
		if err != nil {
			return s, err
		}
		s.kind, s.test = byFilter, t
	case strings.ContainsRune("0123456789:-", rune(p.text[p.i])):
		return s, p.errorf(start, "indexes and slices of arrays are not supported")
	default:
		for {
			begin := p.i
			name, err := p.quoted()
			switch {
			case err != nil:
				return s, err
			case name == "":
				return s, p.errorf(begin, "an empty name")
			case slices.Contains(s.names, name):
				return s, p.errorf(begin, "a name is there twice")
			}
			s.names = append(s.names, name)
			p.space()
			if !p.take(",") {
				break
			}
			p.space()
		}
	}
	p.space()
	if !p.take("]") {
		return s, p.errorf(p.i, "expected ]")
	}
	return s, nil
}

// filter reads (@.member == 'value') or !=.
func (p *pathParser) filter(start int) (pathTest, *pathError) {
	only := func() *pathError {
		return p.errorf(start, `only filters [?(@.member == "text")] and [?(@.member != "text")] are supported`)
	}
	var t pathTest
	p.space()
	if !p.take("(") {
		return t, only()
	}
	p.space()
	if !p.take("@") {
		return t, only()
	}
	member, err := p.segment()
	if err != nil || member.scan || member.kind != byName || len(member.names) != 1 {
		return t, only()
	}
	t.member = member.names[0]
	p.space()
	switch {
	case p.take("=="):
	case p.take("!="):
		t.unequal = true
	default:
		return t, only()
	}
	p.space()
	if t.value, err = p.quoted(); err != nil {
		return t, only()
	}
	p.space()
	if !p.take(")") {
		return t, only()
	}
	return t, nil
}

// quoted reads a string in single or double quotes, in which a backslash may
// stand before a quote or a backslash.
func (p *pathParser) quoted() (string, *pathError) {
	start := p.i
	if p.i == len(p.text) || p.text[p.i] != '\'' && p.text[p.i] != '"' {
		return "", p.errorf(p.i, "expected a quoted name, [*] or a filter")
	}
	quote := p.text[p.i]
	p.i++
	var name strings.Builder
	for ; p.i < len(p.text); p.i++ {
		switch c := p.text[p.i]; {
		case c == quote:
			p.i++
			return name.String(), nil
		case c == '\\':
			p.i++
			if p.i == len(p.text) || !strings.ContainsRune(`'"\`, rune(p.text[p.i])) {
				return "", p.errorf(p.i-1, "a backslash stands before a quote or a backslash only")
			}
			name.WriteByte(p.text[p.i])
		default:
			name.WriteByte(c)
		}
	}
	return "", p.errorf(start, "a quote that does not end")
}
