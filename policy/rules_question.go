package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy/plan"
)

// question is asked of an object: what a test says of it, or whether it has all
// of several names.
type question struct {
	// unit is the index of the unit that asks: what it sees depends on the units
	// before it.
	unit int
	test pathTest
	// all are the names, joined by "\x00"; empty if test is asked.
	all string
	// original: it is asked of the body as it came, not of what the base leaves.
	original bool
}

// names are the members that a question is about.
func (q question) names() []string {
	if q.all == "" {
		return []string{q.test.member}
	}
	return strings.Split(q.all, "\x00")
}

func joined(names []string) string { return strings.Join(names, "\x00") }

// question returns what the unit of an arrival asks of an object, if anything.
func (one arrival) question(units []pathUnit) (question, bool) {
	u := units[one.unit]
	if one.segment == len(u.path) {
		return question{}, false
	}
	switch next := u.path[one.segment]; {
	case next.kind == byFilter:
		return question{unit: one.unit, test: next.test, original: u.kind == unitDigest}, true
	case one.mode == scanning && len(next.names) > 1:
		return question{unit: one.unit, all: joined(next.names), original: u.kind == unitDigest}, true
	}
	return question{}, false
}

// ask makes the choice that answers a question.
func (p *product) ask(c *plan.Choice, q question, branch func(func(question) bool) *plan.Node, st pathState) {
	if q.all != "" {
		c.All = q.names()
		c.Then = branch(func(question) bool { return true })
		c.Else = branch(func(question) bool { return false })
		return
	}
	c.Member, c.Cases = q.test.member, map[string]*plan.Node{}
	for _, other := range p.alike(q, st) {
		if value := other.test.value; c.Cases[value] == nil {
			c.Cases[value] = branch(func(q question) bool { return (q.test.value == value) != q.test.unequal })
		}
	}
	c.Else = branch(func(q question) bool { return q.test.unequal })
}

// alike are the questions that the same choice answers: a member is looked up once
// for all values that it is compared with. A unit for which it may have changed by
// then has to wait.
func (p *product) alike(q question, st pathState) []question {
	var all []question
	for _, one := range st {
		other, ok := one.question(p.units)
		if !ok || other.all != q.all || other.original != q.original || other.test.member != q.test.member {
			continue
		}
		if other == q || !slices.ContainsFunc(other.names(), func(name string) bool { return len(p.before(other, st, nil, name)) > 0 }) {
			all = append(all, other)
		}
	}
	return all
}

// open finds the first question that has no answer yet. Where there is only one
// answer it is noted.
func (p *product) open(base *plan.Node, st pathState, answers map[question]bool) (question, bool) {
	if base.Op != plan.Object && base.Op != plan.Any {
		return question{}, false
	}
	for told := -1; told < len(answers); {
		told = len(answers)
		passed := st.passed(p.units, answers)
		for _, one := range passed {
			q, ok := one.question(p.units)
			if _, told := answers[q]; !ok || told {
				continue
			}
			answer, known := p.known(base, q, passed, answers)
			if !known {
				return q, true
			}
			answers[q] = answer
			break // what passes now may change what the next one asks for
		}
	}
	return question{}, false
}

// known answers a question by what the base and the units before it leave of the
// members it asks for.
func (p *product) known(base *plan.Node, q question, st pathState, answers map[question]bool) (answer, known bool) {
	if q.original {
		return false, false
	}
	for _, name := range q.names() {
		m, before := memberOf(base, name), p.before(q, st, answers, name)
		switch {
		case m == nil || m.Op == plan.Drop || slices.ContainsFunc(before, pathUnit.drops):
			return q.test.unequal, true
		case q.all != "":
		case m.Op == plan.Object || m.Op == plan.Array || m.Op == plan.Choose:
			return q.test.unequal, true
		case !(m.Op == plan.Keep || m.Op == plan.Any || m.Op == plan.Run && !slices.ContainsFunc(m.Steps, func(s plan.Step) bool { return s.Do < plan.StepString })):
			p.s.add(p.units[q.unit].at.error("shape_error", fmt.Sprintf("cannot be expressed: the filter reads the member %q, which the base shape changes", name), ""))
			return false, true
		case len(before) == 0:
		case !tokenLike(q.test.value) && !slices.ContainsFunc(before, func(u pathUnit) bool { return !u.makesTokens() }):
			return q.test.unequal, true // a token is no such text
		default:
			p.s.add(p.units[q.unit].at.error("shape_error", fmt.Sprintf("cannot be expressed: the filter reads the member %q, which an earlier rule changes", name), "put the rule that looks before the one that changes"))
			return false, true
		}
	}
	return false, false
}

// tokenLike tells whether a text might be what a step makes of another.
func tokenLike(text string) bool {
	return blankOr(text, "null") || strings.HasPrefix(text, "t~") || strings.HasPrefix(text, "p~") || strings.HasPrefix(text, "{") || len(text) >= 43
}

func blankOr(text, other string) bool { return strings.TrimSpace(text) == "" || text == other }

// before are the units before that of a question that change a member, given the
// answers; without any, those that may.
func (p *product) before(q question, st pathState, answers map[question]bool, name string) []pathUnit {
	if answers == nil {
		answers = map[question]bool{}
		for _, one := range st {
			if other, ok := one.question(p.units); ok {
				answers[other] = true
			}
		}
		st = st.passed(p.units, answers)
	}
	var all []pathUnit
	for _, found := range st.member(p.units, answers, name).found(p.units) {
		if u := p.units[found.unit]; found.unit < q.unit && u.kind == unitChange {
			all = append(all, u)
		}
	}
	return all
}

// memberOf is what an object that base decides has as a member.
func memberOf(base *plan.Node, name string) *plan.Node {
	if f := base.Object.Lookup([]byte(name)); f != nil {
		return f.Node
	}
	if base.Object == nil {
		return nil
	}
	return base.Object.Rest
}
