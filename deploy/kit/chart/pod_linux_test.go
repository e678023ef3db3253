package chart

import (
	"context"
	"fmt"
	"io"
	"maps"
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
	corev1 "k8s.io/api/core/v1"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/envoy/envoytest"
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

// pod is a Pod of this machine: its containers are shut in as a container engine does,
// and see their own files, volumes as a kubelet makes them, and the Pod's network.
type pod struct {
	dir, sandbox string
	spec         *corev1.PodSpec
	group        int // that owns volumes: fsGroup
	modes        map[string]os.FileMode
	programs     map[string]string // of the processor's image
	processor    *container
	envoy        *container
}

type container struct {
	*exec.Cmd
	logs  envoytest.Buffer
	ended chan error
}

// newPod makes the volumes.
func newPod(t *testing.T, o *objects, lab *tenant.Tenant) *pod {
	t.Helper()
	dir, err := os.MkdirTemp("", "gv-pod-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &pod{dir: dir, sandbox: filepath.Join(dir, "sandbox"), spec: &o.deployment.Spec.Template.Spec, modes: map[string]os.FileMode{}}
	if s := p.spec.SecurityContext; s != nil && s.FSGroup != nil {
		p.group = int(*s.FSGroup)
	}
	build(t, p.sandbox, "../image/sandbox")
	build(t, filepath.Join(dir, "reader"), "./testdata/reader")
	check(t, os.Chmod(dir, 0o755))
	for _, v := range p.spec.Volumes {
		files := map[string]string{}
		mode := int32(0o644)
		switch {
		case v.EmptyDir != nil:
			p.emptyDir(t, v.Name)
			continue
		case v.Name == "graphveil-config" || v.Name == "graphveil-hosts":
			for _, item := range v.ConfigMap.Items {
				files[item.Path] = o.config.Data[item.Key]
			}
		case v.Name == "graphveil-policy":
			files["people.rego"] = people(t, "surname")
		case v.Name == "graphveil-files":
			mode = *v.Secret.DefaultMode
			files["salt"], files["key"] = "salt of the test", "key of the test"
		case v.Name == "graphveil-tls":
			mode = *v.Secret.DefaultMode
			files = pair(t)
		case v.Name == "graphveil-trust":
			mode = *v.Secret.DefaultMode
			ca, err := authority()
			check(t, err)
			files["ca.crt"] = string(ca.PEM())
		case v.Projected != nil:
			mode = *v.Projected.DefaultMode
			assertion := filepath.Join(t.TempDir(), "assertion")
			check(t, lab.WriteAssertion(assertion, time.Hour))
			text, err := os.ReadFile(assertion)
			check(t, err)
			files[v.Projected.Sources[0].ServiceAccountToken.Path] = string(text)
		default:
			t.Fatalf("volume %s: the test knows nothing of it", v.Name)
		}
		if v.Secret != nil && len(v.Secret.Items) > 0 {
			all := files
			files = map[string]string{}
			for _, item := range v.Secret.Items {
				text, found := all[item.Key]
				if !found {
					t.Fatalf("volume %s: the Secret has no key %s", v.Name, item.Key)
				}
				files[item.Path] = text
			}
		}
		p.modes[v.Name] = os.FileMode(mode)
		p.publish(t, v.Name, files)
	}
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, to, from string) {
	t.Helper()
	c := exec.Command("go", "build", "-trimpath", "-o", to, from)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", from, err, out)
	}
}

// pair are the files of a new certificate.
func pair(t *testing.T) map[string]string {
	t.Helper()
	dir, files := t.TempDir(), map[string]string{}
	writePair(t, dir)
	for _, name := range []string{"tls.crt", "tls.key"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		files[name] = string(text)
	}
	return files
}

// emptyDir is open to all, as a kubelet makes it, and of the group that owns volumes.
func (p *pod) emptyDir(t *testing.T, name string) {
	t.Helper()
	at := filepath.Join(p.dir, name)
	check(t, os.Mkdir(at, 0o777))
	mode := os.FileMode(0o777)
	if p.group != 0 && os.Geteuid() == 0 {
		check(t, os.Chown(at, 0, p.group))
		mode |= os.ModeSetgid
	}
	check(t, os.Chmod(at, mode))
}

// publish does what a kubelet does with files of a volume: they are written to a new
// folder, and the link ..data is swapped to it.
func (p *pod) publish(t *testing.T, name string, files map[string]string) {
	t.Helper()
	at := filepath.Join(p.dir, name)
	check(t, os.MkdirAll(at, 0o755))
	version, err := os.MkdirTemp(at, "..2026_")
	check(t, err)
	check(t, os.Chmod(version, 0o755))
	for file, text := range files {
		to := filepath.Join(version, file)
		check(t, os.WriteFile(to, []byte(text), p.modes[name]))
		check(t, os.Chmod(to, p.modes[name]))
		if p.group != 0 && os.Geteuid() == 0 {
			check(t, os.Chown(to, 0, p.group))
		}
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(at, file)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	check(t, os.Symlink(filepath.Base(version), filepath.Join(at, "..data_tmp")))
	check(t, os.Rename(filepath.Join(at, "..data_tmp"), filepath.Join(at, "..data")))
}

// command runs a program in a container of the Pod.
func (p *pod) command(t *testing.T, c *corev1.Container, programs map[string]string, argv ...string) *exec.Cmd {
	t.Helper()
	root := filepath.Join(p.dir, "root-"+c.Name)
	arguments := []string{"run", "-root", root}
	target := func(at string, file bool) {
		at = filepath.Join(root, at)
		folder := at
		if file {
			folder = filepath.Dir(at)
		}
		check(t, os.MkdirAll(folder, 0o755))
		if file {
			check(t, os.WriteFile(at, nil, 0o644))
		}
	}
	target("/proc", false)
	target("/dev", false)
	for at, from := range programs {
		target(at, true)
		arguments = append(arguments, "-bind", from+":"+at)
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range p.spec.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range c.VolumeMounts {
		from := filepath.Join(p.dir, m.Name, m.SubPath)
		if m.SubPath != "" { // a kubelet mounts the file itself
			real, err := filepath.EvalSymlinks(from)
			check(t, err)
			from = real
		}
		target(m.MountPath, m.SubPath != "")
		how := "-shared"
		if m.ReadOnly {
			how = "-bind"
		}
		arguments = append(arguments, how, from+":"+m.MountPath)
	}
	command := exec.Command(p.sandbox, append(append(arguments, "--"), argv...)...)
	command.Env = []string{"PATH=/usr/bin", "TMPDIR=/run/graphveil"} // as in the image
	for _, e := range c.Env {
		command.Env = append(command.Env, e.Name+"="+e.Value)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command
}

// start starts a container with the entry point of the images.
func (p *pod) start(t *testing.T, c *corev1.Container, programs map[string]string) *container {
	t.Helper()
	started := &container{ended: make(chan error, 1)}
	started.Cmd = p.command(t, c, programs, append([]string{"/usr/bin/graphveil"}, c.Args...)...)
	started.Stdout, started.Stderr = io.Discard, &started.logs
	check(t, started.Start())
	go func() { started.ended <- started.Wait() }()
	t.Cleanup(func() {
		_ = started.Process.Kill()
		if t.Failed() {
			t.Logf("logs of %s:\n%.6000s", c.Name, started.logs.String())
		}
	})
	return started
}

// run starts the containers as a kubelet does: the next one when the startup probe of
// the one before succeeds.
func (p *pod) run(t *testing.T, lab *tenant.Tenant) {
	t.Helper()
	authorities := filepath.Join(p.dir, "ca-certificates.crt")
	check(t, os.WriteFile(authorities, lab.CA.PEM(), 0o644))
	p.programs = map[string]string{"/usr/bin/graphveil": p.bring(t, graphveil), "/etc/ssl/certs/ca-certificates.crt": authorities}
	processor, proxy := ours(p.spec)
	p.processor = p.start(t, processor, p.programs)
	p.probe(t, processor, processor.StartupProbe)
	programs := maps.Clone(p.programs)
	programs["/usr/bin/envoy"] = p.bring(t, envoy)
	for _, library := range libraries(t) {
		programs[library] = library
	}
	p.envoy = p.start(t, proxy, programs)
	p.probe(t, proxy, proxy.StartupProbe)
	for _, c := range []*corev1.Container{processor, proxy} {
		p.probe(t, c, c.ReadinessProbe)
		p.probe(t, c, c.LivenessProbe)
	}
}

// bring puts a program where the containers' user can reach it.
func (p *pod) bring(t *testing.T, program string) string {
	t.Helper()
	to := filepath.Join(p.dir, filepath.Base(program))
	if os.Link(program, to) == nil {
		return to
	}
	from, err := os.Open(program)
	check(t, err)
	defer from.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	check(t, err)
	_, err = io.Copy(f, from)
	check(t, err)
	check(t, f.Close())
	return to
}

// libraries are what Envoy is linked to.
func libraries(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("ldd", envoy).Output()
	check(t, err)
	found := regexp.MustCompile(`/[^ ]+ `).FindAllString(string(out), -1)
	if len(found) == 0 {
		t.Fatalf("ldd says %s", out)
	}
	for i := range found {
		found[i] = strings.TrimSpace(found[i])
	}
	return found
}

// probe asks as a kubelet does, from outside of the Pod, until the answer is good.
func (p *pod) probe(t *testing.T, c *corev1.Container, probe *corev1.Probe) {
	t.Helper()
	url := ""
	for _, port := range c.Ports {
		if port.Name == probe.HTTPGet.Port.StrVal {
			url = "http://" + net.JoinHostPort(podAddress, strconv.Itoa(int(port.ContainerPort))) + probe.HTTPGet.Path
		}
	}
	until(t, c.Name+" at "+url, func() bool {
		select {
		case err := <-p.containerOf(c).ended:
			t.Fatalf("%s ended: %v", c.Name, err)
		default:
		}
		return get(url) == http.StatusOK
	})
}

func (p *pod) containerOf(c *corev1.Container) *container {
	if c.Name == "envoy" {
		return p.envoy
	}
	return p.processor
}

// stop ends the containers in the order of a kubelet.
func (p *pod) stop(t *testing.T, within time.Duration) {
	t.Helper()
	since := time.Now()
	for _, c := range []*container{p.envoy, p.processor} {
		check(t, c.Process.Signal(syscall.SIGTERM))
		select {
		case err := <-c.ended:
			if err != nil {
				t.Errorf("%v ended with %v", c.Args, err)
			}
		case <-time.After(within):
			t.Fatalf("%v does not end", c.Args)
		}
	}
	if took := time.Since(since); took > within {
		t.Errorf("the Pod took %s to end", took)
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
