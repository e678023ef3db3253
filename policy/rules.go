package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// maxConditions bounds the rules with a "when": each doubles the plan.
const maxConditions = 6

// pathRule is one rule as it is written.
type pathRule struct {
	units []pathUnit
	// when is nil if the rule always applies.
	when jsonPath
	at   position
}

// pathUnit is what one path of a rule does. Units are carried out in order.
type pathUnit struct {
	path jsonPath
	at   position
	// kind says which of the following is meant.
	kind unitKind
	// steps change a value that the path finds; StepDrop also removes objects,
	// arrays and elements.
	steps  []plan.Step
	digest *plan.Digest
}

type unitKind uint8

const (
	// unitChange puts what the path finds through steps.
	unitChange unitKind = iota
	// unitDigest adds a digest of what the path finds in the body as it came.
	unitDigest
	// unitLook only marks what the path finds.
	unitLook
)

// drops tells a unit that leaves nothing of what it finds.
func (u pathUnit) drops() bool {
	return len(u.steps) > 0 && u.steps[len(u.steps)-1].Do == plan.StepDrop
}

// makesTokens tells a unit after which a string is a token, or was blank.
func (u pathUnit) makesTokens() bool {
	return !slices.ContainsFunc(u.steps, func(s plan.Step) bool {
		return s.Do < plan.StepPseudonym || s.Do > plan.StepTokenize && s.Do != plan.StepMatch
	})
}

// rules compiles {"$op": "rules", "shape": base, "rules": [rule, ...]}.
func (s *shapes) rules(shape ast.Object, at position, in holder) *plan.Node {
	if in != inBody {
		s.add(at.error("shape_error", "rules decide a whole body; this is a part of one", "JSONPaths begin at the root: write rules(shape, [...]) as the response"))
		return nil
	}
	base := shapes{problems: s.problems, pointers: map[string]int{}, nodes: s.nodes, depth: s.depth}
	b := base.node(shape.Get(ast.StringTerm("shape")).Value, "", at.key("shape"), inBody)
	if base.plan.Psoxy {
		s.add(at.key("shape").error("shape_error", "rules cannot be the base of rules", "put all of them into one list"))
	}
	list, ok := s.ruleList(shape, at)
	if !ok {
		return nil
	}
	s.plan.Psoxy, s.plan.RefuseNull = true, len(list) > 0
	return s.conditions(b, nil, list, at)
}

func (s *shapes) ruleList(shape ast.Object, at position) (list []pathRule, ok bool) {
	at = at.key("rules")
	array, ok := shape.Get(ast.StringTerm("rules")).Value.(*ast.Array)
	if !ok {
		s.add(at.error("shape_error", "rules must be an array of rules", `a rule is {"at": ["$..name"], "do": operation}`))
		return nil, false
	}
	conditions, changes := 0, false
	for i := range array.Len() {
		r, ok := s.rule(array.Elem(i).Value, at.index(i))
		if !ok {
			return nil, false
		}
		if r.when != nil {
			conditions++
		}
		if conditions == maxConditions+1 {
			s.add(r.at.error("shape_error", fmt.Sprintf("more than %d rules have a condition", maxConditions), ""))
			return nil, false
		}
		if changes && r.units[0].kind == unitDigest {
			s.add(r.at.key("do").error("shape_error", "a digest stands behind a rule that changes something", "digests are those of the original: put them first"))
		}
		changes = changes || slices.ContainsFunc(r.units, func(u pathUnit) bool { return u.kind == unitChange })
		list = append(list, r)
	}
	s.checkNames(list)
	return list, true
}

// digestMembers are what a digest consists of.
var digestMembers = []string{"length", "word_count"}

// checkNames refuses paths that would find what a digest adds.
func (s *shapes) checkNames(list []pathRule) {
	digests := slices.ContainsFunc(list, func(r pathRule) bool { return r.units[0].kind == unitDigest })
	for _, r := range list {
		for _, u := range r.units {
			for i, segment := range u.path {
				wide := segment.scan || i > 0 && u.path[i-1].kind == byWildcard
				for _, name := range segment.names {
					if digests && u.kind == unitChange && (strings.HasPrefix(name, "+") || wide && slices.Contains(digestMembers, name)) {
						s.add(u.at.error("shape_error", fmt.Sprintf("cannot be expressed: the path finds %q, which is also a member of the digests that another rule adds", name), ""))
					}
				}
			}
		}
	}
}

var ruleKeys = []string{"at", "do", "when"}

