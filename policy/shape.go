package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// opKey tells an operation from an object shape. Graph names no property so:
// OData reserves "$" in names (OData 4.01 CSDL, SimpleIdentifier).
const opKey = "$op"

// maxNodes bounds a plan: shared shapes multiply when they are written out.
const maxNodes = 1 << 16

// shapes compiles one shape to a plan.
type shapes struct {
	*problems
	plan plan.Plan
	// pointers is the index of each of plan.Pointers.
	pointers map[string]int
	// nodes counts the nodes of this plan and of those inside it.
	nodes *int
	// depth is how many JSON texts this plan is inside of.
	depth int
	// schema says that the shape is read as a response schema.
	schema bool
}

// holder is what a shape stands in.
type holder uint8

const (
	inBody holder = iota
	inObject
	inArray
)

// compileShape compiles a shape. The plan is of use only if no problem was added.
func (p *problems) compileShape(shape ast.Value, at position) *plan.Plan {
	s := shapes{problems: p, pointers: map[string]int{}, nodes: new(int)}
	s.plan.Root = s.node(shape, "", at, inBody)
	return &s.plan
}

// newNode makes a node, or returns nil if there are too many.
func (s *shapes) newNode(pointer string, at position) *plan.Node {
	*s.nodes++
	if *s.nodes > maxNodes {
		if *s.nodes == maxNodes+1 {
			s.add(at.error("shape_error", fmt.Sprintf("the shape has more than %d positions", maxNodes), ""))
		}
		return nil
	}
	return &plan.Node{Pointer: s.pointer(pointer)}
}

// pointer returns the index of a pointer. Nodes that stand for the same place,
// as in the cases of select, share one.
func (s *shapes) pointer(pointer string) int {
	i, ok := s.pointers[pointer]
	if !ok {
		i = len(s.plan.Pointers)
		s.pointers[pointer] = i
		s.plan.Pointers = append(s.plan.Pointers, pointer)
	}
	return i
}

func (s *shapes) node(shape ast.Value, pointer string, at position, in holder) *plan.Node {
	if o, ok := shape.(ast.Object); ok && o.Get(ast.InternedTerm(opKey)) != nil {
		return s.operation(o, pointer, at, in)
	}
	node := s.newNode(pointer, at)
	if node == nil {
		return nil
	}
	if s.schema {
		node.Mistyped = plan.FallNull
	}
	switch shape := shape.(type) {
	case ast.Object:
		node.Op, node.Object = plan.Object, s.fields(shape, pointer, at)
	case *ast.Array:
		node.Op, node.Compact = plan.Array, s.schema
		if shape.Len() != 1 {
			s.add(at.error("shape_error", fmt.Sprintf("an array shape has exactly one element, the shape of all; this one has %d", shape.Len()), ""))
			return node
		}
		node.Items = s.node(shape.Elem(0).Value, pointer+"/*", at.index(0), inArray)
	default:
		s.add(at.error("shape_error", fmt.Sprintf("a %s is no shape", ast.ValueName(shape)), "use an operation of data.graphveil.shape, an object of shapes, or [shape]"))
	}
	return node
}

// fields compiles the members of an object shape.
func (s *shapes) fields(shape ast.Object, pointer string, at position) *plan.Fields {
	fields := make(map[string]*plan.Node, shape.Len())
	shape.Foreach(func(key, value *ast.Term) { // sorted
		name, ok := key.Value.(ast.String)
		if !ok {
			s.add(at.at(key.Value).error("shape_error", "the name of a member must be a string", ""))
			return
		}
		if strings.HasPrefix(string(name), "$") {
			s.add(at.key(string(name)).error("shape_error", fmt.Sprintf("%q is no member name", string(name)), didYouMean(string(name), []string{opKey})))
			return
		}
		fields[string(name)] = s.node(value.Value, pointer+"/"+escapePointer(string(name)), at.at(name), inObject)
	})
	return plan.NewFields(fields)
}

func cmpHint(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escapePointer escapes a name for a JSON Pointer (RFC 6901 section 3).
func escapePointer(name string) string {
	return pointerEscapes.Replace(name)
}
