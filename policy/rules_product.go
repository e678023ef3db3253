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
	for _, one := range st.found(p.units) {
		switch u := p.units[one.unit]; u.kind {
		case unitDigest:
			if node.Digest == nil { // the first wins, as the second sees what the first added
				node.Digest = u.digest
			}
		case unitChange:
			changes = append(changes, one)
		}
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
	if p.looked(st) && node.Op != plan.Drop {
		*node = plan.Node{Op: plan.Keep, Pointer: node.Pointer}
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
		for _, one := range passed {
			if other, ok := one.question(p.units); ok && slices.Contains(p.alike(q, passed), other) {
				p.checkOrder(passed, other, one)
			}
		}
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
	}
}

// ask makes the choice that answers a question.
func (p *product) ask(c *plan.Choice, q question, branch func(func(question) bool) *plan.Node, st pathState) {
	if q.all != "" {
		c.All = strings.Split(q.all, "\x00")
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
// for all values that it is compared with.
func (p *product) alike(q question, st pathState) []question {
	if q.all != "" {
		return []question{q}
	}
	var all []question
	for _, one := range st {
		other, ok := one.question(p.units)
		if ok && other.all == "" && other.original == q.original && other.test.member == q.test.member && !slices.Contains(all, other) {
			all = append(all, other)
		}
	}
	return all
}

// open finds a question that has no answer yet. Where the base leaves only one
// answer it is noted.
func (p *product) open(base *plan.Node, st pathState, answers map[question]bool) (question, bool) {
	if base.Op != plan.Object && base.Op != plan.Any {
		return question{}, false
	}
	for _, one := range st {
		q, ok := one.question(p.units)
		if _, told := answers[q]; !ok || told {
			continue
		}
		if answer, known := p.known(base, q, one); known {
			answers[q] = answer
			continue
		}
		return q, true
	}
	return question{}, false
}

// known answers a question by what the base leaves of the members it asks for.
func (p *product) known(base *plan.Node, q question, one arrival) (answer, known bool) {
	if q.original {
		return false, false
	}
	if q.all != "" {
		for _, name := range strings.Split(q.all, "\x00") {
			if m := memberOf(base, name); m == nil || m.Op == plan.Drop {
				return false, true
			}
		}
		return false, false
	}
	m := memberOf(base, q.test.member)
	switch {
	case m == nil || m.Op == plan.Drop || m.Op == plan.Object || m.Op == plan.Array || m.Op == plan.Choose:
		return q.test.unequal, true
	case m.Op == plan.Keep || m.Op == plan.Any || m.Op == plan.Run && !slices.ContainsFunc(m.Steps, func(s plan.Step) bool { return s.Do < plan.StepString }):
		return false, false
	}
	p.s.add(p.units[one.unit].at.error("shape_error", fmt.Sprintf("cannot be expressed: the filter reads the member %q, which the base shape changes", q.test.member), ""))
	return false, true
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

// checkOrder refuses a question about a member that an earlier unit changes: the
// plan asks the body as it came.
func (p *product) checkOrder(st pathState, q question, one arrival) {
	if q.original {
		return
	}
	answers := map[question]bool{}
	for _, other := range st {
		if o, ok := other.question(p.units); ok {
			answers[o] = true
		}
	}
	names := []string{q.test.member}
	if q.all != "" {
		names = strings.Split(q.all, "\x00")
	}
	for _, name := range names {
		for _, found := range st.passed(p.units, answers).member(p.units, answers, name).found(p.units) {
			u := p.units[found.unit]
			if found.unit < one.unit && u.kind == unitChange && (q.all == "" || u.drops()) {
				p.s.add(p.units[one.unit].at.error("shape_error", fmt.Sprintf("cannot be expressed: the path looks at the member %q, which an earlier rule changes", name), "put the rule that looks before the one that changes"))
			}
		}
	}
}

// fields multiplies the members of an object.
func (p *product) fields(base *plan.Fields, st pathState, answers map[question]bool, pointer string) *plan.Fields {
	rest := st.member(p.units, answers, "")
	var restNode *plan.Node
	if base.Rest != nil {
		restNode = p.node(base.Rest, rest, p.under(pointer, base.Rest, rest))
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
	p.checkDigests(fields, st)
	return fields
}

// checkDigests refuses a path that finds all members of an object where some get
// a digest beside them: it would find those too.
func (p *product) checkDigests(fields *plan.Fields, st pathState) {
	added := fields.Rest != nil && fields.Rest.Digest != nil
	for _, f := range fields.All() {
		added = added || f.Node != nil && f.Node.Digest != nil
	}
	for _, one := range st {
		u := p.units[one.unit]
		if added && u.kind == unitChange && one.segment+1 == len(u.path) && one.mode == arrived && u.path[one.segment].kind == byWildcard {
			p.s.add(u.at.error("shape_error", "cannot be expressed: the path finds all members of an object, also the digests that another rule adds", ""))
		}
	}
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
	switch base.Op {
	case plan.Keep, plan.Any:
	case plan.Run:
		steps = slices.Concat(base.Steps, steps)
	case plan.Object, plan.Array, plan.Choose:
		// What is no object or array is null by now. What is one becomes null too,
		// where Psoxy would abort.
		steps = slices.Concat([]plan.Step{{Do: plan.StepNull}}, steps)
	case plan.Link:
		p.s.add(p.units[changes[0].unit].at.error("shape_error", fmt.Sprintf("the path finds %q, which the base shape seals as a link", p.s.plan.Pointers[node.Pointer]), "a link can be dropped, nothing else"))
	default:
		steps = slices.Concat([]plan.Step{{Do: asSteps[base.Op], Match: base.Match}}, steps)
	}
	node.Op, node.Steps = plan.Run, steps
}
