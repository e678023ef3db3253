package odata

import (
	"slices"
	"strings"
)

// Filter is what a $filter expression uses.
type Filter struct {
	// Properties are the property paths it reads, as spelled, sorted, each once.
	// A property of a lambda variable is the path of its collection and its own; a
	// variable of more than one letter counts as a property too.
	Properties []string
	// Functions are the functions it calls, in lower case, sorted, each once.
	Functions []string
	// Lambdas is true if it uses any() or all().
	Lambdas bool
	// Depth is how deep it nests; a single comparison has depth 1.
	Depth int
	// Comparisons are those of a property, on the left, with literals only.
	Comparisons []Comparison
	// Others are the properties that it also reads in any other way, as spelled,
	// sorted, each once: inside a function, compared with each other, by themselves.
	Others []string
}

// Comparison is property operator literal, or property in (literals).
type Comparison struct {
	// Property is the property path, as in Filter.Properties.
	Property string
	// Operator is in lower case.
	Operator string
	Literals []Literal
}

// Literal is a literal in an expression.
type Literal struct {
	// Text is as written, Offset where it begins in the value of the option.
	Text   string
	Offset int
}

// Unquoted returns the value of a string literal, its doubled quotes undone, and
// false for a literal of another type.
func (l Literal) Unquoted() (string, bool) {
	if len(l.Text) < 2 || l.Text[0] != '\'' {
		return "", false
	}
	return strings.ReplaceAll(l.Text[1:len(l.Text)-1], "''", "'"), true
}

