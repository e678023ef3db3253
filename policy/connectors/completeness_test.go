package connectors_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryPropertyIsDecided walks the documented types and the shapes of the
// responses side by side, for every endpoint of every connector and every set of
// options. Each property must be named in the shape, derived types' and those that
// an allowed $expand brings too, and nothing else may leave; what is kept must be
// harmless or on the list in in-clear.md, and every line there must be needed.
func TestEveryPropertyIsDecided(t *testing.T) {
	c := completeness{schema: readSchema(t), clear: readInClear(t), used: map[string]bool{}, values: optionValues(t)}
	for _, c.options = range optionSets(t) {
		seen := 0
		for connector, endpoints := range evaluateEndpoints(t, c.options) {
			for id, endpoint := range endpoints {
				c.at = connector + "." + id
				c.endpoint(endpoint)
				seen++
			}
		}
		if seen == 0 {
			t.Fatal("saw no endpoint")
		}
	}
	for _, problem := range c.problems {
		t.Error(problem)
	}
	for property := range c.clear {
		if !c.used[property] {
			t.Errorf("in-clear.md lists %s, which nothing keeps in clear", property)
		}
	}
}

// TestUndecidedIsFound breaks shapes that are complete; each must be found.
func TestUndecidedIsFound(t *testing.T) {
	schema, clear, values := readSchema(t), readInClear(t), optionValues(t)
	endpoints := evaluateEndpoints(t, map[string]any{})
	item := func(connector, endpoint string, path ...string) map[string]any {
		at := endpoints[connector][endpoint]["response"].(map[string]any)["value"].([]any)[0]
		for _, step := range path {
			if array, ok := at.([]any); ok {
				at = array[0]
			}
			at = at.(map[string]any)[step]
		}
		return at.(map[string]any)
	}
	keep, drop := map[string]any{"$op": "keep"}, map[string]any{"$op": "drop"}
	activities := []string{"onedrive", "drive_activities"}
	interactions := []string{"m365_copilot", "beta_interactions"}
	for name, test := range map[string]struct {
		endpoint []string
		shape    map[string]any
		member   string
		decision any // nil for none
		want     string
	}{
		"property":            {activities, item("onedrive", "drive_activities", "times"), "recordedDateTime", nil, "times/recordedDateTime is not decided"},
		"of a derived type":   {activities, item("onedrive", "drive_activities", "actor", "user"), "loginName", nil, "actor/user/loginName is not decided"},
		"of a relation":       {activities, item("onedrive", "drive_activities", "driveItem", "file"), "hashes", nil, "driveItem/file/hashes is not decided"},
		"relation":            {activities, item("onedrive", "drive_activities"), "listItem", nil, "listItem is not decided"},
		"relation kept":       {activities, item("onedrive", "drive_activities"), "listItem", map[string]any{"id": keep}, "relation listItem is not dropped"},
		"in a chosen shape":   {interactions, item("m365_copilot", "beta_interactions", "from", "application", "cases", "bot"), "displayName", nil, "from/application/displayName is not decided"},
		"in no chosen shape":  {interactions, item("m365_copilot", "beta_interactions", "from", "application", "otherwise"), "displayName", nil, "from/application/displayName is not decided"},
		"kept":                {activities, item("onedrive", "drive_activities", "action", "rename"), "oldName", keep, "action/rename/oldName (renameAction.oldName, text) is kept in clear"},
		"kept beside digest":  {interactions, item("m365_copilot", "beta_interactions", "body"), "content", map[string]any{"$op": "digest", "then": keep}, "body/content (itemBody.content, text) is kept in clear"},
		"kept in part":        {interactions, item("m365_copilot", "beta_interactions", "body"), "content", map[string]any{"$op": "without", "patterns": []any{"x"}}, "body/content (itemBody.content, text) is kept in clear"},
		"kept against option": {interactions, item("m365_copilot", "beta_interactions"), "sessionId", keep, "is kept in clear without ids: clear"},
		"person":              {activities, item("onedrive", "drive_activities", "actor", "user"), "id", keep, "actor/user/id of a person is kept in clear"},
		"user":                {[]string{"entra_id", "users"}, item("entra_id", "users"), "id", keep, "/id of a person is kept in clear"},
		"organizer":           {[]string{"teams", "chats"}, item("teams", "chats", "onlineMeetingInfo", "organizer"), "id", keep, "onlineMeetingInfo/organizer/id of a person is kept in clear"},
		"undocumented":        {activities, item("onedrive", "drive_activities"), "nickname", drop, "/nickname is not documented"},
		"misplaced":           {activities, item("onedrive", "drive_activities"), "displayName", keep, "/displayName is not documented"},
		"array":               {interactions, item("m365_copilot", "beta_interactions"), "links", map[string]any{}, "links: the shape is an array where"},
		"scalar":              {interactions, item("m365_copilot", "beta_interactions"), "body", keep, "body is an object, and keep is no operation for one"},
		"anything":            {interactions, item("m365_copilot", "beta_interactions"), "id", map[string]any{"$op": "any"}, `id: "any" is no operation`},
	} {
		c := completeness{schema: schema, clear: clear, used: map[string]bool{}, values: values, at: name}
		before, had := test.shape[test.member]
		delete(test.shape, test.member)
		if test.decision != nil {
			test.shape[test.member] = test.decision
		}
		c.endpoint(endpoints[test.endpoint[0]][test.endpoint[1]])
		if !slices.ContainsFunc(c.problems, func(p string) bool { return strings.Contains(p, test.want) }) {
			t.Errorf("%s: found %q, want %q", name, c.problems, test.want)
		}
		delete(test.shape, test.member)
		if had {
			test.shape[test.member] = before
		}
	}
}

