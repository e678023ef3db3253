package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/internal/testlog"
)

// running is a Pod whose containers are processes of this machine: their arguments
// and files are those of the Pod, with each mount in a folder, and addresses of loopback.
type running struct {
	processor, envoy *exec.Cmd
	logs             testlog.Buffer
	probes           string // of Envoy
	address          string // that clients connect to
}

// start does what a kubelet does: it makes the volumes, starts the sidecar container,
// waits for its startup, and starts Envoy.
func start(t *testing.T, o *objects, lab *tenant.Tenant) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "gv-pod-") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	pod := &o.deployment.Spec.Template.Spec
	for _, v := range pod.Volumes {
		at := filepath.Join(dir, v.Name)
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		switch v.Name {
		case "graphveil-files":
			write(t, filepath.Join(at, "salt"), "salt of the test")
			write(t, filepath.Join(at, "key"), "key of the test")
		case "graphveil-tls":
			writePair(t, at)
		case "graphveil-token":
			if err := lab.WriteAssertion(filepath.Join(at, v.Projected.Sources[0].ServiceAccountToken.Path), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := &running{}
	processor, envoy := ours(pod)
	r.processor = r.launch(t, dir, processor, o.config)
	admin := r.find(t, "processor ready", "processor listening").Admin
	if status := get(admin + processor.ReadinessProbe.HTTPGet.Path); status != http.StatusOK {
		t.Fatalf("the processor's readiness: %d", status)
	}
	r.envoy = r.launch(t, dir, envoy, o.config)
	listening := r.find(t, "Envoy listening", "Envoy listening")
	r.probes, r.address = listening.Admin, strings.TrimPrefix(listening.URL, "https://")
	if status := get(r.probes + envoy.ReadinessProbe.HTTPGet.Path); status != http.StatusOK {
		t.Fatalf("Envoy's readiness: %d", status)
	}
	return r
}

// launch starts a container. It sees the volumes that it mounts, and no others.
func (r *running) launch(t *testing.T, dir string, c *corev1.Container, config *corev1.ConfigMap) *exec.Cmd {
	t.Helper()
	var replace []string
	own, mounts := filepath.Join(dir, c.Name), map[string]string{}
	for _, m := range c.VolumeMounts {
		at := filepath.Join(dir, m.Name)
		if m.Name == "graphveil-config" {
			at = own
		}
		if mounts[m.MountPath] = at; m.MountPath != "/tmp" { // where the test's own files are
			replace = append(replace, m.MountPath+"/", at+"/")
		}
	}
	// Ports that are free here; two Pods share this machine.
	for _, address := range []string{"0.0.0.0:8443", "127.0.0.1:8443", "0.0.0.0:9464", "0.0.0.0:9465"} {
		replace = append(replace, address, "127.0.0.1:0")
	}
	here := strings.NewReplacer(replace...)
	write(t, filepath.Join(own, "graphveil.yaml"), here.Replace(config.Data["graphveil.yaml"]))
	var arguments []string
	for _, a := range c.Args {
		arguments = append(arguments, here.Replace(a))
	}
	command := exec.Command(graphveil, arguments...)
	command.Env = []string{"ENVOY=" + envoy, "TMPDIR=" + mounts["/run/graphveil"]} // as in the image
	for _, e := range c.Env {
		command.Env = append(command.Env, e.Name+"="+mounts[e.Value])
	}
	command.Stdout, command.Stderr = io.Discard, &r.logs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if command.ProcessState == nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
		if t.Failed() {
			t.Logf("logs:\n%.8000s", r.logs.String())
		}
	})
	return command
}

type line struct{ Msg, Admin, URL string }

// find waits for one message and returns what another says.
func (r *running) find(t *testing.T, wait, want string) (found line) {
	t.Helper()
	until(t, wait, func() bool { return strings.Contains(r.logs.String(), `"msg":"`+wait+`"`) })
	for text := range strings.Lines(r.logs.String()) {
		var one line
		if json.Unmarshal([]byte(text), &one) == nil && one.Msg == want {
			found = one
		}
	}
	return found
}