// Quote writes a string literal.
func Quote(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

// functions are those that an expression may call, with the number of arguments.
var functions = map[string][2]int{
	"startswith": {2, 2}, "endswith": {2, 2}, "contains": {2, 2}, "indexof": {2, 2}, "concat": {2, 2},
	"substring": {2, 3}, "length": {1, 1}, "tolower": {1, 1}, "toupper": {1, 1}, "trim": {1, 1},
	"year": {1, 1}, "month": {1, 1}, "day": {1, 1}, "hour": {1, 1}, "minute": {1, 1}, "second": {1, 1},
	"date": {1, 1}, "time": {1, 1}, "now": {0, 0},
}

// ParseFilter reads the value of $filter. It understands eq ne gt ge lt le has
// in, and or not, parentheses, the functions above, literals (string, number,
// date, time, guid, true, false, null), property paths a/b and the lambdas any
// and all. Arithmetic, type casts, aliases (@p), $it, $count and durations are
// refused like everything else. The error is an *Error with CodeQuery.
func ParseFilter(value string) (Filter, error) {
	p := filterParser{scanner: newScanner(value)}
	p.or(1)
	if err := p.finish(); err != nil {
		return Filter{}, err
	}
	slices.Sort(p.filter.Properties)
	p.filter.Properties = slices.Compact(p.filter.Properties)
	slices.Sort(p.filter.Functions)
	p.filter.Functions = slices.Compact(p.filter.Functions)
	slices.Sort(p.filter.Others)
	p.filter.Others = slices.Compact(p.filter.Others)
	return p.filter, nil
}

type filterParser struct {
	*scanner
	filter Filter
	// ranges are the lambda variables in scope, innermost last.
	ranges []lambdaRange
}

type lambdaRange struct{ variable, collection string }

func (p *filterParser) or(depth int) {
	if depth > MaxDepth {
		p.fail("expression nests too deep")
		return
	}
	p.filter.Depth = max(p.filter.Depth, depth)
	for p.and(depth); p.keyword("or"); p.and(depth) {
		p.next()
	}
}

func (p *filterParser) and(depth int) {
	for p.comparison(depth); p.keyword("and"); p.comparison(depth) {
		p.next()
	}
}

func (p *filterParser) comparison(depth int) {
	for p.keyword("not") {
		p.next()
	}
	left := p.operand(depth)
	if p.tok.kind != identifier {
		p.other(left)
		return
	}
	operator := strings.ToLower(p.tok.text)
	switch operator {
	case "eq", "ne", "gt", "ge", "lt", "le", "has":
		p.next()
		if left == "" || p.tok.kind != literal && !p.constant() {
			p.other(left)
			p.other(p.operand(depth))
			return
		}
		p.compare(left, operator, p.literal())
	case "in":
		p.next()
		literals := p.list()
		if left != "" {
			p.compare(left, operator, literals...)
		}
	default:
		p.other(left)
	}
}

func (p *filterParser) compare(property, operator string, literals ...Literal) {
	p.filter.Comparisons = append(p.filter.Comparisons, Comparison{property, operator, literals})
}

// other notes a property that is not compared with literals; "" is none.
func (p *filterParser) other(property string) {
	if property != "" {
		p.filter.Others = append(p.filter.Others, property)
	}
}

// literal takes the current token as a literal.
func (p *filterParser) literal() Literal {
	l := Literal{Text: p.tok.text, Offset: p.tok.offset}
	p.next()
	return l
}

// list reads ('a','b').
func (p *filterParser) list() []Literal {
	var literals []Literal
	p.expect("(")
	for {
		if p.tok.kind != literal && !p.constant() {
			p.fail("expected a literal")
			return nil
		}
		literals = append(literals, p.literal())
		if !p.take(",") {
			break
		}
	}
	p.expect(")")
	return literals
}

func (p *filterParser) constant() bool {
	return p.keyword("true") || p.keyword("false") || p.keyword("null")
}

// operand returns the path of a property that is the whole of it, or "".
func (p *filterParser) operand(depth int) string {
	switch {
	case p.take("("):
		p.or(depth + 1)
		p.expect(")")
	case p.tok.kind == literal || p.constant():
		p.next()
	case p.tok.kind == identifier:
		return p.pathOrCall(depth)
	default:
		p.fail("expected a value")
	}
	return ""
}

func (p *filterParser) pathOrCall(depth int) string {
	name := strings.ToLower(p.tok.text)
	if arity, ok := functions[name]; ok && strings.HasPrefix(p.src[p.at:], "(") {
		p.next()
		p.call(name, arity, depth)
		return ""
	}
	path := p.path(false)
	if p.is("(") {
		p.lambda(path, depth)
		return ""
	}
	return p.property(path)
}

func (p *filterParser) call(name string, arity [2]int, depth int) {
	p.filter.Functions = append(p.filter.Functions, name)
	if depth++; depth > MaxDepth {
		p.fail("expression nests too deep")
		return
	}
	p.filter.Depth = max(p.filter.Depth, depth)
	p.expect("(")
	count := 0
	if !p.is(")") {
		for {
			p.other(p.operand(depth))
			if count++; !p.take(",") {
				break
			}
		}
	}
	p.expect(")")
	if count < arity[0] || count > arity[1] {
		p.fail("function with a wrong number of arguments")
	}
}

// lambda reads the rest of collection/any(x:expression), collection/all(...) and
// collection/any().
func (p *filterParser) lambda(path string, depth int) {
	cut := strings.LastIndexByte(path, '/')
	if cut < 0 || p.tok.spaced {
		p.fail("function that is not understood")
		return
	}
	collection, quantifier := path[:cut], strings.ToLower(path[cut+1:])
	if quantifier != "any" && quantifier != "all" {
		p.fail("function that is not understood")
		return
	}
	p.filter.Lambdas = true
	p.other(p.property(collection))
	p.next()
	if quantifier == "any" && p.take(")") {
		return
	}
	if p.tok.kind != identifier || !isPropertyName(p.tok.text, false) || p.constant() || p.keyword("not") {
		p.fail("expected a lambda variable")
		return
	}
	// A name of more than one letter could be a property's, and the upstream take
	// it for that.
	if len(p.tok.text) > 1 {
		p.other(p.property(p.tok.text))
	}
	p.ranges = append(p.ranges, lambdaRange{p.tok.text, p.resolve(collection)})
	p.next()
	p.expect(":")
	p.or(depth + 1)
	p.expect(")")
	p.ranges = p.ranges[:len(p.ranges)-1]
}

func (p *filterParser) property(path string) string {
	path = p.resolve(path)
	p.filter.Properties = append(p.filter.Properties, path)
	return path
}

// resolve replaces a lambda variable by its collection.
func (p *filterParser) resolve(path string) string {
	first, rest, _ := strings.Cut(path, "/")
	for _, r := range slices.Backward(p.ranges) {
		if r.variable != first {
			continue
		}
		if rest == "" {
			return r.collection
		}
		return r.collection + "/" + rest
	}
	return path
}
