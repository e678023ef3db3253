package policy

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/odata"
	"github.com/graphveil/graphveil/policy/plan"
)

// Decision is the answer for one request. The zero Decision denies.
type Decision struct {
	Allow bool
	// Code is the most important of the reasons, without what follows ":". Empty
	// if allowed.
	Code string
	// Reasons are all of them, sorted: code, or code:$option. They never hold a
	// value of the request.
	Reasons []string
	// Connector and Endpoint are the ids of what decided.
	Connector, Endpoint string
	// Headers are the client's headers to forward; all others are stripped.
	Headers []Header
	// Query is what goes upstream after "?", encoded afresh from what was
	// checked. Empty for none, and for a sealed link, which is forwarded itself.
	Query string
	// Media are the media types that a successful response may have, see
	// EndpointInfo. Empty means JSON.
	Media []string
	// Plan rewrites a successful response, ErrorPlan an error.
	Plan, ErrorPlan *plan.Plan
	// Revision is the policy's.
	Revision string
}

// Header is a header field, its name in lower case.
type Header struct{ Name, Value string }

// codes are what the library denies with, the most important first.
var codes = []string{
	codePolicyError, "path_not_allowed", "method_not_allowed", "id_not_allowed", "query_not_allowed", "query_malformed",
	"id_not_pseudonymous", "id_not_revealed", "query_value_not_allowed", "filter_property_not_allowed", "header_value_not_allowed", codeDeniedByPolicy,
}

const (
	// codePolicyError: the policy did not give a decision. A mistake in it.
	codePolicyError = "policy_error"
	// codeDeniedByPolicy: a rule of graphveil.custom denies.
	codeDeniedByPolicy = "denied_by_policy"
)

// Decide evaluates data.graphveil.decision. Whatever is not a well-formed
// decision to allow denies: undefined, an error, another type, an unknown key,
// a cancelled context.
func (s *Snapshot) Decide(ctx context.Context, route Route, in Input) Decision {
	d := Decision{Connector: route.Connector, Endpoint: route.Endpoint, Revision: s.revision}
	if route.endpoint == nil {
		return d.deny("path_not_allowed")
	}
	input, err := in.value(route)
	if err != nil {
		return d.deny(codePolicyError)
	}
	value, err := s.decision.eval(ctx, input)
	if err != nil {
		return d.deny(codePolicyError)
	}
	allow, reasons, ok := readDecision(value)
	switch {
	case !ok || allow != (len(reasons) == 0):
		return d.deny(codePolicyError)
	case !allow:
		return d.deny(reasons...)
	}
	if !in.Sealed {
		query, reason := route.endpoint.renderQuery(in)
		if reason != "" {
			return d.deny(reason)
		}
		d.Query = query
	}
	d.Allow = true
	d.Plan, d.ErrorPlan = route.endpoint.info.Plan, route.endpoint.info.ErrorPlan
	d.Media = route.endpoint.info.Media
	d.Headers = route.endpoint.forward(in.Headers)
	return d
}

// readDecision reads {"allow": boolean, "reasons": set}.
func readDecision(v ast.Value) (allow bool, reasons []string, ok bool) {
	object, isObject := v.(ast.Object)
	if !isObject || object.Len() != 2 {
		return false, nil, false
	}
	allowTerm, reasonsTerm := object.Get(member("allow")), object.Get(member("reasons"))
	if allowTerm == nil || reasonsTerm == nil {
		return false, nil, false
	}
	b, isBool := allowTerm.Value.(ast.Boolean)
	set, isSet := reasonsTerm.Value.(ast.Set)
	if !isBool || !isSet {
		return false, nil, false
	}
	set.Foreach(func(t *ast.Term) {
		reason, _ := t.Value.(ast.String) // anything else becomes denied_by_policy
		reasons = append(reasons, string(reason))
	})
	return bool(b), reasons, true
}

// reasonPattern is what a reason may look like. The first part is a label of metrics. The second part names an option,
// a header or a parameter, and never an address.
var reasonPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}(:[$@]?[A-Za-z0-9_.-]{1,40})?$`)

// deny fills a denial. Reasons that could carry values are replaced.
func (d Decision) deny(reasons ...string) Decision {
	for i, reason := range reasons {
		if !reasonPattern.MatchString(reason) {
			reasons[i] = codeDeniedByPolicy
		}
	}
	slices.Sort(reasons)
	d.Reasons = slices.Compact(reasons)
	best := len(codes) - 1 // what the library does not know comes from custom rules
	for _, reason := range d.Reasons {
		code, _, _ := strings.Cut(reason, ":")
		if i := slices.Index(codes, code); i >= 0 {
			best = min(best, i)
		}
	}
	d.Allow, d.Code = false, codes[best]
	return d
}

// forward picks the headers that go upstream.
func (e *endpoint) forward(headers map[string]string) []Header {
	var forwarded []Header
	for _, name := range e.headers {
		if value, ok := headers[name]; ok {
			forwarded = append(forwarded, Header{name, value})
		}
	}
	return forwarded
}

// renderQuery writes the options as the policy spells their names, with tokens
// revealed. It returns a reason if it cannot.
func (e *endpoint) renderQuery(in Input) (query, reason string) {
	var dst []byte
	for _, o := range in.Target.Options {
		name, ok := e.options[o.Name]
		if !ok {
			return "", codePolicyError
		}
		code := ""
		switch {
		case e.tokenOptions[o.Name]:
			o.Value, code = in.reveal(o.Value)
		case o.Name == "filter" && len(e.tokenProperties) > 0:
			o.Value, code = e.revealFilter(in, o.Value)
		}
		if code != "" {
			return "", code + ":" + name
		}
		dst = odata.AppendOption(dst, name, o.Value)
	}
	return string(dst), ""
}

// reveal turns a token back, or returns a code.
func (in Input) reveal(token string) (value, code string) {
	if !isToken(token) {
		return "", "id_not_pseudonymous"
	}
	if in.Reveal == nil {
		return "", "id_not_revealed"
	}
	value, ok := in.Reveal(token)
	if !ok || value == "" {
		return "", "id_not_revealed"
	}
	return value, ""
}

// revealFilter turns the tokens back that a filter compares properties with.
func (e *endpoint) revealFilter(in Input, value string) (revealed, code string) {
	f, err := odata.ParseFilter(value)
	if err != nil {
		return "", codePolicyError
	}
	rest := 0
	for _, c := range f.Comparisons {
		if !e.tokenProperties[foldASCII(c.Property)] {
			continue
		}
		for _, l := range c.Literals {
			token, _ := l.Unquoted()
			id, code := in.reveal(token)
			if code != "" {
				return "", code
			}
			revealed += value[rest:l.Offset] + odata.Quote(id)
			rest = l.Offset + len(l.Text)
		}
	}
	return revealed + value[rest:], ""
}
