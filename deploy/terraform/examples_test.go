package terraform_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/policy"
)

// TestAWSGivesTokensForEntraOnly evaluates the permission of the role: one action, for one audience, as Entra reads signatures, and no
// longer than Graphveil asks for.
func TestAWSGivesTokensForEntraOnly(t *testing.T) {
	target := kubernetes
	target.Default = setup.Credential{Kind: "aws"}
	_, s := derive(t, policy.Config{}, target)
	p := newPlan(t, readModule(t, "examples/aws"), map[string]cty.Value{"setup": writeJSON(t, s), "region": cty.StringVal("eu-west-1")})
	document := p.body(p.one(t, "data", "aws_iam_policy_document", "token").Body, nil)
	if len(document.blocks["statement"]) != 1 {
		t.Fatal(document.blocks)
	}
	statement := document.blocks["statement"][0]
	if actions := texts(statement.attributes["actions"]); !slices.Equal(actions, []string{"sts:GetWebIdentityToken"}) {
		t.Errorf("the role may %v", actions)
	}
	conditions := map[string][]string{}
	for _, c := range statement.blocks["condition"] {
		conditions[c.attributes["test"].AsString()+" "+c.attributes["variable"].AsString()] = texts(c.attributes["values"])
	}
	source, err := os.ReadFile("../../auth/aws.go")
	if err != nil {
		t.Fatal(err)
	}
	seconds := regexp.MustCompile(`(?m)^\tawsAssertionSeconds = (\d+)$`).FindSubmatch(source)
	algorithm := regexp.MustCompile(`(?m)^\tawsAlgorithm = "(\w+)"$`).FindSubmatch(source)
	if seconds == nil || algorithm == nil {
		t.Fatal("auth/aws.go does not say how long and how it wants its token signed")
	}
	want := map[string][]string{
		"ForAllValues:StringEquals sts:IdentityTokenAudience": {"api://AzureADTokenExchange"},
		"Null sts:IdentityTokenAudience":                      {"false"},
		"StringEquals sts:SigningAlgorithm":                   {string(algorithm[1])},
		"NumericLessThanEquals sts:DurationSeconds":           {string(seconds[1])},
	}
	if !maps.EqualFunc(conditions, want, slices.Equal) {
		t.Errorf("%v, want %v", conditions, want)
	}
}
