package terraform_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// plan evaluates one module as Terraform plans and applies it: the same expressions, with the functions of the same libraries, over
// resources whose computed attributes it makes up. What no expression says (that a provider has such an attribute) is not its matter.
type plan struct {
	t *testing.T
	*module
	vars map[string]cty.Value
	// data is by "type.name"; computed by resource type: what Entra adds to an instance.
	data     map[string]cty.Value
	computed map[string]func(key string) map[string]cty.Value

	locals    map[string]cty.Value
	resources map[string]map[string]instance // by "type.name", then by key
}

// instance is a resource that would be made.
type instance struct {
	attributes map[string]cty.Value
	// blocks are nested ones, dynamic ones expanded, by type.
	blocks map[string][]instance
	// refused are the messages of conditions that do not hold.
	refused []string
}

// newPlan takes the variables' defaults where vars has none.
func newPlan(t *testing.T, m *module, vars map[string]cty.Value) *plan {
	t.Helper()
	p := &plan{t: t, module: m, vars: map[string]cty.Value{}, locals: map[string]cty.Value{}, resources: map[string]map[string]instance{}}
	for _, b := range m.named("variable") {
		name := b.Labels[0]
		v, given := vars[name]
		if !given {
			a := b.Body.Attributes["default"]
			if a == nil {
				t.Fatalf("%s wants the variable %s", m.dir, name)
			}
			v = p.value(a.Expr, nil)
		}
		p.vars[name] = p.typed(b, v)
	}
	return p
}

// typed converts a variable to its type.
func (p *plan) typed(b *hclsyntax.Block, v cty.Value) cty.Value {
	switch source := p.source(b.Body.Attributes["type"].Expr); {
	case source == "string":
		return p.convert(v, cty.String)
	case source == "bool":
		return p.convert(v, cty.Bool)
	case source == "map(string)":
		return p.convert(v, cty.Map(cty.String))
	case source == "set(string)":
		return p.convert(v, cty.Set(cty.String))
	case strings.HasPrefix(source, "object({"): // of optional strings
		attributes := map[string]cty.Value{}
		for line := range strings.Lines(source) {
			if name, _, found := strings.Cut(strings.TrimSpace(line), " "); found && strings.Contains(line, "optional(string)") {
				attributes[name] = cty.NullVal(cty.String)
				if v.Type().HasAttribute(name) {
					attributes[name] = v.GetAttr(name)
				}
			}
		}
		return cty.ObjectVal(attributes)
	default:
		p.t.Fatalf("the type %s is not one that this test knows", source)
		return cty.NilVal
	}
}

func (p *plan) source(e hclsyntax.Expression) string {
	text, err := os.ReadFile(e.Range().Filename)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(e.Range().SliceBytes(text))
}

