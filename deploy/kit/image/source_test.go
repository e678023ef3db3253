package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVersionOfSources makes a checkout whose version is in doubt: a candidate became
// the release, tags that are none, and a file that the person's git does not show.
func TestVersionOfSources(t *testing.T) {
	root, home := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, "config"))
	t.Setenv("GIT_DIR", filepath.Join(home, "another"))
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, "config"), "[user]\nname = a\nemail = a@example.com\n[core]\nexcludesFile = "+filepath.Join(home, "ignored")+"\n[status]\nshowUntrackedFiles = no\n")
	write(filepath.Join(home, "ignored"), "*.go\n")
	git := func(arguments ...string) {
		t.Helper()
		c := exec.Command("git", append([]string{"--git-dir", filepath.Join(root, ".git"), "--work-tree", root}, arguments...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", arguments, err, out)
		}
	}
	version := func() string {
		t.Helper()
		src, err := findSource(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		return src.version
	}
	git("init", "-q")
	write(filepath.Join(root, "a"), "a")
	git("add", "a")
	git("commit", "-q", "-m", "a")
	if got := version(); !strings.HasPrefix(got, "v0.0.0-") || strings.HasSuffix(got, "+dirty") {
		t.Errorf("without a tag: %s", got)
	}
	for _, tag := range []string{"v1.2.0-rc1", "v1.2.0", "v1.2.0-rc.2", "v1.1.9", "very-new", "v9/next"} {
		git("tag", tag)
	}
	if got := version(); got != "v1.2.0" {
		t.Errorf("of the tags: %s", got)
	}
	src, err := findSource(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.unchanged(t.Context()); err != nil {
		t.Error(err)
	}
	write(filepath.Join(root, "extra.go"), "package main\n")
	if err := src.unchanged(t.Context()); err == nil || !strings.Contains(err.Error(), "from v1.2.0 to v1.2.0+dirty while they were built") {
		t.Errorf("changed since: %v", err)
	}
	if got := version(); got != "v1.2.0+dirty" {
		t.Errorf("with another file: %s", got)
	}
}
