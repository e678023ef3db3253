package envoy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/envoy"
)

// fakeBinary makes an executable that says it is Envoy of some version. Only
// looking for one is tested with it.
func fakeBinary(t *testing.T, path, version string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho\necho \"$0  version: 0123456789abcdef/" + version + "/Clean/RELEASE/BoringSSL\"\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name                  string
		variable, tools, path string // versions; "-" is something else
		want                  string // which of them, or a part of the error
	}{
		{"the variable wins, whatever its version", "1.39.2", "1.40.0", "1.40.0", "variable"},
		{"then what make installed", "", "1.40.0", "1.40.3", "tools"},
		{"then PATH", "", "", "1.40.3", "path"},
		{"not another version on PATH", "", "", "1.41.0", "make envoy"},
		{"not another version that was installed", "", "1.39.0", "", "make envoy"},
		{"nothing", "", "", "", "make envoy"},
		{"a variable that is not Envoy", "-", "1.40.0", "1.40.0", "ENVOY"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			paths := map[string]string{
				"variable": filepath.Join(root, "variable", "my-envoy"),
				"tools":    filepath.Join(root, "module", ".tools", "envoy-1.40.0", "envoy"),
				"path":     filepath.Join(root, "path", "envoy"),
			}
			t.Setenv("ENVOY", "")
			t.Setenv("PATH", filepath.Dir(paths["path"])+":/bin:/usr/bin")
			if _, err := exec.LookPath("envoy"); err == nil {
				t.Skip("an envoy in /bin or /usr/bin is in the way")
			}
			for name, version := range map[string]string{"variable": test.variable, "tools": test.tools, "path": test.path} {
				if version != "" {
					fakeBinary(t, paths[name], version)
				}
			}
			if test.variable != "" {
				t.Setenv("ENVOY", paths["variable"])
			}
			below := filepath.Join(root, "module", "a", "b")
			if err := os.MkdirAll(below, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "module", "go.mod"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			t.Chdir(below)
			got, err := envoy.Find(t.Context())
			if want, ok := paths[test.want]; ok {
				if err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, %v, want an error with %q", got, err, test.want)
			}
			if test.want == "make envoy" && !errors.Is(err, envoy.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
		})
	}
}

// What install.py decides without the network.
func TestInstall(t *testing.T) {
	script, err := filepath.Abs("install.py")
	if err != nil {
		t.Fatal(err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is needed to install Envoy")
	}
	run := func(t *testing.T, environment []string, arguments ...string) (stdout, stderr string, code int) {
		t.Helper()
		command := exec.Command(python, append([]string{script}, arguments...)...)
		command.Env = environment
		var out, problems strings.Builder
		command.Stdout, command.Stderr = &out, &problems
		if err := command.Run(); err != nil {
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatal(err)
			}
			code = exit.ExitCode()
		}
		return out.String(), problems.String(), code
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	installed := fakeBinary(t, filepath.Join(dir, "installed", "envoy"), "1.40.0")
	onPath := fakeBinary(t, filepath.Join(dir, "path", "envoy"), "1.40.1")
	older := fakeBinary(t, filepath.Join(dir, "older", "envoy"), "1.39.0")
	system := "PATH=/bin:/usr/bin"
	for _, test := range []struct {
		name        string
		environment []string
		arguments   []string
		stdout      string
		stderr      string
		code        int
	}{
		{"already there", []string{system}, []string{filepath.Join(dir, "installed")}, installed, "", 0},
		{"on PATH", []string{"PATH=" + filepath.Dir(onPath) + ":/bin:/usr/bin"}, []string{filepath.Join(dir, "installed")}, onPath, "", 0},
		{"another version on PATH", []string{"PATH=" + filepath.Dir(older) + ":/bin:/usr/bin"}, []string{filepath.Join(dir, "installed")}, installed, "", 0},
		{"named", []string{system, "ENVOY=" + onPath}, []string{filepath.Join(dir, "absent")}, onPath, "", 0},
		{"another version named", []string{system, "ENVOY=" + older}, []string{filepath.Join(dir, "absent")}, older, "tested with 1.40.0", 0},
		{"nonsense named", []string{system, "ENVOY=" + python}, []string{filepath.Join(dir, "absent")}, "", "ENVOY is set", 1},
		{"no folder", []string{system}, nil, "", "usage:", 2},
		{"not a folder", []string{system}, []string{filepath.Join(installed, "below")}, "", "Give another folder", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := run(t, test.environment, test.arguments...)
			if strings.TrimSpace(stdout) != test.stdout || !strings.Contains(stderr, test.stderr) || code != test.code {
				t.Errorf("got %d, %q, %q", code, stdout, stderr)
			}
		})
	}
}
