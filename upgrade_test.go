package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/envoy"
)

// traffic is clients that ask without end, for short answers and for some that
// take seconds, until they are told to stop.
type traffic struct {
	origin      string
	stopping    atomic.Bool
	running     sync.WaitGroup
	short, long atomic.Int64 // whole answers
	mu          sync.Mutex
	failures    []string
}

// startTraffic asks for some hundred short answers a second and keeps four long
// ones going.
func (l *lab) startTraffic(origin string) *traffic {
	l.t.Helper()
	l.Graph.SetFault(func(r *http.Request) *graph.Fault {
		if strings.HasSuffix(r.URL.Path, "/messages") {
			return &graph.Fault{ChunkSize: 400, Delay: 20 * time.Millisecond}
		}
		return nil
	})
	c := &traffic{origin: origin}
	l.t.Cleanup(func() { c.stopping.Store(true); c.running.Wait() })
	for i, protocol := range protocols {
		client := l.client(protocol)
		for range 10 {
			c.running.Go(func() { c.ask(client, "/v1.0/users?$top=2", &c.short, 25*time.Millisecond) })
		}
		for j := range 2 {
			c.running.Go(func() { c.ask(client, l.sentPath(1+2*i+j)+"?$top=30", &c.long, 0) })
		}
	}
	return c
}

func (c *traffic) ask(client *http.Client, target string, whole *atomic.Int64, pause time.Duration) {
	for !c.stopping.Load() {
		if failure := askOnce(client, c.origin+target); failure != "" {
			c.mu.Lock()
			c.failures = append(c.failures, failure)
			c.mu.Unlock()
			return
		}
		whole.Add(1)
		time.Sleep(pause)
	}
}

// askOnce says what is wrong with an answer, or "".
func askOnce(client *http.Client, url string) string {
	response, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !json.Valid(body) {
		return fmt.Sprintf("status %d, %v, %.200s", response.StatusCode, err, body)
	}
	return ""
}

func (c *traffic) check(t *testing.T, when string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) > 0 {
		t.Fatalf("%s: %d clients got a failure, the first: %s", when, len(c.failures), c.failures[0])
	}
}

// more waits for answers, short and long ones.
func (c *traffic) more(t *testing.T, when string) {
	t.Helper()
	short, long := c.short.Load()+100, c.long.Load()+4
	wait(t, "answers "+when, func() bool {
		c.check(t, when)
		return c.short.Load() >= short && c.long.Load() >= long
	})
}

// replacing starts a processor that is to take the place of the one that runs.
func (l *lab) replacing() *child {
	l.t.Helper()
	return l.launchCommand("serve", func(c *child) { c.Args = append(c.Args, "--replace") })
}

// left waits for the end of a replaced processor, which must go as one that was
// told to, and with no exchange cut off.
func (c *child) left(t *testing.T) {
	t.Helper()
	if err := c.Wait(); err != nil {
		t.Errorf("the replaced processor ended with %v", err)
	}
	if logs := c.logs.String(); !strings.Contains(logs, "replaced by another processor") || strings.Contains(logs, "still open after") {
		t.Errorf("the replaced processor did not hand over:\n%.3000s", logs)
	}
}

// served is how many exchanges a processor has recorded.
func (c *child) served() int { return strings.Count(c.logs.String(), `"msg":"exchange"`) }

// TestUpgradeUnderLoad replaces the processor behind a running Envoy by another
// process, and that by a third: an upgrade and its rollback. No client gets an
// error, whichever of the two comes first, the next process or the signal to the
// one that runs.
func TestUpgradeUnderLoad(t *testing.T) {
	l := newLab(t, nil)
	l.config.Processor.Admin = freeAddress(t) // the same for all, as deployed
	l.config.Processor.DrainTimeout = 30 * time.Second
	running := l.launch("serve")
	traffic := l.startTraffic("https://" + l.startEnvoy().Address())
	traffic.more(t, "before")
	began, answers := time.Now(), traffic.short.Load()
	for _, step := range []struct {
		name        string
		signalFirst bool
	}{{"upgrade", false}, {"rollback", false}, {"upgrade with the signal first", true}} {
		if step.signalFirst {
			l.check(running.Process.Signal(syscall.SIGTERM))
			running.find(t, "draining")
		}
		next := l.replacing()
		next.find(t, "processor listening")
		if !step.signalFirst {
			traffic.more(t, step.name+", while both run")
			if next.served() > 0 {
				t.Errorf("%s: Envoy left a processor that was not told to go", step.name)
			}
			l.check(running.Process.Signal(syscall.SIGTERM))
		}
		running.left(t)
		traffic.more(t, step.name+", afterwards")
		traffic.check(t, step.name)
		if next.served() == 0 {
			t.Errorf("%s: the next processor has served nothing", step.name)
		}
		wait(t, "the next processor to answer probes", func() bool {
			response, err := http.Get("http://" + l.config.Processor.Admin + "/readyz")
			if err != nil {
				return false
			}
			response.Body.Close()
			return response.StatusCode == http.StatusOK
		})
		running = next
	}
	t.Logf("%.0f requests/s, %d of them long, none failed", float64(traffic.short.Load()-answers)/time.Since(began).Seconds(), traffic.long.Load())
	traffic.stopping.Store(true)
	traffic.running.Wait()
	traffic.check(t, "at the end")
	l.check(running.Process.Signal(syscall.SIGTERM))
	running.end(t, l)
}

