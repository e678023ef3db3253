package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/internal/testlog"
)

// child is the program as a process of its own.
type child struct {
	*exec.Cmd
	logs *testlog.Buffer
}

// launch runs a command with the lab's configuration and waits until the
// processor is ready.
func (l *lab) launch(command string) *child {
	l.t.Helper()
	c := l.launchCommand(command, nil)
	c.find(l.t, "processor ready")
	return c
}

// launchCommand runs a command with the lab's configuration. adjust may change
// it before; nil leaves it as it is.
func (l *lab) launchCommand(command string, adjust func(*child)) *child {
	l.t.Helper()
	text, err := yaml.Marshal(l.config)
	l.check(err)
	c := &child{graphveil(l.t, command, "--config", l.write("config.yaml", string(text))), &testlog.Buffer{}}
	c.Stdout, c.Stderr = io.Discard, c.logs
	if adjust != nil {
		adjust(c)
	}
	l.check(c.Start())
	l.t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		if l.t.Failed() {
			l.t.Logf("logs:\n%.20000s", c.logs)
		}
	})
	return c
}

// record is what these tests read of a line of the log.
type record struct{ Msg, Admin, URL string }

// find waits for a message in the log.
func (c *child) find(t testing.TB, message string) (found record) {
	t.Helper()
	wait(t, "the message "+message, func() bool {
		for line := range strings.Lines(c.logs.String()) {
			if json.Unmarshal([]byte(line), &found) == nil && found.Msg == message {
				return true
			}
		}
		return false
	})
	return found
}

// end waits until the process has ended by itself, as it should, and left
// nothing behind. One that does not end within a minute says where it is.
func (c *child) end(t *testing.T, l *lab) {
	t.Helper()
	defer time.AfterFunc(time.Minute, func() { _ = c.Process.Signal(syscall.SIGQUIT) }).Stop()
	if err := c.Wait(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
	if _, err := os.Stat(l.config.Processor.Listen); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// startEnvoy runs Envoy alone.
func (l *lab) startEnvoy() *envoy.Process {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	binary, err := envoy.Find(ctx)
	l.check(err)
	bootstrap, err := envoy.Render(l.config.envoy())
	l.check(err)
	process, err := envoy.Start(ctx, binary, bootstrap, envoy.Options{Workers: 1, DrainTime: time.Second})
	l.check(err)
	l.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = process.Stop(ctx) // it may have ended
	})
	return process
}

// load is clients that ask without pause until nobody accepts connections.
type load struct {
	origin, target string
	running        sync.WaitGroup
	stopping       atomic.Bool // set before the signal
	before, after  atomic.Int64
	mu             sync.Mutex
	failures       []string
}

// startLoad asks for pages that Graph sends slowly.
func (l *lab) startLoad(origin string) *load {
	l.t.Helper()
	l.Graph.SetFault(func(*http.Request) *graph.Fault {
		return &graph.Fault{Hold: 50 * time.Millisecond, ChunkSize: 10_000, Delay: 20 * time.Millisecond}
	})
	load := &load{origin: origin, target: l.sentPath(1) + "?$top=30"}
	for _, protocol := range protocols {
		client := l.client(protocol)
		for range 4 {
			load.running.Go(func() {
				for load.ask(client) {
				}
			})
		}
	}
	wait(l.t, "the load to be under way", func() bool { return load.before.Load() > 30 })
	return load
}

// ask makes one request and says whether to go on. A request fails if it was
// accepted and got anything but the whole page.
func (l *load) ask(client *http.Client) bool {
	late, accepted := l.stopping.Load(), false
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { accepted = true }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.origin+l.target, nil)
	if err != nil {
		return l.fail(err.Error())
	}
	response, err := client.Do(request)
	var dial *net.OpError
	switch {
	case err != nil && late && (!accepted || errors.As(err, &dial) && dial.Op == "dial"):
		return false // nobody listens any more
	case err != nil:
		return l.fail(err.Error())
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !json.Valid(body) {
		return l.fail(fmt.Sprintf("status %d, %v, %.200s", response.StatusCode, err, body))
	}
	if late {
		l.after.Add(1)
	} else {
		l.before.Add(1)
	}
	return true
}

func (l *load) fail(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	when := "before"
	if l.stopping.Load() {
		when = "after"
	}
	l.failures = append(l.failures, when+" the signal: "+what)
	return false
}

