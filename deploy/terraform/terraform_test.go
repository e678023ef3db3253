// Package terraform_test reads the modules of this folder as Terraform does and holds what they would make against the policy.
package terraform_test

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/policy"
)

// roleIDs are those of Microsoft Graph's application permissions that the shipped policy needs
// (learn.microsoft.com/graph/permissions-reference), written down here once more so that a wrong one elsewhere is seen.
var roleIDs = map[string]string{
	"AiEnterpriseInteraction.Read.All": "839c90ab-5771-41ee-aef8-a562e8487c1e",
	"Calendars.ReadBasic.All":          "8ba4a692-bc31-4128-9094-475872af8a53",
	"CallRecord-PstnCalls.Read.All":    "a2611786-80b3-417e-adaa-707d4261a5f0",
	"CallRecords.Read.All":             "45bbb07e-7321-4fd7-a8f6-3ff27e6a81c8",
	"Calls.Initiate.All":               "284383ee-7f6e-4e40-a2a8-e85dcb029101",
	"Channel.ReadBasic.All":            "59a6b24b-4225-4393-8165-ebaec5f55d7a",
	"ChannelMessage.Read.All":          "7b2449af-6ccd-4f4d-9f78-e550c193f0d1",
	"Chat.Read.All":                    "6b7d71aa-70aa-4810-a8d9-5d9fb2830017",
	"Chat.ReadBasic.All":               "b2e060da-3baf-4687-9611-f4ebc0f0cbde",
	"Files.Read.All":                   "01d4889c-1287-42c6-ac1f-5d1e02578ef6",
	"GroupMember.Read.All":             "98830695-27a2-44f7-8c18-0c3ebc9698f6",
	"Mail.ReadBasic.All":               "693c5e45-0940-467d-9b8a-1022fb9d42ef",
	"MailboxSettings.Read":             "40f97065-369a-49f4-947c-6a255697ae91",
	"OnlineMeetingArtifact.Read.All":   "df01ed3b-eb61-4eca-9965-6b3d789751b2",
	"OnlineMeetings.Read.All":          "c1684f21-1984-47fa-9d61-2dc8c296bb70",
	"Team.ReadBasic.All":               "2280dda6-0bfd-44ee-a2f4-cb867cfc4c1e",
	"User.Read.All":                    "df021288-bdef-4463-88db-98f22de89214",
}

// roleOf is the role of a permission, which Entra calls otherwise where the documentation says Calendars.ReadBasic.
func roleOf(permission string) string {
	if permission == "Calendars.ReadBasic" {
		return "Calendars.ReadBasic.All"
	}
	return permission
}

// What the test says of the tenant and of who is signed in.
const (
	tenant  = "11111111-2222-4333-8444-555555555555"
	caller  = "99999999-0000-4000-8000-00000000000a"
	ownerID = "99999999-0000-4000-8000-00000000000b"
	graphSP = "99999999-0000-4000-8000-00000000000c"
)

// clientID and the others are what Entra gives to the application of a key.
func clientID(key string) string  { return id("c1", key) }
func objectID(key string) string  { return id("0b", key) }
func principal(key string) string { return id("59", key) }

func id(kind, key string) string {
	return fmt.Sprintf("%s%06x-0000-4000-8000-%012x", kind, crc32.ChecksumIEEE([]byte(key))&0xffffff, crc32.ChecksumIEEE([]byte(kind+key)))
}

// kubernetes is a target of which everything is known.
var kubernetes = setup.Target{
	Tenant: tenant, Cloud: "global", Authority: "https://login.microsoftonline.com", GraphHost: "graph.microsoft.com", Audience: "api://AzureADTokenExchange",
	Default: setup.Credential{Kind: "kubernetes", Federated: &setup.Federated{Issuer: "https://oidc.example/id", Subject: "system:serviceaccount:privacy:graphveil"}},
}

// shipped is the policy without any setting.
var shipped = sync.OnceValues(func() (*policy.Snapshot, error) { return policy.Load(context.Background(), policy.Config{}) })

