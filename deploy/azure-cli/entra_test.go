// Package azurecli_test runs the script against a stand-in for the Azure CLI that keeps a tenant and refuses what the real one refuses.
package azurecli_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/deploy/azure-cli/azuretest"
	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/policy"
)

const (
	tenantID = "11111111-2222-4333-8444-555555555555"
	userID   = "99999999-0000-4000-8000-00000000000a"
	otherID  = "99999999-0000-4000-8000-00000000000b"
)

var shipped = sync.OnceValues(func() (*policy.Snapshot, error) { return policy.Load(context.Background(), policy.Config{}) })

// plan is the setup file of the shipped policy.
func plan(t *testing.T, change func(*setup.Target)) *setup.Plan {
	t.Helper()
	snapshot, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	target := setup.Target{
		Tenant: tenantID, Cloud: "global", Authority: "https://login.microsoftonline.com", GraphHost: "graph.microsoft.com", Audience: "api://AzureADTokenExchange",
		Default: setup.Credential{Kind: "kubernetes", Federated: &setup.Federated{Issuer: "https://oidc.example/id", Subject: "system:serviceaccount:privacy:graphveil"}},
	}
	if change != nil {
		change(&target)
	}
	p, err := setup.Derive(snapshot, target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bin is a folder with the stand-in for az.
var bin string

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "az"); err == nil {
		err = exec.Command("go", "build", "-o", filepath.Join(bin, "az"), "./azuretest/az").Run()
	}
	status := 1
	if err == nil {
		status = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "building az:", err)
	}
	os.RemoveAll(bin)
	os.Exit(status)
}

// small is a plan of two applications.
func small(t *testing.T) *setup.Plan {
	t.Helper()
	p := plan(t, nil)
	p.Applications = slices.DeleteFunc(p.Applications, func(a setup.Application) bool { return a.Key != "entra_id" && a.Key != "teams" })
	return p
}

// rig is a folder with a tenant and a setup file.
type rig struct {
	t      *testing.T
	dir    string
	script string
}

