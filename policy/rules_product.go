package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy/plan"
)

// product multiplies a plan with the states of paths: its nodes are those of the
// plan, once for each state in which a value can be reached.
type product struct {
	s     *shapes
	units []pathUnit
	at    position
	made  map[productKey]*plan.Node
}

type productKey struct {
	base  *plan.Node
	state string
	// name is that of the member, so that each is counted for itself; at places
	// of which base knows nothing, the whole pointer.
	name string
}

// product makes the node for a whole body.
func (s *shapes) product(base *plan.Node, units []pathUnit, at position) *plan.Node {
	p := product{s: s, units: units, at: at, made: map[productKey]*plan.Node{}}
	var st pathState
	for i := range units {
		st.add(units, arrival{unit: i, count: 1})
	}
	return p.node(base, st, "")
}

func (p *product) node(base *plan.Node, st pathState, pointer string) *plan.Node {
	if base == nil && len(st.found(p.units)) == 0 {
		return nil
	}
	key := productKey{base: base, state: st.key(), name: pointer[strings.LastIndexByte(pointer, '/')+1:]}
	if base == nil || base.Op == plan.Drop {
		key.name = pointer
	}
	if node, made := p.made[key]; made {
		return node
	}
	node := p.s.newNode(pointer, p.at)
	p.made[key] = node
	if node == nil {
		return nil
	}
	var changes pathState
	wholly := false
	for _, one := range st.found(p.units) {
		switch u := p.units[one.unit]; u.kind {
		case unitDigest:
			if node.Digest == nil { // the first wins, as the second sees what the first added
				node.Digest = u.digest
			}
		case unitChange:
			changes = append(changes, one)
			wholly = wholly || u.path[len(u.path)-1].kind == byWildcard
		}
	}
	if wholly {
		node.Digest = nil // all members of the object are changed, the digest among them
	}
	if base != nil && node.Digest == nil {
		node.Digest = base.Digest
	}
	switch {
	case base == nil || base.Op == plan.Drop:
	case len(changes) > 0:
		p.change(node, base, changes)
	case base.Op == plan.Choose:
		p.choose(node, base.Choice, st, pointer)
	default:
		p.fill(node, base, st, map[question]bool{}, pointer)
	}
	if p.looked(st) {
		there := base != nil && base.Op != plan.Drop && !slices.ContainsFunc(changes, func(one arrival) bool { return p.units[one.unit].drops() })
		*node = plan.Node{Op: map[bool]plan.Op{true: plan.Keep}[there], Pointer: node.Pointer}
	}
	return node
}

// looked tells whether a condition found this value.
func (p *product) looked(st pathState) bool {
	return slices.ContainsFunc(st.found(p.units), func(one arrival) bool { return p.units[one.unit].kind == unitLook })
}

// looks tells whether this plan is the one of a condition.
func (p *product) looks() bool {
	return len(p.units) > 0 && p.units[len(p.units)-1].kind == unitLook
}

// choose keeps a choice of the base, with the same state in every case.
func (p *product) choose(node *plan.Node, c *plan.Choice, st pathState, pointer string) {
	cases := map[string]*plan.Node{}
	for _, value := range slices.Sorted(maps.Keys(c.Cases)) {
		cases[value] = p.node(c.Cases[value], st, pointer)
	}
	node.Op = plan.Choose
	node.Choice = &plan.Choice{Member: c.Member, Cases: cases, Else: p.node(c.Else, st, pointer)}
}

