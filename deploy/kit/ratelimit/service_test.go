package ratelimit

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/graphveil/graphveil/internal/testlog"
)

// service is the rate limit service with its store.
type service struct {
	store   *miniredis.Miniredis
	process *exec.Cmd
	log     testlog.Buffer
	address string // gRPC, for Envoy
	debug   string // HTTP
	root    string // its RUNTIME_ROOT
	version int    // of the file
}

// startService starts the service with a file of limits, set up as docs/limits.md
// says, and as talkative as it can be.
func startService(t *testing.T, limits string) *service {
	t.Helper()
	s := &service{store: miniredis.RunT(t), root: t.TempDir(), address: free(t), debug: free(t)}
	s.write(t, limits)
	s.process = exec.Command(limiter)
	s.process.Env = []string{
		"RUNTIME_ROOT=" + s.root, "RUNTIME_SUBDIRECTORY=ratelimit", "RUNTIME_WATCH_ROOT=false", "RUNTIME_IGNOREDOTFILES=true",
		"REDIS_SOCKET_TYPE=tcp", "REDIS_URL=" + s.store.Addr(),
		"HOST=127.0.0.1", "PORT=" + port(free(t)), "GRPC_HOST=127.0.0.1", "GRPC_PORT=" + port(s.address), "DEBUG_HOST=127.0.0.1", "DEBUG_PORT=" + port(s.debug),
		"USE_STATSD=false", "DISABLE_STATS=true", "LOG_LEVEL=debug",
	}
	s.process.Stdout, s.process.Stderr = &s.log, &s.log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the service's log:\n%.20000s", s.log.String())
		}
	})
	until(t, "the service to have its limits", func() bool { return strings.Contains(s.config(), "requests_per_unit") })
	return s
}

// write puts the file where the service reads it, as a ConfigMap volume does: a folder of
// its own for each version, and a link that is swapped.
func (s *service) write(t *testing.T, limits string) {
	t.Helper()
	s.version++
	folder, version := filepath.Join(s.root, "ratelimit", "config"), fmt.Sprintf("..version_%d", s.version)
	file, next := filepath.Join(folder, "graphveil.yaml"), filepath.Join(folder, "..data_tmp")
	errs := []error{
		os.MkdirAll(filepath.Join(folder, version), 0o755),
		os.WriteFile(filepath.Join(folder, version, "graphveil.yaml"), []byte(limits), 0o644),
		os.Symlink(version, next),
		os.Rename(next, filepath.Join(folder, "..data")),
	}
	if s.version == 1 {
		errs = append(errs, os.Symlink(filepath.Join("..data", "graphveil.yaml"), file))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// config is what the service says of the limits that it keeps.
func (s *service) config() string {
	_, text, err := fetch(http.DefaultClient, "http://"+s.debug+"/rlconfig")
	if err != nil {
		return ""
	}
	return text
}

// counters are those of the store, without the time that they are of.
func (s *service) counters() map[string]string {
	counters := map[string]string{}
	for _, key := range s.store.Keys() {
		value, _ := s.store.Get(key)
		counters[key[:strings.LastIndexByte(key, '_')]] = value
	}
	return counters
}

func (s *service) kill() {
	if s.process.ProcessState == nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

// halt stops the service as it is: it listens and answers nothing.
func (s *service) halt(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func (s *service) resume(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: in vain", what)
		}
	}
}

// printed is what `graphveil envoy ratelimits` prints.
func printed(t *testing.T) string {
	t.Helper()
	var errs bytes.Buffer
	command := exec.Command(graphveil, "envoy", "ratelimits")
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return string(out)
}

// edited is what is printed with another limit of the directory, as a person changes it.
func edited(t *testing.T, requests int, unit string) string {
	t.Helper()
	const own = "value: directory\n            rate_limit:\n              unit: second\n              requests_per_unit: 116\n"
	before, after, found := strings.Cut(printed(t), own)
	if !found {
		t.Fatalf("no such limit in\n%s", printed(t))
	}
	return before + fmt.Sprintf("value: directory\n            rate_limit:\n              unit: %s\n              requests_per_unit: %d\n", unit, requests) + after
}
