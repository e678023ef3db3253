package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

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
	} else if k.granted = k.strings(permissions, a.at(pkg, "permissions")); len(k.granted) == 0 {
		a.add(a.at(pkg, "permissions").error("contract_error", "a connector needs at least one permission", ""))
	}
	if t := v.Get(ast.StringTerm("setup")); t != nil {
		info.Setup = k.setup(t, a.at(pkg, "setup"))
	}
	served := 0
	a.each(v, pkg, "endpoints", func(id string, value ast.Value, at position) {
		e, enabled := k.endpoint(value, at)
		served++
		if e == nil || !enabled {
			return
		}
		e.info.Connector, e.info.ID = name, id
		info.Permissions = append(info.Permissions, e.info.Permissions...)
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
	slices.Sort(info.Permissions)
	info.Permissions = slices.Compact(info.Permissions)
	for _, permission := range k.granted {
		if len(info.Permissions) > 0 && !slices.Contains(info.Permissions, permission) { // with none, all endpoints are off
			a.unneeded = append(a.unneeded, a.at(pkg, "permissions").error("permission_unneeded", fmt.Sprintf("no endpoint of connector %s needs %s", name, permission), "leave it out: an administrator would grant it for nothing"))
		}
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
