package chart

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/graphveil/graphveil/bench/tenant"
)

// insidePod says, in the environment, that a test has a network of its own.
const insidePod = "GRAPHVEIL_TEST_IN_POD"

// podAddress stands for the Pod's own: what listens on all addresses is there, what listens on 127.0.0.1 is not.
const podAddress = "127.0.0.2"

// inPod runs the test again in a network namespace, where every port is free, nothing leads
// out, and who may bind which port is as in a Pod.
func inPod(t *testing.T) bool {
	if os.Getenv(insidePod) != "" {
		up(t)
		return true
	}
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=120s")
	c.Env = append(os.Environ(), insidePod+"=1", "GRAPHVEIL="+graphveil, "ENVOY="+envoy)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		c.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	out, err := c.CombinedOutput()
	switch {
	case c.ProcessState == nil && os.Getenv("CI") == "":
		t.Skipf("NOT RUN: this machine lets nobody make network namespaces, so the Pod was not run (CI=true makes this a failure): %v", err)
	case err != nil:
		t.Errorf("in the Pod: %v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// up gives the namespace its loopback.
func up(t *testing.T) {
	t.Helper()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatal(err)
	}
}

// podValues lead to the tenant; the authorities are those of the containers.
func podValues(lab *tenant.Tenant) string {
	return fmt.Sprintf(`
config:
  tokens: {cloud: "", tenant: %s, authority: %q, skip_instance_discovery: true}
  envoy: {workers: 1, upstream: {address: %q}}
drain: {acceptSeconds: 2, timeoutSeconds: 30}
`, lab.ID(), lab.Authority(), lab.GraphAddr)
}

// people is the policy of the README, which lets one more member through.
func people(t *testing.T, member string) string {
	t.Helper()
	readme, err := os.ReadFile("../../helm/graphveil/README.md")
	check(t, err)
	_, rest, found := strings.Cut(string(readme), "```rego\n")
	policy, _, ended := strings.Cut(rest, "```")
	if !found || !ended || !strings.Contains(policy, `"department"`) {
		t.Fatal("the README has no policy of one's own")
	}
	return strings.Replace(policy, `"department"`, strconv.Quote(member), 1)
}

// TestPodHosts is an application that asks for Graph by its name, in a Pod with the chart's containers as
// they are: their own user, no capability, a read-only root, the default seccomp profile.
func TestPodHosts(t *testing.T) {
	if !inPod(t) {
		return
	}
	lab, _ := newTenant(t)
	o := sidecar(t, minimal, podValues(lab), "sidecar: {capture: hosts}")
	p := newPod(t, o, lab)
	for _, s := range p.spec.SecurityContext.Sysctls {
		check(t, os.WriteFile("/proc/sys/"+strings.ReplaceAll(s.Name, ".", "/"), []byte(s.Value), 0))
	}
	p.run(t, lab)

	// The first request of the notes.
	url := regexp.MustCompile(`'(https://[^']+)'`).FindStringSubmatch(o.notes)
	if url == nil {
		t.Fatalf("the notes show no request:\n%s", o.notes)
	}
	application := &p.spec.Containers[0]
	ask := p.command(t, application, map[string]string{"/usr/bin/reader": filepath.Join(p.dir, "reader")}, "/usr/bin/reader", url[1])
	ask.Env = append(ask.Env, "SSL_CERT_FILE=/etc/graphveil-trust/ca.crt")
	out, err := ask.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "200\n") || strings.Count(string(out), `"id":"p~`) != 3 || strings.Contains(string(out), "CANARY") {
		t.Errorf("%v, %.500s", err, out)
	}
	p.check(t, o.notes)
	if _, err := net.Dial("tcp", podAddress+":443"); err == nil {
		t.Error("who is not in the Pod can connect to the sidecar")
	}
	for _, path := range []string{"run/graphveil", "var/run/secrets/graphveil"} {
		if _, err := os.Stat(filepath.Join(p.dir, "root-"+application.Name, path)); err == nil {
			t.Errorf("the application has %s", path)
		}
	}
	p.stop(t, 8*time.Second) // not drain.acceptSeconds longer than it takes
}

// TestPodGateway is the gateway with a policy of one's own in a ConfigMap, on both
// families of addresses. Policy and certificate change in place.
func TestPodGateway(t *testing.T) {
	if !inPod(t) {
		return
	}
	lab, _ := newTenant(t)
	hosts, both := []string{podAddress}, "false"
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		hosts, both = append(hosts, "::1"), "true"
	} else {
		t.Logf("NOT RUN: this machine has no IPv6, so only IPv4 is tried: %v", err)
	}
	o := gateway(t, minimal, podValues(lab), "gateway: {ipv6: "+both+"}\npolicy: {configMap: rules}")
	p := newPod(t, o, lab)
	p.run(t, lab)
	first := ""
	for _, host := range hosts {
		address := net.JoinHostPort(host, "8443")
		body, serial := p.list(t, address)
		if first = serial; !strings.Contains(body, `"id":"p~`) || strings.Contains(body, "jobTitle") {
			t.Errorf("%s: %.300s", address, body)
		}
	}
	for _, host := range hosts {
		for _, port := range []string{"9464", "9465"} {
			if status := get("http://" + net.JoinHostPort(host, port) + "/metrics"); status != http.StatusOK {
				t.Errorf("metrics at %s, port %s: %d", host, port, status)
			}
		}
	}
	p.publish(t, "graphveil-policy", map[string]string{"people.rego": people(t, "jobTitle")})
	p.publish(t, "graphveil-tls", pair(t))
	until(t, "the new policy and the new certificate", func() bool {
		body, serial := p.list(t, podAddress+":8443")
		return strings.Contains(body, `"jobTitle":`) && serial != first
	})
	p.publish(t, "graphveil-policy", map[string]string{"people.rego": "package graphveil.connectors.entra_id\nhalf of a file {"})
	until(t, "the refusal of a broken policy", func() bool { return strings.Contains(p.processor.logs.String(), "people.rego") })
	if body, _ := p.list(t, podAddress+":8443"); !strings.Contains(body, `"jobTitle":`) {
		t.Errorf("after a broken policy: %.300s", body)
	}
	p.stop(t, 15*time.Second)
}

// check runs what the notes show beside the first request, as kubectl exec does.
func (p *pod) check(t *testing.T, notes string) {
	t.Helper()
	shown := regexp.MustCompile(`exec .* --container (\S+) -- (.*)`).FindStringSubmatch(notes)
	processor, _ := ours(p.spec)
	if shown == nil || shown[1] != processor.Name {
		t.Fatalf("the notes do not show how to check:\n%s", notes)
	}
	c := p.command(t, processor, p.programs, strings.Fields(shown[2])...)
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "entra_id") {
		t.Errorf("%s: %v\n%s", shown[2], err, out)
	}
}

// list asks for users on a new connection and returns the answer, and the certificate's number.
func (p *pod) list(t *testing.T, address string) (body, serial string) {
	t.Helper()
	ca, err := authority()
	check(t, err)
	transport := &http.Transport{TLSClientConfig: tlsFor(ca), DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	response, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get("https://localhost:8443/v1.0/users?$top=3")
	check(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(t, err)
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d: %.300s", response.StatusCode, text)
	}
	return string(text), response.TLS.PeerCertificates[0].SerialNumber.String()
}
