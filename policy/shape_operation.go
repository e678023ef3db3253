package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// operations are the values of "$op", with the further keys that each must have
// (true) or may have (false).
var operations = map[string]map[string]bool{
	// For a scalar.
	"keep":           {},
	"drop":           {},
	"refuse":         {},
	"pseudonym":      {},
	"reversible":     {},
	"json_pseudonym": {"original": false, "reversible": false},
	"hash":           {},
	"tokenize":       {"pattern": false},
	"match":          {"pattern": true, "then": true},
	"phrases":        {"phrases": true},
	"without":        {"patterns": true},
	"only":           {"patterns": true},
	"tokens":         {"delimiter": true, "patterns": true},
	"email_header":   {"json": false},
	"hash_ip":        {},
	"encrypt_ip":     {},
	"text_digest":    {},
	"typed":          {"type": true},
	"link":           {},
	"steps":          {"steps": true},
	"json":           {"shape": true},
	"digest":         {"then": true, "inner": false},
	// For objects, and for whatever there is.
	"select": {"member": true, "cases": true, "otherwise": true},
	"open":   {"shape": true, "rest": true},
	"any":    {"shape": false},
	"schema": {"shape": true},
	"rules":  {"shape": true, "rules": true},
}

// operation compiles {"$op": name, ...} where it stands for a value.
func (s *shapes) operation(shape ast.Object, pointer string, at position, in holder) *plan.Node {
	name, ok := s.operationName(shape, at)
	if !ok {
		return nil
	}
	switch name {
	case "digest":
		return s.digest(shape, pointer, at, in)
	case "rules":
		return s.rules(shape, at, in)
	case "schema":
		return s.responseSchema(shape, pointer, at, in)
	}
	node := s.newNode(pointer, at)
	if node == nil {
		return nil
	}
	switch name {
	case "keep":
		node.Op = plan.Keep
	case "drop":
		node.Op = plan.Drop
	case "pseudonym":
		node.Op = plan.Pseudonym
	case "reversible":
		node.Op = plan.Reversible
	case "link":
		node.Op = plan.Link
	case "json_pseudonym":
		s.jsonPseudonym(node, shape, at)
	case "match":
		node.Op = plan.MatchReplace
		node.Match = s.match(shape, at)
	case "select":
		node.Op = plan.Choose
		node.Choice = s.choice(shape, pointer, at)
	case "open":
		node.Op = plan.Object
		node.Object = s.open(shape, pointer, at)
	case "any":
		s.any(node, shape, pointer, at)
	default:
		node.Op = plan.Run
		node.Steps = s.steps(shape, at)
	}
	return node
}

// operationName checks that an operation exists and has the keys that it needs.
func (s *shapes) operationName(shape ast.Object, at position) (string, bool) {
	name, _ := shape.Get(ast.InternedTerm(opKey)).Value.(ast.String)
	keys, ok := operations[string(name)]
	if !ok {
		names := slices.Sorted(maps.Keys(operations))
		s.add(at.error("shape_error", fmt.Sprintf("there is no operation %s", shape.Get(ast.InternedTerm(opKey))), cmpHint(didYouMean(string(name), names), "the operations are "+strings.Join(names, ", "))))
		return "", false
	}
	if len(keys) == 0 && shape.Len() == 1 { // most of them
		return string(name), true
	}
	for _, key := range shape.Keys() {
		k, _ := key.Value.(ast.String)
		if _, ok := keys[string(k)]; !ok && string(k) != opKey {
			s.add(at.at(key.Value).error("shape_error", fmt.Sprintf("operation %s has no key %s", string(name), key), didYouMean(string(k), slices.Sorted(maps.Keys(keys)))))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if keys[k] && shape.Get(ast.StringTerm(k)) == nil {
			s.add(at.error("shape_error", fmt.Sprintf("operation %s needs the key %q", string(name), k), ""))
			return "", false
		}
	}
	return string(name), true
}

// jsonPseudonym compiles {"$op": "json_pseudonym", "original": boolean,
// "reversible": boolean}. Only the reversible ones are steps: the others follow
// the rules for wrong types that pseudonyms follow elsewhere in a shape.
func (s *shapes) jsonPseudonym(node *plan.Node, shape ast.Object, at position) {
	original, reversible := s.flag(shape, "original", at), s.flag(shape, "reversible", at)
	switch {
	case reversible:
		node.Op, node.Steps = plan.Run, []plan.Step{{Do: jsonStep(original, reversible)}}
	case original:
		node.Op = plan.JSONPseudonymOriginal
	default:
		node.Op = plan.JSONPseudonym
	}
}

// flag reads a key that is true, false or not there.
func (s *shapes) flag(shape ast.Object, key string, at position) bool {
	term := shape.Get(ast.StringTerm(key))
	if term == nil {
		return false
	}
	b, ok := term.Value.(ast.Boolean)
	if !ok {
		s.add(at.key(key).error("shape_error", key+" must be true or false", ""))
	}
	return bool(b)
}
