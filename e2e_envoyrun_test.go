package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/graphveil/graphveil/envoy"
)

// launchEnvoy runs Envoy as a command of its own.
func (l *lab) launchEnvoy() (c *child, listening record) {
	l.t.Helper()
	c = l.launchCommand("envoy", func(c *child) {
		c.Args = slices.Insert(c.Args, 2, "run", "--probes", "127.0.0.1:0", "--drain-time", "1s")
	})
	return c, c.find(l.t, "Envoy listening")
}

// TestDrainEnvoyRun stops a Pod of two containers as a cluster does if the processor
// is a sidecar container: Envoy first, the processor when it has ended.
func TestDrainEnvoyRun(t *testing.T) {
	l := newLab(t, nil)
	processor := l.launch("serve")
	c, listening := l.launchEnvoy()
	if runtime.GOOS == "linux" {
		for _, pid := range []int{processor.Process.Pid, c.Process.Pid, envoyOf(t, c.Process.Pid)} {
			if !leavesNoCore(t, pid) {
				t.Errorf("process %d of %d, %d and their Envoy leaves a core when it crashes", pid, processor.Process.Pid, c.Process.Pid)
			}
		}
	}
	if status, body := get(t, listening.Admin+"/readyz"); status != http.StatusOK {
		t.Fatalf("ready: %d %s", status, body)
	}
	load := l.startLoad(listening.URL)
	if status, body := get(t, listening.Admin+"/metrics"); status != http.StatusOK || !strings.Contains(body, "envoy_http_downstream_rq_active") {
		t.Errorf("metrics: %d %.300s", status, body)
	}
	load.stopping.Store(true)
	l.check(c.Process.Signal(syscall.SIGTERM))
	wait(t, "readiness to be taken away", func() bool {
		status, _ := get(t, listening.Admin+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	if status, _ := get(t, listening.Admin+"/healthz"); status != http.StatusOK {
		t.Errorf("alive while draining: %d", status)
	}
	load.check(t)
	if err := c.Wait(); err != nil {
		t.Errorf("Envoy's command ended with %v", err)
	}
	since := time.Now()
	l.check(processor.Process.Signal(syscall.SIGTERM))
	processor.end(t, l)
	if took := time.Since(since); took > l.config.Processor.DrainTimeout/2 {
		t.Errorf("the processor waited %s for nobody", took)
	}
}

// TestEnvoyRunEnds is an Envoy that dies: the command ends with an error, for
// whoever runs it to start it again.
func TestEnvoyRunEnds(t *testing.T) {
	l := newLab(t, nil)
	c, _ := l.launchEnvoy()
	l.check(syscall.Kill(childOf(t, c.Process.Pid), syscall.SIGKILL))
	if err := c.Wait(); err == nil || !strings.Contains(c.logs.String(), "running Envoy: it ended by itself") {
		t.Errorf("ended with %v", err)
	}
}

// TestProbesAreBounded has more readers than there are to be, while Envoy does not
// answer, and heads that are too long: neither makes a process keep much, and who asks whether it
// lives is answered.
func TestProbesAreBounded(t *testing.T) {
	l := newLab(t, nil)
	processor := l.launch("serve")
	admin := processor.find(t, "processor listening").Admin
	c, listening := l.launchEnvoy()
	for _, url := range []string{admin, listening.Admin} {
		request, err := http.NewRequest(http.MethodGet, url+"/healthz", nil)
		l.check(err)
		request.Header.Set("Cookie", strings.Repeat("x", 16<<10))
		response, err := http.DefaultClient.Do(request)
		l.check(err)
		response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: a head of 16 KB: %s", url, response.Status)
		}
	}
	pid := childOf(t, c.Process.Pid)
	l.check(syscall.Kill(pid, syscall.SIGSTOP))
	statuses := make(chan int, scrapes+1)
	since := time.Now()
	for range scrapes + 1 {
		go func() {
			response, err := http.Get(listening.Admin + "/metrics")
			if err != nil {
				statuses <- 0
				return
			}
			response.Body.Close()
			statuses <- response.StatusCode
		}()
	}
	if status := <-statuses; status != http.StatusServiceUnavailable || time.Since(since) > 3*time.Second {
		t.Errorf("one reader too many: %d after %s", status, time.Since(since))
	}
	if status, _ := get(t, listening.Admin+"/healthz"); status != http.StatusOK {
		t.Errorf("alive: %d", status)
	}
	l.check(syscall.Kill(pid, syscall.SIGCONT))
	for range scrapes {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a reader that waited: %d", status)
		}
	}
}

// TestStopsWhileStarting is a Pod that is deleted before Envoy listens: no error,
// and nothing is left.
func TestStopsWhileStarting(t *testing.T) {
	for name, args := range map[string][]string{"envoy": {"run"}, "run": nil} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			dir := t.TempDir()
			script := filepath.Join(dir, "envoy")
			real, err := envoy.Find(t.Context())
			l.check(err)
			text := "#!/bin/sh\nif [ \"$1\" = --version ]; then exec " + real + " --version; fi\ntouch " + dir + "/started\nexec sleep 60\n"
			l.check(os.WriteFile(script, []byte(text), 0o755))
			l.check(os.Mkdir(filepath.Join(dir, "tmp"), 0o700))
			c := l.launchCommand(name, func(c *child) {
				c.Args = slices.Insert(c.Args, 2, args...)
				c.Env = append(c.Environ(), "ENVOY="+script, "TMPDIR="+filepath.Join(dir, "tmp"))
			})
			wait(t, "Envoy to be started", func() bool { _, err := os.Stat(dir + "/started"); return err == nil })
			l.check(c.Process.Signal(syscall.SIGTERM))
			if err := c.Wait(); err != nil || !strings.Contains(c.logs.String(), "stopped before Envoy had started") {
				t.Errorf("ended with %v", err)
			}
			if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestEnvoyRunRefuses(t *testing.T) {
	bare := t.TempDir() + "/graphveil.yaml"
	if err := os.WriteFile(bare, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	keyless := t.TempDir() + "/graphveil.yaml"
	text := "envoy: {tls: {cert_file: none.crt, key_file: none.key}, jwt: {issuer: 'https://issuer.example', audiences: [a], jwks_file: '" + bare + "'}}\n"
	if err := os.WriteFile(keyless, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", bare, "--drain-time", "25s"}, "processor.drain_timeout, 25s"},
		{[]string{"--config", bare, "--drain-time", "10ms"}, "--drain-time is 10ms"},
		{[]string{"--config", bare}, "cert_file"},
	} {
		_, stderr, exit := command(t, "", append([]string{"envoy", "run"}, test.args...)...)
		if exit != exitUsage || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: exit %d, %s", test.args, exit, stderr)
		}
	}
	if _, stderr, exit := command(t, "", "envoy", "run", "--config", keyless); exit != 1 || !strings.Contains(stderr, "jwks_file: "+bare+" has no keys") {
		t.Errorf("without keys: exit %d, %s", exit, stderr)
	}
}

// childOf is the one process that process pid started.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file) // a process may be gone by now
		var state string
		var parent int
		_, rest, _ := strings.Cut(string(text), ") ") // the name may have spaces
		if _, err := fmt.Sscan(rest, &state, &parent); err != nil || parent != pid {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		return child
	}
	t.Fatal("no process was started")
	return 0
}