// optionValues returns what each option may be, the default first.
func optionValues(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for name, values := range evaluate(t, "data.graphveil.options.schema", map[string]any{}).(map[string]any) {
		for _, value := range values.([]any) {
			all[name] = append(all[name], value.(string))
		}
	}
	return all
}

// optionSets are the options' defaults, each other value alone, and the last ones
// of all.
func optionSets(t *testing.T) []map[string]any {
	t.Helper()
	last := map[string]any{}
	sets := []map[string]any{{}, last}
	for name, values := range optionValues(t) {
		for _, value := range values[1:] {
			sets = append(sets, map[string]any{name: value})
			last[name] = value
		}
	}
	return sets
}

// evaluateEndpoints returns the endpoints of each connector.
func evaluateEndpoints(t *testing.T, options map[string]any) map[string]map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]map[string]any{}
	for connector, rules := range evaluate(t, "data.graphveil.connectors", options).(map[string]any) {
		all[connector] = map[string]map[string]any{}
		for id, endpoint := range rules.(map[string]any)["endpoints"].(map[string]any) {
			all[connector][id] = endpoint.(map[string]any)
		}
	}
	return all
}

type completeness struct {
	schema *schema
	clear  map[string]string
	// used are the lines of clear that something needs.
	used map[string]bool
	// values are what each option may be, options what they are now.
	values  map[string][]string
	options map[string]any
	at      string
	version string
	// expand are the paths that $expand may name.
	expand   []string
	problems []string
}

func (c *completeness) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *completeness) endpoint(endpoint map[string]any) {
	path := endpoint["path"].(string)
	known, ok := c.schema.endpoint(path)
	if !ok {
		c.problem("%s: the schema does not know %s", c.at, path)
		return
	}
	if known.ResponseType == "" {
		if media, _ := endpoint["media"].([]any); operation(endpoint["response"]) != "keep" || !slices.Equal(media, []any{"text/plain"}) {
			c.problem("%s: the response is a number as text, its shape is not", c.at)
		}
		return
	}
	var types []string
	for _, name := range known.ItemTypes {
		types = append(types, c.schema.kinds(name)...)
	}
	if len(types) == 0 {
		types = c.schema.kinds(known.ResponseType)
	}
	response := endpoint["response"]
	if known.Collection {
		body, _ := response.(map[string]any)
		page, _ := body["value"].([]any)
		if len(page) != 1 {
			c.problem("%s: the response is a page, its shape is not", c.at)
			return
		}
		response = page[0]
	}
	c.version, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if c.schema.Types[types[0]].Only != "" { // the other version answers with it all the same
		c.version = c.schema.Types[types[0]].Only
	}
	c.expand = nil
	query, _ := endpoint["query"].(map[string]any)
	if rule, ok := query["$expand"].(map[string]any); ok {
		for _, path := range rule["properties"].([]any) {
			c.expand = append(c.expand, path.(string))
		}
	}
	c.object(types, response, "")
}

// object checks the shape of an object that may be of any of the types. The path
// is one of OData: without the elements of arrays.
func (c *completeness) object(types []string, shape any, path string) {
	switch operation(shape) {
	case "drop":
	case "":
		object, ok := shape.(map[string]any)
		if !ok {
			c.problem("%s: %s is an object, its shape is not", c.at, path)
			return
		}
		c.members(types, object, path)
	case "select":
		c.choice(types, shape.(map[string]any), path)
	default:
		c.problem("%s: %s is an object, and %s is no operation for one", c.at, path, operation(shape))
	}
}

// choice checks each shape that an object may get. By its type, an object gets
// that of its type; by any other member, each type may get any.
func (c *completeness) choice(types []string, shape map[string]any, path string) {
	rest := types
	for value, chosen := range shape["cases"].(map[string]any) {
		if shape["member"] != "@odata.type" {
			c.object(types, chosen, path)
			continue
		}
		name := strings.TrimPrefix(value, "#")
		if !slices.Contains(types, name) {
			c.problem("%s: %s: no object here is a %s", c.at, path, value)
		}
		c.object([]string{name}, chosen, path)
		rest = slices.DeleteFunc(slices.Clone(rest), func(t string) bool { return t == name })
	}
	if len(rest) > 0 {
		c.object(rest, shape["otherwise"], path)
	}
}

