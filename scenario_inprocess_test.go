package main

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
	"github.com/graphveil/graphveil/internal/testlog"
)

// inProcess drives scenarios through the real processor, with an Envoy that is
// played.
type inProcess struct {
	envoy    *extproctest.Envoy
	script   *scenarioUpstream
	log      *testlog.Buffer
	record   map[string]any // the last one that was written
	registry *prometheus.Registry
	seed     uint64
}

func newInProcess(t *testing.T, g *extproc.Gateway, seed uint64) *inProcess {
	d := &inProcess{script: &scenarioUpstream{}, log: &testlog.Buffer{}, registry: prometheus.NewRegistry(), seed: seed}
	server, err := extproc.NewServer(extproc.ServerConfig{
		Gateway: g, Tokens: scenarioTokens{}, Metrics: extproc.NewMetrics(d.registry),
		Log: slog.New(slog.NewJSONHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	d.envoy = extproctest.New(t, server, d.script)
	return d
}

func (d *inProcess) upstream() *scenarioUpstream { return d.script }

func (d *inProcess) deliveries(size int) []scenarioDelivery {
	all := []scenarioDelivery{wholeDelivery, byteDelivery}
	all = append(all, splitDeliveries(size)...)
	return append(all, randomDelivery(d.seed), randomDelivery(d.seed+1))
}

func (d *inProcess) send(t *testing.T, r scenarioRequest) scenarioResponse {
	t.Helper()
	d.record = nil
	d.envoy.SeparateEnd = !d.envoy.SeparateEnd
	response, err := d.envoy.Do(t.Context(), extproctest.Request{
		Method: r.method, Target: r.target, Headers: r.headers, HasBody: r.body != "", SPIFFEID: r.caller,
	})
	if err != nil {
		t.Fatal(err)
	}
	return scenarioResponse{
		status: response.Status, header: response.Header, trailer: response.Trailer, body: response.Body, cut: response.Cut,
		record: d.record,
	}
}

// Write takes a line of the log. The processor has written its record before it
// ends the stream.
func (d *inProcess) Write(line []byte) (int, error) {
	if record := readRecord(string(line)); record != nil {
		d.record = record
	}
	return d.log.Write(line)
}

// readRecord reads a decision record from a line of the log, nil if it is none.
func readRecord(line string) map[string]any {
	var record map[string]any
	if json.Unmarshal([]byte(line), &record) != nil || record["msg"] != "exchange" {
		return nil
	}
	return record
}

// metricsText is all that a registry has, as text.
func metricsText(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		b.WriteString(f.String())
	}
	return b.String()
}
