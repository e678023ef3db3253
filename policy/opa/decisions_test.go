package opa_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/policy/opa"
	"github.com/graphveil/graphveil/policy/opa/opatest"
)

const logsSection = "decision_logs: {service: control, reporting: {min_delay_seconds: 1, max_delay_seconds: 1%s}}\n"

// maskOf is a bundle with a rule of package system.log beside the connector.
func maskOf(rule string) string {
	return things("one") + "-- log.rego --\npackage system.log\n\n" + rule + "\n"
}

// dropped reads the counters of dropped decisions by cause.
func (r *rig) dropped() map[string]float64 {
	r.t.Helper()
	families, err := r.registry.(prometheus.Gatherer).Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	causes := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "graphveil_decision_log_dropped_total" {
				causes[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return causes
}

func decision(endpoint string) opa.Decision {
	return opa.Decision{
		Time: time.Now(), Revision: "abc", Bundles: map[string]string{"main": "v1"}, Method: "GET",
		Connector: "things", Endpoint: endpoint, Allowed: true, Outcome: "sanitized", Status: 200, UpstreamStatus: 200,
	}
}

// TestDecisions: what is recorded arrives, masked and dropped by the author's rules.
// One whose mask fails is dropped, and counted.
func TestDecisions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set("main", "v1", maskOf(`drop if input.input.endpoint.id == "noise"

mask contains "/input/request" if input.input.endpoint.id == "list"

mask contains "/nowhere/else" if input.input.endpoint.id == "bad"`))
	r.start(opatest.BundleSection("main") + fmt.Sprintf(logsSection, ""))
	r.loaded()
	for _, endpoint := range []string{"list", "noise", "bad", "other"} {
		r.plugins.Record(decision(endpoint))
	}
	r.wait("two decisions", func() bool { return len(r.Decisions()) >= 2 })
	var got []string
	for _, e := range r.Decisions() {
		got = append(got, fmt.Sprint(e.Input, e.Erased, e.Bundles["main"].Revision, e.Result["allow"]))
	}
	want := []string{
		"map[endpoint:map[connector:things id:list]] [/input/request]v1true",
		"map[endpoint:map[connector:things id:other] request:map[method:GET]] []v1true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	if d := r.dropped(); d["mask"] != 1 || d["queue_full"] != 0 {
		t.Errorf("dropped %v", d)
	}
	// A mask cannot call out: its bundle is refused.
	before := r.rejected()
	r.set("main", "v2", maskOf(`mask contains "/input" if http.send({"method": "GET", "url": "http://127.0.0.1:1"}).status_code == 200`))
	r.wait("a mask that calls out to be refused", func() bool {
		return r.rejected() > before && strings.Contains(r.log.String(), "undefined function http.send")
	})
}

// TestDecisionsDropped: a server that takes no decisions costs no request its time,
// and what is lost is counted.
func TestDecisionsDropped(t *testing.T) {
	r := newRig(t)
	r.set("main", "v1", things("one"))
	r.start(opatest.BundleSection("main") + strings.Replace(fmt.Sprintf(logsSection, ", buffer_type: event, buffer_size_limit_events: 10"), "service: control", "service: control, resource: /nowhere", 1))
	r.loaded()
	const many = 20000
	start := time.Now()
	for range many {
		r.plugins.Record(decision("list"))
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("recording took %v", took)
	}
	r.wait("all but those that the buffers hold to be dropped", func() bool {
		d := r.dropped()
		return d["queue_full"] > 0 && d["buffer_full"] > 0 && d["queue_full"]+d["buffer_full"] >= many-100
	})
}

// TestDecisionsAreFlushed: stopping uploads what waits.
func TestDecisionsAreFlushed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set("main", "v1", things("one"))
	r.start(opatest.BundleSection("main") + "decision_logs: {service: control, reporting: {min_delay_seconds: 600, max_delay_seconds: 600}}\n")
	r.loaded()
	time.Sleep(100 * time.Millisecond) // the first upload, of nothing
	for range 3 {
		r.plugins.Record(decision("list"))
	}
	r.stop()
	if n := len(r.Decisions()); n != 3 {
		t.Errorf("%d decisions after stopping", n)
	}
}
