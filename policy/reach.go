package policy

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// compileReach compiles again, alone, the modules that the document at path
// reaches. Requests are decided by the library and by graphveil.custom; the rules
// of the connectors, which are most of a policy, need not stay in memory when
// they have been evaluated.
func (c *compiled) compileReach(path []string) (*ast.Compiler, error) {
	compiler := ast.NewCompiler().WithCapabilities(Capabilities())
	compiler.Compile(c.reach(path))
	if compiler.Failed() {
		return nil, fmt.Errorf("compiling the decision alone: %w", compiler.Errors)
	}
	return compiler, nil
}

// reach returns, as parsed, the modules whose rules the value of the document at
// path may depend on: those that have a part of a document which one of them
// refers to, however indirectly. Of a reference that is not constant to its end,
// the part before counts, and so everything below that. What a module says about its
// package counts for all rules there and below, for rego.metadata.chain gives it.
func (c *compiled) reach(path []string) map[string]*ast.Module {
	reached := map[string]*ast.Module{}
	open := [][]string{path}
	for len(open) > 0 {
		document := open[len(open)-1]
		open = open[:len(open)-1]
		for name, m := range c.resolved {
			if reached[name] != nil || !c.hasPartOf(m, document) {
				continue
			}
			reached[name] = c.modules[name]
			for _, rule := range m.Rules {
				ast.WalkRefs(rule, func(ref ast.Ref) bool {
					if ref.HasPrefix(ast.DefaultRootRef) {
						open = append(open, staticPath(ref))
					}
					return false
				})
			}
		}
	}
	return reached
}

// hasPartOf tells whether a module has a rule above, at or below a document, or
// annotations of a package that is.
func (c *compiled) hasPartOf(m *ast.Module, document []string) bool {
	pkg := staticPath(m.Package.Path)
	if n := min(len(pkg), len(document)); !slices.Equal(pkg[:n], document[:n]) {
		return false
	}
	if slices.ContainsFunc(m.Annotations, func(a *ast.Annotations) bool { return a.Scope == "package" || a.Scope == "subpackages" }) {
		return true
	}
	return slices.ContainsFunc(m.Rules, func(rule *ast.Rule) bool {
		path := append(slices.Clip(pkg), ruleKey(rule)...)
		n := min(len(path), len(document))
		return slices.Equal(path[:n], document[:n])
	})
}
