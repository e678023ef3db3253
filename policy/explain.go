package policy

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/graphveil/graphveil/policy/odata"
)

// Explanation says how a request was decided, step by step. The steps after the
// one that denied are empty.
type Explanation struct {
	// Target is the canonical request; TargetError says why there is none.
	Target      odata.Target
	TargetError error
	// Route leads to Endpoint; Denial says why there is none.
	Route    Route
	Endpoint *EndpointInfo
	Denial   *Denial
	// Decision is what Rego decided; Against are the rules that spoke against it.
	Decision Decision
	Against  []RulePlace
}

// Allowed tells whether the request may go upstream.
func (e *Explanation) Allowed() bool { return e.Decision.Allow }

// RulePlace is a rule of the policy.
type RulePlace struct {
	// Rule is the rule's name with its package: graphveil.custom.deny.
	Rule string
	File string
	Line int
}

// Explain decides a request and says how. Tokens stay as they are. It is for authors, not for the path of
// requests: it evaluates with a tracer.
func (s *Snapshot) Explain(ctx context.Context, method, target string, headers map[string]string, caller Caller) Explanation {
	var e Explanation
	if e.Target, e.TargetError = odata.ParseTarget(target); e.TargetError != nil {
		return e
	}
	if e.Route, e.Denial = s.Route(method, e.Target); e.Denial != nil {
		return e
	}
	info := e.Route.endpoint.info
	e.Endpoint = &info
	in := Input{Method: method, Target: e.Target, Headers: headers, Caller: caller}
	in.Reveal = func(token string) (string, bool) { return token, true }
	if e.Decision = s.Decide(ctx, e.Route, in); e.Decision.Allow {
		return e
	}
	if input, err := in.value(e.Route); err == nil {
		tracer := &againstTracer{}
		// The decision stands already; this evaluation is for its trace.
		_, _ = s.decision.eval(ctx, input, tracer)
		e.Against = tracer.places
	}
	return e
}

// againstTracer notes the rules that gave a reason.
type againstTracer struct{ places []RulePlace }

var reasonRules = []string{"data.graphveil.reasons", "data.graphveil.custom.deny"}

func (*againstTracer) Enabled() bool               { return true }
func (*againstTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *againstTracer) TraceEvent(event topdown.Event) {
	rule, ok := event.Node.(*ast.Rule)
	if !ok || event.Op != topdown.ExitOp {
		return
	}
	name := rule.Ref().GroundPrefix().String()
	if !slices.Contains(reasonRules, name) {
		return
	}
	place := RulePlace{Rule: strings.TrimPrefix(name, "data."), File: rule.Location.File, Line: rule.Location.Row}
	if !slices.Contains(t.places, place) {
		t.places = append(t.places, place)
	}
}
