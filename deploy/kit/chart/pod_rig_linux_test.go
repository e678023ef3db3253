package chart

import (
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

	corev1 "k8s.io/api/core/v1"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/internal/testlog"
)

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
	logs  testlog.Buffer
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
