package opa_test

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// TestMetricsAreInTheRunbook: those that are there with policy.opa_config only, which
// the runbook's own test does not see.
func TestMetricsAreInTheRunbook(t *testing.T) {
	r := newRig(t)
	r.set("main", "v1", things("one"))
	r.start(opatest.BundleSection("main"))
	r.loaded()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := r.registry.(prometheus.Gatherer).Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "graphveil_") {
			own++
			if !strings.Contains(string(text), "| `"+f.GetName()+"` |") {
				t.Errorf("the runbook lacks the metric %s", f.GetName())
			}
		}
	}
	if own < 2 {
		t.Errorf("%d metrics", own)
	}
}