// stop does what a kubelet does when it ends a Pod: SIGTERM to the containers, and
// when they have ended to the sidecar container.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.signal(t, r.envoy)
	until(t, "Envoy's readiness to go", func() bool { return get(r.probes+"/readyz") == http.StatusServiceUnavailable })
	if err := r.envoy.Wait(); err != nil {
		t.Errorf("Envoy ended with %v", err)
	}
	since := time.Now()
	r.signal(t, r.processor)
	if err := r.processor.Wait(); err != nil {
		t.Errorf("the processor ended with %v", err)
	}
	if took := time.Since(since); took > 5*time.Second {
		t.Errorf("the processor took %s to end, with nothing in progress", took)
	}
	if !strings.Contains(r.logs.String(), `"msg":"stopped"`) || strings.Contains(r.logs.String(), "did not end in time") || strings.Contains(r.logs.String(), "still open") {
		t.Error("the drain was cut short")
	}
}

func (r *running) signal(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: in vain", what)
		}
	}
}

func get(url string) int {
	response, err := http.Get(url)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// newTenant is a synthetic tenant, and the values by which the chart leads to it.
func newTenant(t *testing.T) (*tenant.Tenant, string) {
	t.Helper()
	const client = "aaaaaaaa-0000-4000-8000-000000000001"
	lab, err := tenant.Start(context.Background(), tenant.Config{
		Graph: graph.Config{Seed: 7, Users: 30, Canary: "CANARYpersonal"},
		Apps:  []entra.App{{ClientID: client, Roles: []string{"User.Read.All", "GroupMember.Read.All"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := lab.CA.Write(ca); err != nil {
		t.Fatal(err)
	}
	return lab, fmt.Sprintf(`
config:
  tokens: {cloud: "", tenant: %s, authority: %q, ca_file: %q, skip_instance_discovery: true}
  envoy: {workers: 1, upstream: {address: %q, ca_file: %q}}
drain: {acceptSeconds: 2, timeoutSeconds: 30}
`, lab.ID(), lab.Authority(), ca, lab.GraphAddr, ca)
}

// client connects to dial, whatever the URL says.
func client(t *testing.T, h2 bool, dial func() string) *http.Client {
	t.Helper()
	ca, err := authority()
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	transport := &http.Transport{
		Protocols: protocols, TLSClientConfig: tlsFor(ca), MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, dial())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 60 * time.Second}
}

func ask(c *http.Client) error {
	response, err := c.Get("https://localhost:8443/v1.0/users?$top=20")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !json.Valid(body) || !bytes.Contains(body, []byte(`"id":"p~`)) || bytes.Contains(body, []byte("CANARY")) {
		return fmt.Errorf("status %d, %v, %.200s", response.StatusCode, err, body)
	}
	return nil
}

// TestSidecarRuns is the first request of the notes, to both containers in an
// application's Pod.
func TestSidecarRuns(t *testing.T) {
	lab, values := newTenant(t)
	r := start(t, sidecar(t, minimal, values), lab)
	if err := ask(client(t, true, func() string { return r.address })); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
}

// TestRollout replaces a Pod of the gateway under load: another one is ready before it
// is told to end, connections still come to it for a while, and no request fails.
func TestRollout(t *testing.T) {
	lab, values := newTenant(t)
	o := gateway(t, minimal, values)
	before := start(t, o, lab)
	lab.Graph.SetFault(func(*http.Request) *graph.Fault {
		return &graph.Fault{Hold: 50 * time.Millisecond, ChunkSize: 2000, Delay: 20 * time.Millisecond}
	})
	var service atomic.Pointer[string] // the Pod that new connections come to
	service.Store(&before.address)
	var stopping atomic.Bool
	var served atomic.Int64
	var failed testlog.Buffer
	var load sync.WaitGroup
	for i := range 8 {
		load.Go(func() {
			c := client(t, i%2 == 0, func() string { return *service.Load() })
			for n := 0; !stopping.Load(); n++ {
				if err := ask(c); err != nil {
					fmt.Fprintln(&failed, err)
				}
				served.Add(1)
				if n%5 == 4 {
					c.CloseIdleConnections() // so that connections are made all the time
				}
			}
		})
	}
	defer load.Wait()
	defer stopping.Store(true)
	more := func() {
		t.Helper()
		now := served.Load()
		until(t, "requests", func() bool { return served.Load() > now+40 })
	}
	more()
	after := start(t, o, lab)
	lag := time.AfterFunc(time.Second, func() { service.Store(&after.address) }) // a node that hears late of it
	defer lag.Stop()
	before.stop(t)
	more()
	stopping.Store(true)
	load.Wait()
	if text := failed.String(); text != "" {
		t.Errorf("%d of %d requests failed:\n%.1000s", strings.Count(text, "\n"), served.Load(), text)
	}
	t.Logf("%d requests", served.Load())
	after.stop(t)
}
