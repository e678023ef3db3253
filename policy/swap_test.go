//go:build unix

package policy_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/graphveil/graphveil/policy"
)

// TestSwapWhileReading swaps a ConfigMap volume, and a link to a folder as git-sync has
// it, while their files are read: what is loaded is the new version whole, and not the
// first file of the old one with the second of the new. The first file is a pipe, which
// is not at its end before the swap.
func TestSwapWhileReading(t *testing.T) {
	const rest = `endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {}}
`
	for _, test := range []struct{ name, link string }{{"ConfigMap", "..data"}, {"git-sync", "current"}} {
		t.Run(test.name, func(t *testing.T) {
			volume := t.TempDir()
			path := filepath.Join(volume, "current")
			if test.link == "..data" {
				path = volume
			}
			for _, version := range []string{"1", "2"} {
				write(t, filepath.Join(volume, ".."+version), "-- custom.rego --\npackage graphveil.custom\n\nversion := "+version+"\n-- other.rego --\npackage graphveil.custom\n\ndeny contains \"two\" if version == "+version+"\n"+connector(rest))
			}
			pipe := filepath.Join(volume, "..1", "custom.rego")
			link := func(to string) {
				t.Helper()
				swapLink(t, to, filepath.Join(volume, test.link))
			}
			if err := os.Remove(pipe); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			link("..1")
			if test.link == "..data" {
				for _, name := range []string{"custom.rego", "other.rego", "test.rego"} {
					if err := os.Symlink("..data/"+name, filepath.Join(volume, name)); err != nil {
						t.Fatal(err)
					}
				}
			}

			type result struct {
				s   *policy.Snapshot
				err error
			}
			loaded := make(chan result, 1)
			config := policy.Config{Paths: []string{path}}
			go func() {
				s, err := policy.Load(context.Background(), config)
				loaded <- result{s, err}
			}()
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for who reads it
			if err != nil {
				t.Fatal(err)
			}
			link("..2")
			if _, err := writer.WriteString("package graphveil.custom\n\nversion := 1\n"); err != nil {
				t.Fatal(err)
			}
			writer.Close()

			select {
			case got := <-loaded:
				if got.err != nil {
					t.Fatal(got.err)
				}
				want, err := policy.Load(context.Background(), config)
				if err != nil {
					t.Fatal(err)
				}
				if got.s.Revision() != want.Revision() {
					t.Error("half of the old version is in force")
				}
			case <-time.After(20 * time.Second):
				t.Fatal("not loaded")
			}
		})
	}
}
