package policy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/graphveil/graphveil/internal/testlog"
	"github.com/graphveil/graphveil/policy"
)

// versioned is a policy that serves /<name>.
func versioned(name string) string {
	return connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/` + name + `", "response": {"id": shape.keep}}
`)
}

var broken = connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/broken", "response": {"id": shape.kep}}
`)

// watch runs an engine on policy paths.
func watch(t *testing.T, paths ...string) (*policy.Engine, *reloads, *testlog.Buffer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := &testlog.Buffer{}
	e, err := policy.NewEngine(ctx, policy.Config{Paths: paths}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r := &reloads{results: make(chan bool, 64)}
	e.OnReload(func(ok bool) { r.results <- ok })
	ended := make(chan error, 1)
	go func() { ended <- e.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("watching ended with %v", err)
		}
		r.check(t)
	})
	return e, r, log
}

// promised is how soon a change is in force.
const promised = slowdown * time.Second

// reloads are the results of an engine's reloads, and how long a test waited for each.
type reloads struct {
	results chan bool
	times   []time.Duration
}

// await wants the next reload.
func (r *reloads) await(t *testing.T, want bool) {
	t.Helper()
	start := time.Now()
	select {
	case ok := <-r.results:
		r.times = append(r.times, time.Since(start))
		if ok != want {
			t.Fatalf("reloaded with %t, want %t", ok, want)
		}
	case <-time.After(10 * promised):
		t.Fatal("no reload")
	}
}

// awaitGood wants a reload that succeeds. Those before it found a folder half replaced.
func (r *reloads) awaitGood(t *testing.T) {
	t.Helper()
	deadline := time.After(10 * promised)
	for {
		select {
		case ok := <-r.results:
			if ok {
				return
			}
		case <-deadline:
			t.Fatal("no reload that succeeds")
		}
	}
}

// check wants what is promised of the median of three or more, for a machine may be
// busy with something else at times.
func (r *reloads) check(t *testing.T) {
	t.Helper()
	slices.Sort(r.times)
	if len(r.times) >= 3 && r.times[(len(r.times)-1)/2] > promised {
		t.Errorf("the reloads took %v", r.times)
	}
}

func serves(t testing.TB, s *policy.Snapshot, path string) bool {
	t.Helper()
	_, denial := s.Route("GET", parseTarget(t, path))
	return denial == nil
}

func TestReload(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, versioned("one"))
	e, reloads, log := watch(t, folder)
	first := e.Current()
	route, denial := first.Route("GET", parseTarget(t, "/one"))
	if denial != nil {
		t.Fatal(denial)
	}

	write(t, folder, versioned("two"))
	reloads.await(t, true)
	second := e.Current()
	if !serves(t, second, "/two") || serves(t, second, "/one") || second.Revision() == first.Revision() {
		t.Error("the changed policy is not in force")
	}
	// What an exchange has taken stays as it was.
	if d := first.Decide(context.Background(), route, policy.Input{Method: "GET", Target: parseTarget(t, "/one")}); !d.Allow || d.Revision != first.Revision() || !serves(t, first, "/one") {
		t.Errorf("the old snapshot changed: %+v", d)
	}

	write(t, folder, broken)
	reloads.await(t, false)
	if e.Current() != second {
		t.Error("a bad policy replaced the good one")
	}
	for _, part := range []string{"level=ERROR", "unresolved_reference", "test.rego", "line=10", "shape.kep", second.Revision()} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log leaves out %s:\n%s", part, log)
		}
	}

	write(t, folder, versioned("three"))
	reloads.await(t, true)
	if !serves(t, e.Current(), "/three") {
		t.Error("a good policy after a bad one is not in force")
	}

	// A file in a new folder, and the loss of all files.
	write(t, folder, "-- deep/er/custom.rego --\npackage graphveil.custom\n\ndeny contains \"closed\"\n")
	reloads.await(t, true)
	if d := decide(t, e.Current(), "/three", policy.Input{}); d.Allow {
		t.Error("a denial in a new folder is not in force")
	}
	before := e.Current()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	reloads.await(t, false)
	if e.Current() != before {
		t.Error("an absent policy replaced the good one")
	}
}

// swapLink makes a symbolic link lead to another target, in one step.
func swapLink(t *testing.T, target, link string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(link), "..next")
	if err := errors.Join(os.Symlink(target, next), os.Rename(next, link)); err != nil {
		t.Fatal(err)
	}
}

// TestReloadConfigMap swaps the symbolic link ..data, as a kubelet does.
func TestReloadConfigMap(t *testing.T) {
	folder := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(folder, "..2026_01"), versioned("one"))
	link("..2026_01", "..data")
	link("..data/test.rego", "test.rego")
	e, reloads, _ := watch(t, folder)
	if !serves(t, e.Current(), "/one") {
		t.Fatal("not loaded through links")
	}
	for i, name := range []string{"two", "three"} {
		version := "..2026_0" + string(rune('2'+i))
		write(t, filepath.Join(folder, version), versioned(name))
		link(version, "..data_tmp")
		if err := os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")); err != nil {
			t.Fatal(err)
		}
		reloads.await(t, true)
		if !serves(t, e.Current(), "/"+name) {
			t.Errorf("%s is not in force", name)
		}
	}
}

