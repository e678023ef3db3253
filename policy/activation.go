package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// What the library must define for activation, below data.
var (
	schemaPath          = []string{"graphveil", "options", "schema"}
	errorShapePath      = []string{"graphveil", "errors", "shape"}
	responseHeadersPath = []string{"graphveil", "response", "headers"}
	connectorsPath      = []string{"graphveil", "connectors"}
	namespacesPath      = []string{"graphveil", "namespaces"}
	deltaOptionsPath    = []string{"graphveil", "delta_options"}
)

// activation evaluates what does not depend on a request, once, and compiles it.
type activation struct {
	*problems
	c     *compiled
	store storage.Store

	options    []string
	headers    map[string]bool
	deltas     map[string]bool
	namespaces []string
	connectors []ConnectorInfo
	endpoints  []*endpoint
	refusals   []refusal
	unneeded   Errors
}

// evaluate fills the activation. Problems of the policy are collected; the
// returned error ends the activation at once.
func (a *activation) evaluate(ctx context.Context) error {
	data, err := a.c.baseData(nil)
	if err != nil {
		return err
	}
	a.store = inmem.NewFromASTObject(data)
	a.headers, a.deltas = map[string]bool{}, map[string]bool{}
	a.checkSettings(a.query(ctx, schemaPath))
	if err := a.err(); err != nil { // the rest depends on the options
		return err
	}
	for _, name := range a.strings(ctx, responseHeadersPath) {
		a.headers[foldASCII(name)] = true
	}
	for _, name := range a.strings(ctx, deltaOptionsPath) {
		a.deltas[name] = true
	}
	a.namespaces = a.strings(ctx, namespacesPath)
	errorShape := a.query(ctx, errorShapePath)
	if errorShape == nil {
		a.add(&Error{Code: "undefined_rule", Message: "data.graphveil.errors.shape has no value"})
		return a.err()
	}
	tree, _ := a.query(ctx, connectorsPath).(ast.Object)
	if err := a.err(); err != nil {
		return err
	}
	a.checkDefined(ctx, tree)
	a.readConnectors(tree, errorShape)
	a.checkLimits()
	sortEndpoints(a.endpoints)
	return nil
}

// readConnectors reads all connectors at once, for most of an activation is this.
func (a *activation) readConnectors(tree ast.Object, errorShape ast.Value) {
	shared := newShared()
	names := a.packages()
	parts := make([]activation, len(names))
	var reading sync.WaitGroup
	for i, name := range names {
		connector := ast.NewObject()
		if tree != nil {
			if t := tree.Get(ast.StringTerm(name)); t != nil {
				connector, _ = t.Value.(ast.Object)
			}
		}
		part := &parts[i]
		part.problems, part.c = &problems{}, a.c
		k := &contract{problems: part.problems, c: a.c, errorShape: errorShape, shared: shared}
		reading.Go(func() { part.connector(k, name, connector) })
	}
	reading.Wait()
	for _, part := range parts {
		a.list = append(a.list, part.list...)
		a.connectors = append(a.connectors, part.connectors...)
		a.endpoints = append(a.endpoints, part.endpoints...)
		a.refusals = append(a.refusals, part.refusals...)
		a.unneeded = append(a.unneeded, part.unneeded...)
	}
}

// query evaluates data.<path>. It returns nil for undefined, and reports errors.
func (a *activation) query(ctx context.Context, path []string) ast.Value {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, name := range path {
		ref = append(ref, ast.StringTerm(name))
	}
	value, _ := a.body(ctx, ast.NewBody(ast.NewExpr(ast.NewTerm(ref))))
	return value
}

// body evaluates a query and tells whether it holds, with its first value.
func (a *activation) body(ctx context.Context, body ast.Body) (value ast.Value, holds bool) {
	results, err := rego.New(
		rego.ParsedQuery(body),
		rego.Compiler(a.c.compiler),
		rego.Store(a.store),
		rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(asValue),
	).Eval(ctx)
	if err != nil {
		a.add(evaluationError(err))
		return nil, false
	}
	if len(results) == 0 {
		return nil, false
	}
	value, _ = results[0].Expressions[0].Value.(ast.Value)
	return value, true
}

// evaluationError keeps place and kind of an error of evaluation.
func evaluationError(err error) *Error {
	e := &Error{Code: "eval_error", Message: err.Error()}
	var at *topdown.Error
	if errors.As(err, &at) {
		e.Code, e.Message = at.Code, at.Message
		if at.Location != nil {
			e.File, e.Line = at.Location.File, at.Location.Row
		}
	}
	return e
}

