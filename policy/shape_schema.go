package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// responseSchema compiles {"$op": "schema", "shape": shape}: in the shape, a
// value that should be an object or an array and is not becomes null, and
// elements that are null, or become it, are removed from their array. A body that
// as a whole has the wrong type is refused.
func (s *shapes) responseSchema(shape ast.Object, pointer string, at position, in holder) *plan.Node {
	before := s.schema
	s.schema = true
	defer func() { s.schema = before }()
	node := s.node(shape.Get(ast.StringTerm("shape")).Value, pointer, at.key("shape"), in)
	if node != nil && in == inBody {
		node.Mistyped = plan.FallRefuse
	}
	return node
}
