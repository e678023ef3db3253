package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
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
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry, MaxRequestsInFlight: scrapes}))
	return probeServer(mux)
}

// scrapes is how many may read metrics at one time; the next one is answered 503.
const scrapes = 4

// probeServer keeps little for whoever asks, and not for long: in a cluster that may
// be anybody.
func probeServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 4 << 10}
}

// adminListener is where the admin endpoint is served: at once, or when the
// processor that is to be replaced has let go of the address.
type adminListener struct {
	net.Listener // nil: to be waited for
	address      string
}

func listenAdmin(address string, wait bool) (*adminListener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return &adminListener{l, l.Addr().String()}, nil
	case wait && errors.Is(err, syscall.EADDRINUSE):
		return &adminListener{nil, address}, nil
	}
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "\nhint: another program listens there, another graphveil perhaps; give processor.admin another port"
	}
	return nil, fmt.Errorf("listening on processor.admin: %w%s", err, hint)
}

// close lets go of the address.
func (l *adminListener) close() {
	if l.Listener != nil {
		l.Listener.Close()
	}
}

// serve serves the admin endpoint until s is closed, or ctx ends while it waits.
func (l *adminListener) serve(ctx context.Context, s *http.Server) error {
	for l.Listener == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		free, err := listenAdmin(l.address, true)
		if err != nil {
			return err
		}
		l.Listener = free.Listener
	}
	return s.Serve(l.Listener)
}

// registerState adds what a processor is and whether it is ready.
func registerState(r prometheus.Registerer, p *processor) {
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "graphveil_ready",
			Help: "1 if the processor is ready, as /readyz says, else 0.",
		}, func() float64 {
			if p.ready() != nil {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "graphveil_build_info",
			Help:        "1, with the version of the program.",
			ConstLabels: prometheus.Labels{"version": version()},
		}, func() float64 { return 1 }),
	)
}

// reloadMetrics counts policy reloads.
type reloadMetrics struct{ total *prometheus.CounterVec }

func newReloadMetrics(r prometheus.Registerer) *reloadMetrics {
	m := &reloadMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "graphveil_policy_reloads_total",
		Help: "Policy reloads by result: ok, or rejected (the previous policy stays in force).",
	}, []string{"result"})}
	r.MustRegister(m.total)
	m.total.WithLabelValues("ok")
	m.total.WithLabelValues("rejected") // from 0, or nobody sees the first one as an increase
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
type tokenCollector struct{ tokens *auth.Manager }

func newTokenCollector(tokens *auth.Manager) *tokenCollector { return &tokenCollector{tokens} }

func tokenDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("graphveil_token_"+name, help, append([]string{"connector"}, labels...), nil)
}

var (
	tokenAcquired   = tokenDesc("acquired_timestamp_seconds", "When the access token held for a connector was acquired; time() less this is its age.")
	tokenExpiry     = tokenDesc("expiry_timestamp_seconds", "When the access token held for a connector expires.")
	tokenSignIn     = tokenDesc("certificate_expiry_timestamp_seconds", "When the certificate that a connector signs in with expires.")
	tokenRefreshes  = tokenDesc("refreshes_total", "Access tokens acquired, the first included, by connector.")
	tokenFailures   = tokenDesc("failures_total", "Failed token requests by connector and cause.", "cause")
	tokenRejections = tokenDesc("rejections_total", "Access tokens that Graph answered 401 to, by connector and kind: challenge (revoked: Graph said what the next must be asked for with) or plain. A token counts once for each.", "kind")
	tokenBackoff    = tokenDesc("backoff_seconds", "Time until the next attempt to acquire an access token, after one failed or Graph rejected token after token; 0 if nothing holds it up.")
)

// Describe implements prometheus.Collector.
func (c *tokenCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tokenAcquired, tokenExpiry, tokenSignIn, tokenRefreshes, tokenFailures, tokenRejections, tokenBackoff} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *tokenCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.tokens.Status() {
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, s.Connector)
		}
		count := func(d *prometheus.Desc, n uint64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{s.Connector}, labels...)...)
		}
		if !s.Expiry.IsZero() {
			gauge(tokenAcquired, float64(s.Acquired.Unix()))
			gauge(tokenExpiry, float64(s.Expiry.Unix()))
		}
		if !s.CertificateExpiry.IsZero() {
			gauge(tokenSignIn, float64(s.CertificateExpiry.Unix()))
		}
		gauge(tokenBackoff, max(time.Until(s.RetryAt).Seconds(), 0))
		count(tokenRefreshes, s.Refreshes)
		for cause, n := range s.Failures {
			count(tokenFailures, n, string(cause))
		}
		for kind, n := range s.Rejections {
			count(tokenRejections, n, string(kind))
		}
	}
}
