package extproc

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the Prometheus metrics of the processor. Labels are ids of the
// policy and fixed words, never anything from a request or a response.
type Metrics struct {
	exchanges *prometheus.CounterVec
	decision  *prometheus.HistogramVec
	duration  *prometheus.HistogramVec
	bytes     *prometheus.CounterVec
	fields    *prometheus.CounterVec
	stalls    prometheus.Counter
	modes     *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		exchanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphveil_exchanges_total",
			Help: "Exchanges by connector, endpoint, outcome (sanitized, denied, refused, aborted) and code of the refusal.",
		}, []string{"connector", "endpoint", "outcome", "code"}),
		decision: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "graphveil_decision_duration_seconds",
			Help:    "Time from the request's arrival until Envoy had the answer to it, waiting for an access token included.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 15),
		}, []string{"connector"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "graphveil_exchange_duration_seconds",
			Help:    "Time from the request's arrival to the end of the response, the upstream included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"connector", "outcome"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphveil_response_bytes_total",
			Help: "Response body bytes before (in) and after (out) sanitizing.",
		}, []string{"connector", "endpoint", "direction"}),
		fields: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphveil_fields_total",
			Help: "Members of responses by what happened to them: kept, dropped, pseudonymized, mistyped, unknown (drift: the policy does not name them).",
		}, []string{"connector", "endpoint", "class"}),
		stalls: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "graphveil_stalled_exchanges_total",
			Help: "Exchanges ended because neither side sent a message for the idle timeout.",
		}),
		modes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphveil_unsafe_modes_total",
			Help: "Exchanges refused because the ext_proc filter of Envoy runs in a mode that could let undecided data pass, by setting and its value.",
		}, []string{"setting", "value"}),
	}
	r.MustRegister(m.exchanges, m.decision, m.duration, m.bytes, m.fields, m.stalls, m.modes)
	for _, unsafe := range unsafeModes() { // from 0, or nobody sees the first one as an increase
		m.modes.WithLabelValues(unsafe.setting, unsafe.value)
	}
	return m
}

func (m *Metrics) stalled() { m.stalls.Inc() }

func (m *Metrics) refusedMode(mode mode) { m.modes.WithLabelValues(mode.setting, mode.value).Inc() }

func (m *Metrics) observe(r *Record) {
	m.exchanges.WithLabelValues(r.Connector, r.Endpoint, r.Outcome, r.Code).Inc()
	if r.Decision > 0 {
		m.decision.WithLabelValues(r.Connector).Observe(r.Decision.Seconds())
	}
	m.duration.WithLabelValues(r.Connector, r.Outcome).Observe(r.Duration.Seconds())
	if r.BytesIn == 0 {
		return
	}
	m.bytes.WithLabelValues(r.Connector, r.Endpoint, "in").Add(float64(r.BytesIn))
	m.bytes.WithLabelValues(r.Connector, r.Endpoint, "out").Add(float64(r.BytesOut))
	for class, counts := range r.Fields.classes() {
		total := uint64(0)
		for _, n := range counts {
			total += n.Count
		}
		if total > 0 {
			m.fields.WithLabelValues(r.Connector, r.Endpoint, class).Add(float64(total))
		}
	}
}
