package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// plainSteps are the operations that are one step and have no keys.
var plainSteps = map[string]plan.StepOp{
	"refuse":      plan.StepRefuse,
	"pseudonym":   plan.StepPseudonym,
	"reversible":  plan.StepReversible,
	"hash":        plan.StepHash,
	"hash_ip":     plan.StepHashIP,
	"encrypt_ip":  plan.StepEncryptIP,
	"text_digest": plan.StepDigest,
}

// types are the values of "type" in {"$op": "typed"}.
var types = map[string]plan.StepOp{
	"string":  plan.StepString,
	"integer": plan.StepInteger,
	"number":  plan.StepNumber,
	"boolean": plan.StepBoolean,
	"null":    plan.StepNull,
	"scalar":  plan.StepScalar,
}

// steps compiles an operation on a scalar to steps.
func (s *shapes) steps(shape ast.Object, at position) []plan.Step {
	name, ok := s.operationName(shape, at)
	if !ok {
		return nil
	}
	if step, ok := plainSteps[name]; ok {
		return []plan.Step{{Do: step}}
	}
	switch name {
	case "json_pseudonym":
		return []plan.Step{{Do: jsonStep(s.flag(shape, "original", at), s.flag(shape, "reversible", at))}}
	case "tokenize":
		if shape.Get(ast.StringTerm("pattern")) == nil {
			return []plan.Step{{Do: plan.StepTokenize}}
		}
		return []plan.Step{{Do: plan.StepTokenizeMatch, Patterns: s.whole(s.groupPattern(shape, at))}}
	case "match":
		return []plan.Step{{Do: plan.StepMatch, Match: s.match(shape, at)}}
	case "phrases":
		return []plan.Step{{Do: plan.StepPhrases, Phrases: s.phrases(shape, at)}}
	case "without":
		return []plan.Step{{Do: plan.StepRemove, Patterns: s.compileAll(s.patterns(shape, at))}}
	case "only":
		return []plan.Step{{Do: plan.StepOnly, Patterns: s.compileAll(s.patterns(shape, at))}}
	case "tokens":
		return []plan.Step{{Do: plan.StepTokens, Delimiter: s.delimiter(shape, at), Patterns: s.whole(s.patterns(shape, at))}}
	case "email_header":
		if s.flag(shape, "json", at) {
			return []plan.Step{{Do: plan.StepEmailHeaderJSON}}
		}
		return []plan.Step{{Do: plan.StepEmailHeader}}
	case "typed":
		return []plan.Step{{Do: s.typeStep(shape, at)}}
	case "steps":
		return s.list(shape, at)
	case "json":
		return []plan.Step{{Do: plan.StepJSON, Inner: s.inner(shape, "shape", at)}}
	}
	s.add(at.error("shape_error", fmt.Sprintf("operation %s cannot be a step", name), "a step changes a scalar, as pseudonym, phrases, without and tokens do"))
	return nil
}

// list compiles {"$op": "steps", "steps": [operation, ...]}.
func (s *shapes) list(shape ast.Object, at position) []plan.Step {
	at = at.key("steps")
	array, ok := shape.Get(ast.StringTerm("steps")).Value.(*ast.Array)
	if !ok || array.Len() == 0 {
		s.add(at.error("shape_error", "steps must be an array of at least one operation", ""))
		return nil
	}
	var steps []plan.Step
	for i := range array.Len() {
		steps = append(steps, s.step(array.Elem(i).Value, at.index(i))...)
	}
	return steps
}

// step compiles what must be an operation on a scalar.
func (s *shapes) step(v ast.Value, at position) []plan.Step {
	o, ok := v.(ast.Object)
	if !ok || o.Get(ast.InternedTerm(opKey)) == nil {
		s.add(at.error("shape_error", "a step is an operation on a scalar, this is "+describe(v), "use an operation of data.graphveil.shape"))
		return nil
	}
	return s.steps(o, at)
}

func (s *shapes) typeStep(shape ast.Object, at position) plan.StepOp {
	name, _ := shape.Get(ast.StringTerm("type")).Value.(ast.String)
	step, ok := types[string(name)]
	if !ok {
		names := slices.Sorted(maps.Keys(types))
		s.add(at.key("type").error("shape_error", fmt.Sprintf("there is no type %s", shape.Get(ast.StringTerm("type"))), cmpHint(didYouMean(string(name), names), "the types are "+strings.Join(names, ", "))))
	}
	return step
}

func jsonStep(original, reversible bool) plan.StepOp {
	switch {
	case original && reversible:
		return plan.StepJSONOriginalReversible
	case reversible:
		return plan.StepJSONReversible
	case original:
		return plan.StepJSONOriginal
	}
	return plan.StepJSONPseudonym
}