// checkSettings compares the settings with data.graphveil.options.schema.
func (a *activation) checkSettings(schema ast.Value) {
	object, ok := schema.(ast.Object)
	if !ok {
		a.add(&Error{Code: "undefined_rule", Message: "data.graphveil.options.schema is no object"})
		return
	}
	allowed := map[string][]string{}
	for _, key := range object.Keys() {
		name, _ := key.Value.(ast.String)
		a.options = append(a.options, string(name))
		if values, ok := object.Get(key).Value.(*ast.Array); ok {
			values.Foreach(func(t *ast.Term) {
				v, _ := t.Value.(ast.String)
				allowed[string(name)] = append(allowed[string(name)], string(v))
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.c.sources.settings)) {
		values, known := allowed[name]
		switch {
		case !known:
			a.add(&Error{Code: "unknown_option", Message: fmt.Sprintf("there is no option %q", name), Hint: cmpHint(didYouMean(name, a.options), "the options are "+strings.Join(a.options, ", "))})
		case !slices.Contains(values, a.c.sources.settings[name]):
			a.add(&Error{Code: "unknown_option_value", Message: fmt.Sprintf("option %q cannot be %q", name, a.c.sources.settings[name]), Hint: "it can be " + strings.Join(values, " or ")})
		}
	}
}

// strings reads a set of strings of the library.
func (a *activation) strings(ctx context.Context, path []string) []string {
	v := a.query(ctx, path)
	if v == nil {
		a.add(&Error{Code: "undefined_rule", Message: "data." + strings.Join(path, ".") + " has no value"})
		return nil
	}
	k := contract{problems: a.problems, c: a.c}
	return k.strings(ast.NewTerm(v), position{c: a.c, rule: path})
}

// packages are the names of the connectors, sorted.
func (a *activation) packages() []string {
	names := map[string]bool{}
	for _, m := range a.c.resolved {
		if path := staticPath(m.Package.Path); len(path) == 3 && slices.Equal(path[:2], connectorsPath) {
			names[path[2]] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// checkDefined wants a value of every rule of every connector that activation
// reads: a rule whose condition does not hold may be without, one that has no
// condition, or whose condition holds, may not.
func (a *activation) checkDefined(ctx context.Context, tree ast.Object) {
	for _, m := range a.c.resolved {
		pkg := staticPath(m.Package.Path)
		if len(pkg) != 3 || !slices.Equal(pkg[:2], connectorsPath) {
			continue
		}
		for _, rule := range m.Rules {
			path := append(slices.Clone(pkg), ruleKey(rule)...)
			if !slices.Contains(entryPoints["connectors"], headName(rule)) || find(tree, path[2:]) != nil {
				continue
			}
			if !alwaysHolds(rule.Body) {
				if _, holds := a.body(ctx, rule.Body.Copy()); !holds {
					continue
				}
			}
			at := position{c: a.c, rule: path}
			e := at.error("undefined_rule", "the rule has no value", "")
			e.File, e.Line = rule.Location.File, rule.Location.Row
			if cause := a.undefined(ctx, rule, 0); cause != nil {
				e.Hint = fmt.Sprintf("%s, which it uses at line %d, has no value", cause, cause[0].Location.Row)
				if file := cause[0].Location.File; file != e.File {
					e.Hint = fmt.Sprintf("%s, which is used at %s:%d, has no value", cause, file, cause[0].Location.Row)
				}
			}
			a.add(e)
		}
	}
}

func alwaysHolds(body ast.Body) bool {
	return len(body) == 1 && !body[0].IsCall() && body[0].Equal(ast.NewExpr(ast.BooleanTerm(true)))
}

// find follows names through objects.
func find(v ast.Value, path []string) ast.Value {
	for _, name := range path {
		object, ok := v.(ast.Object)
		if !ok || object == nil {
			return nil
		}
		t := object.Get(ast.StringTerm(name))
		if t == nil {
			return nil
		}
		v = t.Value
	}
	return v
}

// undefined finds the innermost reference, among those that make up the value of
// a rule, that has no value.
func (a *activation) undefined(ctx context.Context, rule *ast.Rule, depth int) ast.Ref {
	const maxDepth = 32
	var found ast.Ref
	ast.WalkRefs(rule, func(ref ast.Ref) bool {
		if found != nil || depth > maxDepth || !ref.HasPrefix(ast.DefaultRootRef) || len(staticPath(ref)) != len(ref)-1 {
			return found != nil
		}
		rules := a.c.rulesAt(staticPath(ref))
		if len(rules) > 0 && len(rules[0].Head.Args) > 0 {
			return false
		}
		if a.query(ctx, staticPath(ref)) != nil {
			return false
		}
		found = ref
		for _, inner := range rules {
			if deeper := a.undefined(ctx, inner, depth+1); deeper != nil {
				found = deeper
			}
		}
		return true
	})
	return found
}
