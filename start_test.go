package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/policy"
)

// TestStart starts the program itself with all shipped connectors: it is ready
// soon, and needs little memory once it is, also after a reload. The harness
// measures both; what is asserted of the time leaves room for a busy machine.
func TestStart(t *testing.T) {
	const soon, little = 1500 * time.Millisecond, 60e6
	binary := filepath.Join(t.TempDir(), "graphveil")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l := newLabOfAll(t)
	l.write("policy/custom.rego", "package graphveil.custom\n")
	l.config.Policy.Paths = []string{"builtin", l.file("policy")}

	var took time.Duration
	var c *child
	for range 5 { // the best of five
		c, took = l.startBinary(binary)
		t.Logf("ready after %v", took)
		if took <= soon {
			break
		}
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	if took > soon {
		t.Fatalf("ready after %v, want %v", took, soon)
	}
	admin := c.find(t, "processor listening").Admin

	if _, err := os.Stat("/proc/self/status"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("this system does not tell the memory of a process in /proc")
	}
	idle := func(when string) {
		t.Helper()
		time.Sleep(2 * time.Second)
		now := resident(t, c.Process.Pid)
		t.Logf("%.1f MB %s", now/1e6, when)
		if now > little {
			t.Errorf("%.1f MB in use %s, want %.1f", now/1e6, when, little/1e6)
		}
	}
	idle("after the start")
	l.write("policy/custom.rego", denyAll)
	wait(t, "the reload", func() bool {
		_, text := get(t, admin+"/metrics")
		return strings.Contains(text, `graphveil_policy_reloads_total{result="ok"} 1`)
	})
	idle("after a reload")
}

// newLabOfAll is a lab with an application for each shipped connector.
func newLabOfAll(t *testing.T) *lab {
	t.Helper()
	snapshot, err := policy.Load(t.Context(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	applications := map[string]string{}
	l := newLab(t, func(c *tenant.Config) {
		c.Apps = nil
		for i, connector := range snapshot.Connectors() {
			applications[connector.Name] = fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i)
			c.Apps = append(c.Apps, entra.App{ClientID: applications[connector.Name], Roles: connector.Permissions})
		}
	})
	for name, id := range applications {
		l.config.Tokens.Connectors[name] = auth.Connector{ClientID: id}
	}
	return l
}

// startBinary runs serve and returns how long it took until it was ready, for
// Kubernetes and for Envoy.
func (l *lab) startBinary(binary string) (*child, time.Duration) {
	l.t.Helper()
	var started time.Time
	c := l.launchCommand("serve", func(c *child) {
		c.Path, c.Args[0] = binary, binary
		started = time.Now()
	})
	admin := c.find(l.t, "processor listening").Admin
	wait(l.t, "readiness", func() bool {
		status, _ := get(l.t, admin+"/readyz")
		return status == http.StatusOK
	})
	conn, err := grpc.NewClient("unix:"+l.config.Processor.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	l.check(err)
	defer conn.Close()
	wait(l.t, "gRPC readiness", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		return err == nil && answer.Status == healthpb.HealthCheckResponse_SERVING
	})
	return c, time.Since(started)
}

// resident is how much memory of a process is in use, in bytes.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	kib, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib * 1024
}
