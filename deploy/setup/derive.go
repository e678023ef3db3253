package setup

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy"
)

// Target is what is known of the tenant and of the place where Graphveil runs. The zero Target is a plan for anybody: names and
// permissions, and what is missing.
type Target struct {
	Tenant string
	// Cloud is as in [Plan].
	Cloud string
	// Authority is the origin of Entra, GraphHost the host of Graph, and Audience the one that the cloud recommends for assertions.
	Authority, GraphHost, Audience string
	// Shared makes one application for all connectors.
	Shared bool
	// Default is how connectors sign in that Known does not have.
	Default Credential
	// Known are the connectors of a configuration. Connectors with one client id share an application.
	Known map[string]Known
}

// Known is what a configuration says of a connector.
type Known struct {
	ClientID   string
	Credential Credential
}

// sharedKey is the key of an application of several connectors.
const sharedKey = "graphveil"

// Derive makes the plan for the connectors that a policy serves. The error is about the target: a platform that does not exist, or a value
// that cannot be one.
func Derive(s *policy.Snapshot, t Target) (*Plan, error) {
	if t.Tenant != "" && !tenant.MatchString(t.Tenant) {
		return nil, fmt.Errorf("tenant %q is not a tenant id or a domain name", t.Tenant)
	}
	for name, known := range t.Known {
		if known.ClientID != "" && !guid.MatchString(known.ClientID) {
			return nil, fmt.Errorf("connector %q: client_id is not a GUID\nhint: it is the application (client) id that Entra shows, not the object id", name)
		}
	}
	p := &Plan{Schema: 1, Revision: s.Revision(), Tenant: t.Tenant, Cloud: t.Cloud, Graph: Graph{GraphAppID, t.GraphHost}}
	var names []string
	for _, c := range s.Connectors() {
		names = append(names, c.Name)
	}
	for _, group := range t.group(names) {
		a, err := t.application(s, group)
		if err != nil {
			return nil, err
		}
		p.Applications = append(p.Applications, a)
	}
	slices.SortFunc(p.Applications, func(a, b Application) int { return strings.Compare(a.Key, b.Key) })
	p.Steps = stepsOf(p)
	return p, nil
}

// group puts connectors together that share an application.
func (t Target) group(names []string) [][]string {
	if t.Shared {
		return [][]string{names}
	}
	var groups [][]string
	byClient := map[string]int{}
	for _, name := range names {
		id := t.Known[name].ClientID
		if at, shared := byClient[id]; shared && id != "" {
			groups[at] = append(groups[at], name)
			continue
		}
		byClient[id] = len(groups)
		groups = append(groups, []string{name})
	}
	return groups
}

// application describes the one of these connectors.
func (t Target) application(s *policy.Snapshot, connectors []string) (Application, error) {
	a := Application{Key: connectors[0], Connectors: connectors, ExchangeRoles: []string{}, Setup: []string{}}
	if t.Shared || len(connectors) > 1 {
		a.Key = sharedKey
		if !t.Shared && t.hasOtherShared(connectors) {
			a.Key = strings.Join(connectors, "_")
		}
	}
	a.DisplayName = "Graphveil " + a.Key
	if a.Key == sharedKey {
		a.DisplayName = "Graphveil"
	}
	a.Credential = t.Default
	first := ""
	for i, name := range connectors {
		known, ok := t.Known[name]
		if ok && first != "" && !reflect.DeepEqual(a.Credential, known.Credential) {
			return a, fmt.Errorf("connectors %s and %s share an application, but do not sign in with the same credential\nhint: give both the same in the configuration, or each an application of its own", first, name)
		}
		if ok {
			first, a.Credential = name, known.Credential
		}
		if i == 0 {
			a.ClientID = known.ClientID
		} else if a.ClientID != known.ClientID {
			a.ClientID = "" // Shared, against a configuration that has one for each
		}
	}
	var err error
	if a.Credential, err = t.trust(a); err != nil {
		return a, err
	}
	a.Permissions = permissionsOf(s, connectors)
	for _, permission := range a.Permissions {
		if !permissionName.MatchString(permission.Name) {
			return a, fmt.Errorf("the policy asks for a permission %q of %s, which is no name of one", permission.Name, strings.Join(connectors, ", "))
		}
	}
	for _, c := range s.Connectors() {
		if slices.Contains(connectors, c.Name) {
			a.Setup = append(a.Setup, c.Setup...)
		}
	}
	slices.Sort(a.Setup)
	a.Setup = slices.Compact(a.Setup)
	a.TeamsPolicy = slices.Contains(a.Setup, policy.SetupTeamsApplicationAccessPolicy)
	if slices.Contains(a.Setup, policy.SetupExchangeRBAC) {
		for _, permission := range a.Permissions {
			if role := ExchangeRoleOf(permission.Name); role != "" {
				a.ExchangeRoles = append(a.ExchangeRoles, role)
			}
		}
		slices.Sort(a.ExchangeRoles)
		a.ExchangeRoles = slices.Compact(a.ExchangeRoles)
	}
	a.Notes = t.notes(s, a)
	return a, nil
}

