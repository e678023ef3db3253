package odata

import (
	"slices"
	"strings"
)

// Filter is what a $filter expression uses.
type Filter struct {
	// Properties are the property paths it reads, as spelled, sorted, each once.
	// A property of a lambda variable is the path of its collection and its own.
	Properties []string
	// Functions are the functions it calls, in lower case, sorted, each once.
	Functions []string
	// Lambdas is true if it uses any() or all().
	Lambdas bool
	// Depth is how deep it nests; a single comparison has depth 1.
	Depth int
}

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
	p.operand(depth)
	if p.tok.kind != identifier {
		return
	}
	switch strings.ToLower(p.tok.text) {
	case "eq", "ne", "gt", "ge", "lt", "le", "has":
		p.next()
		p.operand(depth)
	case "in":
		p.next()
		p.list()
	}
}

// list reads ('a','b').
func (p *filterParser) list() {
	p.expect("(")
	for {
		if p.tok.kind != literal && !p.constant() {
			p.fail("expected a literal")
			return
		}
		p.next()
		if !p.take(",") {
			break
		}
	}
	p.expect(")")
}

func (p *filterParser) constant() bool {
	return p.keyword("true") || p.keyword("false") || p.keyword("null")
}

func (p *filterParser) operand(depth int) {
	switch {
	case p.take("("):
		p.or(depth + 1)
		p.expect(")")
	case p.tok.kind == literal || p.constant():
		p.next()
	case p.tok.kind == identifier:
		p.pathOrCall(depth)
	default:
		p.fail("expected a value")
	}
}

func (p *filterParser) pathOrCall(depth int) {
	name := strings.ToLower(p.tok.text)
	if arity, ok := functions[name]; ok && strings.HasPrefix(p.src[p.at:], "(") {
		p.next()
		p.call(name, arity, depth)
		return
	}
	path := p.path(false)
	if p.is("(") {
		p.lambda(path, depth)
		return
	}
	p.property(path)
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
		for p.operand(depth); ; p.operand(depth) {
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
	p.property(collection)
	p.next()
	if quantifier == "any" && p.take(")") {
		return
	}
	if p.tok.kind != identifier || !isPropertyName(p.tok.text, false) || p.constant() || p.keyword("not") {
		p.fail("expected a lambda variable")
		return
	}
	p.ranges = append(p.ranges, lambdaRange{p.tok.text, p.resolve(collection)})
	p.next()
	p.expect(":")
	p.or(depth + 1)
	p.expect(")")
	p.ranges = p.ranges[:len(p.ranges)-1]
}

func (p *filterParser) property(path string) {
	p.filter.Properties = append(p.filter.Properties, p.resolve(path))
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
