package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// choice compiles {"$op": "select", "member": name, "cases": {value: shape},
// "otherwise": shape}.
func (s *shapes) choice(shape ast.Object, pointer string, at position) *plan.Choice {
	c := &plan.Choice{Cases: map[string]*plan.Node{}}
	member, ok := shape.Get(ast.StringTerm("member")).Value.(ast.String)
	if !ok || member == "" {
		s.add(at.key("member").error("shape_error", "the member must be the name of one", ""))
	}
	c.Member = string(member)
	cases, ok := shape.Get(ast.StringTerm("cases")).Value.(ast.Object)
	if !ok || cases.Len() == 0 {
		s.add(at.key("cases").error("shape_error", "cases must be an object from values to shapes, with at least one", ""))
	} else {
		for _, key := range cases.Keys() {
			at := at.key("cases").at(key.Value)
			value, ok := key.Value.(ast.String)
			if !ok {
				s.add(at.error("shape_error", "a case must be a string", "members that are no strings get otherwise"))
				continue
			}
			c.Cases[string(value)] = s.objectNode(cases.Get(key).Value, pointer, at)
		}
	}
	c.Else = s.objectNode(shape.Get(ast.StringTerm("otherwise")).Value, pointer, at.key("otherwise"))
	return c
}

// objectNode compiles what an object may get: an object shape, or an operation
// that decides whole objects.
func (s *shapes) objectNode(shape ast.Value, pointer string, at position) *plan.Node {
	if o, ok := shape.(ast.Object); ok {
		term := o.Get(ast.InternedTerm(opKey))
		if term == nil {
			return s.node(shape, pointer, at, inObject)
		}
		switch term.Value {
		case ast.String("drop"), ast.String("select"), ast.String("open"), ast.String("any"):
			return s.operation(o, pointer, at, inObject)
		}
		if _, ok := s.operationName(o, at); !ok {
			return nil
		}
	}
	s.add(at.error("shape_error", "select decides objects, this is no object shape", "use an object of shapes, or open, select or drop"))
	return nil
}

// open compiles {"$op": "open", "shape": object shape, "rest": shape}.
func (s *shapes) open(shape ast.Object, pointer string, at position) *plan.Fields {
	members, ok := shape.Get(ast.StringTerm("shape")).Value.(ast.Object)
	if !ok || members.Get(ast.InternedTerm(opKey)) != nil {
		s.add(at.key("shape").error("shape_error", fmt.Sprintf("open needs an object shape, this is %s", describe(shape.Get(ast.StringTerm("shape")).Value)), ""))
		return nil
	}
	fields := s.fields(members, pointer, at.key("shape"))
	rest := shape.Get(ast.StringTerm("rest")).Value
	if o, ok := rest.(ast.Object); ok && o.Compare(anyShape) == 0 {
		fields.Rest = s.anything(pointer+"/**", at.key("rest"))
	} else {
		fields.Rest = s.node(rest, pointer+"/*", at.key("rest"), inObject)
	}
	return fields
}

var anyShape = ast.NewObject([2]*ast.Term{ast.InternedTerm(opKey), ast.StringTerm("any")})

// any makes a node that keeps a value with everything below it, but of an object
// the members of the key "shape" as that says. What is below has a node of its
// own, for it has another pointer.
func (s *shapes) any(node *plan.Node, shape ast.Object, pointer string, at position) {
	below := s.anything(pointer+"/**", at)
	node.Op, node.Items, node.Object = plan.Any, below, plan.NewFields(nil)
	if members := shape.Get(ast.StringTerm("shape")); members != nil {
		at := at.key("shape")
		o, ok := members.Value.(ast.Object)
		if !ok || o.Get(ast.InternedTerm(opKey)) != nil {
			s.add(at.error("shape_error", fmt.Sprintf("any_with needs an object shape, this is %s", describe(members.Value)), ""))
			return
		}
		node.Object = s.fields(o, pointer, at)
	}
	node.Object.Rest = below
}

// anything makes a node that keeps all there is and leads back to itself.
func (s *shapes) anything(pointer string, at position) *plan.Node {
	node := s.newNode(pointer, at)
	if node == nil {
		return nil
	}
	node.Op, node.Items, node.Object = plan.Any, node, plan.NewFields(nil)
	node.Object.Rest = node
	return node
}

// describe names what a value is, for errors.
func describe(v ast.Value) string {
	if o, ok := v.(ast.Object); ok {
		if op := o.Get(ast.InternedTerm(opKey)); op != nil {
			return "the operation " + op.String()
		}
	}
	name := ast.ValueName(v)
	if strings.ContainsRune("aeiou", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}