// hasOtherShared tells whether other connectors share another application, so that the key would not be unique.
func (t Target) hasOtherShared(connectors []string) bool {
	byClient := map[string]int{}
	for _, known := range t.Known {
		byClient[known.ClientID]++
	}
	delete(byClient, "")
	delete(byClient, t.Known[connectors[0]].ClientID)
	return slices.ContainsFunc(slices.Collect(maps.Values(byClient)), func(n int) bool { return n > 1 })
}

// permissionsOf gathers what the endpoints of the connectors need. One that another connector answers for is asked for with the token of
// that one, so it needs nothing here.
func permissionsOf(s *policy.Snapshot, connectors []string) []Permission {
	why := map[string][]Reason{}
	for _, e := range s.Endpoints() {
		if !slices.Contains(connectors, e.Connector) || e.ServedBy != "" {
			continue
		}
		for _, name := range e.Permissions {
			for _, method := range e.Methods {
				why[name] = append(why[name], Reason{e.Connector, e.ID, method, e.Path, oneLine(e.Description)})
			}
		}
	}
	permissions := []Permission{}
	for _, name := range slices.Sorted(maps.Keys(why)) {
		permission := Permission{Name: name, Why: why[name]}
		role, id := RoleOf(name)
		if permission.RoleID = id; role != name {
			permission.Role = role
		}
		permissions = append(permissions, permission)
	}
	return permissions
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// notes are what is peculiar to an application.
func (t Target) notes(s *policy.Snapshot, a Application) []string {
	var notes []string
	others := map[string]bool{}
	for _, e := range s.Endpoints() {
		if slices.Contains(a.Connectors, e.Connector) && e.ServedBy != "" && !slices.Contains(a.Connectors, e.ServedBy) {
			others[e.ServedBy] = true
		}
	}
	if len(others) > 0 {
		notes = append(notes, fmt.Sprintf("What it has in common with %s is asked for with the application of that connector, so its permissions are not needed here. "+
			"Without that connector they are: derive the plan again.", strings.Join(slices.Sorted(maps.Keys(others)), " and ")))
	}
	lacks := cloudOf(t.Cloud).lacks
	for _, permission := range a.Permissions {
		if permission.Role != "" {
			notes = append(notes, fmt.Sprintf("Graph's documentation says %s. As an application permission that is called %s.", permission.Name, permission.Role))
		}
		if isResourceSpecific(permission.Name) {
			notes = append(notes, fmt.Sprintf("%s is granted where a Teams app is installed in a team or chat (resource-specific consent), not to this application as a whole.", permission.Name))
		}
		if !strings.Contains(permission.Name, ".Read") {
			notes = append(notes, fmt.Sprintf("%s lets its holder do more than read. Graphveil forwards the requests listed here only, and gives its token to nobody.", permission.Name))
		}
		if reason, ok := lacks[permission.Name]; ok {
			notes = append(notes, fmt.Sprintf("%s has no use in this cloud: %s.", permission.Name, reason))
		}
		if strings.HasPrefix(permission.Name, "Calendars.ReadBasic") {
			notes = append(notes, "Exchange has no role for basic reading of calendars: where mailboxes are scoped, its Application Calendars.Read reads titles and texts too, of those mailboxes. Graphveil drops them all the same.")
		}
	}
	return notes
}
