package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// checkReferences goes through the syntax tree: in Rego a reference to what does
// not exist is undefined and not an error, so that a whole endpoint with a typo
// in it would silently vanish.
func (c *compiled) checkReferences(p *problems) {
	u := usage{}
	for name, m := range c.resolved {
		isTest := source{name: name}.test()
		for _, rule := range m.Rules {
			ast.WalkRefs(rule, func(ref ast.Ref) bool {
				if !ref.HasPrefix(ast.DefaultRootRef) {
					return false
				}
				if !isTest {
					u.add(ref, rule)
				}
				c.checkReference(p, ref)
				return false
			})
		}
	}
	c.checkUnused(p, u)
	c.checkDeny(p)
}

// checkReference follows the static part of a reference through the rules and
// the data files. Inside a rule's value OPA's own type checker goes on.
func (c *compiled) checkReference(p *problems, ref ast.Ref) {
	node := c.compiler.RuleTree
	var path []string
	for i, term := range ref {
		if i > 0 {
			name, ok := term.Value.(ast.String)
			if !ok {
				return
			}
			path = append(path, string(name))
		}
		child := node.Child(term.Value)
		if child != nil {
			node = child
			if len(node.Values) > 0 {
				return
			}
			continue
		}
		if isActivationData(path) {
			c.late = append(c.late, ref)
			return
		}
		if path := staticPath(ref); lookup(c.sources.data, path) || slices.Equal(path, denyPath) {
			return
		}
		last := path[len(path)-1]
		p.add(&Error{
			Code: "unresolved_reference", File: term.Location.File, Line: term.Location.Row,
			Message: fmt.Sprintf("data.%s does not exist", strings.Join(path, ".")),
			Hint:    didYouMean(last, childNames(node)),
		})
		return
	}
}

// isActivationData tells the two documents that are made at activation: settings
// from the configuration, endpoints from the connectors.
func isActivationData(path []string) bool {
	return len(path) >= 2 && path[0] == "graphveil" && (path[1] == "settings" || path[1] == "endpoints")
}

// denyPath is the rule that an author may add, and need not.
var denyPath = []string{"graphveil", "custom", "deny"}

// checkDeny wants a set: the library iterates over it, so that of a deny that is
// true it would see nothing.
func (c *compiled) checkDeny(p *problems) {
	for _, rule := range c.rulesAt(denyPath) {
		if rule.Head.RuleKind() != ast.MultiValue {
			p.add(&Error{Code: "contract_error", File: rule.Location.File, Line: rule.Location.Row, Message: "deny must be a set of reasons", Hint: `write: deny contains "reason" if ...`})
		}
	}
}

func childNames(node *ast.TreeNode) []string {
	var names []string
	for key := range node.Children {
		if name, ok := key.(ast.String); ok && !strings.HasPrefix(string(name), "_") {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names
}

// checkLate checks references into settings and endpoints once those are known.
func (c *compiled) checkLate(p *problems, options, connectors []string, endpoints map[string][]string) {
	for _, ref := range c.late {
		var steps []string
		for _, term := range ref[2:] {
			name, ok := term.Value.(ast.String)
			if !ok {
				break
			}
			steps = append(steps, string(name))
		}
		at := ref[len(ref)-1].Location
		unresolved := func(name string, names []string) {
			p.add(&Error{Code: "unresolved_reference", File: at.File, Line: at.Row, Message: ref.String() + " does not exist", Hint: didYouMean(name, names)})
		}
		switch {
		case len(steps) < 2:
		case steps[0] == "settings" && !slices.Contains(options, steps[1]):
			unresolved(steps[1], options)
		case steps[0] == "endpoints" && !slices.Contains(connectors, steps[1]):
			unresolved(steps[1], connectors)
		case steps[0] == "endpoints" && len(steps) > 2 && !slices.Contains(endpoints[steps[1]], steps[2]):
			unresolved(steps[2], endpoints[steps[1]])
		}
	}
}

// usage knows which references the rules make.
type usage []use

type use struct {
	path []string
	by   *ast.Rule
}

func (u *usage) add(ref ast.Ref, by *ast.Rule) {
	*u = append(*u, use{staticPath(ref), by})
}

// staticPath is the leading part of a reference that is constant.
func staticPath(ref ast.Ref) []string {
	var path []string
	for _, term := range ref[1:] {
		name, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(name))
	}
	return path
}

// has tells whether any other rule reads the path, or something above or below.
func (u usage) has(path []string, self []*ast.Rule) bool {
	for _, one := range u {
		n := min(len(one.path), len(path))
		if slices.Equal(one.path[:n], path[:n]) && !slices.Contains(self, one.by) {
			return true
		}
	}
	return false
}

// entryPoints are the rules that are read from outside of Rego.
var entryPoints = map[string][]string{
	"connectors": {"endpoints", "permissions", "refusals", "setup"},
	"custom":     {"deny"},
}

// checkUnused refuses rules of connectors and of graphveil.custom that nothing
// reads: endpoint["x"] in place of endpoints["x"] would otherwise be served by
// nobody, and denny in place of deny would deny nothing.
func (c *compiled) checkUnused(p *problems, u usage) {
	type named struct {
		path  []string
		rules []*ast.Rule
	}
	all := map[string]*named{}
	for _, s := range c.sources.files {
		m := c.resolved[s.name]
		if m == nil || s.library || s.test() {
			continue
		}
		pkg := staticPath(m.Package.Path)
		for _, rule := range m.Rules {
			path := append(slices.Clone(pkg), headName(rule))
			key := strings.Join(path, ".")
			if all[key] == nil {
				all[key] = &named{path: path}
			}
			all[key].rules = append(all[key].rules, rule)
		}
	}
	for _, n := range all {
		name := n.path[len(n.path)-1]
		entries := entryPoints[n.path[1]]
		if slices.Contains(entries, name) || u.has(n.path, n.rules) {
			continue
		}
		first := n.rules[0].Location
		p.add(&Error{
			Code: "unused_rule", File: first.File, Line: first.Row, Message: fmt.Sprintf("nothing reads the rule %s", name),
			Hint: didYouMean(name, entries),
		})
	}
}

// headName is the first name of a rule's head: endpoints of endpoints["x"].
func headName(rule *ast.Rule) string {
	return strings.Trim(rule.Head.Ref()[0].Value.String(), `"`)
}
