package odata

import (
	"strconv"
	"strings"
)

// Order is one item of $orderby.
type Order struct {
	// Property is the property path as spelled.
	Property   string
	Descending bool
}

// Expansion is one item of $expand.
type Expansion struct {
	// Path is the navigation path as spelled.
	Path string
	// Select are the paths of a nested $select.
	Select []string
	// Expand are the items of a nested $expand.
	Expand []Expansion
	// Options are the canonical names of all nested options, select and expand
	// included. Values of others are not read.
	Options []string
}

// ParseSelect reads the value of $select: property paths a/b, or "*". The error
// is an *Error with CodeQuery.
func ParseSelect(value string) ([]string, error) {
	s := newScanner(value)
	paths := s.selectList()
	if err := s.finish(); err != nil {
		return nil, err
	}
	return paths, nil
}

func (s *scanner) selectList() []string {
	var paths []string
	for {
		if s.take("*") {
			paths = append(paths, "*")
		} else {
			paths = append(paths, s.path(true))
		}
		if !s.take(",") {
			return paths
		}
	}
}

// ParseOrderBy reads the value of $orderby: property paths, each with asc or
// desc after it or nothing. Expressions are refused. The error is an *Error with
// CodeQuery.
func ParseOrderBy(value string) ([]Order, error) {
	s := newScanner(value)
	var orders []Order
	for {
		order := Order{Property: s.path(false)}
		switch {
		case s.keyword("desc"):
			order.Descending = true
			s.next()
		case s.keyword("asc"):
			s.next()
		}
		orders = append(orders, order)
		if !s.take(",") {
			break
		}
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return orders, nil
}

// ParseExpand reads the value of $expand: navigation paths, each with nested
// options in parentheses or nothing. "*", /$ref and /$count are refused. The error
// is an *Error with CodeQuery.
func ParseExpand(value string) ([]Expansion, error) {
	s := newScanner(value)
	items := s.expandList(1)
	if err := s.finish(); err != nil {
		return nil, err
	}
	return items, nil
}

func (s *scanner) expandList(depth int) []Expansion {
	if depth > MaxDepth {
		s.fail("expansion nests too deep")
		return nil
	}
	var items []Expansion
	for {
		item := Expansion{Path: s.path(true)}
		if s.take("(") {
			s.nestedOptions(&item, depth)
			s.expect(")")
		}
		items = append(items, item)
		if !s.take(",") {
			return items
		}
	}
}

func (s *scanner) nestedOptions(item *Expansion, depth int) {
	for {
		name, ok := "", false
		if s.tok.kind == identifier {
			name, ok = optionName(s.tok.text)
		}
		if !ok {
			s.fail("expected an option name")
			return
		}
		for _, other := range item.Options {
			if other == name {
				s.fail("option given twice")
				return
			}
		}
		item.Options = append(item.Options, name)
		s.next()
		s.expect("=")
		switch name {
		case "select":
			item.Select = s.selectList()
		case "expand":
			item.Expand = s.expandList(depth + 1)
		default:
			s.skipValue()
		}
		if !s.take(";") {
			return
		}
	}
}

// skipValue moves to the end of a nested option's value: the next ";" or ")"
// outside of parentheses.
func (s *scanner) skipValue() {
	for open := 0; s.tok.kind != end; s.next() {
		switch {
		case s.is("("):
			open++
		case open == 0 && (s.is(";") || s.is(")")):
			return
		case s.is(")"):
			open--
		}
	}
}

// ParseCount reads the value of $count. The error is an *Error with CodeQuery.
func ParseCount(value string) (bool, error) {
	switch {
	case equalASCII(value, "true"):
		return true, nil
	case equalASCII(value, "false"):
		return false, nil
	}
	return false, &Error{Code: CodeQuery, Reason: "expected true or false"}
}

// ParseInteger reads the value of $top and $skip: one to nine digits. The error
// is an *Error with CodeQuery.
func ParseInteger(value string) (int, error) {
	if len(value) > 9 || !isDigits(value) {
		return 0, &Error{Code: CodeQuery, Reason: "expected a number of one to nine digits"}
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, &Error{Code: CodeQuery, Reason: "expected a number of one to nine digits"}
	}
	return n, nil
}

// ParseSearch reads the value of $search: text with balanced double quotes. What
// the words mean is up to the service that searches. The error is an *Error with
// CodeQuery.
func ParseSearch(value string) (string, error) {
	if strings.TrimSpace(value) == "" || strings.Count(value, `"`)%2 != 0 {
		return "", &Error{Code: CodeQuery, Reason: "expected text with balanced quotes"}
	}
	return value, nil
}
