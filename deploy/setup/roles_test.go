package setup

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// notYet are permissions that Graph's documentation names for an endpoint, but that no tenant had as a role when roles.json was made:
// only one of its sources has them.
var notYet = []string{"Group.ReadBasic.All", "GroupMember.ReadBasic.All"}

func TestRolesAreWellFormed(t *testing.T) {
	f := roles()
	if len(f.Roles) < 300 || len(f.Source) != 2 {
		t.Fatalf("%d roles of %d sources", len(f.Roles), len(f.Source))
	}
	byID := map[string]string{}
	for name, id := range f.Roles {
		if !guid.MatchString(id) || id != strings.ToLower(id) {
			t.Errorf("%s has the id %q", name, id)
		}
		if other, twice := byID[id]; twice {
			t.Errorf("%s and %s have one id", name, other)
		}
		byID[id] = name
		if slices.Contains(f.ResourceSpecific, name) {
			t.Errorf("%s is a role and resource specific", name)
		}
	}
	for name, role := range f.DocumentedAs {
		if f.Roles[name] != "" || f.Roles[role] == "" {
			t.Errorf("%s is documented as %s, which must be a role, and it itself none", role, name)
		}
	}
}

// Ids that were looked up by hand, in the service principal of Graph as administrators see it.
func TestRolesAreTheRightOnes(t *testing.T) {
	for name, want := range map[string]string{
		"Mail.ReadBasic.All":   "693c5e45-0940-467d-9b8a-1022fb9d42ef",
		"User.Read.All":        "df021288-bdef-4463-88db-98f22de89214",
		"Calendars.ReadBasic":  "8ba4a692-bc31-4128-9094-475872af8a53",
		"GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
	} {
		if _, id := RoleOf(name); id != want {
			t.Errorf("%s has the id %s, want %s", name, id, want)
		}
	}
	if role, id := RoleOf("Nobody.Read.All"); role != "Nobody.Read.All" || id != "" {
		t.Errorf("a permission that nobody knows is %s, %s", role, id)
	}
}

// TestRolesCoverThePolicy wants an id for every permission of the shipped policy, whatever its options.
func TestRolesCoverThePolicy(t *testing.T) {
	for _, endpoints := range []string{"psoxy", "all"} {
		s, err := policy.Load(t.Context(), policy.Config{Settings: map[string]string{"endpoints": endpoints}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Connectors() {
			for _, permission := range c.Permissions {
				if _, id := RoleOf(permission); id == "" {
					t.Errorf("%s: no id for %s", c.Name, permission)
				}
			}
		}
	}
}

// TestRolesCoverTheSchema wants an id for every permission that Graph documents for one of the endpoints that we know.
func TestRolesCoverTheSchema(t *testing.T) {
	const folder = "../../../shared"
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared is not beside this checkout")
	}
	text, err := os.ReadFile(folder + "/graph/graph-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Endpoints []struct{ ApplicationPermissions []string }
	}
	if err := json.Unmarshal(text, &schema); err != nil || len(schema.Endpoints) == 0 {
		t.Fatalf("%d endpoints, %v", len(schema.Endpoints), err)
	}
	for _, e := range schema.Endpoints {
		for _, permission := range e.ApplicationPermissions {
			_, id := RoleOf(permission)
			if known := id != "" || isResourceSpecific(permission); known == slices.Contains(notYet, permission) {
				t.Errorf("%s: known %v", permission, known)
			}
		}
	}
}