// rule reads {"at": [JSONPath, ...], "do": operation, "when": JSONPath}.
func (s *shapes) rule(v ast.Value, at position) (r pathRule, ok bool) {
	o, ok := v.(ast.Object)
	if !ok || o.Get(ast.StringTerm("at")) == nil || o.Get(ast.StringTerm("do")) == nil {
		s.add(at.error("shape_error", `a rule is an object with "at" and "do"`, `{"at": ["$..name"], "do": operation}`))
		return r, false
	}
	for _, key := range o.Keys() {
		name, _ := key.Value.(ast.String)
		if !slices.Contains(ruleKeys, string(name)) {
			s.add(at.at(key.Value).error("shape_error", fmt.Sprintf("a rule has no key %s", key), didYouMean(string(name), ruleKeys)))
		}
	}
	r.at = at
	paths, ok := o.Get(ast.StringTerm("at")).Value.(*ast.Array)
	if !ok || paths.Len() == 0 {
		s.add(at.key("at").error("shape_error", "at must be an array of at least one JSONPath", ""))
		return r, false
	}
	do := s.do(o.Get(ast.StringTerm("do")).Value, at.key("do"))
	for _, u := range do {
		for i := range paths.Len() {
			u.at = at.key("at").index(i)
			if u.path, ok = s.path(paths.Elem(i).Value, u.at, false); !ok {
				return r, false
			}
			r.units = append(r.units, u)
		}
	}
	if when := o.Get(ast.StringTerm("when")); when != nil {
		if r.when, ok = s.path(when.Value, at.key("when"), true); !ok {
			return r, false
		}
	}
	return r, len(r.units) > 0
}

// do reads what a rule does. It is one unit, or two where a digest is made and
// the value is changed too.
func (s *shapes) do(v ast.Value, at position) []pathUnit {
	o, ok := v.(ast.Object)
	if !ok || o.Get(ast.InternedTerm(opKey)) == nil {
		s.add(at.error("shape_error", "a rule does an operation on a scalar, drop or digest; this is "+describe(v), "use an operation of data.graphveil.shape"))
		return nil
	}
	switch o.Get(ast.InternedTerm(opKey)).Value {
	case ast.String("drop"):
		if _, ok := s.operationName(o, at); !ok {
			return nil
		}
		return []pathUnit{{kind: unitChange, steps: []plan.Step{{Do: plan.StepDrop}}}}
	case ast.String("digest"):
		if _, ok := s.operationName(o, at); !ok {
			return nil
		}
		d := pathUnit{kind: unitDigest, digest: &plan.Digest{}}
		if o.Get(ast.StringTerm("inner")) != nil {
			d.digest.Inner = s.inner(o, "inner", at)
		}
		then, at := o.Get(ast.StringTerm("then")).Value, at.key("then")
		if then, ok := then.(ast.Object); ok && then.Compare(keepShape) == 0 {
			return []pathUnit{d}
		}
		changes := s.do(then, at)
		if len(changes) == 1 && changes[0].kind == unitChange {
			return []pathUnit{d, changes[0]}
		}
		if len(changes) > 1 {
			s.add(at.error("shape_error", "a digest of a digest", ""))
		}
		return nil
	}
	steps := s.steps(o, at)
	if len(steps) == 0 {
		return nil
	}
	return []pathUnit{{kind: unitChange, steps: steps}}
}

var keepShape = ast.NewObject([2]*ast.Term{ast.InternedTerm(opKey), ast.StringTerm("keep")})

// path reads one JSONPath. Only a condition may end at a filter.
func (s *shapes) path(v ast.Value, at position, condition bool) (jsonPath, bool) {
	text, ok := v.(ast.String)
	if !ok {
		s.add(at.error("shape_error", "a JSONPath is a string", ""))
		return nil, false
	}
	path, err := parseJSONPath(string(text))
	if err != nil {
		s.add(at.error("shape_error", fmt.Sprintf("the JSONPath %q, %v", string(text), err), "docs/operations.md lists the forms"))
		return nil, false
	}
	last := path[len(path)-1]
	switch {
	case last.kind != byFilter || condition && !last.test.unequal:
		return path, true
	case condition:
		s.add(at.error("shape_error", fmt.Sprintf("the JSONPath %q ends with a filter !=", string(text)), "name a member behind the filter"))
	default:
		s.add(at.error("shape_error", fmt.Sprintf("the JSONPath %q ends with a filter", string(text)), "name a member behind the filter"))
	}
	return nil, false
}

// conditions makes the node for a body on which the active units apply, and those
// of the rules in list whose condition holds. A condition sees what the rules
// before it left.
func (s *shapes) conditions(base *plan.Node, active []pathUnit, list []pathRule, at position) *plan.Node {
	for i, r := range list {
		if r.when == nil {
			active = append(slices.Clip(active), r.units...)
			continue
		}
		node := s.newNode("", r.at)
		if node == nil {
			return nil
		}
		probe := shapes{problems: s.problems, pointers: map[string]int{}, nodes: s.nodes, depth: s.depth}
		before := slices.DeleteFunc(slices.Clone(active), func(u pathUnit) bool { return u.kind == unitDigest })
		seen := base
		if r.units[0].kind == unitDigest {
			seen = &plan.Node{} // nothing was done yet
			probe.any(seen, ast.NewObject(), "", r.at)
		}
		probe.plan.Root = probe.product(seen, append(before, pathUnit{kind: unitLook, path: r.when, at: r.at.key("when")}), r.at)
		node.Op = plan.Choose
		node.Choice = &plan.Choice{
			Probe: &probe.plan,
			Then:  s.conditions(base, append(slices.Clip(active), r.units...), list[i+1:], at),
			Else:  s.conditions(base, active, list[i+1:], at),
		}
		return node
	}
	return s.product(base, active, at)
}
