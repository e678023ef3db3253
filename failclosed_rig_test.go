package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/internal/testlog"
)

// rig is a lab in which every part can be broken by itself: the processor is a
// process of its own, Envoy is started without the program, and a relay stands
// between Envoy and Graph. Its time limits are short.
type rig struct {
	*lab
	t            *testing.T
	relay        *relay
	envoy        *envoy.Process
	logs, access *testlog.Buffer
	// process is the processor; nil while there is none.
	process *exec.Cmd
	// admin is the processor's, once it listens.
	admin string
	// whole is the sanitized answer to failTarget.
	whole []byte
	// originalSize is the size of what Graph answers to it.
	originalSize int
	// readLogs and readAccess are how much of the logs logs and access newLogs has returned.
	readLogs, readAccess int
}

// failTarget is a page of several hundred kilobytes with everybody in it, so
// that no page link, which is never twice the same, is.
const failTarget = "/v1.0/users?$top=999"

const failUsers = 600

// customPolicy denies nothing more.
const customPolicy = "# METADATA\n# title: Custom\n# description: Denies nothing more.\npackage graphveil.custom\n"

func newRig(t *testing.T, adjust func(*tenant.Config)) *rig {
	t.Helper()
	l := newLab(t, func(c *tenant.Config) {
		c.Graph.Users = failUsers
		if adjust != nil {
			adjust(c)
		}
	})
	r := &rig{lab: l, t: t, relay: newRelay(t, l.GraphAddr), logs: &testlog.Buffer{}, access: &testlog.Buffer{}}
	l.write("policy/custom.rego", customPolicy)
	l.config.Policy.Paths = []string{"builtin", l.file("policy")}
	l.config.Processor.RequestTimeout = time.Second
	l.config.Processor.DrainTimeout = 300 * time.Millisecond
	l.config.Envoy.Upstream.Address = r.relay.address
	l.config.Envoy.Retry = envoy.Retry{Count: 1, MaxWait: time.Second}
	l.config.Envoy.Timeouts = envoy.Timeouts{Processor: 2 * time.Second, Connect: time.Second, Idle: 3 * time.Second}
	text, err := yaml.Marshal(l.config)
	l.check(err)
	l.write("config.yaml", string(text))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	binary, err := envoy.Find(ctx)
	l.check(err)
	bootstrap, err := envoy.Render(l.config.envoy())
	l.check(err)
	r.envoy, err = envoy.Start(ctx, binary, bootstrap, envoy.Options{Workers: 1, AccessLog: r.access, Log: r.logs})
	l.check(err)
	t.Cleanup(func() {
		r.kill()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.envoy.Stop(ctx); err != nil {
			t.Errorf("stopping Envoy: %v", err)
		}
		if t.Failed() {
			logs := r.logs.String()
			t.Logf("the end of the logs:\n%s", logs[max(0, len(logs)-10_000):])
		}
	})
	return r
}

// serve runs the processor and waits until it is ready.
func (r *rig) serve() {
	r.t.Helper()
	r.launch()
	wait(r.t, "the processor to be ready", func() bool { return r.ready() == http.StatusOK })
}

// launch runs the processor and waits until it listens.
func (r *rig) launch() {
	r.t.Helper()
	own := &testlog.Buffer{}
	r.process = graphveil(r.t, "serve", "--config", r.file("config.yaml"))
	r.process.Stderr = io.MultiWriter(own, r.logs)
	r.check(r.process.Start())
	wait(r.t, "the processor to listen", func() bool {
		for line := range strings.Lines(own.String()) {
			var record struct{ Msg, Admin string }
			if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "processor listening" {
				r.admin = record.Admin
				return true
			}
		}
		return false
	})
}

func (r *rig) ready() int {
	status, _ := get(r.t, r.admin+"/readyz")
	return status
}

func (r *rig) signal(s syscall.Signal) {
	r.t.Helper()
	r.check(r.process.Process.Signal(s))
}

// kill ends the processor at once, if there is one, and waits until it is gone.
func (r *rig) kill() {
	if r.process == nil {
		return
	}
	_ = r.process.Process.Kill() // it may have ended
	r.gone()
}

// gone waits for the end of the processor.
func (r *rig) gone() {
	_ = r.process.Wait() // killed: an error by its nature
	r.process = nil
}

// replace puts a processor where there is none, or kills the old one first.
func (r *rig) replace() {
	r.t.Helper()
	r.kill()
	r.serve()
}

// ask reads failTarget.
func (r *rig) ask(protocol string) wireResponse {
	r.t.Helper()
	return call(r.t, r.envoy.Address(), r.tls(), wireCall{protocol: protocol, target: failTarget})
}

