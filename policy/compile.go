package policy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// compiled is a policy that OPA has compiled and whose references resolve.
type compiled struct {
	sources  *sources
	compiler *ast.Compiler
	// modules are as parsed, by file name.
	modules map[string]*ast.Module
	// resolved are copies of the modules in which every reference is absolute
	// but nothing else was rewritten yet.
	resolved map[string]*ast.Module
	// late are references that only the values of options and endpoints decide.
	late []ast.Ref
}

// parse parses the sources; tests only where asked for.
func (s *sources) parse(p *problems, withTests bool) map[string]*ast.Module {
	type result struct {
		module *ast.Module
		err    error
	}
	results := make([]result, len(s.files))
	options := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: Capabilities()}
	var parsing sync.WaitGroup
	for i, f := range s.files {
		if f.test() && !withTests {
			continue
		}
		parsing.Go(func() {
			results[i].module, results[i].err = ast.ParseModuleWithOpts(f.name, string(f.text), options)
		})
	}
	parsing.Wait()
	modules := map[string]*ast.Module{}
	for i, f := range s.files {
		if f.test() && !withTests {
			continue
		}
		r := results[i]
		switch {
		case modules[f.name] != nil:
			p.add(&Error{Code: "parse_error", File: f.name, Message: "the file is given twice"})
			continue
		case len(bytes.TrimSpace(f.text)) == 0:
			p.add(&Error{Code: "parse_error", File: f.name, Message: "the file is empty"})
			continue
		case r.err != nil:
			p.addOPA(f.name, r.err)
			continue
		}
		modules[f.name] = r.module
		if !f.library {
			p.checkSchemas(r.module)
		}
		if !f.library && !f.test() {
			p.checkPackage(r.module)
		}
	}
	return modules
}

// checkPackage refuses packages that nothing would read, or that would change
// the library. Tests may be in any package: they are not loaded to decide.
func (p *problems) checkPackage(m *ast.Module) {
	path := strings.TrimPrefix(m.Package.Path.String(), "data.")
	parts := strings.Split(path, ".")
	at := &Error{Code: "package_not_allowed", File: m.Package.Location.File, Line: m.Package.Location.Row}
	switch {
	case len(parts) == 3 && parts[0] == "graphveil" && parts[1] == "connectors":
		return
	case len(parts) >= 2 && parts[0] == "graphveil" && parts[1] == "custom":
		return
	case parts[0] == "graphveil" && len(parts) > 2 && parts[1] == "connectors":
		at.Message = fmt.Sprintf("package %s is too deep: a connector is graphveil.connectors.<name>", path)
	case parts[0] == "system":
		at.Message = fmt.Sprintf("package %s has no meaning here", path)
		at.Hint = "rules that mask and drop decisions are for a bundle of policy.opa_config, not for policy.paths"
	default:
		at.Message = fmt.Sprintf("package %s has no meaning here", path)
		at.Hint = "use graphveil.connectors.<name> for a connector, graphveil.custom for your own denials and what they need"
	}
	p.add(at)
}

// checkSchemas refuses schemas in METADATA: compiling one opens the files that it
// refers to. That of the input is there without.
func (p *problems) checkSchemas(m *ast.Module) {
	for _, a := range m.Annotations {
		if len(a.Schemas) > 0 {
			p.add(&Error{Code: "schema_not_allowed", File: a.Location.File, Line: a.Location.Row, Message: "METADATA has schemas, which could read files", Hint: "leave schemas out; the input has its schema already"})
		}
	}
}

