package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/graphveil/graphveil/auth"
)

// newAdmin serves /healthz (the process lives), /readyz (it can serve: the
// policy is compiled and every token held) and /metrics.
func newAdmin(p *processor, registry *prometheus.Registry) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := p.ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok, policy", p.engine.Current().Revision())
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
}

// reloadMetrics counts policy reloads.
type reloadMetrics struct{ total *prometheus.CounterVec }

func newReloadMetrics(r prometheus.Registerer) *reloadMetrics {
	m := &reloadMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "graphveil_policy_reloads_total",
		Help: "Policy reloads by result: ok, or rejected (the previous policy stays in force).",
	}, []string{"result"})}
	r.MustRegister(m.total)
	return m
}

func (m *reloadMetrics) observe(ok bool) {
	if ok {
		m.total.WithLabelValues("ok").Inc()
		return
	}
	m.total.WithLabelValues("rejected").Inc()
}

// tokenCollector reports the state of each connector's access token when it is
// scraped.
type tokenCollector struct {
	tokens           *auth.Manager
	expiry, failures *prometheus.Desc
}

func newTokenCollector(tokens *auth.Manager) *tokenCollector {
	return &tokenCollector{
		tokens:   tokens,
		expiry:   prometheus.NewDesc("graphveil_token_expiry_timestamp_seconds", "When the access token held for a connector expires.", []string{"connector"}, nil),
		failures: prometheus.NewDesc("graphveil_token_failures_total", "Failed token requests by connector and cause.", []string{"connector", "cause"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *tokenCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.expiry
	ch <- c.failures
}

// Collect implements prometheus.Collector.
func (c *tokenCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.tokens.Status() {
		if !s.Expiry.IsZero() {
			ch <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, float64(s.Expiry.Unix()), s.Connector)
		}
		for cause, n := range s.Failures {
			ch <- prometheus.MustNewConstMetric(c.failures, prometheus.CounterValue, float64(n), s.Connector, string(cause))
		}
	}
}