func (p *plan) convert(v cty.Value, to cty.Type) cty.Value {
	p.t.Helper()
	v, err := convert.Convert(v, to)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// value evaluates an expression, and first what it names.
func (p *plan) value(e hclsyntax.Expression, extra map[string]cty.Value) cty.Value {
	p.t.Helper()
	v, problems := p.try(e, extra)
	if problems.HasErrors() {
		p.t.Fatal(problems)
	}
	return v
}

func (p *plan) try(e hclsyntax.Expression, extra map[string]cty.Value) (cty.Value, hcl.Diagnostics) {
	scope := map[string]map[string]cty.Value{}
	put := func(root, name string, v cty.Value) {
		if scope[root] == nil {
			scope[root] = map[string]cty.Value{}
		}
		scope[root][name] = v
	}
	data := map[string]map[string]cty.Value{}
	for _, v := range e.Variables() {
		root := v.RootName()
		if _, given := extra[root]; given || len(v) < 2 {
			continue
		}
		first, ok := v[1].(hcl.TraverseAttr)
		if !ok {
			continue
		}
		switch root {
		case "var":
			put(root, first.Name, p.vars[first.Name])
		case "local":
			put(root, first.Name, p.local(first.Name))
		case "path":
			put(root, "module", cty.StringVal(p.dir))
		case "data":
			second := v[2].(hcl.TraverseAttr).Name
			if data[first.Name] == nil {
				data[first.Name] = map[string]cty.Value{}
			}
			data[first.Name][second] = p.dataValue(first.Name, second)
		default:
			put(root, first.Name, p.resourceValue(root, first.Name))
		}
	}
	variables := maps.Clone(extra)
	if variables == nil {
		variables = map[string]cty.Value{}
	}
	for root, members := range scope {
		variables[root] = cty.ObjectVal(members)
	}
	if len(data) > 0 {
		kinds := map[string]cty.Value{}
		for kind, names := range data {
			kinds[kind] = cty.ObjectVal(names)
		}
		variables["data"] = cty.ObjectVal(kinds)
	}
	return e.Value(&hcl.EvalContext{Variables: variables, Functions: p.functions()})
}

func (p *plan) local(name string) cty.Value {
	v, done := p.locals[name]
	if !done {
		e := p.module.locals[name]
		if e == nil {
			p.t.Fatalf("%s has no local %s", p.dir, name)
		}
		v = p.value(e, nil)
		p.locals[name] = v
	}
	return v
}

// dataValue is what the test says of a data source, for each of its keys if it has some.
func (p *plan) dataValue(kind, name string) cty.Value {
	v, ok := p.data[kind+"."+name]
	if !ok {
		p.t.Fatalf("%s reads data.%s.%s, of which the test says nothing", p.dir, kind, name)
	}
	b := p.one(p.t, "data", kind, name)
	each := map[string]cty.Value{}
	for key := range p.each(b) {
		each[key] = v
	}
	return together(b, each)
}

// together is what an expression sees of the instances of a block: an object where there is for_each, a tuple where there is count.
func together(b *hclsyntax.Block, instances map[string]cty.Value) cty.Value {
	switch {
	case b.Body.Attributes["for_each"] != nil:
		return cty.ObjectVal(instances)
	case b.Body.Attributes["count"] != nil:
		all := make([]cty.Value, len(instances))
		for i := range all {
			all[i] = instances[strconv.Itoa(i)]
		}
		return cty.TupleVal(all)
	}
	return instances[""]
}

// each are the values of for_each by key, or those of count; without either there is one, of no key.
func (p *plan) each(b *hclsyntax.Block) map[string]cty.Value {
	values := map[string]cty.Value{}
	if a := b.Body.Attributes["count"]; a != nil {
		n, _ := p.value(a.Expr, nil).AsBigFloat().Int64()
		for i := range n {
			values[strconv.Itoa(int(i))] = cty.NilVal
		}
		return values
	}
	a := b.Body.Attributes["for_each"]
	if a == nil {
		return map[string]cty.Value{"": cty.NilVal}
	}
	for key, value := range p.value(a.Expr, nil).Elements() {
		values[key.AsString()] = value
	}
	return values
}

// made are the instances of a resource.
func (p *plan) made(kind, name string) map[string]instance {
	p.t.Helper()
	if done, ok := p.resources[kind+"."+name]; ok {
		return done
	}
	b := p.one(p.t, "resource", kind, name)
	made := map[string]instance{}
	for key, value := range p.each(b) {
		extra := map[string]cty.Value{}
		if value != cty.NilVal {
			extra["each"] = cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": value})
		}
		i := p.body(b.Body, extra)
		if computed := p.computed[kind]; computed != nil {
			maps.Copy(i.attributes, computed(key))
		}
		extra["self"] = cty.ObjectVal(i.attributes)
		i.refused = p.conditions(b.Body, extra)
		made[key] = i
	}
	p.resources[kind+"."+name] = made
	return made
}

func (p *plan) resourceValue(kind, name string) cty.Value {
	b := p.one(p.t, "resource", kind, name)
	values := map[string]cty.Value{}
	for key, i := range p.made(kind, name) {
		values[key] = cty.ObjectVal(i.attributes)
	}
	return together(b, values)
}

// body evaluates attributes and nested blocks.
func (p *plan) body(body *hclsyntax.Body, extra map[string]cty.Value) instance {
	i := instance{attributes: map[string]cty.Value{}, blocks: map[string][]instance{}}
	for name, a := range body.Attributes {
		if name != "for_each" && name != "count" {
			i.attributes[name] = p.value(a.Expr, extra)
		}
	}
	for _, b := range body.Blocks {
		switch b.Type {
		case "lifecycle":
		case "dynamic":
			kind := b.Labels[0]
			over := p.value(b.Body.Attributes["for_each"].Expr, extra)
			for key, value := range over.Elements() {
				inner := maps.Clone(extra)
				inner[kind] = cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
				i.blocks[kind] = append(i.blocks[kind], p.body(b.Body.Blocks[0].Body, inner))
			}
		default:
			i.blocks[b.Type] = append(i.blocks[b.Type], p.body(b.Body, extra))
		}
	}
	return i
}

// conditions returns the messages of the pre- and postconditions (or validations) in a body that do not hold.
func (p *plan) conditions(body *hclsyntax.Body, extra map[string]cty.Value) []string {
	var refused []string
	for _, b := range body.Blocks {
		switch b.Type {
		case "lifecycle":
			refused = append(refused, p.conditions(b.Body, extra)...)
		case "precondition", "postcondition", "validation":
			message := p.value(b.Body.Attributes["error_message"].Expr, extra).AsString()
			if holds := p.value(b.Body.Attributes["condition"].Expr, extra); !holds.True() {
				refused = append(refused, message)
			}
		}
	}
	return refused
}

// refused are the messages of everything in the module that does not hold: variables first, and, if they hold, resources.
func (p *plan) refused() []string {
	var all []string
	for _, b := range p.named("variable") {
		all = append(all, p.conditions(b.Body, nil)...)
	}
	if len(all) > 0 {
		return all
	}
	for _, b := range p.named("resource") {
		for _, i := range p.made(b.Labels[0], b.Labels[1]) {
			all = append(all, i.refused...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p *plan) output(name string) cty.Value {
	p.t.Helper()
	return p.value(p.one(p.t, "output", name).Body.Attributes["value"].Expr, nil)
}

// functions are Terraform's, as far as the modules use them: those of cty and HCL, and here what Terraform adds.
func (p *plan) functions() map[string]function.Function {
	strings2 := []function.Parameter{{Type: cty.String}, {Type: cty.String}}
	text := []function.Parameter{{Type: cty.String}}
	compare := func(f func(a, b string) bool) function.Function {
		return function.New(&function.Spec{Params: strings2, Type: function.StaticReturnType(cty.Bool), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		}})
	}
	return map[string]function.Function{
		"can": tryfunc.CanFunc, "try": tryfunc.TryFunc,
		"coalesce": stdlib.CoalesceFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "join": stdlib.JoinFunc,
		"jsondecode": stdlib.JSONDecodeFunc, "keys": stdlib.KeysFunc, "length": length, "lookup": lookup, "lower": stdlib.LowerFunc,
		"merge": stdlib.MergeFunc, "one": one, "regex": stdlib.RegexFunc, "setsubtract": ofSets(stdlib.SetSubtractFunc), "setunion": ofSets(stdlib.SetUnionFunc),
		"replace": replace, "split": stdlib.SplitFunc, "upper": stdlib.UpperFunc, "values": stdlib.ValuesFunc,
		"startswith": compare(strings.HasPrefix), "endswith": compare(strings.HasSuffix),
		"alltrue": function.New(&function.Spec{Params: []function.Parameter{{Type: cty.List(cty.Bool)}}, Type: function.StaticReturnType(cty.Bool), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, v := range args[0].Elements() {
				if v.False() {
					return cty.False, nil
				}
			}
			return cty.True, nil
		}}),
		"file": function.New(&function.Spec{Params: text, Type: function.StaticReturnType(cty.String), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			content, err := os.ReadFile(args[0].AsString())
			return cty.StringVal(string(content)), err
		}}),
		"yamlencode": function.New(&function.Spec{Params: []function.Parameter{{Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.String), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			content, err := ctyjson.Marshal(args[0], args[0].Type())
			if err != nil {
				return cty.NilVal, err
			}
			content, err = yaml.JSONToYAML(content)
			return cty.StringVal(string(content)), err
		}}),
		"templatefile": function.New(&function.Spec{Params: []function.Parameter{{Type: cty.String}, {Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.String), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			content, err := os.ReadFile(name)
			if err != nil {
				return cty.NilVal, err
			}
			e, problems := hclsyntax.ParseTemplate(content, filepath.Base(name), hcl.InitialPos)
			if problems.HasErrors() {
				return cty.NilVal, problems
			}
			v, problems := e.Value(&hcl.EvalContext{Variables: args[1].AsValueMap(), Functions: p.functions()})
			if problems.HasErrors() {
				return cty.NilVal, problems
			}
			return v, nil
		}}),
	}
}

// length is that of a collection, an object or a tuple.
var length = function.New(&function.Spec{Params: []function.Parameter{{Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.Number), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
	return cty.NumberIntVal(int64(args[0].LengthInt())), nil
}})

// lookup takes maps and objects.
var lookup = function.New(&function.Spec{
	Params: []function.Parameter{{Type: cty.DynamicPseudoType}, {Type: cty.String}, {Type: cty.DynamicPseudoType}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[2].Type(), nil },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if v, ok := args[0].AsValueMap()[args[1].AsString()]; ok {
			return v, nil
		}
		return args[2], nil
	},
})

