package opa

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/plugins/logs"
	"github.com/open-policy-agent/opa/v1/server"
	"github.com/prometheus/client_golang/prometheus"
)

// Decision is what a decision log says of an exchange: ids, codes and numbers, never
// a value of a request or a response.
type Decision struct {
	Time     time.Time
	Duration time.Duration
	// Revision is the policy's, Bundles those of the bundles that it was made of.
	Revision string
	Bundles  map[string]string
	Method   string
	// Connector and Endpoint are ids of the policy, empty if none was found.
	Connector, Endpoint string
	Allowed             bool
	// Outcome and Code are words of the record, Reasons ids of rules.
	Outcome, Code          string
	Reasons                []string
	Status, UpstreamStatus int
	BytesIn, BytesOut      int64
}

// waiting is how many decisions may wait to be masked and buffered.
const waiting = 4096

// decisions takes decisions off the request path.
type decisions struct {
	queue   chan Decision
	quit    chan struct{}
	done    chan struct{}
	once    sync.Once
	dropped atomic.Uint64
	// unmasked counts those that the author's rules failed on, which are dropped too.
	unmasked atomic.Uint64
}

func (d *decisions) init() {
	d.queue, d.quit, d.done = make(chan Decision, waiting), make(chan struct{}), make(chan struct{})
}

// Record hands a decision to the decision logs. It never waits: what there is no room
// for is dropped, and counted.
func (p *Plugins) Record(d Decision) {
	select {
	case p.decisions.queue <- d:
	default:
		p.decisions.dropped.Add(1)
	}
}

// Records tells whether there are decision logs, or may be by discovery.
func (p *Plugins) Records() bool { return p.config.records }

func (d *decisions) run(m *plugins.Manager) {
	defer close(d.done)
	for {
		select {
		case one := <-d.queue:
			d.log(m, one)
			continue
		case <-d.quit:
		}
		for {
			select {
			case one := <-d.queue:
				d.log(m, one)
				continue
			default:
			}
			return
		}
	}
}

// failed counts the decisions that OPA drops after it has logged an error, which it
// tells nobody otherwise.
func (d *decisions) failed(format string) {
	if strings.HasPrefix(format, "Log event masking failed") || strings.HasPrefix(format, "Log drop decision failed") {
		d.unmasked.Add(1)
	}
}

// stop returns when all that waits was given to the plugin.
func (d *decisions) stop() {
	d.once.Do(func() { close(d.quit) })
	<-d.done
}

// log gives one decision to the plugin, which masks it by data.system.log.mask.
func (d *decisions) log(m *plugins.Manager, one Decision) {
	plugin := logs.Lookup(m)
	if plugin == nil {
		return // discovery brought none
	}
	info := one.info()
	if err := plugin.Log(context.Background(), info); err != nil {
		d.dropped.Add(1)
	}
}

// path is the document that decides, as OPA names it.
const path = "graphveil/decision"

func (d *Decision) info() *server.Info {
	reasons := make([]any, len(d.Reasons))
	for i, r := range d.Reasons {
		reasons[i] = r
	}
	// The members of the policy's own input and result, as far as they hold no value,
	// and those of the record. OPA's mask rules reach into these two only.
	var input any = map[string]any{
		"request":  map[string]any{"method": d.Method},
		"endpoint": map[string]any{"connector": d.Connector, "id": d.Endpoint},
	}
	var result any = map[string]any{
		"allow":           d.Allowed,
		"code":            d.Code,
		"reasons":         reasons,
		"outcome":         d.Outcome,
		"policy":          d.Revision,
		"status":          d.Status,
		"upstream_status": d.UpstreamStatus,
		"bytes_in":        d.BytesIn,
		"bytes_out":       d.BytesOut,
		"duration_ms":     float64(d.Duration.Microseconds()) / 1000,
	}
	bundles := map[string]server.BundleInfo{}
	for name, revision := range d.Bundles {
		bundles[name] = server.BundleInfo{Revision: revision}
	}
	return &server.Info{
		DecisionID: uuid.NewString(),
		Timestamp:  d.Time,
		Path:       path,
		Bundles:    bundles,
		Input:      &input,
		Results:    &result,
	}
}

// causes are why decisions are dropped: by us, or under which name OPA counts them.
var causes = map[string]string{
	"rate_limit":   "decision_logs_dropped_rate_limit_exceeded",
	"buffer_full":  "decision_logs_dropped_buffer_size_limit_exceeded",
	"buffer_bytes": "decision_logs_dropped_buffer_size_limit_bytes_exceeded",
	"encoding":     "decision_logs_encoding_failure",
}

var droppedDesc = prometheus.NewDesc("graphveil_decision_log_dropped_total",
	"Decisions that did not reach OPA's decision logs, by cause: queue_full, rate_limit, buffer_full, buffer_bytes, encoding, mask (a mask or drop rule failed).", []string{"cause"}, nil)

// dropCollector reports dropped decisions when it is scraped.
type dropCollector struct{ p *Plugins }

// Describe implements prometheus.Collector.
func (c *dropCollector) Describe(ch chan<- *prometheus.Desc) { ch <- droppedDesc }

// Collect implements prometheus.Collector.
func (c *dropCollector) Collect(ch chan<- prometheus.Metric) {
	report := func(cause string, n uint64) {
		ch <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(n), cause)
	}
	report("queue_full", c.p.decisions.dropped.Load())
	report("mask", c.p.decisions.unmasked.Load())
	for cause, name := range causes {
		n, _ := c.p.metrics.Counter(name).Value().(uint64)
		report(cause, n)
	}
}
