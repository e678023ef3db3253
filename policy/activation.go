package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
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

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// connector compiles one connector.
func (a *activation) connector(k *contract, name string, v ast.Object) {
	pkg := []string{"graphveil", "connectors", name}
	info := ConnectorInfo{Name: name}
	note, place := a.annotation(pkg)
	if note == nil || note.Title == "" || note.Description == "" {
		a.add(&Error{
			Code: "metadata_missing", File: place.File, Line: place.Row, Message: fmt.Sprintf("connector %s has no title and description", name),
			Hint: "put a METADATA comment with both above the package line of one of its files",
		})
	} else {
		info.Title, info.Description = note.Title, strings.TrimSpace(note.Description)
	}
	if !idPattern.MatchString(name) {
		a.add(&Error{Code: "contract_error", File: place.File, Line: place.Row, Message: fmt.Sprintf("connector name %q must be lower case letters, digits and _", name)})
	}
	if permissions := v.Get(ast.StringTerm("permissions")); permissions == nil {
		a.add(&Error{Code: "contract_error", File: place.File, Line: place.Row, Message: fmt.Sprintf("connector %s has no permissions", name), Hint: `say what it needs, as permissions := {"User.Read.All"}`})
	} else if info.Permissions = k.strings(permissions, a.at(pkg, "permissions")); len(info.Permissions) == 0 {
		a.add(a.at(pkg, "permissions").error("contract_error", "a connector needs at least one permission", ""))
	}
	served := 0
	a.each(v, pkg, "endpoints", func(id string, value ast.Value, at position) {
		e, enabled := k.endpoint(value, at)
		served++
		if e == nil || !enabled {
			return
		}
		e.info.Connector, e.info.ID, e.info.Permissions = name, id, info.Permissions
		if rules := a.c.rulesAt(at.rule); len(rules) > 0 {
			e.info.File, e.info.Line = rules[0].Location.File, rules[0].Location.Row
			for _, note := range rules[0].Annotations {
				e.info.Title, e.info.Description = note.Title, strings.TrimSpace(note.Description)
			}
		}
		a.endpoints = append(a.endpoints, e)
	})
	if served == 0 {
		a.add(&Error{Code: "empty_connector", File: place.File, Line: place.Row, Message: fmt.Sprintf("connector %s has no endpoint", name)})
	}
	a.each(v, pkg, "refusals", func(_ string, value ast.Value, at position) {
		if r, ok := k.refusal(value, at); ok {
			r.connector = name
			a.refusals = append(a.refusals, r)
		}
	})
	a.connectors = append(a.connectors, info)
}

func (a *activation) at(pkg []string, names ...string) position {
	return position{c: a.c, rule: append(slices.Clone(pkg), names...)}
}

// each visits the members of one of a connector's rules.
func (a *activation) each(connector ast.Object, pkg []string, rule string, visit func(id string, v ast.Value, at position)) {
	t := connector.Get(ast.StringTerm(rule))
	if t == nil {
		return
	}
	members, ok := value[ast.Object](a.problems, t, a.at(pkg, rule), "an object")
	if !ok {
		return
	}
	for _, key := range members.Keys() {
		id, _ := key.Value.(ast.String)
		at := a.at(pkg, rule, string(id))
		if !idPattern.MatchString(string(id)) {
			a.add(at.error("contract_error", fmt.Sprintf("the id %s must be lower case letters, digits and _", key), ""))
			continue
		}
		visit(string(id), members.Get(key).Value, at)
	}
}

// refusal reads {"path": prefix, "code": id, "message": sentence}.
func (k *contract) refusal(v ast.Value, at position) (refusal, bool) {
	o, ok := k.object(v, at, "path", "code", "message")
	if !ok {
		return refusal{}, false
	}
	texts := map[string]string{}
	for _, name := range []string{"path", "code", "message"} {
		t := o.Get(ast.StringTerm(name))
		if t == nil {
			k.add(at.error("contract_error", fmt.Sprintf("the key %q is missing", name), ""))
			return refusal{}, false
		}
		text, ok := value[ast.String](k.problems, t, at.key(name), "a string")
		if !ok {
			return refusal{}, false
		}
		texts[name] = string(text)
	}
	prefix, err := parseTemplate(texts["path"])
	if err != nil {
		k.add(at.key("path").error("contract_error", err.Error(), ""))
		return refusal{}, false
	}
	if !idPattern.MatchString(texts["code"]) {
		k.add(at.key("code").error("contract_error", "a code is lower case letters, digits and _", ""))
		return refusal{}, false
	}
	return refusal{prefix: prefix, code: texts["code"], message: texts["message"]}, true
}

// annotation finds the METADATA of a package, in whichever of its files it is,
// and a place to point at.
func (a *activation) annotation(pkg []string) (*ast.Annotations, *ast.Location) {
	place := &ast.Location{}
	for _, s := range a.c.sources.files {
		m := a.c.modules[s.name]
		if m == nil || s.test() || !slices.Equal(staticPath(m.Package.Path), pkg) {
			continue
		}
		for _, note := range m.Annotations {
			if note.Scope == "package" {
				return note, m.Package.Location
			}
		}
		if place.File == "" {
			place = m.Package.Location
		}
	}
	return nil, place
}

// selectConnectors leaves only the connectors to serve; nil means all.
func (a *activation) selectConnectors(serve []string) {
	if len(serve) == 0 {
		return
	}
	known := a.connectorNames()
	for _, name := range serve {
		if !slices.Contains(known, name) {
			a.add(&Error{Code: "unknown_connector", Message: fmt.Sprintf("there is no connector %q to serve", name), Hint: cmpHint(didYouMean(name, known), "the connectors are "+strings.Join(known, ", "))})
		}
	}
	left := func(name string) bool { return !slices.Contains(serve, name) }
	a.connectors = slices.DeleteFunc(a.connectors, func(c ConnectorInfo) bool { return left(c.Name) })
	a.endpoints = slices.DeleteFunc(a.endpoints, func(e *endpoint) bool { return left(e.info.Connector) })
	a.refusals = slices.DeleteFunc(a.refusals, func(r refusal) bool { return left(r.connector) })
}

func (a *activation) connectorNames() []string {
	var names []string
	for _, c := range a.connectors {
		names = append(names, c.Name)
	}
	return names
}

func (a *activation) endpointIDs() map[string][]string {
	ids := map[string][]string{}
	for _, e := range a.endpoints {
		ids[e.info.Connector] = append(ids[e.info.Connector], e.info.ID)
	}
	return ids
}