func (l *load) check(t *testing.T) {
	t.Helper()
	l.running.Wait()
	if len(l.failures) > 0 {
		t.Errorf("%d requests failed, the first: %s", len(l.failures), l.failures[0])
	}
	if l.after.Load() == 0 {
		t.Error("no request came after the signal: this test shows nothing")
	}
	t.Logf("%d requests before the signal, %d after it", l.before.Load(), l.after.Load())
}

// TestDrainRun stops the sidecar under load: every request that was accepted
// gets its whole answer.
func TestDrainRun(t *testing.T) {
	l := newLab(t, nil)
	c := l.launch("run")
	load := l.startLoad(c.find(t, "sidecar listening").URL)
	load.stopping.Store(true)
	l.check(c.Process.Signal(syscall.SIGTERM))
	load.check(t)
	c.end(t, l)
}

// TestDrainServe stops processor and Envoy at the same time, as a cluster stops
// the containers of a Pod: while Envoy drains, new requests still find a
// processor.
func TestDrainServe(t *testing.T) {
	l := newLab(t, nil)
	c := l.launch("serve")
	process := l.startEnvoy()
	load := l.startLoad("https://" + process.Address())
	admin := c.find(t, "processor listening").Admin
	load.stopping.Store(true)
	l.check(c.Process.Signal(syscall.SIGTERM))
	wait(t, "readiness to be taken away", func() bool {
		status, _ := get(t, admin+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l.check(process.Drain(ctx))
	l.check(process.Stop(ctx))
	load.check(t)
	c.end(t, l)
}

// TestHangup sends what a terminal does when it is closed, and who expects that files
// are read again: the processor ends in order, unless nohup started it.
func TestHangup(t *testing.T) {
	// Tests that nohup started would hand on that it is ignored; what is caught is
	// reset for a process that is started.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	t.Cleanup(func() { signal.Reset(syscall.SIGHUP) })
	l := newLab(t, nil)
	c := l.launch("serve")
	l.check(c.Process.Signal(syscall.SIGHUP))
	c.end(t, l)
	if !strings.Contains(c.logs.String(), `"msg":"stopped"`) {
		t.Error("it did not drain")
	}
	c = l.launchCommand("serve", func(c *child) {
		c.Args = append([]string{"nohup", c.Path}, c.Args[1:]...)
		c.Path = "/usr/bin/nohup"
	})
	c.find(t, "processor ready")
	l.check(c.Process.Signal(syscall.SIGHUP))
	time.Sleep(200 * time.Millisecond)
	l.check(c.Process.Signal(syscall.SIGTERM))
	c.end(t, l)
	if strings.Count(c.logs.String(), `"msg":"draining"`) != 1 {
		t.Error("nohup did not help")
	}
}

// TestReplaceProcessor ends the processor alone: what is in flight gets its
// whole answer, later requests an error, and those after the next processor is
// there are served by the same Envoy.
func TestReplaceProcessor(t *testing.T) {
	l := newLab(t, nil)
	l.config.Processor.DrainTimeout = 6 * time.Second
	c := l.launch("serve")
	process := l.startEnvoy()
	l.Graph.SetFault(func(*http.Request) *graph.Fault { return &graph.Fault{Hold: 3 * time.Second} })
	l.Graph.ForgetRequests()
	answers := make(chan wireResponse, 2)
	for _, protocol := range protocols {
		go func() {
			answers <- call(t, process.Address(), l.tls(), wireCall{protocol: protocol, target: "/v1.0/users?$top=2"})
		}()
	}
	wait(t, "both requests to be with Graph", func() bool { return len(l.Graph.Requests()) == 2 })
	l.check(c.Process.Signal(syscall.SIGTERM))
	for range protocols {
		if answer := <-answers; answer.String() != "200" {
			t.Errorf("in flight: %s %.200s", &answer, answer.body)
		}
	}
	c.end(t, l)
	l.Graph.ClearFaults()
	for _, protocol := range protocols {
		if answer := call(t, process.Address(), l.tls(), wireCall{protocol: protocol, target: "/v1.0/users?$top=2"}); answer.String() != "502 badGateway" {
			t.Errorf("%s without a processor: %s %.200s", protocol, &answer, answer.body)
		}
	}
	l.launch("serve")
	for _, protocol := range protocols {
		if answer := call(t, process.Address(), l.tls(), wireCall{protocol: protocol, target: "/v1.0/users?$top=2"}); answer.String() != "200" {
			t.Errorf("%s with the next processor: %s %.200s", protocol, &answer, answer.body)
		}
	}
}
