package setup

import (
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy"
)

// The least privileged roles of Entra for each kind of work (learn.microsoft.com/entra/identity/role-based-access-control/delegate-by-task).
const (
	applicationAdministrator = "Cloud Application Administrator"
	roleAdministrator        = "Privileged Role Administrator"
	teamsAdministrator       = "Teams Administrator"
	exchangeAdministrator    = "Exchange Administrator"
	operator                 = "whoever runs Graphveil"
)

// stepsOf are the steps of a plan, in the order in which they are done.
func stepsOf(p *Plan) []Step {
	var steps []Step
	add := func(s Step, needed bool) {
		if needed {
			if s.Commands == nil {
				s.Commands = []string{}
			}
			steps = append(steps, s)
		}
	}
	some := func(holds func(Application) bool) bool { return slices.ContainsFunc(p.Applications, holds) }
	add(lookUp(p), len(unknownRoles(p)) > 0)
	add(createApplications(p), true)
	add(federate(p), some(func(a Application) bool { return a.Credential.Federated != nil }))
	add(certify(p), some(func(a Application) bool { return a.Credential.Kind == "certificate" }))
	add(secrets(p), some(func(a Application) bool { return a.Credential.Kind == "client_secret" }))
	add(ownApplications(p), true)
	add(consent(p), true)
	add(protected(), some(func(a Application) bool { return slices.Contains(a.Setup, policy.SetupTeamsProtectedAPIs) }))
	add(teamsPolicy(p), some(func(a Application) bool { return a.TeamsPolicy }))
	add(scopeMailboxes(p), some(func(a Application) bool { return len(a.ExchangeRoles) > 0 }))
	add(configure(p), true)
	add(check(), true)
	return steps
}

// id is the application id in a command: the id, or a shell variable that an earlier command sets.
func (a Application) id() string {
	if a.ClientID != "" {
		return a.ClientID
	}
	return `"$` + a.variable() + `"`
}

// idWord stands for the application id outside of a POSIX shell.
func (a Application) idWord() string {
	if a.ClientID != "" {
		return a.ClientID
	}
	return "CLIENT_ID_OF_" + a.variable()
}

func (a Application) variable() string { return strings.ToUpper(a.Key) }

// signIn is how the Azure CLI is brought to the tenant, beside other tenants on the same machine.
func signIn(p *Plan) []string {
	return []string{
		"export AZURE_CONFIG_DIR=$(mktemp -d)   # a profile of its own: the usual one is shared by all tenants on this machine. At the end: az logout; rm -r \"$AZURE_CONFIG_DIR\"",
		"az cloud set --name " + cloudOf(p.Cloud).azureCLI,
		"az login --allow-no-subscriptions --tenant " + orWord(p.Tenant, "TENANT_ID"),
	}
}

func orWord(text, word string) string {
	if text != "" {
		return text
	}
	return word
}

func sortedKeys(set map[string]bool) []string {
	var keys []string
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
