package graph

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// column is a property that $filter and $orderby may use. Values are compared as text without case; times are RFC 3339 in UTC and
// booleans "true" and "false", so that this order is theirs too.
type column struct {
	literal literal
	value   func(i int) string
}

type literal int

const (
	quoted literal = iota
	boolean
	instant
)

// filter reads the subset of OData that this Graph serves: and, or, not, parentheses, eq ne gt ge lt le in, startswith, endswith,
// contains, over the given columns.
type filter struct {
	columns  map[string]column // by lower-case name
	tokens   []string
	text     string
	advanced bool // an operator that directory objects allow only with ConsistencyLevel: eventual and $count=true
}

func compileFilter(text string, columns map[string]column) (keep func(i int) bool, advanced bool, p *problem) {
	f := &filter{columns: columns, text: text}
	if !f.lex() {
		return nil, false, f.invalid()
	}
	keep = f.or()
	if keep == nil || len(f.tokens) != 0 {
		return nil, false, f.invalid()
	}
	return keep, f.advanced, nil
}

func (f *filter) invalid() *problem {
	return &problem{status: http.StatusBadRequest, code: "BadRequest", message: fmt.Sprintf("Invalid filter clause: '%s'.", f.text)}
}

func (f *filter) lex() bool {
	for rest := strings.TrimLeft(f.text, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		n := 1
		switch rest[0] {
		case '(', ')', ',':
		case '\'':
			for ; ; n++ {
				end := strings.IndexByte(rest[n:], '\'')
				if end < 0 {
					return false
				}
				if n += end + 1; n == len(rest) || rest[n] != '\'' {
					break
				}
			}
		default:
			if n = strings.IndexAny(rest, " (),'"); n < 0 {
				n = len(rest)
			}
		}
		f.tokens = append(f.tokens, rest[:n])
		rest = rest[n:]
	}
	return true
}

func (f *filter) take() string {
	if len(f.tokens) == 0 {
		return ""
	}
	token := f.tokens[0]
	f.tokens = f.tokens[1:]
	return token
}

func (f *filter) ahead(word string) bool {
	if len(f.tokens) == 0 || !strings.EqualFold(f.tokens[0], word) {
		return false
	}
	f.tokens = f.tokens[1:]
	return true
}

func (f *filter) or() func(int) bool {
	left := f.and()
	for left != nil && f.ahead("or") {
		a, b := left, f.and()
		if b == nil {
			return nil
		}
		left = func(i int) bool { return a(i) || b(i) }
	}
	return left
}

func (f *filter) and() func(int) bool {
	left := f.factor()
	for left != nil && f.ahead("and") {
		a, b := left, f.factor()
		if b == nil {
			return nil
		}
		left = func(i int) bool { return a(i) && b(i) }
	}
	return left
}

func (f *filter) factor() func(int) bool {
	switch {
	case f.ahead("not"):
		f.advanced = true
		inner := f.factor()
		if inner == nil {
			return nil
		}
		return func(i int) bool { return !inner(i) }
	case f.ahead("("):
		inner := f.or()
		if inner == nil || !f.ahead(")") {
			return nil
		}
		return inner
	}
	word := strings.ToLower(f.take())
	switch word {
	case "startswith":
		return f.call(strings.HasPrefix)
	case "endswith":
		f.advanced = true
		return f.call(strings.HasSuffix)
	case "contains":
		return f.call(strings.Contains)
	}
	return f.compare(word)
}

func (f *filter) call(test func(s, part string) bool) func(int) bool {
	if !f.ahead("(") {
		return nil
	}
	c, ok := f.columns[strings.ToLower(f.take())]
	if !ok || c.literal != quoted || !f.ahead(",") {
		return nil
	}
	part, ok := c.literal.read(f.take())
	if !ok || !f.ahead(")") {
		return nil
	}
	return func(i int) bool { return test(strings.ToLower(c.value(i)), part) }
}

func (f *filter) compare(name string) func(int) bool {
	c, ok := f.columns[name]
	if !ok {
		return nil
	}
	operator := strings.ToLower(f.take())
	if operator == "in" {
		return f.among(c)
	}
	operand, ok := c.literal.read(f.take())
	if !ok {
		return nil
	}
	order := func(i int) int { return strings.Compare(strings.ToLower(c.value(i)), operand) }
	switch operator {
	case "eq":
		return func(i int) bool { return order(i) == 0 }
	case "ne":
		f.advanced = true
		return func(i int) bool { return order(i) != 0 }
	case "gt":
		return func(i int) bool { return order(i) > 0 }
	case "ge":
		return func(i int) bool { return order(i) >= 0 }
	case "lt":
		return func(i int) bool { return order(i) < 0 }
	case "le":
		return func(i int) bool { return order(i) <= 0 }
	}
	return nil
}

// among reads the list of an "in".
func (f *filter) among(c column) func(int) bool {
	if !f.ahead("(") {
		return nil
	}
	set := map[string]bool{}
	for {
		operand, ok := c.literal.read(f.take())
		if !ok {
			return nil
		}
		set[operand] = true
		if f.ahead(")") {
			return func(i int) bool { return set[strings.ToLower(c.value(i))] }
		}
		if !f.ahead(",") {
			return nil
		}
	}
}

// read returns the value of a literal in the lower-case form that columns are compared in.
func (l literal) read(token string) (string, bool) {
	switch l {
	case boolean:
		word := strings.ToLower(token)
		return word, word == "true" || word == "false"
	case instant:
		t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(token))
		if err != nil {
			day, dayErr := time.Parse(time.DateOnly, token)
			if dayErr != nil {
				return "", false
			}
			t = day
		}
		return strings.ToLower(t.UTC().Format(time.RFC3339)), true
	}
	if len(token) < 2 || token[0] != '\'' || token[len(token)-1] != '\'' {
		return "", false
	}
	return strings.ToLower(strings.ReplaceAll(token[1:len(token)-1], "''", "'")), true
}