// members checks the shape of an object member by member.
func (c *completeness) members(types []string, shape map[string]any, path string) {
	documented := c.schema.members(types)
	for _, member := range sorted(documented) {
		below := strings.TrimPrefix(path+"/"+member, "/")
		for _, p := range documented[member] {
			switch {
			case shape[member] == nil && (p.Only == "" || p.Only == c.version):
				c.problem("%s: %s is not decided", c.at, below)
			case shape[member] == nil:
			case p.relation && !c.expanded(below):
				if operation(shape[member]) != "drop" {
					c.problem("%s: the relation %s is not dropped, and $expand does not bring it", c.at, below)
				}
			default:
				c.property(p, member, shape[member], below)
			}
		}
	}
	for member := range shape {
		// What is documented of another type may be dropped here too: open types may
		// return anything.
		elsewhere := operation(shape[member]) == "drop" && c.schema.names[member]
		if documented[member] == nil && !elsewhere && !strings.Contains(member, "@") {
			c.problem("%s: %s/%s is not documented", c.at, path, member)
		}
	}
	if c.option("ids: reversible") && operation(shape["id"]) == "keep" && c.person(types, path) {
		c.problem("%s: %s/id of a person is kept in clear", c.at, path)
	}
}

// person tells the objects whose ids are those of persons: users, and identities
// wherever they are, but for that of an application.
func (c *completeness) person(types []string, path string) bool {
	member := path[strings.LastIndex(path, "/")+1:]
	return slices.ContainsFunc(types, func(t string) bool {
		return t == namespace+"user" || member != "application" && c.schema.isA(t, namespace+"identity")
	})
}

// expanded tells whether $expand may bring a relation.
func (c *completeness) expanded(path string) bool {
	return slices.ContainsFunc(c.expand, func(e string) bool { return e == path || strings.HasPrefix(e, path+"/") })
}

// property checks the decision on one property.
func (c *completeness) property(p property, member string, shape any, path string) {
	if operation(shape) == "drop" {
		return
	}
	array, isArray := shape.([]any)
	switch {
	case p.Collection && !isArray, isArray && !p.Collection && !p.observed, isArray && len(array) != 1:
		c.problem("%s: %s: the shape is an array where the property is none, or the other way round", c.at, path)
		return
	case isArray:
		shape = array[0]
	}
	if object, ok := shape.(map[string]any); p.observed && ok && len(object) == 0 {
		return
	}
	if p.Ref != "" {
		c.object(c.schema.kinds(p.Ref), shape, path)
		return
	}
	name := operation(shape)
	if name == "digest" { // of a text, beside what happens to it
		shape = shape.(map[string]any)["then"]
		name = operation(shape)
	}
	if original, _ := shape.(map[string]any)["original"].(bool); original {
		name = "keep"
	}
	switch name {
	case "drop", "pseudonym", "reversible", "json_pseudonym", "match", "tokenize", "hash", "phrases":
	case "keep", "typed", "without", "only", "tokens":
		c.inClear(p, member, path)
	default:
		c.problem("%s: %s: %q is no operation for a documented property", c.at, path, name)
	}
}

// inClear checks that a property may leave as it is, or in part.
func (c *completeness) inClear(p property, member, path string) {
	if p.PII == "" || p.PII == "none" || p.PII == "time" {
		return
	}
	option, listed := c.clear[p.owner+"."+member]
	c.used[p.owner+"."+member] = true
	switch {
	case !listed:
		c.problem("%v %s: %s (%s.%s, %s) is kept in clear", c.options, c.at, path, p.owner, member, p.PII)
	case option != "always" && !c.option(option):
		c.problem("%v %s: %s (%s.%s, %s) is kept in clear without %s", c.options, c.at, path, p.owner, member, p.PII, option)
	}
}

// option tells whether "name: value" is in force.
func (c *completeness) option(want string) bool {
	name, value, _ := strings.Cut(want, ": ")
	set, ok := c.options[name]
	return ok && set == value || !ok && c.values[name][0] == value
}

var inClearLine = regexp.MustCompile("(?m)^\\| `([A-Za-z0-9_.@]+)` \\| ([a-z]+) \\| (?:(always)|`([a-z]+: [a-z]+)`) \\| .+ \\|$")

// readInClear reads from in-clear.md which properties may leave in clear, and
// "always" or the option that must be in force.
func readInClear(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("in-clear.md")
	if err != nil {
		t.Fatal(err)
	}
	clear := map[string]string{}
	for _, line := range inClearLine.FindAllStringSubmatch(string(text), -1) {
		clear[line[1]] = line[3] + line[4]
	}
	if len(clear) == 0 {
		t.Fatal("in-clear.md lists nothing")
	}
	return clear
}
