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
	// dropsNull are the elements of which base removes those that are null.
	dropsNull map[*plan.Node]bool
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
	p := product{s: s, units: units, at: at, made: map[productKey]*plan.Node{}, dropsNull: map[*plan.Node]bool{}}
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
	changes := p.changes(st)
	node.Digest = p.digest(base, st, changes)
	steps := p.steps(changes)
	switch {
	case base == nil || base.Op == plan.Drop:
	case changesContainers(steps), len(steps) > 0 && base.Op != plan.Any && !isContainer(base):
		p.change(node, base, changes, steps)
	case base.Op == plan.Choose:
		p.choose(node, base.Choice, st, pointer)
	case isContainer(base):
		p.fill(node, base, st, map[question]bool{}, pointer, nil)
	default:
		p.fill(node, base, st, map[question]bool{}, pointer, steps)
	}
	if p.looked(st) {
		there := base != nil && base.Op != plan.Drop && !slices.ContainsFunc(changes, func(one arrival) bool { return p.units[one.unit].drops() })
		*node = plan.Node{Op: map[bool]plan.Op{true: plan.Keep}[there], Pointer: node.Pointer}
	}
	return node
}

// changes are the arrivals of units that change this very value.
func (p *product) changes(st pathState) pathState {
	return slices.DeleteFunc(st.found(p.units), func(one arrival) bool { return p.units[one.unit].kind != unitChange })
}

// digest is the one that is made of a value.
func (p *product) digest(base *plan.Node, st, changes pathState) *plan.Digest {
	for _, one := range changes {
		if u := p.units[one.unit]; u.path[len(u.path)-1].kind == byWildcard && changesContainers(u.steps) {
			st = nil // all members of the object are changed, the digest among them
		}
	}
	for _, one := range st.found(p.units) {
		if u := p.units[one.unit]; u.kind == unitDigest {
			return u.digest // the first wins, as the second sees what the first added
		}
	}
	if base != nil {
		return base.Digest
	}
	return nil
}

// isContainer tells a base that has nothing to do with scalars.
func isContainer(base *plan.Node) bool {
	return base.Op == plan.Object || base.Op == plan.Array || base.Op == plan.Choose
}

// changesContainers tells steps that do something to objects and arrays: digests
// leave them as they are.
func changesContainers(steps []plan.Step) bool {
	return slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Do != plan.StepDigest })
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
// It asks what is still open of an object, a question at a time. Steps, if any, are
// what a scalar goes through.
func (p *product) fill(node, base *plan.Node, st pathState, answers map[question]bool, pointer string, steps []plan.Step) {
	q, open := p.open(base, st, answers)
	passed := st.passed(p.units, answers)
	if open {
		node.Op, node.Choice, node.Steps = plan.Choose, &plan.Choice{}, nil
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
			p.fill(next, base, st, told, pointer, steps)
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
		if base.Compact && changesContainers(p.steps(p.changes(below))) {
			// Only what is null before the rules is removed: the element does that.
			node.Compact = false
			p.dropsNull[base.Items] = true
		}
		node.Items = p.node(base.Items, below, p.under(pointer, base.Items, below))
	}
	if len(steps) > 0 {
		node.Op, node.Steps = plan.Run, steps
	}
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

// steps are the changes that units make to a value, up to where one drops it.
func (p *product) steps(changes pathState) []plan.Step {
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
	if i := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Do == plan.StepDrop }); i >= 0 {
		steps = steps[:i+1]
	}
	return steps
}

// change makes node what base is, with the changes that rules make to the value
// itself. Nothing below it is left to be decided: a scalar has nothing below it,
// and what is none becomes null, is dropped or refuses the body.
func (p *product) change(node, base *plan.Node, changes pathState, steps []plan.Step) {
	if steps[0].Do == plan.StepDrop {
		return
	}
	if base.Op == plan.Link {
		p.s.add(p.units[changes[0].unit].at.error("shape_error", fmt.Sprintf("the path finds %q, which the base shape seals as a link", p.s.plan.Pointers[node.Pointer]), "a link can be dropped, nothing else"))
	}
	if p.dropsNull[base] {
		steps = slices.Concat([]plan.Step{{Do: plan.StepDropNull}}, steps)
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