// meanwhile reads failTarget; do is called when the time has come.
func (r *rig) meanwhile(protocol string, come func() bool, do func()) wireResponse {
	r.t.Helper()
	done := make(chan wireResponse, 1)
	go func() { done <- r.ask(protocol) }()
	wait(r.t, "the exchange to reach the phase", come)
	do()
	return <-done
}

// midBody reads failTarget, which Graph stops answering in the middle; do is
// called when the client has the first bytes of it.
func (r *rig) midBody(protocol string, do func()) wireResponse {
	r.t.Helper()
	r.Graph.Inject(graph.Fault{Cut: graph.CutStall, CutAfter: 15_000})
	return call(r.t, r.envoy.Address(), r.tls(), wireCall{protocol: protocol, target: failTarget, onBody: do})
}

// messages is how many messages Envoy has sent to processors.
func (r *rig) messages() int {
	r.t.Helper()
	const name = "http.ingress.ext_proc.stream_msgs_sent"
	status, text := envoyAdmin(r.t, r.envoy, "/stats?format=json&type=Counters")
	var stats struct {
		Stats []struct {
			Name  string
			Value int
		}
	}
	if err := json.Unmarshal([]byte(text), &stats); err != nil {
		r.t.Fatalf("reading Envoy's statistics: status %d, %v", status, err)
	}
	for _, s := range stats.Stats {
		if s.Name == name {
			return s.Value
		}
	}
	r.t.Fatalf("Envoy has no statistic %s", name)
	return 0
}

// sent returns a function that tells whether Envoy has sent n messages more
// than now.
func (r *rig) sent(n int) func() bool {
	r.t.Helper()
	target := r.messages() + n
	return func() bool { return r.messages() >= target }
}

// newLogs is what was logged since it was called before.
func (r *rig) newLogs() string {
	logs, access := r.logs.String(), r.access.String()
	text := logs[r.readLogs:] + access[r.readAccess:]
	r.readLogs, r.readAccess = len(logs), len(access)
	return text
}

// arrived returns a function that tells whether a request is at Graph.
func (r *rig) arrived() func() bool {
	r.Graph.ForgetRequests()
	return func() bool { return len(r.Graph.Requests()) > 0 }
}

// graphWith serves the same Graph elsewhere, with another certificate or fewer
// protocols, and leads Envoy there until the relay is led back.
func (r *rig) graphWith(certificate tls.Certificate, protocol string) {
	r.t.Helper()
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(protocol == "h2")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	r.check(err)
	server := &http.Server{Handler: r.Graph, Protocols: p, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: discardLog}
	go func() { _ = server.ServeTLS(listener, "", "") }() // until it is closed
	r.t.Cleanup(func() { server.Close() })
	r.relay.lead(listener.Addr().String())
}

// changePolicy changes the policy's folder and waits until the processor has
// seen it and come to the result, ok or rejected.
func (r *rig) changePolicy(text, result string) {
	r.t.Helper()
	before := r.reloads(result)
	r.write("policy/custom.rego", text)
	wait(r.t, "the reload to be "+result, func() bool { return r.reloads(result) != before })
}

// reloads is the line of the metrics that counts reloads with a result.
func (r *rig) reloads(result string) string {
	r.t.Helper()
	_, metrics := get(r.t, r.admin+"/metrics")
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, `graphveil_policy_reloads_total{result="`+result+`"}`) {
			return line
		}
	}
	return ""
}

// relay passes connections on to an address, or spoils them.
type relay struct {
	address string

	mu       sync.Mutex
	listener net.Listener
	target   string // empty: connections are reset
	open     map[net.Conn]bool
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	r := &relay{address: "127.0.0.1:0", target: target, open: map[net.Conn]bool{}}
	if err := r.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.refuse)
	return r
}

// listen begins to accept connections, again at the same address.
func (r *relay) listen() error {
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.address, r.listener = listener.Addr().String(), listener
	r.mu.Unlock()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(conn)
		}
	}()
	return nil
}

func (r *relay) pass(conn net.Conn) {
	defer conn.Close()
	r.mu.Lock()
	target := r.target
	r.open[conn] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.open, conn)
		r.mu.Unlock()
	}()
	if target == "" {
		_ = conn.(*net.TCPConn).SetLinger(0) // closing then sends a reset
		return
	}
	to, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, conn)
		to.Close()
	}()
	_, _ = io.Copy(conn, to)
}

// refuse stops listening and cuts what is open.
func (r *relay) refuse() {
	r.mu.Lock()
	r.listener.Close()
	r.mu.Unlock()
	r.cut()
}

// lead passes new connections on to an address and cuts the old ones.
func (r *relay) lead(target string) {
	r.mu.Lock()
	r.target = target
	r.mu.Unlock()
	r.cut()
}

// cut resets all open connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.open {
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}
