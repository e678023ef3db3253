package opa

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/policy"
)

// measured registers what OPA's plugins measure (status.prometheus), but for the
// counter of bundles that failed: its label has the message, with URLs whole and with
// whatever a bundle says that nobody has signed, a new series for each.
// graphveil_policy_reloads_total and the log have those.
type measured struct{ prometheus.Registerer }

// Register implements prometheus.Registerer.
func (m measured) Register(c prometheus.Collector) error {
	if hasMessages(c) {
		return nil
	}
	return m.Registerer.Register(c)
}

func hasMessages(c prometheus.Collector) bool {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		c.Describe(descs)
	}()
	found := false
	for d := range descs { // to the end, or Describe would wait
		found = found || strings.Contains(d.String(), `"bundle_failed_load_counter"`)
	}
	return found
}

var bundleDesc = prometheus.NewDesc("graphveil_policy_bundle_info",
	"1 for each bundle of the policy in force, with the revision of its manifest.", []string{"bundle", "revision"}, nil)

// bundleCollector reports the bundles in force when it is scraped.
type bundleCollector struct{ engine *policy.Engine }

// Describe implements prometheus.Collector.
func (bundleCollector) Describe(ch chan<- *prometheus.Desc) { ch <- bundleDesc }

// Collect implements prometheus.Collector.
func (c bundleCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.engine.Current()
	if s == nil {
		return
	}
	for name, revision := range s.Bundles() {
		ch <- prometheus.MustNewConstMetric(bundleDesc, prometheus.GaugeValue, 1, name, revision)
	}
}
