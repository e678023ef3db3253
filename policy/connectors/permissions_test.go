package connectors_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// byPrivilege are the permissions of the documented endpoints, of one domain each
// list, from the least to the most. Source: the permissions reference of Microsoft
// Graph, by what each opens.
var byPrivilege = [][]string{
	{"User.ReadBasic.All", "User.Read.All", "Directory.Read.All"},
	{"Group.ReadBasic.All", "GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
	{"Mail.ReadBasic.All", "Mail.Read"},
	{"MailboxSettings.Read"},
	{"Calendars.ReadBasic.All", "Calendars.Read"},
	{"Team.ReadBasic.All", "TeamSettings.Read.All"},
	{"Channel.ReadBasic.All", "ChannelSettings.Read.All"},
	{"ChannelMessage.Read.All", "Group.Read.All"},
	{"Chat.ReadBasic.All", "Chat.Read.All"},
	{"CallRecord-PstnCalls.Read.All", "CallRecords.Read.All"},
	{"Calls.Initiate.All", "Calls.AccessMedia.All"},
	{"OnlineMeetings.Read.All"},
	{"OnlineMeetingArtifact.Read.All"},
	{"AiEnterpriseInteraction.Read.All"},
	{"Files.Read.All", "Sites.Read.All"},
}

// Some permissions open an endpoint and not all of its response. Of opensOnly the
// properties are known that come, of opensNot those that do not.
var (
	opensOnly = map[string]*regexp.Regexp{
		// https://learn.microsoft.com/graph/permissions-reference#userreadbasicall
		"User.ReadBasic.All": regexp.MustCompile(`^(@.*|id|displayName|givenName|surname|mail|photo|userPrincipalName|securityIdentifier)$`),
		// "All group basic properties", and memberships as GroupMember.Read.All has them.
		// Which those are is nowhere said; the state and settings of a group are not basic.
		"Group.ReadBasic.All": regexp.MustCompile(`^(@.*|id|displayName|description|mail|groupTypes|securityEnabled|mailEnabled)$`),
		// Members and no groups: as little of a member as any permission for groups.
		"GroupMember.ReadBasic.All": regexp.MustCompile(`^(@.*|id)$`),
	}
	opensNot = map[string]*regexp.Regexp{
		// https://learn.microsoft.com/graph/permissions-reference#mailreadbasicall
		"Mail.ReadBasic.All": regexp.MustCompile(`^(body|bodyPreview|uniqueBody|attachments|extensions|(single|multi)ValueExtendedProperties)$`),
		// https://learn.microsoft.com/graph/permissions-reference#calendarsreadbasicall
		"Calendars.ReadBasic.All": regexp.MustCompile(`^(body|bodyPreview|attachments|extensions|(single|multi)ValueExtendedProperties)$`),
	}
)

// enough tells whether a permission that opens an endpoint also opens what leaves of
// its response.
func enough(permission string, released []string) bool {
	if only := opensOnly[permission]; only != nil {
		return !slices.ContainsFunc(released, func(property string) bool { return !only.MatchString(property) })
	}
	not := opensNot[permission]
	return not == nil || !slices.ContainsFunc(released, not.MatchString)
}

// beyond are permissions that an endpoint needs for what leaves of its response,
// beside the documented one that opens it, with the reason.
// Source: https://learn.microsoft.com/graph/api/group-list-members, "limited information for inaccessible member objects".
var beyond = map[string][]string{
	"/groups/{groupId}/members":                      {"User.Read.All"},
	"/groups/{groupId}/members/microsoft.graph.user": {"User.Read.All"},
}

// role is the application permission that is meant where the documentation of an
// endpoint names another: provisioning data of the permissions reference has an
// application role Calendars.ReadBasic.All and none that is called Calendars.ReadBasic.
func role(documented string) string {
	if documented == "Calendars.ReadBasic" {
		return "Calendars.ReadBasic.All"
	}
	return documented
}

// alternatives are the documented permissions of an endpoint that an administrator
// can consent to and that are enough for what leaves, from the least to the most.
// The permissions of a team or chat (.Group, .Chat) come with an app that is installed
// in that team or chat.
func alternatives(t *testing.T, known documentedEndpoint, released []string) []string {
	t.Helper()
	var found []string
	for _, name := range known.ApplicationPermissions {
		if name = role(name); !strings.HasSuffix(name, ".Group") && !strings.HasSuffix(name, ".Chat") && enough(name, released) {
			found = append(found, name)
		}
	}
	rank := func(name string) int {
		for _, list := range byPrivilege {
			if i := slices.Index(list, name); i >= 0 {
				return i
			}
		}
		t.Errorf("byPrivilege does not have %s", name)
		return -1
	}
	slices.SortFunc(found, func(a, b string) int { return rank(a) - rank(b) })
	return found
}

// needed is what one served endpoint needs: any one of alternatives, and all of more.
type needed struct {
	id                 string
	says               []string
	alternatives, more []string
}

// by tells whether the permissions are enough for the endpoint.
func (n needed) by(permissions []string) bool {
	holds := func(p string) bool { return slices.Contains(permissions, p) }
	return slices.ContainsFunc(n.alternatives, holds) && !slices.ContainsFunc(n.more, func(p string) bool { return !holds(p) })
}

// TestPermissionsAreTheLeast: with every set of options, each endpoint names of the
// documented permissions the least that its connector has, and beside it only what
// beyond says; no connector has one that it could do without, or could have a lesser
// one for.
func TestPermissionsAreTheLeast(t *testing.T) {
	schema := readSchema(t)
	for _, options := range optionSets(t) {
		connectors := evaluate(t, "data.graphveil.connectors", options).(map[string]any)
		for connector, rules := range connectors {
			rules := rules.(map[string]any)
			granted := texts(rules["permissions"])
			var all []needed
			for id, endpoint := range rules["endpoints"].(map[string]any) {
				endpoint := endpoint.(map[string]any)
				if enabled, ok := endpoint["enabled"]; ok && enabled != true {
					continue
				}
				known, ok := schema.endpoint(endpoint["path"].(string))
				if !ok {
					t.Errorf("%s.%s: the schema does not know %s", connector, id, endpoint["path"])
					continue
				}
				released := releasedProperties(endpoint["response"])
				n := needed{id: id, says: texts(endpoint["permissions"]), alternatives: alternatives(t, known, released)}
				if len(released) > 0 { // of a count it is not the properties
					n.more = beyond[known.Template]
				}
				all = append(all, n)

				least := slices.IndexFunc(n.alternatives, func(p string) bool { return slices.Contains(granted, p) })
				if least < 0 {
					t.Errorf("%v %s.%s: none of %v is granted", options, connector, id, n.alternatives)
					continue
				}
				want := slices.Concat(n.alternatives[least:least+1], n.more)
				slices.Sort(want)
				if !slices.Equal(n.says, want) {
					t.Errorf("%v %s.%s: says %v, the least is %v", options, connector, id, n.says, want)
				}
			}
			enoughFor := func(permissions []string) bool {
				return !slices.ContainsFunc(all, func(n needed) bool { return !n.by(permissions) })
			}
			for i, permission := range granted {
				without := slices.Delete(slices.Clone(granted), i, i+1)
				if enoughFor(without) {
					t.Errorf("%v %s: every endpoint works without %s", options, connector, permission)
				}
				for _, list := range byPrivilege {
					for _, less := range list[:max(0, slices.Index(list, permission))] {
						if enoughFor(append(slices.Clone(without), less)) {
							t.Errorf("%v %s: %s is enough in place of %s", options, connector, less, permission)
						}
					}
				}
			}
		}
	}
}

// TestPermissionsOfGo: what Go says of connectors and endpoints is what Rego says.
func TestPermissionsOfGo(t *testing.T) {
	for _, options := range optionSets(t) {
		settings := map[string]string{}
		for name, value := range options {
			settings[name] = value.(string)
		}
		s, err := policy.Load(t.Context(), policy.Config{Settings: settings})
		if err != nil {
			t.Fatal(err)
		}
		rego := evaluate(t, "data.graphveil.connectors", options).(map[string]any)
		for _, c := range s.Connectors() {
			rules := rego[c.Name].(map[string]any)
			if want := texts(rules["permissions"]); !slices.Equal(c.Permissions, want) {
				t.Errorf("%v %s: %v, want %v", options, c.Name, c.Permissions, want)
			}
			if want := texts(rules["setup"]); !slices.Equal(c.Setup, want) {
				t.Errorf("%v %s: setup %v, want %v", options, c.Name, c.Setup, want)
			}
		}
		for _, e := range s.Endpoints() {
			endpoints := rego[e.Connector].(map[string]any)["endpoints"].(map[string]any)
			if want := texts(endpoints[e.ID].(map[string]any)["permissions"]); len(want) == 0 || !slices.Equal(e.Permissions, want) {
				t.Errorf("%v %s.%s: %v, want %v", options, e.Connector, e.ID, e.Permissions, want)
			}
		}
	}
}

// texts are the members of a set of strings, sorted.
func texts(set any) []string {
	var list []string
	members, _ := set.([]any)
	for _, m := range members {
		list = append(list, m.(string))
	}
	slices.Sort(list)
	return list
}

// releasedProperties are the properties of the items of a response of which anything leaves.
func releasedProperties(response any) []string {
	object, _ := response.(map[string]any)
	if object == nil || operation(response) != "" {
		return nil
	}
	if items, ok := object["value"].([]any); ok {
		object, _ = items[0].(map[string]any)
	}
	var names []string
	for name, shape := range object {
		if operation(shape) != "drop" && name != "error" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
