package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// maxDepth bounds JSON inside strings inside JSON.
const maxDepth = 4

// inner compiles the shape of the JSON text that a string holds. It is a plan of
// its own, whose pointers begin at that text.
func (s *shapes) inner(shape ast.Object, key string, at position) *plan.Plan {
	at = at.key(key)
	if s.depth == maxDepth {
		s.add(at.error("shape_error", fmt.Sprintf("JSON inside strings goes deeper than %d", maxDepth), ""))
		return nil
	}
	text := shapes{problems: s.problems, pointers: map[string]int{}, nodes: s.nodes, depth: s.depth + 1}
	text.plan.Root = text.node(shape.Get(ast.StringTerm(key)).Value, "", at, inBody)
	return &text.plan
}

// digest compiles {"$op": "digest", "then": operation, "inner": shape}.
func (s *shapes) digest(shape ast.Object, pointer string, at position, in holder) *plan.Node {
	if in != inObject {
		s.add(at.error("shape_error", "a digest is added beside a member of an object; there is none here", ""))
	}
	d := &plan.Digest{}
	if shape.Get(ast.StringTerm("inner")) != nil {
		d.Inner = s.inner(shape, "inner", at)
	}
	then, ok := shape.Get(ast.StringTerm("then")).Value.(ast.Object)
	if !ok || then.Get(ast.InternedTerm(opKey)) == nil {
		s.add(at.key("then").error("shape_error", "a digest is that of a string: then must be an operation on a scalar", "shape.drop adds the digest and drops the string"))
		return nil
	}
	switch then.Get(ast.InternedTerm(opKey)).Value {
	case ast.String("digest"), ast.String("select"), ast.String("open"), ast.String("any"), ast.String("schema"), ast.String("rules"):
		s.add(at.key("then").error("shape_error", "a digest is that of a string: then must be an operation on a scalar, this is "+describe(then), "shape.drop adds the digest and drops the string"))
		return nil
	}
	node := s.operation(then, pointer, at.key("then"), in)
	if node != nil {
		node.Digest = d
	}
	return node
}
