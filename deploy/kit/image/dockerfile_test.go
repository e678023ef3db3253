package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	copier "github.com/tonistiigi/fsutil/copy"
)

// stages are those of the Dockerfile, as BuildKit reads them, without a warning.
func stages(t *testing.T) map[string]instructions.Stage {
	t.Helper()
	f, err := os.Open("../../image/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Error(w.Short)
	}
	warn := func(rule, description, url, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) }
	list, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn}))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]instructions.Stage{}
	for _, s := range list {
		all[s.Name] = s
	}
	if len(all) != 3 || len(list) != 3 {
		t.Fatalf("%d stages", len(list))
	}
	return all
}

// TestDockerfile follows the Dockerfile for each image, with BuildKit's own parser and
// its own way to copy, from what its first stage writes: files, modes, owners and
// configuration are those of the image that is built without it.
func TestDockerfile(t *testing.T) {
	all := stages(t)
	each(t, func(t *testing.T, b built, p platform) {
		out, root := t.TempDir(), t.TempDir()
		// As -files, where the first stage runs: by root, into /out.
		if err := unpackForCopy(p.image, filepath.Join(out, "out", b.name, p.arch)); err != nil {
			t.Fatal(err)
		}
		var config v1.Config
		if all[b.name].BaseName != "scratch" {
			t.Errorf("it is made from %s", all[b.name].BaseName)
		}
		for _, c := range all[b.name].Commands {
			switch c := c.(type) {
			case *instructions.ArgCommand:
			case *instructions.CopyCommand:
				follow(t, c, p.arch, out, root)
			case *instructions.UserCommand:
				config.User = c.User
			case *instructions.WorkdirCommand:
				config.WorkingDir = c.Path
			case *instructions.EnvCommand:
				for _, e := range c.Env {
					config.Env = append(config.Env, e.String())
				}
			case *instructions.StopSignalCommand:
				config.StopSignal = c.Signal
			case *instructions.EntrypointCommand:
				config.Entrypoint = c.CmdLine
			case *instructions.CmdCommand:
				config.Cmd = c.CmdLine
			case *instructions.ExposeCommand:
				config.ExposedPorts = map[string]struct{}{strings.Join(c.Ports, " "): {}}
			default:
				t.Errorf("stage %s has %s", b.name, c.Name())
			}
		}
		image, err := p.image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		want := image.Config
		want.Labels = nil
		if got, want := fmt.Sprintf("%+v", config), fmt.Sprintf("%+v", want); got != want {
			t.Errorf("configuration\n%s\nwant\n%s", got, want)
		}
		compareTree(t, p.image, root)
	})
}

// follow does what a COPY says.
func follow(t *testing.T, c *instructions.CopyCommand, arch, out, root string) {
	t.Helper()
	if c.From != "files" || len(c.SourcePaths) != 1 {
		t.Fatalf("copies %q from %s", c.SourcePaths, c.From)
	}
	info := copier.CopyInfo{CopyDirContents: true}
	if c.Chown != "" && os.Geteuid() == 0 {
		owner := &copier.User{}
		if _, err := fmt.Sscanf(c.Chown, "%d:%d", &owner.UID, &owner.GID); err != nil {
			t.Fatal(c.Chown, err)
		}
		info.Chown = func(*copier.User) (*copier.User, error) { return owner, nil }
	}
	source := strings.ReplaceAll(c.SourcePaths[0], "${TARGETARCH}", arch)
	if err := copier.Copy(context.Background(), out, source, root, c.DestPath, copier.WithCopyInfo(info)); err != nil {
		t.Fatal(err)
	}
}

// compareTree holds a folder against the files of an image. Owners are looked at
// where the tests run as root, for who else cannot give files away.
func compareTree(t *testing.T, image v1.Image, root string) {
	t.Helper()
	line := func(mode fs.FileMode, uid, size int64) string {
		if os.Geteuid() != 0 {
			uid = 0
		}
		if mode.IsDir() {
			size = 0
		}
		return fmt.Sprint(mode, " ", uid, " ", size)
	}
	want, got := map[string]string{}, map[string]string{}
	headers, _ := entries(t, image)
	for name, h := range headers {
		if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeDir {
			want[strings.TrimSuffix(name, "/")] = line(h.FileInfo().Mode(), int64(h.Uid), h.Size)
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		got[name] = line(info.Mode(), int64(info.Sys().(*syscall.Stat_t).Uid), info.Size())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s: %q, want %q", name, got[name], want[name])
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("too much: %q", got)
	}
}
