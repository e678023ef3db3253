package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What a connector may say in setup: what an administrator has to know or do beyond
// granting permissions.
const (
	// SetupTeamsApplicationAccessPolicy: Graph reads online meetings only of users for
	// whom a policy of Teams names the application, until then it answers 403.
	// https://learn.microsoft.com/graph/cloud-communication-online-meeting-application-access-policy
	SetupTeamsApplicationAccessPolicy = "teams_application_access_policy"
	// SetupTeamsProtectedAPIs: reading messages of Teams as an application is a
	// protected API, for which Microsoft may ask for a form beside the consent.
	// https://learn.microsoft.com/graph/teams-protected-apis
	SetupTeamsProtectedAPIs = "teams_protected_apis"
	// SetupExchangeRBAC: permissions for mailboxes can be granted in Exchange, for some
	// mailboxes, in place of a consent for all (RBAC for Applications). Grants add up,
	// so that the consent has to go.
	// https://learn.microsoft.com/exchange/permissions-exo/application-rbac
	SetupExchangeRBAC = "exchange_rbac"
)

// SetupWords are the words that a connector may say in setup, sorted.
func SetupWords() []string {
	return []string{SetupExchangeRBAC, SetupTeamsApplicationAccessPolicy, SetupTeamsProtectedAPIs}
}

// setup reads a connector's set of words.
func (k *contract) setup(term *ast.Term, at position) []string {
	words := k.strings(term, at)
	for _, word := range words {
		if known := SetupWords(); !slices.Contains(known, word) {
			k.add(at.error("contract_error", fmt.Sprintf("there is no setup %q", word), cmpHint(didYouMean(word, known), "known are: "+strings.Join(known, ", "))))
		}
	}
	return words
}

// permissions reads those of an endpoint: some of the connector's, for those are what
// an author reviews. Without the key they are all of them. A connector need not list
// what only an endpoint needs that is off.
func (k *contract) permissions(term *ast.Term, at position, enabled bool) []string {
	if term == nil {
		return k.granted
	}
	names := k.strings(term, at)
	if set, ok := term.Value.(ast.Set); ok && set.Len() == 0 {
		k.add(at.error("contract_error", "an endpoint needs at least one permission", "without the key it needs all of its connector's"))
	}
	for _, name := range names {
		if enabled && !slices.Contains(k.granted, name) {
			k.add(at.error("contract_error", fmt.Sprintf("the connector does not list the permission %q", name), cmpHint(didYouMean(name, k.granted), "add it to permissions")))
		}
	}
	return names
}