// TestUpgradeThatCannotServe starts a processor that gets no token: it does not
// take the place of the one that runs, and goes without a trace.
func TestUpgradeThatCannotServe(t *testing.T) {
	l := newLab(t, nil)
	l.config.Processor.DrainTimeout = time.Second // Envoy stays
	running := l.launch("serve")
	process := l.startEnvoy()
	l.Entra.Break(entra.Fault{Status: http.StatusServiceUnavailable})
	next := l.replacing()
	next.find(t, "acquiring graph token failed")
	l.check(next.Process.Signal(syscall.SIGTERM))
	if err := next.Wait(); err == nil {
		t.Error("a processor that never served ended as if it had")
	}
	for _, protocol := range protocols {
		if answer := call(t, process.Address(), l.tls(), wireCall{protocol: protocol, target: "/v1.0/users?$top=2"}); answer.String() != "200" {
			t.Errorf("%s: %s %.200s", protocol, &answer, answer.body)
		}
	}
	l.check(running.Process.Signal(syscall.SIGTERM))
	running.end(t, l)
}

// TestUpgradeTakenBack ends the next processor while the one before still runs: told
// to, killed, and because it cannot listen on its admin address. Each time the one
// before serves the same Envoy as well as one that connects only then.
func TestUpgradeTakenBack(t *testing.T) {
	l := newLab(t, nil)
	l.config.Processor.Admin = freeAddress(t)
	l.config.Processor.DrainTimeout = 2 * time.Second
	running := l.launch("serve")
	first := l.startEnvoy()
	served := func(when string) {
		t.Helper()
		for _, process := range []*envoy.Process{first, l.startEnvoy()} {
			if answer := call(t, process.Address(), l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=2"}); answer.String() != "200" {
				t.Errorf("%s: %s %.200s", when, &answer, answer.body)
			}
		}
	}
	served("before")

	next := l.replacing()
	next.find(t, "processor listening")
	l.check(next.Process.Signal(syscall.SIGTERM))
	if err := next.Wait(); err != nil {
		t.Error(err)
	}
	served("the next one was told to go")

	next = l.replacing()
	next.find(t, "processor listening")
	l.check(next.Process.Kill())
	_ = next.Wait()
	running.find(t, "the processor that took the place of this one is gone: this one serves processor.listen again")
	served("the next one was killed")

	l.config.Processor.Admin = "192.0.2.1:9464" // not of this machine
	next = l.replacing()
	if err := next.Wait(); err == nil || !strings.Contains(next.logs.String(), "processor.admin") {
		t.Errorf("ended with %v: %s", err, next.logs)
	}
	served("the next one could not start")
	l.check(running.Process.Signal(syscall.SIGTERM))
	running.end(t, l)
}

// TestServeEndsWithoutItsSocket removes the file of the socket, as what cleans folders
// does: a processor that was ready for ever, and that no Envoy could connect to, would be
// worse than one that ends, and is started again.
func TestServeEndsWithoutItsSocket(t *testing.T) {
	l := newLab(t, nil)
	l.config.Processor.DrainTimeout = 2 * time.Second
	c := l.launch("serve")
	l.check(os.Remove(l.config.Processor.Listen))
	if err := c.Wait(); err == nil || !strings.Contains(c.logs.String(), "keeping processor.listen: "+l.config.Processor.Listen+" was removed") {
		t.Errorf("ended with %v", err)
	}
}

// TestUpgradeOfOneThatHangs replaces a processor that does nothing any more, and kills
// it: until then requests end with an error, afterwards the same Envoy serves again.
func TestUpgradeOfOneThatHangs(t *testing.T) {
	l := newLab(t, nil)
	l.config.Processor.Admin = freeAddress(t)
	l.config.Processor.RequestTimeout, l.config.Envoy.Timeouts.Processor = time.Second, 2*time.Second
	running := l.launch("serve")
	process := l.startEnvoy()
	ask := func() string {
		answer := call(t, process.Address(), l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=2"})
		return answer.String()
	}
	if got := ask(); got != "200" {
		t.Fatal(got)
	}
	l.check(running.Process.Signal(syscall.SIGSTOP))
	next := l.replacing()
	next.find(t, "processor listening")
	if got := ask(); got == "200" || strings.HasPrefix(got, "2") {
		t.Errorf("while it hangs: %s", got)
	}
	l.check(running.Process.Kill())
	_ = running.Wait()
	wait(t, "the next processor to serve the same Envoy", func() bool { return ask() == "200" })
	wait(t, "its record", func() bool { return next.served() > 0 }) // written after the answer
	l.check(process.Stop(t.Context()))
	l.check(next.Process.Signal(syscall.SIGTERM))
	next.end(t, l)
}

// freeAddress is an address of loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
