package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// box is an image, unpacked, with the program that runs it the way an engine would.
type box struct {
	root, sandbox string
	mounted       string   // the folder that is /etc/graphveil, inside read-only
	binds         []string // what else is mounted, as from:to
	config        v1.Config
	uid           uint32 // who runs the sandbox
}

// newBox unpacks an image where an unprivileged user can reach it.
func newBox(t *testing.T, image string, uid int) *box {
	t.Helper()
	all, err := images()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(b built) bool { return b.name == image })
	j := slices.IndexFunc(all[i].platforms, func(p platform) bool { return p.arch == runtime.GOARCH })
	if j < 0 {
		t.Fatalf("there is no image for %s", runtime.GOARCH)
	}
	folder, err := os.MkdirTemp("", "graphveil-sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	b := &box{root: filepath.Join(folder, "root"), sandbox: filepath.Join(folder, "sandbox"), mounted: filepath.Join(folder, "etc"), uid: uint32(uid)}
	config, err := all[i].platforms[j].image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	b.config = config.Config
	if err := unpack(all[i].platforms[j].image, b.root); err != nil {
		t.Fatal(err)
	}
	// Engines make what is mounted on.
	for _, name := range []string{b.mounted, filepath.Join(b.root, "proc"), filepath.Join(b.root, "dev"), filepath.Join(b.root, "etc/graphveil")} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := sandboxProgram()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{b.sandbox, filepath.Join(b.mounted, "probe")} {
		if err := os.WriteFile(name, program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.own(t)
	return b
}

// own gives every file to the user inside, as far as who tests may. The images' files
// are root's; that nobody can write to them is then up to the read-only root alone.
func (b *box) own(t *testing.T) {
	t.Helper()
	inside := int(b.uid)
	if inside == 0 {
		inside = user
	}
	for _, folder := range []string{b.root, b.mounted} {
		err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
			if err != nil || os.Geteuid() != 0 {
				return err
			}
			return os.Chown(path, inside, inside)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sandboxProgram is the sandbox, static so that it runs inside, too.
var sandboxProgram = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "graphveil-sandbox-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	c := exec.Command("go", "build", "-o", filepath.Join(folder, "sandbox"), "./sandbox")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := c.Output(); err != nil {
		return nil, withStderr(err)
	}
	return os.ReadFile(filepath.Join(folder, "sandbox"))
})

// command runs a program of the image, inside, as its configuration says.
func (b *box) command(argv ...string) *exec.Cmd {
	arguments := []string{"run", "-root", b.root, "-memory", runFolder}
	for _, bind := range append([]string{b.mounted + ":/etc/graphveil"}, b.binds...) {
		arguments = append(arguments, "-bind", bind)
	}
	c := exec.Command(b.sandbox, append(append(arguments, "--"), argv...)...)
	c.Env = b.config.Env
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if b.uid != uint32(os.Geteuid()) {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: b.uid, Gid: b.uid}
	}
	return c
}

// confined runs a test in a box for each image, run by root if that is who tests, and
// by an ordinary user. Where the machine lets nobody make namespaces that is said.
func confined(t *testing.T, image string, test func(t *testing.T, b *box)) {
	for name, uid := range map[string]int{"root": 0, "user": 65501} {
		switch own := os.Geteuid(); {
		case own != 0 && name == "root":
			continue
		case own != 0:
			uid = own
		}
		t.Run(name, func(t *testing.T) {
			b := newBox(t, image, uid)
			out, err := b.command("/etc/graphveil/probe", "probe").CombinedOutput()
			if err != nil && strings.Contains(string(out), "making namespaces: ") && os.Getenv("CI") == "" {
				t.Skipf("NOT RUN: this machine does not let %s make user namespaces, so the image was not run under its restrictions (CI=true makes this a failure): %s", name, out)
			}
			if err != nil {
				t.Fatalf("the sandbox: %v\n%s", err, out)
			}
			test(t, b)
		})
	}
}

// TestConfined shows that the sandbox restricts what it says, and that nothing of
// the images but the folder of the socket can be written to.
func TestConfined(t *testing.T) {
	confined(t, envoyImage, func(t *testing.T, b *box) {
		out, err := b.command("/etc/graphveil/probe", "probe").Output()
		if err != nil {
			t.Fatal(err)
		}
		var found struct {
			Status         map[string]string
			Folders, Files int
			Written        []string
			Allowed        []string
			Namespaces     map[string]string
		}
		if err := json.Unmarshal(out, &found); err != nil {
			t.Fatal(err)
		}
		checkStatus(t, found.Status)
		if found.Folders < 10 || found.Files < 10 || !slices.Equal(found.Written, []string{"/" + runFolder, "/" + runFolder + "/written"}) {
			t.Errorf("tried %d folders and %d files, could write %q", found.Folders, found.Files, found.Written)
		}
		for _, name := range []string{"user", "mnt", "pid", "ipc", "uts"} {
			if own, err := os.Readlink("/proc/self/ns/" + name); err != nil || found.Namespaces[name] == "" || found.Namespaces[name] == own {
				t.Errorf("namespace %s: %q inside, %q outside, %v", name, found.Namespaces[name], own, err)
			}
		}
		if len(found.Allowed) > 0 {
			t.Errorf("could call %q", found.Allowed)
		}
	})
}

// checkStatus looks at what /proc says of the privileges of a process.
func checkStatus(t *testing.T, status map[string]string) {
	t.Helper()
	const none = "0000000000000000"
	for key, want := range map[string]string{
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
		"NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1",
	} {
		if status[key] != want {
			t.Errorf("%s is %q, want %q", key, status[key], want)
		}
	}
	for _, key := range []string{"Uid", "Gid"} {
		if strings.Contains(" "+status[key]+" ", " 0 ") || status[key] == "" {
			t.Errorf("%s is %q", key, status[key])
		}
	}
}

// TestWithoutConfiguration runs the images as somebody who tries them out.
func TestWithoutConfiguration(t *testing.T) {
	confined(t, envoyImage, func(t *testing.T, b *box) {
		out, err := b.command(append(slices.Clone(b.config.Entrypoint), b.config.Cmd...)...).CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("/etc/graphveil/graphveil.yaml")) || !bytes.Contains(out, []byte("hint: ")) {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// TestVersion runs the program of the image that does least.
func TestVersion(t *testing.T) {
	confined(t, processorImage, func(t *testing.T, b *box) {
		all, _ := images()
		out, err := b.command(append(slices.Clone(b.config.Entrypoint), "--version")...).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte(all[0].source.version)) {
			t.Errorf("%s, %v", out, err)
		}
	})
}
