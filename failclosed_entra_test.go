package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// expiringRig is a rig whose tokens are used for half a minute, the least that
// the processor accepts: they live for 92 seconds, and the last minute is left
// unused.
func expiringRig(t *testing.T) *rig {
	r := newRig(t, func(c *tenant.Config) { c.TokenLifetime = 92 * time.Second })
	r.serve()
	r.learn()
	return r
}

var entraFailures = []failure{
	fromStart("connections dropped", entra.Fault{Drop: true}),
	fromStart("503", entra.Fault{Status: http.StatusServiceUnavailable}),
	fromStart("429 with Retry-After", entra.Fault{Status: http.StatusTooManyRequests, RetryAfter: "1"}),
	fromStart("a page for people with 200", entra.Fault{Body: "<html>" + personalMark + sharedMark + "</html>"}),
	fromStart("refusal that quotes data", entra.Fault{Status: http.StatusBadRequest,
		Body: `{"error":"invalid_client","error_description":"AADSTS700016: ` + personalMark + sharedMark + `"}`}),
	fromStart("silence", entra.Fault{Delay: time.Hour}),
	{"connections dropped", "a token is held", served, func(r *rig, protocol string) wireResponse {
		r.replace()
		r.Entra.Break(entra.Fault{Drop: true})
		return r.ask(protocol)
	}, (*rig).renew},
	{"connections dropped", "the token has expired", turnedAway, func(r *rig, protocol string) wireResponse {
		r.replace()
		r.Entra.Break(entra.Fault{Drop: true})
		for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			response := r.ask(protocol)
			if response.status != http.StatusOK || time.Now().After(deadline) {
				return response
			}
		}
	}, (*rig).renew},
	{"application disabled", "a token is held, which Graph takes no more", turnedAway, func(r *rig, protocol string) wireResponse {
		r.replace()
		r.Entra.Disable(directoryClient)
		response := r.ask(protocol)
		if response.code() != "upstream_token_rejected" {
			r.t.Errorf("at first: %s", &response)
		}
		return r.ask(protocol)
	}, func(r *rig) {
		r.Entra.Enable(directoryClient)
		r.restart()
	}},
}

// restart replaces the processor by one whose first token Graph takes: it may have to be asked for with the claims of a challenge.
func (r *rig) restart() {
	r.t.Helper()
	r.replace()
	wait(r.t, "Graph to take the token", func() bool { response := r.ask("h2"); return response.status == http.StatusOK })
}

// fromStart is a failure of Entra that is there before the processor: it is not
// ready, and says so.
func fromStart(what string, f entra.Fault) failure {
	return failure{what, "from the start on", turnedAway, func(r *rig, protocol string) wireResponse {
		r.kill()
		r.Entra.Break(f)
		r.launch()
		response := r.ask(protocol)
		if status := r.ready(); status != http.StatusServiceUnavailable {
			r.t.Errorf("readiness is %d without a token", status)
		}
		if response.header.Get("Retry-After") == "" {
			r.t.Errorf("no Retry-After: %s", &response)
		}
		return response
	}, (*rig).renew}
}

// renew ends Entra's fault and waits until a token is held.
func (r *rig) renew() {
	r.t.Helper()
	r.Entra.Repair()
	r.replace()
}

var policyFailures = []failure{
	badPolicy("has a syntax error", customPolicy+"\ndeny contains if {\n"),
	badPolicy("names what does not exist", customPolicy+"\nimport data.graphveil.shape\n\nx := shape.kep\n"),
}

// badPolicy is a change of the policy that must not come into force.
func badPolicy(what, text string) failure {
	return failure{"the changed policy " + what, "while serving", served, func(r *rig, protocol string) wireResponse {
		r.changePolicy(text, "rejected")
		return r.ask(protocol)
	}, func(r *rig) { r.changePolicy(customPolicy+"\n# for "+time.Now().String()+"\n", "ok") }}
}
