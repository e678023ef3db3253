package setup

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/policy"
)

// example is a target about which everything is known but the client ids.
func example() Target {
	return Target{
		Tenant: "11111111-2222-3333-4444-555555555555", Cloud: "global", Authority: "https://login.microsoftonline.com",
		GraphHost: "graph.microsoft.com", Audience: "api://AzureADTokenExchange",
		Default: Credential{Kind: "kubernetes", Federated: &Federated{Issuer: "https://oidc.example/id/A", Subject: "system:serviceaccount:privacy:graphveil"}},
	}
}

func load(t *testing.T, c policy.Config) *policy.Snapshot {
	t.Helper()
	s, err := policy.Load(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func derive(t *testing.T, s *policy.Snapshot, target Target) *Plan {
	t.Helper()
	p, err := Derive(s, target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Plan) application(t *testing.T, key string) Application {
	t.Helper()
	i := slices.IndexFunc(p.Applications, func(a Application) bool { return a.Key == key })
	if i < 0 {
		t.Fatalf("no application %s", key)
	}
	return p.Applications[i]
}

func (p *Plan) has(step string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.ID == step })
}

func names(permissions []Permission) []string {
	var all []string
	for _, p := range permissions {
		all = append(all, p.Name)
	}
	return all
}

// Every endpoint is a reason for each of its permissions, in the application of the connector that answers for it, and nothing else is
// asked for.
func TestPermissionsAreThoseOfTheEndpoints(t *testing.T) {
	for _, shared := range []bool{false, true} {
		s := load(t, policy.Config{})
		target := example()
		target.Shared = shared
		p := derive(t, s, target)
		want := map[string]bool{}
		for _, e := range s.Endpoints() {
			if e.ServedBy != "" {
				continue
			}
			key := e.Connector
			if shared {
				key = "graphveil"
			}
			for _, permission := range e.Permissions {
				for _, method := range e.Methods {
					want[strings.Join([]string{key, permission, e.Connector, e.ID, method, e.Path}, " ")] = true
				}
			}
		}
		for _, a := range p.Applications {
			for _, permission := range a.Permissions {
				if len(permission.Why) == 0 || permission.RoleID == "" {
					t.Errorf("%s: %s without a reason or an id", a.Key, permission.Name)
				}
				for _, why := range permission.Why {
					reason := strings.Join([]string{a.Key, permission.Name, why.Connector, why.Endpoint, why.Method, why.Path}, " ")
					if !want[reason] {
						t.Errorf("shared %v: not needed: %s", shared, reason)
					}
					delete(want, reason)
				}
			}
		}
		for reason := range want {
			t.Errorf("shared %v: not asked for: %s", shared, reason)
		}
		if shared && len(p.Applications) != 1 {
			t.Errorf("%d shared applications", len(p.Applications))
		}
	}
}

// A connector alone needs what another would have answered for.
func TestConnectorAloneNeedsMore(t *testing.T) {
	alone := derive(t, load(t, policy.Config{Connectors: []string{"m365_copilot"}}), example()).application(t, "m365_copilot")
	together := derive(t, load(t, policy.Config{}), example()).application(t, "m365_copilot")
	if !slices.Contains(names(alone.Permissions), "User.Read.All") || len(alone.Notes) >= len(together.Notes) {
		t.Errorf("alone %v %v, together %v", names(alone.Permissions), alone.Notes, together.Notes)
	}
}

func TestFederatedCredentials(t *testing.T) {
	s := load(t, policy.Config{Connectors: []string{"outlook_mail"}})
	const tenant = "11111111-2222-3333-4444-555555555555"
	for _, test := range []struct {
		kind string
		in   Federated
		want Federated
	}{
		{"kubernetes", Federated{Subject: "system:serviceaccount:a:b"}, Federated{Subject: "system:serviceaccount:a:b", Audience: "api://AzureADTokenExchange", Missing: []string{"issuer"}}},
		{"gcp", Federated{Subject: "1234"}, Federated{Issuer: "https://accounts.google.com", Subject: "1234", Audience: "api://AzureADTokenExchange"}},
		{"aws_cognito", Federated{}, Federated{Issuer: "https://cognito-identity.amazonaws.com", Missing: []string{"subject", "audience"}}},
		{"azure", Federated{Subject: "x"}, Federated{Issuer: "https://login.microsoftonline.com/" + tenant + "/v2.0", Subject: "x", Audience: "api://AzureADTokenExchange"}},
		{"aws", Federated{Audience: "mine"}, Federated{Audience: "mine", Missing: []string{"issuer", "subject"}}},
		{"", Federated{}, Federated{Audience: "api://AzureADTokenExchange", Missing: []string{"issuer", "subject"}}},
	} {
		target := example()
		target.Default = Credential{Kind: test.kind, Federated: &test.in}
		p := derive(t, s, target)
		got := p.application(t, "outlook_mail").Credential.Federated
		test.want.Name = "graphveil-outlook-mail"
		if got.Name != test.want.Name || got.Issuer != test.want.Issuer || got.Subject != test.want.Subject || got.Audience != test.want.Audience || !slices.Equal(got.Missing, test.want.Missing) {
			t.Errorf("%s: %+v, want %+v", test.kind, *got, test.want)
		}
		for _, step := range p.Steps {
			for _, missing := range got.Missing {
				if step.ID == "federated-credentials" && !strings.Contains(step.What, "The "+missing+" is not known yet") {
					t.Errorf("%s: no word on the missing %s", test.kind, missing)
				}
			}
		}
	}
	for _, kind := range []string{"certificate", "client_secret"} {
		target := example()
		target.Default = Credential{Kind: kind, Federated: &Federated{}}
		p := derive(t, s, target)
		if p.application(t, "outlook_mail").Credential.Federated != nil || p.has("federated-credentials") || !p.has(strings.ReplaceAll(kind, "_", "-")+"s") {
			t.Errorf("%s: the wrong steps", kind)
		}
	}
	for name, test := range map[string]struct {
		change func(*Target)
		want   string
	}{
		"a platform that does not exist": {func(t *Target) { t.Default.Kind = "azur" }, "azure"},
		"an issuer without a scheme":     {func(t *Target) { t.Default.Federated.Issuer = "oidc.example/id" }, "https URL"},
		"a subject of two lines":         {func(t *Target) { t.Default.Federated.Subject = "a\nrm" }, "the subject"},
		"a tenant with a command in it":  {func(t *Target) { t.Tenant = "x; rm" }, "tenant"},
		"a client id that is none":       {func(t *Target) { t.Known = map[string]Known{"outlook_mail": {ClientID: "$(rm)"}} }, "GUID"},
	} {
		target := example()
		test.change(&target)
		if _, err := Derive(s, target); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Connectors that a configuration gives one client id share an application.
func TestSharedClientID(t *testing.T) {
	target := example()
	const one, two, own = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002", "aaaaaaaa-0000-4000-8000-000000000003"
	target.Known = map[string]Known{
		"entra_id": {ClientID: one}, "outlook_mail": {ClientID: one}, "teams": {ClientID: own},
	}
	s := load(t, policy.Config{Connectors: []string{"entra_id", "outlook_mail", "teams"}})
	p := derive(t, s, target)
	shared := p.application(t, "graphveil")
	if shared.ClientID != one || !slices.Equal(shared.Connectors, []string{"entra_id", "outlook_mail"}) || p.application(t, "teams").ClientID != own || len(p.Applications) != 2 {
		t.Errorf("%+v", p.Applications)
	}
	target.Shared = true
	if p = derive(t, s, target); len(p.Applications) != 1 || p.Applications[0].ClientID != "" {
		t.Errorf("shared, against the configuration: %+v", p.Applications)
	}
	target.Shared = false
	target.Known["onedrive"], target.Known["m365_copilot"] = Known{ClientID: two}, Known{ClientID: two}
	p = derive(t, load(t, policy.Config{Connectors: []string{"entra_id", "m365_copilot", "onedrive", "outlook_mail", "teams"}}), target)
	keys := map[string]bool{}
	for _, a := range p.Applications {
		keys[a.Key] = true
	}
	if len(p.Applications) != 3 || len(keys) != 3 {
		t.Errorf("two shared applications: %v", keys)
	}
}

// One application has one federated credential, so a plan for one must not pass over a connector that signs in otherwise.
func TestSharedApplicationHasOneCredential(t *testing.T) {
	s := load(t, policy.Config{Connectors: []string{"entra_id", "outlook_mail"}})
	target := example()
	target.Shared = true
	target.Known = map[string]Known{"entra_id": {Credential: target.Default}, "outlook_mail": {Credential: Credential{Kind: "certificate"}}}
	if _, err := Derive(s, target); err == nil || !strings.Contains(err.Error(), "entra_id and outlook_mail share an application") {
		t.Errorf("%v", err)
	}
	other := *target.Default.Federated
	target.Known["outlook_mail"] = Known{Credential: Credential{Kind: "kubernetes", Federated: &other}}
	if p := derive(t, s, target); len(p.Applications) != 1 || p.Applications[0].Credential.Kind != "kubernetes" {
		t.Errorf("%+v", p.Applications)
	}
}

// The command that makes a secret leaves it in a file of its own for each application, which no other user of the machine can read.
func TestSecretsAreWrittenForTheirOwnerAlone(t *testing.T) {
	target := example()
	target.Default = Credential{Kind: "client_secret"}
	p := derive(t, load(t, policy.Config{}), target)
	at := slices.IndexFunc(p.Steps, func(s Step) bool { return s.ID == "client-secrets" })
	folder, bin := t.TempDir(), t.TempDir()
	if err := os.WriteFile(bin+"/az", []byte("#!/bin/sh\necho secret\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("sh", "-euc", "umask 022\n"+strings.Join(p.Steps[at].Commands, "\n"))
	run.Dir = folder
	run.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	for _, a := range p.Applications {
		run.Env = append(run.Env, a.variable()+"="+GraphAppID)
	}
	if output, err := run.CombinedOutput(); err != nil || len(output) > 0 {
		t.Fatalf("%v %s", err, output)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != len(p.Applications) {
		t.Fatalf("%d files for %d applications, %v", len(files), len(p.Applications), err)
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file.Name(), info.Mode(), err)
		}
	}
}

func TestStepsAreThoseNeeded(t *testing.T) {
	for _, test := range []struct {
		connector          string
		teams, box, secret bool
	}{
		{"entra_id", false, false, false},
		{"outlook_mail", false, true, false},
		{"teams", true, false, true},
	} {
		p := derive(t, load(t, policy.Config{Connectors: []string{test.connector}}), example())
		if p.has("teams-application-access-policy") != test.teams || p.has("scope-mailboxes") != test.box || p.has("protected-apis") != test.secret || p.has("look-up-roles") {
			t.Errorf("%s: %+v", test.connector, p.Steps)
		}
		ids := map[string]bool{}
		for _, s := range p.Steps {
			if ids[s.ID] || s.Who == "" || s.What == "" || s.Title == "" || !slices.Contains(People, s.For) || s.Commands == nil {
				t.Errorf("%s: step %+v", test.connector, s)
			}
			ids[s.ID] = true
		}
	}
}

// Each cloud has its own portal and names for the shells, and lacks what it lacks.
func TestClouds(t *testing.T) {
	s := load(t, policy.Config{})
	for _, c := range auth.Clouds() {
		known, ok := clouds[c.Name]
		if !ok {
			t.Errorf("no cloud %s", c.Name)
			continue
		}
		p := derive(t, s, Target{Cloud: c.Name, GraphHost: c.Graph, Authority: c.Authority, Audience: c.Audience})
		var commands, links []string
		for _, step := range p.Steps {
			commands, links = append(commands, step.Commands...), append(links, step.Links...)
		}
		all := strings.Join(commands, "\n")
		for _, want := range []string{"az cloud set --name " + known.azureCLI, "Connect-MicrosoftTeams" + known.teams + "\n", "Connect-ExchangeOnline" + known.exchange + "\n"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no %q", c.Name, want)
			}
		}
		for _, link := range links {
			if !strings.HasPrefix(link, known.portal+"/#view/") {
				t.Errorf("%s: %s", c.Name, link)
			}
		}
		if f := p.application(t, "teams").Credential.Federated; f.Audience != c.Audience {
			t.Errorf("%s: audience %s", c.Name, f.Audience)
		}
		for permission := range known.lacks {
			used := false
			for _, a := range p.Applications {
				if !slices.Contains(names(a.Permissions), permission) {
					continue
				}
				used = true
				if !strings.Contains(strings.Join(a.Notes, " "), permission+" has no use in this cloud") {
					t.Errorf("%s: no word on %s", c.Name, permission)
				}
			}
			if _, id := RoleOf(permission); !used && id == "" {
				t.Errorf("%s: %s is no permission", c.Name, permission)
			}
		}
	}
	if len(clouds) != len(auth.Clouds()) {
		t.Errorf("%d clouds", len(clouds))
	}
}