// compile compiles modules in OPA's strict mode, with the schema of the input,
// without builtins that reach out of the process.
func (s *sources) compile(modules map[string]*ast.Module) (*compiled, error) {
	var p problems
	c, err := s.newCompiler(&p, modules)
	if err != nil {
		return nil, err
	}
	c.compiler.Compile(modules) // copies of its own
	if c.compiler.Failed() {
		p.addOPA("", c.compiler.Errors)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// newCompiler makes a compiler that has not compiled yet. It will add unresolved
// references to p.
func (s *sources) newCompiler(p *problems, modules map[string]*ast.Module) (*compiled, error) {
	schemaSet, err := inputSchema()
	if err != nil {
		return nil, err
	}
	c := &compiled{sources: s, modules: modules, resolved: map[string]*ast.Module{}}
	c.compiler = ast.NewCompiler().
		SetErrorLimit(0).
		WithStrict(true).
		WithCapabilities(Capabilities()).
		WithSchemas(schemaSet).
		WithUseTypeCheckAnnotations(true).
		WithPathConflictsCheck(func(path []string) (bool, error) { return lookup(s.data, path), nil }).
		WithStageAfterID(ast.StageSetRuleTree, ast.CompilerStageDefinition{
			Name:       "CheckDataReferences",
			MetricName: "graphveil_check_data_references",
			Stage: func(compiler *ast.Compiler) *ast.Error {
				for name, m := range compiler.Modules {
					c.resolved[name] = m.Copy()
				}
				c.checkReferences(p)
				return nil
			},
		})
	return c, nil
}

// addOPA takes over errors of OPA.
func (p *problems) addOPA(file string, err error) {
	list, ok := err.(ast.Errors)
	if !ok {
		p.add(&Error{Code: "parse_error", File: file, Message: err.Error()})
		return
	}
	for _, e := range list {
		own := &Error{Code: e.Code, File: file, Message: e.Message}
		if e.Location != nil {
			own.File, own.Line = e.Location.File, e.Location.Row
		}
		if e.Details != nil {
			own.Hint = strings.Join(e.Details.Lines(), "; ")
		}
		p.add(own)
	}
}

// repeatable are the builtins that OPA calls nondeterministic and a policy may use:
// they read the clock, or sign with randomness.
var repeatable = []string{"time.now_ns", "io.jwt.decode_verify", "io.jwt.encode_sign", "io.jwt.encode_sign_raw"}

// Capabilities are OPA's, without builtins that read the process, its files or the
// network, or whose result nobody can repeat. OPA calls them all nondeterministic; of
// the two for JSON schemas, the $ref of a schema opens files and asks servers.
func Capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return b.Nondeterministic && !slices.Contains(repeatable, b.Name)
	})
	c.AllowNet = []string{}
	return c
}

// inputSchema makes a typo such as input.requests an error of the compiler.
func inputSchema() (*ast.SchemaSet, error) {
	text, err := schemas.ReadFile("schemas/input.json")
	if err != nil {
		return nil, fmt.Errorf("reading the input schema: %w", err)
	}
	var schema any
	if err := util.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("decoding the input schema: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	return set, nil
}

// lookup tells whether data has a value at path.
func lookup(data map[string]any, path []string) bool {
	var value any = data
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return false
		}
		if value, ok = object[name]; !ok {
			return false
		}
	}
	return true
}

// baseData is the data that rules read: the data files and the settings, and
// what else is given below graphveil.
func (c *compiled) baseData(more map[string]ast.Value) (ast.Object, error) {
	own := map[string]any{}
	for name, value := range c.sources.data {
		own[name] = value
	}
	graphveil := map[string]any{}
	if given, ok := own["graphveil"].(map[string]any); ok {
		maps.Copy(graphveil, given)
	}
	if settings := c.sources.settings; len(settings) > 0 {
		graphveil["settings"] = settings
	}
	own["graphveil"] = graphveil
	value, err := ast.InterfaceToValue(own)
	if err != nil {
		return nil, fmt.Errorf("converting the data of the policy: %w", err)
	}
	root := value.(ast.Object)
	inner := root.Get(ast.StringTerm("graphveil")).Value.(ast.Object)
	for name, value := range more {
		inner.Insert(ast.StringTerm(name), ast.NewTerm(value))
	}
	// Insert the changed object again: objects hash their members.
	root.Insert(ast.StringTerm("graphveil"), ast.NewTerm(inner))
	return root, nil
}