// one is the only element of a list.
var one = function.New(&function.Spec{Params: []function.Parameter{{Type: cty.List(cty.DynamicPseudoType)}}, Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type().ElementType(), nil }, Impl: func(args []cty.Value, to cty.Type) (cty.Value, error) {
	if n := args[0].LengthInt(); n != 1 {
		return cty.NullVal(to), function.NewArgErrorf(0, "%d elements", n)
	}
	return args[0].AsValueSlice()[0], nil
}})

// replace takes a pattern between slashes for a regular expression.
var replace = function.New(&function.Spec{Params: []function.Parameter{{Type: cty.String}, {Type: cty.String}, {Type: cty.String}}, Type: function.StaticReturnType(cty.String), Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
	if pattern := args[1].AsString(); len(pattern) > 1 && strings.HasPrefix(pattern, "/") && strings.HasSuffix(pattern, "/") {
		return stdlib.RegexReplace(args[0], cty.StringVal(pattern[1:len(pattern)-1]), args[2])
	}
	return stdlib.Replace(args[0], args[1], args[2])
}})

// ofSets converts tuples and lists of strings to sets first, as Terraform does for every function.
func ofSets(f function.Function) function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Type: cty.Set(cty.String)},
		Type:     function.StaticReturnType(cty.Set(cty.String)),
		Impl:     func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

// strings of a list, a set or a tuple, sorted.
func texts(v cty.Value) []string {
	var all []string
	for _, e := range v.Elements() {
		all = append(all, e.AsString())
	}
	slices.Sort(all)
	return all
}

// writeJSON writes a setup file.
func writeJSON(t *testing.T, v any) cty.Value {
	t.Helper()
	name := filepath.Join(t.TempDir(), "setup.json")
	content, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(name, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cty.StringVal(name)
}
