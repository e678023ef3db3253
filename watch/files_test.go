package watch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/watch"
)

// TestFolders: a link above the file is seen to be swapped where it is.
func TestFolders(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(names ...string) string { return filepath.Join(append([]string{root}, names...)...) }
	for _, step := range []error{
		os.MkdirAll(at("git", "v1", "policy"), 0o700),
		os.MkdirAll(at("other"), 0o700),
		os.Symlink("v1", at("git", "current")),
		os.Symlink("../git", at("other", "git")),
		os.WriteFile(at("git", "v1", "policy", "file"), nil, 0o600),
		os.Symlink("policy/file", at("git", "v1", "file")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	for path, want := range map[string][]string{
		at("git", "v1", "file"):                         {at("git", "v1")},
		at("git", "current", "policy", "file"):          {at("git", "v1", "policy"), at("git")},
		at("git", "current"):                            {at("git")},
		at("git", "current", "policy") + "/":            {at("git", "v1"), at("git")},
		at("other", "git", "current", "file"):           {at("git", "v1"), at("git"), at("other")},
		at("git", "current", "none", "file"):            {at("git")},
		at("none", "file"):                              nil,
		at("other", "..", "git", "v1", "..", "v1", "x"): {at("git", "v1")},
	} {
		if got := watch.Folders(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// TestLook: a file that comes, is replaced, is written, or goes, is one change, and
// nothing else is. The time is its own.
func TestLook(t *testing.T) {
	file, next := filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "next")
	old := time.Now().Add(-time.Hour)
	replace := func(text string) func() error {
		return func() error {
			return errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Chtimes(next, old, old), os.Rename(next, file))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var changes atomic.Int32
		ended := make(chan bool)
		go func() {
			watch.Look(ctx, time.Minute, []string{next + "none", file}, func() { changes.Add(1) })
			close(ended)
		}()
		synctest.Wait()
		for _, step := range []struct {
			what string
			do   func() error
			want int32
		}{
			{"nothing", func() error { return nil }, 0},
			{"it comes", replace("one"), 1},
			{"nothing more", func() error { return nil }, 0},
			{"it is another of the same size and time", replace("two"), 1},
			{"it is written", func() error { return os.Chtimes(file, old, old.Add(time.Second)) }, 1},
			{"it is longer", func() error {
				return errors.Join(os.WriteFile(file, []byte("three"), 0o600), os.Chtimes(file, old, old.Add(time.Second)))
			}, 1},
			{"it goes", func() error { return os.Remove(file) }, 1},
		} {
			changes.Store(0)
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := changes.Load(); n != step.want {
				t.Errorf("%s: %d changes, want %d", step.what, n, step.want)
			}
		}
		cancel()
		<-ended
	})
}