// derive makes the setup file as `graphveil setup --format json` does.
func derive(t *testing.T, config policy.Config, target setup.Target) (*policy.Snapshot, *setup.Plan) {
	t.Helper()
	snapshot, err := shipped()
	if config.Settings != nil || config.Connectors != nil {
		snapshot, err = policy.Load(t.Context(), config)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := setup.Derive(snapshot, target)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot, p
}

// entra evaluates the module over a setup file.
func entra(t *testing.T, s *setup.Plan, vars map[string]cty.Value) *plan {
	t.Helper()
	all := map[string]cty.Value{"setup": writeJSON(t, s)}
	maps.Copy(all, vars)
	p := newPlan(t, readModule(t, "entra"), all)
	roles := map[string]cty.Value{}
	for name, id := range roleIDs {
		roles[name] = cty.StringVal(id)
	}
	p.data = map[string]cty.Value{
		"azuread_client_config.current":      cty.ObjectVal(map[string]cty.Value{"tenant_id": cty.StringVal(tenant), "object_id": cty.StringVal(caller)}),
		"azuread_service_principal.graph":    cty.ObjectVal(map[string]cty.Value{"object_id": cty.StringVal(graphSP), "app_role_ids": cty.MapVal(roles)}),
		"azuread_service_principal.existing": cty.ObjectVal(map[string]cty.Value{"object_id": cty.StringVal(principal("existing"))}),
	}
	p.computed = map[string]func(string) map[string]cty.Value{
		"azuread_application": func(key string) map[string]cty.Value {
			return map[string]cty.Value{
				"id": cty.StringVal("/applications/" + objectID(key)), "object_id": cty.StringVal(objectID(key)), "client_id": cty.StringVal(clientID(key)),
			}
		},
		"azuread_service_principal": func(key string) map[string]cty.Value {
			return map[string]cty.Value{"object_id": cty.StringVal(principal(key))}
		},
	}
	return p
}

// needed are the roles that the policy wants for connectors, by what the endpoints themselves say.
func needed(s *policy.Snapshot, connectors []string) []string {
	roles := map[string]bool{}
	for _, e := range s.Endpoints() {
		if slices.Contains(connectors, e.Connector) && e.ServedBy == "" {
			for _, permission := range e.Permissions {
				roles[roleOf(permission)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(roles))
}

// asked are the roles that an application asks of Microsoft Graph. It must ask nobody else, and for nothing but roles.
func asked(t *testing.T, i instance) []string {
	t.Helper()
	names := map[string]string{}
	for name, id := range roleIDs {
		names[id] = name
	}
	if n := len(i.blocks["required_resource_access"]); n != 1 {
		t.Fatalf("%d blocks of required_resource_access", n)
	}
	access := i.blocks["required_resource_access"][0]
	if got := access.attributes["resource_app_id"].AsString(); got != "00000003-0000-0000-c000-000000000000" {
		t.Errorf("it asks %s", got)
	}
	var roles []string
	for _, a := range access.blocks["resource_access"] {
		if kind := a.attributes["type"].AsString(); kind != "Role" {
			t.Errorf("it asks for a %s", kind)
		}
		id := a.attributes["id"].AsString()
		roles = append(roles, cmp.Or(names[id], id))
	}
	slices.Sort(roles)
	return roles
}

// policies are the shipped policy under its options, and parts of it.
var policies = map[string]policy.Config{
	"default":  {},
	"groups":   {Settings: map[string]string{"groups": "off"}},
	"calls":    {Settings: map[string]string{"calls": "off"}},
	"all":      {Settings: map[string]string{"endpoints": "all", "level": "strict"}},
	"two":      {Connectors: []string{"outlook_mail", "onedrive"}},
	"calendar": {Connectors: []string{"outlook_calendar"}},
}

func TestPermissionsAreThePolicys(t *testing.T) {
	for name, config := range policies {
		t.Run(name, func(t *testing.T) {
			for _, shared := range []bool{false, true} {
				target := kubernetes
				target.Shared = shared
				snapshot, s := derive(t, config, target)
				p := entra(t, s, nil)
				if refused := p.refused(); len(refused) > 0 {
					t.Fatal(refused)
				}
				served := map[string]bool{}
				made := p.made("azuread_application", "this")
				for _, a := range s.Applications {
					got, want := asked(t, made[a.Key]), needed(snapshot, a.Connectors)
					if !slices.Equal(got, want) || len(got) == 0 {
						t.Errorf("%s (shared: %v) asks for %v, the policy wants %v", a.Key, shared, got, want)
					}
					for _, c := range a.Connectors {
						served[c] = true
					}
				}
				for _, c := range snapshot.Connectors() {
					if !served[c.Name] {
						t.Errorf("no application for %s", c.Name)
					}
					if shared {
						continue
					}
					for _, role := range asked(t, made[c.Name]) { // and no more than the connector says on the whole
						if !slices.ContainsFunc(c.Permissions, func(p string) bool { return roleOf(p) == role }) {
							t.Errorf("%s asks for %s, which the connector does not name", c.Name, role)
						}
					}
				}
				if len(made) != len(s.Applications) || shared && len(made) != 1 {
					t.Errorf("%d applications", len(made))
				}
			}
		})
	}
}

func TestFederatedCredentialsAreThoseOfTheFile(t *testing.T) {
	for cloud, audience := range map[string]string{"global": "api://AzureADTokenExchange", "us_government": "api://AzureADTokenExchangeUSGov"} {
		target := kubernetes
		target.Cloud, target.Audience = cloud, audience
		target.Known = map[string]setup.Known{"onedrive": {Credential: setup.Credential{Kind: "certificate"}}}
		_, s := derive(t, policy.Config{}, target)
		p := entra(t, s, nil)
		if refused := p.refused(); len(refused) > 0 {
			t.Fatal(refused)
		}
		made := p.made("azuread_application_federated_identity_credential", "this")
		for _, a := range s.Applications {
			f, got := a.Credential.Federated, made[a.Key].attributes
			if f == nil {
				if got != nil {
					t.Errorf("%s signs in with a certificate and trusts %v", a.Key, got)
				}
				continue
			}
			if got["display_name"].AsString() != f.Name || got["issuer"].AsString() != f.Issuer || got["subject"].AsString() != f.Subject ||
				!slices.Equal(texts(got["audiences"]), []string{audience}) || got["application_id"].AsString() != "/applications/"+objectID(a.Key) {
				t.Errorf("%s trusts %v, want %+v", a.Key, got, *f)
			}
		}
		if len(made) != len(s.Applications)-1 {
			t.Errorf("%d federated credentials", len(made))
		}
	}
}

// TestIdentityMadeElsewhere: on AWS and Google Cloud, Terraform makes what the setup file cannot know, and the applications trust that.
func TestIdentityMadeElsewhere(t *testing.T) {
	const issuer, role, number = "https://a1b2.tokens.sts.global.api.aws", "arn:aws:iam::123456789012:role/graphveil", "112233445566778899001"
	computed := func(attributes map[string]string) func(string) map[string]cty.Value {
		return func(string) map[string]cty.Value {
			values := map[string]cty.Value{}
			for name, v := range attributes {
				values[name] = cty.StringVal(v)
			}
			return values
		}
	}
	for name, c := range map[string]struct {
		kind, example   string
		vars            map[string]cty.Value
		issuer, subject string
	}{
		"aws":                {"aws", "examples/aws", map[string]cty.Value{"region": cty.StringVal("eu-west-1")}, issuer, role},
		"aws, existing role": {"aws", "examples/aws", map[string]cty.Value{"region": cty.StringVal("eu-west-1"), "existing_role": cty.True, "role_name": cty.StringVal("task")}, issuer, role + "-there"},
		"gcp":                {"gcp", "examples/gcp", map[string]cty.Value{"project": cty.StringVal("p")}, "https://accounts.google.com", number},
	} {
		t.Run(name, func(t *testing.T) {
			target := kubernetes
			target.Default = setup.Credential{Kind: c.kind}
			_, s := derive(t, policy.Config{}, target)
			c.vars["setup"] = writeJSON(t, s)
			root := newPlan(t, readModule(t, c.example), c.vars)
			root.data = map[string]cty.Value{
				"aws_iam_role.existing":         cty.ObjectVal(map[string]cty.Value{"arn": cty.StringVal(role + "-there")}),
				"aws_iam_policy_document.trust": cty.ObjectVal(map[string]cty.Value{"json": cty.StringVal("{}")}),
			}
			root.computed = map[string]func(string) map[string]cty.Value{
				"aws_iam_outbound_web_identity_federation": computed(map[string]string{"issuer_identifier": issuer}),
				"aws_iam_role":           computed(map[string]string{"arn": role}),
				"google_service_account": computed(map[string]string{"unique_id": number, "email": "graphveil@p.iam.gserviceaccount.com", "name": "projects/p/serviceAccounts/graphveil"}),
			}
			p := entra(t, s, map[string]cty.Value{"federated_identity": root.local("federated_identity")})
			if refused := p.refused(); len(refused) > 0 {
				t.Fatal(refused)
			}
			made := p.made("azuread_application_federated_identity_credential", "this")
			for key, i := range made {
				if i.attributes["issuer"].AsString() != c.issuer || i.attributes["subject"].AsString() != c.subject {
					t.Errorf("%s trusts %v", key, i.attributes)
				}
			}
			if len(made) != len(s.Applications) {
				t.Errorf("%d federated credentials", len(made))
			}
		})
	}

	identity := func(issuer string) map[string]cty.Value {
		return map[string]cty.Value{"federated_identity": cty.ObjectVal(map[string]cty.Value{"issuer": cty.StringVal(issuer), "subject": cty.StringVal(role)})}
	}
	target := kubernetes
	target.Default = setup.Credential{Kind: "aws"}
	_, s := derive(t, policy.Config{}, target)
	refuses(t, entra(t, s, nil), "Neither the setup file nor federated_identity says")
	refuses(t, entra(t, s, identity(issuer+"/")), "without a slash at its end")
	_, known := derive(t, policy.Config{}, kubernetes)
	refuses(t, entra(t, known, identity(issuer)), "say different things")
}

// refuses wants a message.
func refuses(t *testing.T, p *plan, want string) {
	t.Helper()
	refused := p.refused()
	if len(refused) == 0 || !slices.ContainsFunc(refused, func(m string) bool { return strings.Contains(m, want) }) {
		t.Errorf("%v, want %q", refused, want)
	}
}

func TestRefuses(t *testing.T) {
	change := func(f func(*setup.Plan)) *plan {
		_, s := derive(t, policy.Config{}, kubernetes)
		f(s)
		return entra(t, s, nil)
	}
	refuses(t, change(func(s *setup.Plan) { s.Tenant = "22222222-2222-4333-8444-555555555555" }), "you are signed in to "+tenant)
	refuses(t, change(func(s *setup.Plan) { s.Schema = 2 }), "schema 1")
	refuses(t, change(func(s *setup.Plan) { s.Cloud = "" }), "private cloud")
	refuses(t, change(func(s *setup.Plan) { s.Applications[0].Permissions[0].RoleID = roleIDs["Files.Read.All"] }), "does not have the roles")
	refuses(t, change(func(s *setup.Plan) {
		s.Applications[0].Permissions[0].Name, s.Applications[0].Permissions[0].RoleID = "Nothing.Read.All", ""
	}), "does not have the roles")
	refuses(t, change(func(s *setup.Plan) { s.Applications[0].ClientID = caller }), "Import that one")
	if refused := change(func(s *setup.Plan) { s.Applications[0].Permissions[0].RoleID = "" }).refused(); len(refused) > 0 {
		t.Errorf("an id that only the tenant knows: %v", refused)
	}
	_, s := derive(t, policy.Config{}, kubernetes)
	existing := func(key, id string) map[string]cty.Value {
		return map[string]cty.Value{"existing_applications": cty.MapVal(map[string]cty.Value{key: cty.StringVal(id)})}
	}
	refuses(t, entra(t, s, existing("mail", objectID("mail"))), "no key of the setup file")
	refuses(t, entra(t, s, existing("teams", "Graphveil teams")), "An object id is a GUID")
}

func TestConsentIsNotGivenUnlessAsked(t *testing.T) {
	snapshot, s := derive(t, policy.Config{}, kubernetes)
	existing := cty.MapVal(map[string]cty.Value{"teams": cty.StringVal(objectID("teams"))})
	p := entra(t, s, map[string]cty.Value{"existing_applications": existing})
	if n := len(p.made("azuread_app_role_assignment", "consent")); n != 0 {
		t.Fatalf("%d roles are granted", n)
	}
	p = entra(t, s, map[string]cty.Value{"existing_applications": existing, "grant_consent": cty.True})
	granted := map[string][]string{} // by service principal
	for key, i := range p.made("azuread_app_role_assignment", "consent") {
		_, role, _ := strings.Cut(key, "/")
		if i.attributes["app_role_id"].AsString() != roleIDs[role] || i.attributes["resource_object_id"].AsString() != graphSP {
			t.Errorf("%s grants %v", key, i.attributes)
		}
		who := i.attributes["principal_object_id"].AsString()
		granted[who] = append(granted[who], role)
	}
	for _, a := range s.Applications {
		who := principal(a.Key)
		if a.Key == "teams" {
			who = principal("existing")
		}
		slices.Sort(granted[who])
		if want := needed(snapshot, a.Connectors); !slices.Equal(granted[who], want) {
			t.Errorf("%s is granted %v, want %v", a.Key, granted[who], want)
		}
	}
}

// TestExistingApplications: one that was handed over is imported; names, owners and its service principal stay as they are.
func TestExistingApplications(t *testing.T) {
	_, s := derive(t, policy.Config{}, kubernetes)
	p := entra(t, s, map[string]cty.Value{
		"existing_applications": cty.MapVal(map[string]cty.Value{"teams": cty.StringVal(objectID("teams"))}),
		"owners":                cty.SetVal([]cty.Value{cty.StringVal(ownerID)}),
	})
	principals := p.made("azuread_service_principal", "this")
	for _, a := range s.Applications {
		i, made := principals[a.Key]
		if made == (a.Key == "teams") {
			t.Errorf("%s: a service principal is made: %v", a.Key, made)
		}
		if made && i.attributes["client_id"].AsString() != clientID(a.Key) {
			t.Errorf("%s: the service principal is that of %v", a.Key, i.attributes["client_id"])
		}
		application := p.made("azuread_application", "this")[a.Key].attributes
		if got := texts(application["owners"]); !slices.Equal(got, []string{caller, ownerID}) {
			t.Errorf("%s is owned by %v", a.Key, got)
		}
		if got := application["sign_in_audience"].AsString(); got != "AzureADMyOrg" {
			t.Errorf("%s is for %s", a.Key, got)
		}
	}
	for kind, names := range map[string][]string{"azuread_application": {"display_name", "owners"}, "azuread_service_principal": {"owners"}} {
		source := p.source(p.one(t, "resource", kind, "this").Body.Blocks[len(p.one(t, "resource", kind, "this").Body.Blocks)-1].Body.Attributes["ignore_changes"].Expr)
		for _, name := range names {
			if !slices.Contains(strings.FieldsFunc(source, func(r rune) bool { return strings.ContainsRune("[], ", r) }), name) {
				t.Errorf("%s: %s of an imported one would be changed", kind, name)
			}
		}
	}
	for _, m := range modules(t) {
		if m.dir == "entra" { // Terraform takes import blocks in the folder that is applied only
			if len(m.named("import")) > 0 {
				t.Error("the module imports")
			}
			continue
		}
		if len(m.named("module")) == 0 {
			continue
		}
		b := m.one(t, "import").Body
		root := newPlan(t, m, map[string]cty.Value{"project": cty.StringVal("p"), "region": cty.StringVal("eu-west-1"), "existing_applications": cty.MapVal(map[string]cty.Value{"teams": cty.StringVal(objectID("teams"))})})
		each := cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal("teams"), "value": cty.StringVal(objectID("teams"))})
		if got := root.value(b.Attributes["id"].Expr, map[string]cty.Value{"each": each}).AsString(); got != "/applications/"+objectID("teams") {
			t.Errorf("%s imports %s", m.dir, got)
		}
		if got := root.source(b.Attributes["to"].Expr); got != "module.entra.azuread_application.this[each.key]" {
			t.Errorf("%s imports to %s", m.dir, got)
		}
	}
}