// fill makes node what base is, with the state carried on to what is below it.
// It asks what is still open of an object, a question at a time.
func (p *product) fill(node, base *plan.Node, st pathState, answers map[question]bool, pointer string) {
	q, open := p.open(base, st, answers)
	passed := st.passed(p.units, answers)
	if open {
		node.Op, node.Choice = plan.Choose, &plan.Choice{}
		branch := func(holds func(question) bool) *plan.Node {
			next := p.s.newNode(pointer, p.at)
			if next == nil {
				return nil
			}
			next.Digest = node.Digest
			told := maps.Clone(answers)
			for _, other := range p.alike(q, passed) {
				told[other] = holds(other)
			}
			p.fill(next, base, st, told, pointer)
			return next
		}
		p.ask(node.Choice, q, branch, passed)
		node.Digest = nil
		return
	}
	if p.looked(passed) {
		node.Op = plan.Keep
		return
	}
	if node.Op = base.Op; base.Op == plan.Keep && p.looks() {
		node.Op = plan.Any // of a scalar they are the same, and Keep is what is looked for
	}
	node.Match, node.Steps, node.Compact, node.Mistyped = base.Match, base.Steps, base.Compact, base.Mistyped
	if base.Op == plan.Object || base.Op == plan.Any && base.Object != nil {
		node.Object = p.fields(base.Object, passed, answers, pointer)
	}
	if base.Items != nil {
		below := st.element(p.units)
		node.Items = p.node(base.Items, below, p.under(pointer, base.Items, below))
		if node.Compact && node.Items != nil && node.Items.Op == plan.Run && slices.ContainsFunc(below.found(p.units), func(one arrival) bool { return p.units[one.unit].kind == unitChange }) {
			// Only what is null before the rules is removed.
			node.Compact = false
			node.Items.Steps = slices.Insert(node.Items.Steps, len(baseSteps(base.Items)), plan.Step{Do: plan.StepDropNull})
		}
	}
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

// fields multiplies the members of an object.
func (p *product) fields(base *plan.Fields, st pathState, answers map[question]bool, pointer string) *plan.Fields {
	rest := st.member(p.units, answers, "")
	var restNode *plan.Node
	if base.Rest != nil {
		restNode = p.node(base.Rest, rest, p.under(pointer, base.Rest, rest))
	} else if node := p.node(nil, rest, pointer+"/*"); node != nil && node.Digest != nil {
		restNode = node
	}
	names := st.names(p.units)
	for _, f := range base.All() {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	nodes := map[string]*plan.Node{}
	for _, name := range slices.Compact(names) {
		below := st.member(p.units, answers, name)
		at := pointer + "/" + escapePointer(name)
		f := base.Lookup([]byte(name))
		switch {
		case f != nil:
			nodes[name] = p.node(f.Node, below, at)
		case base.Rest != nil && below.key() == rest.key():
		case base.Rest != nil:
			nodes[name] = p.node(base.Rest, below, at)
		default:
			// The base does not know it, but a digest may be made of it.
			if node := p.node(nil, below, at); node != nil && node.Digest != nil {
				nodes[name] = node
			}
		}
	}
	fields := plan.NewFields(nodes)
	fields.Rest = restNode
	return fields
}

// under is the pointer of what has no name of its own below pointer: "/**" where
// it leads back to itself.
func (p *product) under(pointer string, base *plan.Node, st pathState) string {
	if base.Op == plan.Any && base.Items == base && st.member(p.units, nil, "").key() == st.key() {
		return strings.TrimSuffix(pointer, "/**") + "/**"
	}
	return pointer + "/*"
}

// asSteps are the operations of a base that can be a step.
var asSteps = map[plan.Op]plan.StepOp{
	plan.Pseudonym: plan.StepPseudonym, plan.Reversible: plan.StepReversible,
	plan.JSONPseudonym: plan.StepJSONPseudonym, plan.JSONPseudonymOriginal: plan.StepJSONOriginal,
	plan.MatchReplace: plan.StepMatch,
}

// change makes node what base is, with the changes that rules make to the value
// itself. Nothing below it is left to be decided: a scalar has nothing below it,
// and what is none becomes null, is dropped or refuses the body.
func (p *product) change(node, base *plan.Node, changes pathState) {
	var steps []plan.Step
	for _, one := range changes {
		u := p.units[one.unit]
		if one.count > maxVisits {
			steps = append(steps, plan.Step{Do: plan.StepRefuse})
			break
		}
		for range one.count {
			steps = append(steps, u.steps...)
		}
	}
	if i := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Do == plan.StepDrop }); i == 0 {
		return
	} else if i > 0 {
		steps = steps[:i+1]
	}
	if base.Op == plan.Link {
		p.s.add(p.units[changes[0].unit].at.error("shape_error", fmt.Sprintf("the path finds %q, which the base shape seals as a link", p.s.plan.Pointers[node.Pointer]), "a link can be dropped, nothing else"))
	}
	node.Op, node.Steps = plan.Run, slices.Concat(baseSteps(base), steps)
}

// baseSteps are what a base does to a scalar.
func baseSteps(base *plan.Node) []plan.Step {
	switch base.Op {
	case plan.Run:
		return base.Steps
	case plan.Object, plan.Choose:
		return []plan.Step{{Do: plan.StepObject}}
	case plan.Array:
		return []plan.Step{{Do: plan.StepArray}}
	case plan.Pseudonym, plan.Reversible, plan.JSONPseudonym, plan.JSONPseudonymOriginal, plan.MatchReplace:
		return []plan.Step{{Do: asSteps[base.Op], Match: base.Match}}
	}
	return nil
}
