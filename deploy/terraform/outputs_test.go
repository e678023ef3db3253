package terraform_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/zclconf/go-cty/cty"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/policy"
)

func TestConfigurationIsGraphveils(t *testing.T) {
	_, s := derive(t, policy.Config{}, kubernetes)
	var config struct {
		Tokens auth.Config `yaml:"tokens"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(entra(t, s, nil).output("configuration").AsString()), &config, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if config.Tokens.Tenant != tenant || config.Tokens.Cloud != "global" || len(config.Tokens.Connectors) != len(s.Applications) {
		t.Errorf("%+v", config.Tokens)
	}
	for name, c := range config.Tokens.Connectors {
		if c.ClientID != clientID(name) {
			t.Errorf("%s is %s", name, c.ClientID)
		}
	}
}

// TestAdminDocument wants everything that an administrator must know in it, and no word left that stands for an id.
func TestAdminDocument(t *testing.T) {
	snapshot, s := derive(t, policy.Config{}, kubernetes)
	document := entra(t, s, nil).output("admin_document").AsString()
	for _, a := range s.Applications {
		for _, want := range append(needed(snapshot, a.Connectors), a.DisplayName, clientID(a.Key), "CallAnAPI/appId/"+clientID(a.Key)) {
			if !strings.Contains(document, want) {
				t.Errorf("%s is not said of %s", want, a.Key)
			}
		}
	}
	for _, want := range []string{"Privileged Role Administrator", "Teams Administrator", `New-CsApplicationAccessPolicy -Identity "Graphveil" -AppIds "` + clientID("teams") + `"`, "New-ManagementRoleAssignment"} {
		if !strings.Contains(document, want) {
			t.Errorf("the document does not say %s", want)
		}
	}
	for _, e := range snapshot.Endpoints() {
		if e.ServedBy == "" && !strings.Contains(document, "`GET "+e.Path+"`") {
			t.Errorf("the document does not say what is read at %s", e.Path)
		}
	}
	for _, bad := range []string{"CLIENT_ID_OF_", "TENANT_ID", "az ad app create"} {
		if strings.Contains(document, bad) {
			t.Errorf("the document says %s", bad)
		}
	}
	granted := entra(t, s, map[string]cty.Value{"grant_consent": cty.True}).output("admin_document").AsString()
	if strings.Contains(granted, "Grant admin consent") || !strings.Contains(granted, "New-CsApplicationAccessPolicy") {
		t.Error("with consent given, the document still asks for it, or for nothing more")
	}
}
