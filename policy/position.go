package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// position is a place inside the value of a rule, for errors.
type position struct {
	c *compiled
	// rule is the path of the rule below data: package, name, keys.
	rule []string
	// last leads from the rule's value to the place; nil is the value itself.
	last *step
}

// step is one step down, with the step before it: nearly all positions are made
// for nothing, so making one is cheap.
type step struct {
	value  ast.Value
	before *step
}

// at goes one step down.
func (p position) at(value ast.Value) position {
	p.last = &step{value, p.last}
	return p
}

// steps are all steps, the first one first.
func (p position) steps() []ast.Value {
	var all []ast.Value
	for s := p.last; s != nil; s = s.before {
		all = append(all, s.value)
	}
	slices.Reverse(all)
	return all
}

func (p position) key(name string) position { return p.at(ast.String(name)) }

func (p position) index(i int) position { return p.at(ast.InternedTerm(i).Value) }

// String renders the path from the rule's name on.
func (p position) String() string {
	var b strings.Builder
	for i, name := range p.rule[packageDepth(p.rule):] {
		if i == 0 {
			b.WriteString(name)
			continue
		}
		b.WriteString("[" + strconv.Quote(name) + "]")
	}
	for _, step := range p.steps() {
		name, ok := step.(ast.String)
		switch {
		case !ok:
			b.WriteString("[" + step.String() + "]")
		case plainName(string(name)):
			b.WriteString("." + string(name))
		default:
			b.WriteString("[" + strconv.Quote(string(name)) + "]")
		}
	}
	return b.String()
}

func plainName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}

// packageDepth is how many leading names of a rule's path are its package.
func packageDepth(rule []string) int {
	if len(rule) > 2 && rule[0] == "graphveil" && rule[1] == "connectors" {
		return 3
	}
	return min(2, len(rule)-1)
}

// error makes an error at the place.
func (p position) error(code, message, hint string) *Error {
	e := &Error{Code: code, Path: p.String(), Message: message, Hint: hint}
	if at := p.location(); at != nil {
		e.File, e.Line = at.File, at.Row
	}
	return e
}

// location finds the place in the source: it follows the steps through object
// and array literals, into the rules that they refer to and the arguments of
// calls. Where it loses track it gives the last place it was sure of.
func (p position) location() *ast.Location {
	rules := p.c.rulesAt(p.rule)
	if len(rules) == 0 {
		return nil
	}
	found, _ := p.c.follow(rules[0].Head.Value, p.steps(), rules[0].Location, 0)
	return found
}

// follow returns where the steps lead from term, and whether they led there all
// the way. The last location is the fallback.
func (c *compiled) follow(term *ast.Term, steps []ast.Value, last *ast.Location, depth int) (*ast.Location, bool) {
	const maxDepth = 64
	if term == nil || depth > maxDepth {
		return last, false
	}
	if term.Location != nil && term.Location.Row > 0 {
		last = term.Location
	}
	switch value := term.Value.(type) {
	case ast.Object:
		if len(steps) == 0 {
			return last, true
		}
		var next *ast.Term
		value.Foreach(func(key, v *ast.Term) {
			if key.Value.Compare(steps[0]) == 0 {
				next, last = v, orElse(key.Location, last)
			}
		})
		if next != nil {
			// The key is the place; the value may stand elsewhere.
			found, ok := c.follow(next, steps[1:], last, depth+1)
			if len(steps) == 1 {
				return last, true
			}
			return found, ok
		}
	case *ast.Array:
		if len(steps) == 0 {
			return last, true
		}
		if i, ok := steps[0].(ast.Number); ok {
			if n, ok := i.Int(); ok && n < value.Len() {
				return c.follow(value.Elem(n), steps[1:], last, depth+1)
			}
		}
	case ast.Ref:
		if len(steps) == 0 {
			return last, true
		}
		for _, rule := range c.rulesAt(staticPath(value)) {
			if found, ok := c.follow(rule.Head.Value, steps, rule.Location, depth+1); ok {
				return found, true
			}
		}
	case ast.Call:
		if argument, rest := c.argument(value, steps); argument != nil {
			return c.follow(argument, rest, last, depth+1)
		}
		// object.union(base, changes) and the like: the last argument that has it.
		for _, argument := range slices.Backward(value[1:]) {
			if found, ok := c.follow(argument, steps, last, depth+1); ok && len(steps) > 0 {
				return found, true
			}
			if array, ok := argument.Value.(*ast.Array); ok && len(steps) > 0 {
				for i := array.Len() - 1; i >= 0; i-- {
					if found, ok := c.follow(array.Elem(i), steps, last, depth+1); ok {
						return found, true
					}
				}
			}
		}
	}
	return last, len(steps) == 0
}

// argument finds the argument of a call that a function of the policy puts where
// the first of the steps lead, and returns the steps that remain.
func (c *compiled) argument(call ast.Call, steps []ast.Value) (*ast.Term, []ast.Value) {
	name, ok := call[0].Value.(ast.Ref)
	if !ok {
		return nil, nil
	}
	for _, rule := range c.rulesAt(staticPath(name)) {
		term := rule.Head.Value
		for i, step := range steps {
			object, ok := term.Value.(ast.Object)
			if !ok {
				break
			}
			if term = object.Get(ast.NewTerm(step)); term == nil {
				break
			}
			for n, parameter := range rule.Head.Args {
				if n+1 < len(call) && parameter.Equal(term) {
					return call[n+1], steps[i+1:]
				}
			}
		}
	}
	return nil, nil
}

func orElse(a, b *ast.Location) *ast.Location {
	if a != nil && a.Row > 0 {
		return a
	}
	return b
}

// rulesAt returns the rules whose path below data is the given one, as parsed,
// with references resolved.
func (c *compiled) rulesAt(path []string) []*ast.Rule {
	var rules []*ast.Rule
	for _, s := range c.sources.files {
		m := c.resolved[s.name]
		if m == nil || s.test() {
			continue
		}
		pkg := staticPath(m.Package.Path)
		if len(path) <= len(pkg) || !slices.Equal(pkg, path[:len(pkg)]) {
			continue
		}
		for _, rule := range m.Rules {
			if slices.Equal(ruleKey(rule), path[len(pkg):]) {
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

// ruleKey is the constant part of a rule's head: ["endpoints", "x"].
func ruleKey(rule *ast.Rule) []string {
	key := []string{headName(rule)}
	for _, term := range rule.Head.Ref()[1:] {
		name, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		key = append(key, string(name))
	}
	return key
}
