package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// opKey tells an operation from an object shape. Graph names no property so:
// OData reserves "$" in names (OData 4.01 CSDL, SimpleIdentifier).
const opKey = "$op"

// maxNodes bounds a plan: shared shapes multiply when they are written out.
const maxNodes = 1 << 16

// operations are the values of "$op", with the further keys that each must have
// (true) or may have (false).
var operations = map[string]map[string]bool{
	"keep":           {},
	"drop":           {},
	"pseudonym":      {},
	"reversible":     {},
	"json_pseudonym": {"original": false},
	"match":          {"pattern": true, "then": true},
	"link":           {},
}

// shapes compiles one shape to a plan.
type shapes struct {
	*problems
	plan plan.Plan
}

// compileShape compiles a shape. The plan is of use only if no problem was added.
func (p *problems) compileShape(shape ast.Value, at position) *plan.Plan {
	s := shapes{problems: p}
	s.plan.Root = s.node(shape, "", at)
	return &s.plan
}

func (s *shapes) node(shape ast.Value, pointer string, at position) *plan.Node {
	if len(s.plan.Pointers) >= maxNodes {
		if len(s.plan.Pointers) == maxNodes {
			s.plan.Pointers = append(s.plan.Pointers, pointer)
			s.add(at.error("shape_error", fmt.Sprintf("the shape has more than %d positions", maxNodes), ""))
		}
		return nil
	}
	node := &plan.Node{Pointer: len(s.plan.Pointers)}
	s.plan.Pointers = append(s.plan.Pointers, pointer)
	switch shape := shape.(type) {
	case ast.Object:
		if shape.Get(ast.InternedTerm(opKey)) != nil {
			s.operation(node, shape, at)
			return node
		}
		node.Op = plan.Object
		fields := map[string]*plan.Node{}
		for _, key := range sortedKeys(shape) {
			name, ok := key.Value.(ast.String)
			if !ok {
				s.add(at.at(key.Value).error("shape_error", "the name of a member must be a string", ""))
				continue
			}
			if strings.HasPrefix(string(name), "$") {
				s.add(at.key(string(name)).error("shape_error", fmt.Sprintf("%q is no member name", string(name)), didYouMean(string(name), []string{opKey})))
				continue
			}
			fields[string(name)] = s.node(shape.Get(key).Value, pointer+"/"+escapePointer(string(name)), at.key(string(name)))
		}
		node.Object = plan.NewFields(fields)
	case *ast.Array:
		node.Op = plan.Array
		if shape.Len() != 1 {
			s.add(at.error("shape_error", fmt.Sprintf("an array shape has exactly one element, the shape of all; this one has %d", shape.Len()), ""))
			return node
		}
		node.Items = s.node(shape.Elem(0).Value, pointer+"/*", at.index(0))
	default:
		s.add(at.error("shape_error", fmt.Sprintf("a %s is no shape", ast.ValueName(shape)), "use an operation of data.graphveil.shape, an object of shapes, or [shape]"))
	}
	return node
}

func (s *shapes) operation(node *plan.Node, shape ast.Object, at position) {
	name, _ := shape.Get(ast.InternedTerm(opKey)).Value.(ast.String)
	keys, ok := operations[string(name)]
	if !ok {
		names := slices.Sorted(maps.Keys(operations))
		s.add(at.error("shape_error", fmt.Sprintf("there is no operation %s", shape.Get(ast.InternedTerm(opKey))), cmpHint(didYouMean(string(name), names), "the operations are "+strings.Join(names, ", "))))
		return
	}
	for _, key := range sortedKeys(shape) {
		k, _ := key.Value.(ast.String)
		if _, ok := keys[string(k)]; !ok && string(k) != opKey {
			s.add(at.at(key.Value).error("shape_error", fmt.Sprintf("operation %s has no key %s", string(name), key), didYouMean(string(k), slices.Sorted(maps.Keys(keys)))))
		}
	}
	for k, required := range keys {
		if required && shape.Get(ast.StringTerm(k)) == nil {
			s.add(at.error("shape_error", fmt.Sprintf("operation %s needs the key %q", string(name), k), ""))
			return
		}
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
		node.Op = plan.JSONPseudonym
		if original := shape.Get(ast.StringTerm("original")); original != nil {
			switch original.Value {
			case ast.Boolean(true):
				node.Op = plan.JSONPseudonymOriginal
			case ast.Boolean(false):
			default:
				s.add(at.key("original").error("shape_error", "original must be true or false", ""))
			}
		}
	case "match":
		node.Op = plan.MatchReplace
		node.Match = s.match(shape, at)
	}
}

func cmpHint(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// escapePointer escapes a name for a JSON Pointer (RFC 6901 section 3).
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func sortedKeys(o ast.Object) []*ast.Term {
	keys := o.Keys()
	slices.SortFunc(keys, func(a, b *ast.Term) int { return a.Value.Compare(b.Value) })
	return keys
}
