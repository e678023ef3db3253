package check

import (
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
)

// guards says whether a filter lets only those requests pass that the processor
// allowed.
func guards(filter *rbacv3.RBAC, own []*anypb.Any) bool {
	for _, a := range own {
		route := open[rbacv3.RBACPerRoute](a)
		if route == nil {
			return false
		}
		filter = route.GetRbac()
	}
	rules := filter.GetRules()
	// Where there is a matcher Envoy does not look at the rules.
	if filter.GetMatcher() != nil || rules == nil || rules.GetAction() != rbacconfigv3.RBAC_ALLOW || len(rules.GetPolicies()) == 0 {
		return false
	}
	for _, policy := range rules.GetPolicies() {
		if len(policy.GetPrincipals()) == 0 {
			return false
		}
		for _, p := range policy.GetPrincipals() {
			//lint:ignore SA1019 our own bootstrap writes it, and so may others
			if m := p.GetMetadata(); m != nil { // the older name of the same
				if m.GetFilter() != envoy.MetadataNamespace || len(m.GetPath()) != 1 || m.GetPath()[0].GetKey() != envoy.MetadataDecision ||
					m.GetValue().GetStringMatch().GetExact() != envoy.DecisionAllow || m.GetInvert() {
					return false
				}
				continue
			}
			m := p.GetSourcedMetadata()
			matcher := m.GetMetadataMatcher()
			if m == nil || m.GetMetadataSource() != rbacconfigv3.MetadataSource_DYNAMIC ||
				matcher.GetFilter() != envoy.MetadataNamespace || len(matcher.GetPath()) != 1 || matcher.GetPath()[0].GetKey() != envoy.MetadataDecision ||
				matcher.GetValue().GetStringMatch().GetExact() != envoy.DecisionAllow || matcher.GetInvert() {
				return false
			}
		}
	}
	return true
}

// cleans says whether a filter takes away the headers with which callers could give
// orders to Envoy's router.
func cleans(m *headersv3.HeaderMutation) bool {
	for _, mutation := range m.GetMutations().GetRequestMutations() {
		if mutation.GetRemoveOnMatch().GetKeyMatcher().GetPrefix() == "x-envoy-" {
			return true
		}
	}
	return false
}