// TestReloadProjected follows what a kubelet does to a volume whose items are in
// folders of their own, policy paths of which name the folder and a bundle file: the
// old files go away after the swap.
func TestReloadProjected(t *testing.T) {
	volume := t.TempDir()
	version := func(n int, name string) string {
		folder := fmt.Sprintf("..2026_%02d", n)
		write(t, filepath.Join(volume, folder, "things"), versioned(name))
		file, err := os.Create(filepath.Join(volume, folder, "denials.tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		rego := fmt.Sprintf("package graphveil.custom\n\ndeny contains \"closed\" if input.request.path == \"/two\"\n\ndeny contains \"never_%d\" if input.request.path == \"/never\"\n", n)
		b := bundle.Bundle{Data: map[string]any{}, Modules: []bundle.ModuleFile{{URL: "custom.rego", Path: "/custom.rego", Raw: []byte(rego), Parsed: ast.MustParseModule(rego)}}}
		if err := bundle.NewWriter(file).UseModulePath(true).DisableFormat(true).Write(b); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	swap := func(folder string) {
		t.Helper()
		old, _ := os.Readlink(filepath.Join(volume, "..data"))
		swapLink(t, folder, filepath.Join(volume, "..data"))
		if old != "" {
			if err := os.RemoveAll(filepath.Join(volume, old)); err != nil {
				t.Fatal(err)
			}
		}
	}
	swap(version(1, "one"))
	for _, name := range []string{"things", "denials.tar.gz"} {
		if err := os.Symlink("..data/"+name, filepath.Join(volume, name)); err != nil {
			t.Fatal(err)
		}
	}
	e, reloads, _ := watch(t, filepath.Join(volume, "things"), filepath.Join(volume, "denials.tar.gz"))
	for i, name := range []string{"two", "three", "four"} {
		swap(version(i+2, name))
		reloads.await(t, true)
		if !serves(t, e.Current(), "/"+name) {
			t.Errorf("%s is not in force", name)
		}
		if d := decide(t, e.Current(), "/"+name, policy.Input{}); d.Allow == (name == "two") {
			t.Errorf("%s: the bundle file is not in force: %+v", name, d)
		}
	}
}

// TestReloadRenamedFolder replaces the folder itself, which is missing for a moment.
func TestReloadRenamedFolder(t *testing.T) {
	parent := t.TempDir()
	folder := filepath.Join(parent, "policy")
	write(t, folder, versioned("one"))
	write(t, filepath.Join(parent, "next"), versioned("two"))
	e, reloads, _ := watch(t, folder)
	if err := os.Rename(folder, filepath.Join(parent, "old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(parent, "next"), folder); err != nil {
		t.Fatal(err)
	}
	reloads.awaitGood(t)
	if !serves(t, e.Current(), "/two") {
		t.Error("the new folder is not in force")
	}
	write(t, folder, versioned("three"))
	reloads.await(t, true)
	if !serves(t, e.Current(), "/three") {
		t.Error("the new folder is not watched")
	}
}

// TestReloadBehindLink: a policy path is a folder in what git-sync publishes, by a link
// above it, and each version goes away after the next.
func TestReloadBehindLink(t *testing.T) {
	git := t.TempDir()
	publish := func(name string) {
		t.Helper()
		write(t, filepath.Join(git, name, "policy"), versioned(name))
		old, _ := os.Readlink(filepath.Join(git, "current"))
		swapLink(t, name, filepath.Join(git, "current"))
		if old != "" && name != "two" { // of the first version nothing tells that it is old
			if err := os.RemoveAll(filepath.Join(git, old)); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish("one")
	e, reloads, _ := watch(t, filepath.Join(git, "current", "policy"))
	for _, name := range []string{"two", "three", "four"} {
		publish(name)
		reloads.await(t, true)
		if !serves(t, e.Current(), "/"+name) {
			t.Errorf("%s is not in force", name)
		}
	}
}

// TestDecideDuringReload: every decision is wholly of one policy. Worth running with -race.
func TestDecideDuringReload(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, versioned("one"))
	e, reloads, _ := watch(t, folder)
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for ctx.Err() == nil {
				s := e.Current()
				served := 0
				for _, path := range []string{"/one", "/two"} {
					target := parseTarget(t, path)
					route, denial := s.Route("GET", target)
					if denial != nil {
						continue
					}
					served++
					if d := s.Decide(context.Background(), route, policy.Input{Method: "GET", Target: target}); !d.Allow || d.Revision != s.Revision() {
						t.Errorf("%s: %+v", path, d)
					}
				}
				if served != 1 {
					t.Errorf("one policy serves %d of two", served)
				}
			}
		})
	}
	for _, name := range []string{"two", "one", "two"} {
		write(t, folder, versioned(name))
		reloads.await(t, true)
	}
	cancel()
	workers.Wait()
}

func TestNewEngineNeedsAGoodPolicy(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, broken)
	e, err := policy.NewEngine(context.Background(), policy.Config{Paths: []string{folder}}, slog.New(slog.DiscardHandler))
	if e != nil || len(errorsOf(t, err)) != 1 {
		t.Errorf("%v, %v", e, err)
	}
}