// newRig makes a tenant whose Graph has every role of the table.
func newRig(t *testing.T, change func(*azuretest.Tenant)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	var err error
	if r.script, err = filepath.Abs("entra.sh"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("../setup/roles.json")
	if err != nil {
		t.Fatal(err)
	}
	state := azuretest.Tenant{ID: tenantID, Graph: "graph.microsoft.com", User: userID}
	if err := json.Unmarshal(content, &struct {
		Roles *map[string]string `json:"roles"`
	}{&state.Roles}); err != nil || len(state.Roles) < 100 {
		t.Fatalf("%d roles, %v", len(state.Roles), err)
	}
	if change != nil {
		change(&state)
	}
	r.write("tenant.json", state)
	return r
}

func (r *rig) write(name string, v any) {
	r.t.Helper()
	content, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, name), content, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// tenant is what there is now. Changes made before are forgotten.
func (r *rig) tenant() azuretest.Tenant {
	r.t.Helper()
	var state azuretest.Tenant
	content, err := os.ReadFile(filepath.Join(r.dir, "tenant.json"))
	if err == nil {
		err = json.Unmarshal(content, &state)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	forgetful := state
	forgetful.Changes = nil
	r.write("tenant.json", forgetful)
	return state
}

// try runs the script over a plan.
func (r *rig) try(p *setup.Plan, args ...string) (stdout, stderr string, err error) {
	r.t.Helper()
	r.write("setup.json", p)
	c := exec.CommandContext(r.t.Context(), "bash", append(append([]string{r.script}, args...), "setup.json")...)
	c.Dir = r.dir
	c.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "AZ_TENANT=" + filepath.Join(r.dir, "tenant.json")}
	var out, diagnostics bytes.Buffer
	c.Stdout, c.Stderr = &out, &diagnostics
	err = c.Run()
	return out.String(), diagnostics.String(), err
}

func (r *rig) run(p *setup.Plan, args ...string) string {
	r.t.Helper()
	stdout, stderr, err := r.try(p, args...)
	if err != nil {
		r.t.Fatalf("%v: %s", err, stderr)
	}
	return stdout
}

// refuses wants an error that says so, and nothing changed.
func (r *rig) refuses(p *setup.Plan, want string, args ...string) {
	r.t.Helper()
	stdout, stderr, err := r.try(p, args...)
	if err == nil || !strings.Contains(stderr, want) || stdout != "" {
		r.t.Errorf("%v: %s%s, want %q", err, stdout, stderr, want)
	}
	if changes := r.tenant().Changes; len(changes) > 0 {
		r.t.Errorf("refused, and yet changed: %v", changes)
	}
}

// holds compares applications with the plan, and the plan's roles with the policy.
func holds(t *testing.T, p *setup.Plan, state azuretest.Tenant) {
	t.Helper()
	snapshot, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for name, id := range state.Roles {
		names[id] = name
	}
	byName := map[string]*azuretest.Application{}
	for _, a := range state.Applications {
		byName[a.DisplayName] = a
	}
	for _, want := range p.Applications {
		got := byName[want.DisplayName]
		if got == nil {
			t.Errorf("%s was not made", want.DisplayName)
			continue
		}
		roles := map[string]bool{} // what the policy wants
		for _, e := range snapshot.Endpoints() {
			if slices.Contains(want.Connectors, e.Connector) && e.ServedBy == "" {
				for _, permission := range e.Permissions {
					role, _ := setup.RoleOf(permission)
					roles[role] = true
				}
			}
		}
		var asked []string
		for _, r := range got.Required {
			for _, a := range r.Access {
				asked = append(asked, r.AppID+" "+a.Type+" "+cmp.Or(names[a.ID], a.ID))
			}
		}
		var needed []string
		for role := range roles {
			needed = append(needed, azuretest.GraphAppID+" Role "+role)
		}
		slices.Sort(asked)
		slices.Sort(needed)
		if !slices.Equal(asked, needed) || len(needed) == 0 {
			t.Errorf("%s asks for %v, the policy wants %v", want.Key, asked, needed)
		}
		var trusted []azuretest.Federated
		if f := want.Credential.Federated; f != nil {
			trusted = []azuretest.Federated{{Name: f.Name, Issuer: f.Issuer, Subject: f.Subject, Audiences: []string{f.Audience}}}
		}
		if !slices.EqualFunc(got.Federated, trusted, func(a, b azuretest.Federated) bool {
			return a.Name == b.Name && a.Issuer == b.Issuer && a.Subject == b.Subject && slices.Equal(a.Audiences, b.Audiences)
		}) {
			t.Errorf("%s trusts %+v, want %+v", want.Key, got.Federated, trusted)
		}
		if got.SignInAudience != "AzureADMyOrg" || !slices.Contains(got.Owners, azuretest.Object{ID: userID}) {
			t.Errorf("%s is for %s and owned by %v", want.Key, got.SignInAudience, got.Owners)
		}
		if n := len(slices.DeleteFunc(slices.Clone(state.Principals), func(p azuretest.Principal) bool { return p.AppID != got.AppID })); n != 1 {
			t.Errorf("%s has %d service principals", want.Key, n)
		}
	}
}

func TestFromNothingAndAgain(t *testing.T) {
	for _, shared := range []bool{false, true} {
		p := plan(t, func(target *setup.Target) {
			target.Shared = shared
			if !shared {
				target.Known = map[string]setup.Known{"onedrive": {Credential: setup.Credential{Kind: "certificate"}}}
			}
		})
		other := &azuretest.Application{ID: azuretest.NewID(), AppID: azuretest.NewID(), DisplayName: p.Applications[0].DisplayName + " (test)"}
		r := newRig(t, func(state *azuretest.Tenant) { state.Applications = append(state.Applications, other) })
		out := r.run(p, "--owner", otherID)
		state := r.tenant()
		holds(t, p, state)
		if len(state.Applications) != 1+len(p.Applications) || !slices.Contains(state.Applications[1].Owners, azuretest.Object{ID: otherID}) {
			t.Errorf("%d applications, owned by %v", len(state.Applications), state.Applications[1].Owners)
		}
		if len(state.Applications[0].Required)+len(state.Applications[0].Owners) > 0 {
			t.Errorf("another application, whose name begins so, was changed")
		}
		for _, c := range state.Changes {
			if strings.Contains(c, "permission") || strings.Contains(c, "credential reset") {
				t.Errorf("it grants, or makes a secret: %s", c)
			}
		}
		again := r.run(p, "--owner", otherID)
		if changes := r.tenant().Changes; len(changes) != 0 || again != out {
			t.Errorf("the second run changes %v, or says something else: %s", changes, again)
		}
		said(t, p, state, out)
	}
}

// said reads what the script says: the configuration, and what is left to administrators with the ids filled in.
func said(t *testing.T, p *setup.Plan, state azuretest.Tenant, out string) {
	t.Helper()
	text, rest, _ := strings.Cut(out, "\n\n")
	var config struct {
		Tokens auth.Config `yaml:"tokens"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(text), &config, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.Applications {
		i := slices.IndexFunc(state.Applications, func(b *azuretest.Application) bool { return a.DisplayName == b.DisplayName })
		for _, c := range a.Connectors {
			if got := config.Tokens.Connectors[c].ClientID; got != state.Applications[i].AppID {
				t.Errorf("%s is %s", c, got)
			}
		}
		if link := "https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/CallAnAPI/appId/" + state.Applications[i].AppID; !strings.Contains(rest, link) {
			t.Errorf("no link for the consent to %s", a.Key)
		}
	}
	if config.Tokens.Tenant != tenantID {
		t.Errorf("tenant %s", config.Tokens.Tenant)
	}
	for _, want := range []string{"Privileged Role Administrator", "New-CsApplicationAccessPolicy"} {
		if !strings.Contains(rest, want) {
			t.Errorf("it does not say %s", want)
		}
	}
	if strings.Contains(rest, "CLIENT_ID_OF_") || strings.Contains(rest, "TENANT_ID") {
		t.Errorf("a word stands where an id should: %s", rest)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	p := small(t)
	r := newRig(t, nil)
	out := r.run(p, "--dry-run")
	if changes := r.tenant().Changes; len(changes) != 0 {
		t.Errorf("it changes %v", changes)
	}
	commands := map[string]int{}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		end := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
		if end < 0 || words[0] != "az" {
			t.Fatalf("not a command: %s", line)
		}
		commands[strings.Join(words[:end], " ")]++
	}
	n := len(p.Applications)
	want := map[string]int{"az ad app create": n, "az ad app federated-credential create": n, "az ad app owner add": n, "az ad sp create": n}
	if !maps.Equal(commands, want) {
		t.Errorf("%v, want %v", commands, want)
	}
}

// TestChanges: what differs is put right, and only that.
func TestChanges(t *testing.T) {
	p := small(t)
	r := newRig(t, nil)
	r.run(p)
	state := r.tenant()
	teams := state.Applications[slices.IndexFunc(state.Applications, func(a *azuretest.Application) bool { return a.DisplayName == "Graphveil teams" })]
	teams.SignInAudience = "AzureADMultipleOrgs"
	teams.Required[0].Access = append(teams.Required[0].Access, azuretest.Access{ID: state.Roles["Mail.Read"], Type: "Role"})
	teams.Required = append(teams.Required, azuretest.Resource{AppID: otherID, Access: []azuretest.Access{{ID: userID, Type: "Scope"}}})
	teams.Federated[0].Subject = "system:serviceaccount:privacy:somebody-else"
	state.Changes = nil
	r.write("tenant.json", state)
	r.run(p)
	after := r.tenant()
	holds(t, p, after)
	if len(after.Changes) != 3 {
		t.Errorf("it changes %v", after.Changes)
	}
	for _, c := range after.Changes {
		if !strings.Contains(c, teams.ID) {
			t.Errorf("it changes %s", c)
		}
	}
}

// TestExistingApplications: an application that was handed over is found by its object id, keeps its name and is put right.
func TestExistingApplications(t *testing.T) {
	p := plan(t, nil)
	handed := &azuretest.Application{ID: azuretest.NewID(), AppID: azuretest.NewID(), DisplayName: "Of the administrator", SignInAudience: "AzureADMyOrg", Owners: []azuretest.Object{{ID: userID}}}
	r := newRig(t, func(state *azuretest.Tenant) {
		state.Applications, state.MayNotMakePrincipals = []*azuretest.Application{handed}, true
	})
	p.Applications = slices.DeleteFunc(p.Applications, func(a setup.Application) bool { return a.Key != "teams" })
	out := r.run(p, "--existing", "teams="+handed.ID)
	state := r.tenant()
	if len(state.Applications) != 1 || state.Applications[0].DisplayName != "Of the administrator" {
		t.Fatalf("%+v", state.Applications)
	}
	if !strings.Contains(out, "az ad sp create --id "+handed.AppID) {
		t.Error("it does not say who has to make the service principal")
	}
	state.Principals = []azuretest.Principal{{ID: azuretest.NewID(), AppID: handed.AppID}} // the administrator did
	r.write("tenant.json", state)
	r.run(p, "--existing", "teams="+handed.ID)
	state = r.tenant()
	state.Applications[0].DisplayName = "Graphveil teams" // what holds looks for
	holds(t, p, state)

	p.Applications[0].ClientID = handed.AppID // as in a configuration that has it
	r.run(p)
	if changes := r.tenant().Changes; len(changes) != 0 {
		t.Errorf("found by its client id, and changed: %v", changes)
	}
}

// TestEntraIsSlow: Entra may say that what it made a moment ago does not exist.
func TestEntraIsSlow(t *testing.T) {
	p := plan(t, nil)
	p.Applications = p.Applications[:1]
	r := newRig(t, func(state *azuretest.Tenant) { state.Slow = true })
	r.run(p)
	holds(t, p, r.tenant())
}

func TestIdentityMadeElsewhere(t *testing.T) {
	p := plan(t, func(target *setup.Target) { target.Default = setup.Credential{Kind: "gcp"} })
	p.Applications = p.Applications[:1]
	r := newRig(t, nil)
	r.refuses(p, "nothing says which token is to be trusted (entra_id: subject)")
	r.run(p, "--subject", "112233445566778899001")
	for _, a := range r.tenant().Applications {
		if len(a.Federated) != 1 || a.Federated[0].Issuer != "https://accounts.google.com" || a.Federated[0].Subject != "112233445566778899001" {
			t.Errorf("%s trusts %+v", a.DisplayName, a.Federated)
		}
	}
}

func TestRefuses(t *testing.T) {
	change := func(f func(*setup.Plan)) *setup.Plan {
		p := small(t)
		f(p)
		return p
	}
	r := newRig(t, nil)
	r.refuses(change(func(p *setup.Plan) { p.Schema = 2 }), "schema 1")
	r.refuses(change(func(p *setup.Plan) { p.Tenant = otherID }), "is signed in to "+tenantID)
	r.refuses(change(func(p *setup.Plan) { p.Graph.Host = "graph.microsoft.us" }), "the Azure CLI uses graph.microsoft.com")
	r.refuses(change(func(p *setup.Plan) { p.Applications = nil }), "no applications")
	r.refuses(change(func(p *setup.Plan) { p.Applications[0].Permissions[0].RoleID = otherID }), "under the ids of setup.json: GroupMember.Read.All")
	r.refuses(change(func(p *setup.Plan) { p.Applications[0].Permissions[0].Name = "Nothing.Read.All" }), "Nothing.Read.All")
	r.refuses(change(func(p *setup.Plan) { p.Applications[0].ClientID = otherID }), "there is no application "+otherID)
	r.refuses(small(t), "say different things", "--subject", "somebody")
	r.refuses(small(t), "is no application of setup.json", "--existing", "mail="+otherID)
	r.refuses(small(t), "is not KEY=OBJECT_ID", "--existing", "teams=Graphveil teams")
	r.refuses(small(t), "is not an object id", "--owner", "somebody@example.com")
	r.refuses(small(t), "--grant-consent is no option", "--grant-consent")

	twins := newRig(t, func(state *azuretest.Tenant) {
		for range 2 {
			state.Applications = append(state.Applications, &azuretest.Application{ID: azuretest.NewID(), AppID: azuretest.NewID(), DisplayName: "Graphveil entra_id"})
		}
	})
	twins.refuses(small(t), `several applications are called "Graphveil entra_id"`)
	out := newRig(t, func(state *azuretest.Tenant) { state.ID = "" })
	out.refuses(small(t), "not signed in")
}

// TestShellcheck runs where there is a shellcheck; `bash -n` runs everywhere.
func TestScriptParses(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "bash", "-n", "entra.sh").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := exec.LookPath("shellcheck"); err != nil {
		return
	}
	if out, err := exec.CommandContext(t.Context(), "shellcheck", "entra.sh").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
