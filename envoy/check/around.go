package check

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
)

// filter judges a filter other than ours by its type and its settings, those of routes
// among them. behind says that it is between the processor and the API.
func (k *checker) filter(where, kind string, settings []*anypb.Any, behind bool) {
	switch {
	case keepers[kind]:
		k.find("filter_keeps", where, kind)
	case kind == typeFilterState && keepsSizes(settings):
	case behind && !quiet[kind]:
		k.find("filter_after", where, kind)
	case !behind && !quiet[kind] && !quietBefore[kind]:
		k.find("filter_before", where, kind)
	}
	for _, a := range settings {
		k.copies(where, false, a)
		k.forges(where, a)
		if kind == typeIstioStats {
			k.measured(where, a)
		}
		if m := open[headersv3.HeaderMutation](a); m != nil {
			k.mutations(where, m.GetMutations(), behind)
		}
		if m := open[headersv3.HeaderMutationPerRoute](a); m != nil {
			k.mutations(where, m.GetMutations(), behind)
		}
		if m := open[headertometadatav3.Config](a); m != nil {
			k.toMetadata(where, m, behind)
		}
		if m := open[ratelimitv3.RateLimit](a); m != nil {
			k.rateLimits(where, m.GetRateLimits())
		}
		if m := open[ratelimitv3.RateLimitPerRoute](a); m != nil {
			k.rateLimits(where, m.GetRateLimits())
		}
		if m := open[routerv3.Router](a); m != nil {
			k.router(where, m)
		}
	}
}

// keepsSizes says whether a filter keeps nothing but how large a request is, and that
// under names that mean nothing to Envoy: under others it says where connections go.
func keepsSizes(settings []*anypb.Any) bool {
	for _, a := range settings {
		m := open[setstatev3.Config](a)
		for _, v := range m.GetOnRequestHeaders() {
			if !strings.HasPrefix(v.GetObjectKey(), "graphveil.") || v.GetFormatString().GetTextFormatSource().GetInlineString() != envoy.SizeFormat {
				return false
			}
		}
		if m == nil {
			return false
		}
	}
	return true
}

// mutations judges headers that are set: on answers for what they copy, and behind the
// processor for what it has decided.
func (k *checker) mutations(where string, m *headersv3.Mutations, behind bool) {
	for _, response := range append(slices.Clone(m.GetResponseMutations()), m.GetResponseTrailersMutations()...) {
		k.copies(where, true, response)
	}
	if behind && len(m.GetQueryParameterMutations()) > 0 {
		k.find("request_changed", where, "query_parameter_mutations")
	}
}

// forges looks for a filter that writes into the processor's namespace, or into that in
// which the processor finds the claims of a verified token.
func (k *checker) forges(where string, m proto.Message) {
	texts(m, func(key, text string) {
		if text == envoy.MetadataNamespace && strings.Contains(strings.ToLower(key), "namespace") {
			k.find("guard_forged", where, key)
		}
		if text == envoy.ClaimsNamespace && strings.Contains(strings.ToLower(key), "namespace") {
			k.find("claims_forged", where, key)
		}
	})
}

// measured judges what Istio's metrics have in their labels: expressions.
func (k *checker) measured(where string, m proto.Message) {
	texts(m, func(_, text string) {
		if strings.Contains(text, "request") && labelled.MatchString(text) {
			k.find("path_copied", where, "a label of a metric")
		}
	})
}

// labelled is what an expression takes of a request that has values of people.
var labelled = regexp.MustCompile(`path|headers|query|referer`)

// toMetadata judges what is kept of headers, for logs and other filters.
func (k *checker) toMetadata(where string, m *headertometadatav3.Config, behind bool) {
	for _, rule := range append(slices.Clone(m.GetRequestRules()), m.GetResponseRules()...) {
		switch header := cmp.Or(rule.GetHeader(), rule.GetCookie()); {
		case rule.GetCookie() != "" || named(header) == copiesSecret:
			k.find("token_copied", where, "header "+header)
		case named(header) == copiesPath && behind:
			k.find("path_copied", where, "header "+header)
		}
	}
}

// rateLimits judges what a rate limit service is told.
func (k *checker) rateLimits(where string, limits []*routev3.RateLimit) {
	for _, limit := range limits {
		k.copies(where+", rate limit", true, limit)
		for _, action := range limit.GetActions() {
			switch header := action.GetRequestHeaders().GetHeaderName(); named(header) {
			case copiesSecret:
				k.find("token_copied", where, "rate limit by header "+header)
			case copiesPath:
				k.find("path_copied", where, "rate limit by header "+header)
			}
			if action.GetQueryParameters() != nil {
				k.find("path_copied", where, "rate limit by query_parameters")
			}
			if e := action.GetExtension(); e != nil {
				k.find("unknown_copied", where, "rate limit by "+typeOf(e.GetTypedConfig()))
			}
		}
	}
}

// router judges what the router does besides leading requests to clusters.
func (k *checker) router(where string, m *routerv3.Router) {
	for _, log := range m.GetUpstreamLog() {
		k.accessLog(where+", upstream log "+log.GetName(), log)
	}
	k.upstreamHTTPFilters(where, m.GetUpstreamHttpFilters())
}
