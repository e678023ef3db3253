package policy

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// match compiles {"$op": "match", "pattern": RE2, "then": operation}.
func (s *shapes) match(shape ast.Object, at position) *plan.Match {
	m := &plan.Match{}
	switch shape.Get(ast.StringTerm("then")).Value {
	case ast.String("pseudonym"):
		m.Then = plan.Pseudonym
	case ast.String("reversible"):
		m.Then = plan.Reversible
	default:
		s.add(at.key("then").error("shape_error", "then must be pseudonym or reversible", ""))
	}
	pattern, ok := shape.Get(ast.StringTerm("pattern")).Value.(ast.String)
	if !ok {
		s.add(at.key("pattern").error("shape_error", "the pattern must be a string", ""))
		return m
	}
	if m.Prefix = foldedPrefix(string(pattern)); m.Prefix != "" {
		return m
	}
	expression, err := regexp.Compile(string(pattern))
	switch {
	case err != nil:
		s.add(at.key("pattern").error("shape_error", "the pattern does not compile: "+err.Error(), "patterns are RE2"))
	case expression.NumSubexp() > 1:
		s.add(at.key("pattern").error("shape_error", "the pattern has more than one group", "write the others as (?:...)"))
	}
	m.Regexp = expression
	return m
}

// foldedPrefix returns the literal, in lower case, of a pattern that means the
// same as (?i)^literal(.*)$ with a literal in ASCII; else "".
//
// RE2 folds beyond ASCII: (?i)s matches U+017F too, which the prefix does not.
// Such a string then counts as one without a match, so nothing of it is kept.
func foldedPrefix(pattern string) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || len(tree.Sub) < 4 {
		return ""
	}
	last := len(tree.Sub) - 1
	group := tree.Sub[last-1]
	if tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[last].Op != syntax.OpEndText ||
		group.Op != syntax.OpCapture || group.Sub[0].Op != syntax.OpStar ||
		group.Sub[0].Flags&syntax.NonGreedy != 0 || group.Sub[0].Sub[0].Op != syntax.OpAnyCharNotNL {
		return ""
	}
	var literal strings.Builder
	for _, part := range tree.Sub[1 : last-1] {
		if part.Op != syntax.OpLiteral {
			return ""
		}
		for _, r := range part.Rune {
			letter := 'a' <= r|0x20 && r|0x20 <= 'z'
			if r >= 0x80 || letter && part.Flags&syntax.FoldCase == 0 {
				return ""
			}
			literal.WriteRune(r)
		}
	}
	return strings.ToLower(literal.String())
}
