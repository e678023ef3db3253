package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const sources = "../../.."

// images are both images for both architectures, built once.
var images = sync.OnceValues(func() ([]built, error) {
	src, err := findSource(context.Background(), sources)
	if err != nil {
		return nil, err
	}
	return build(context.Background(), src, store(filepath.Join(sources, ".tools", "image")), []string{"amd64", "arm64"})
})

func TestMain(m *testing.M) {
	if _, err := os.Stat(filepath.Join(sources, ".git")); err != nil {
		os.Setenv("SOURCE_DATE_EPOCH", "1767225600") // an archive of the sources has no time
	}
	os.Exit(m.Run())
}

// each calls test for each image and architecture.
func each(t *testing.T, test func(t *testing.T, b built, p platform)) {
	t.Helper()
	all, err := images()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		for _, p := range b.platforms {
			t.Run(b.name+"/"+p.arch, func(t *testing.T) { test(t, b, p) })
		}
	}
	if len(all) != 2 || len(all[0].platforms) != 2 {
		t.Fatal("not two images for two architectures")
	}
}

// entries are the files of an image, by path, with their contents.
func entries(t *testing.T, image v1.Image) (headers map[string]*tar.Header, contents map[string][]byte) {
	t.Helper()
	headers, contents = map[string]*tar.Header{}, map[string][]byte{}
	tree := mutate.Extract(image)
	defer tree.Close()
	for r := tar.NewReader(tree); ; {
		h, err := r.Next()
		if err == io.EOF {
			return headers, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		if contents[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		headers[h.Name] = h
	}
}

// TestFiles holds what is in the images against a list: programs, the libraries of
// Envoy, names, authorities and licences, and not a file more. There is no shell.
func TestFiles(t *testing.T) {
	base := `-rw-r--r-- 0 etc/group
-rw-r--r-- 0 etc/passwd
-rw-r--r-- 0 etc/ssl/certs/ca-certificates.crt
drwx------ 65532 run/graphveil
-rwxr-xr-x 0 usr/bin/graphveil
-rw-r--r-- 0 usr/share/doc/graphveil/LICENSE
-rw-r--r-- 0 usr/share/doc/graphveil/THIRD-PARTY-LICENSES
`
	libraries := map[string]string{"amd64": `-rwxr-xr-x 0 lib64/ld-linux-x86-64.so.2
-rw-r--r-- 0 usr/lib/x86_64-linux-gnu/libc.so.6
-rw-r--r-- 0 usr/lib/x86_64-linux-gnu/libdl.so.2
-rw-r--r-- 0 usr/lib/x86_64-linux-gnu/libm.so.6
-rw-r--r-- 0 usr/lib/x86_64-linux-gnu/libpthread.so.0
-rw-r--r-- 0 usr/lib/x86_64-linux-gnu/librt.so.1
`, "arm64": `-rwxr-xr-x 0 lib/ld-linux-aarch64.so.1
-rw-r--r-- 0 usr/lib/aarch64-linux-gnu/libc.so.6
-rw-r--r-- 0 usr/lib/aarch64-linux-gnu/libdl.so.2
-rw-r--r-- 0 usr/lib/aarch64-linux-gnu/libm.so.6
-rw-r--r-- 0 usr/lib/aarch64-linux-gnu/libpthread.so.0
-rw-r--r-- 0 usr/lib/aarch64-linux-gnu/librt.so.1
`}
	each(t, func(t *testing.T, b built, p platform) {
		want := strings.SplitAfter(base, "\n")
		if b.name == envoyImage {
			want = append(want, strings.SplitAfter(libraries[p.arch]+"-rwxr-xr-x 0 usr/bin/envoy\n-rw-r--r-- 0 usr/share/doc/libc6/copyright\n", "\n")...)
		}
		headers, contents := entries(t, p.image)
		var got []string
		for name, h := range headers {
			switch {
			case h.Typeflag == tar.TypeDir && h.Uid == 0:
				if h.Mode != 0o755 {
					t.Errorf("folder %s has mode %o", name, h.Mode)
				}
				continue
			case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir:
				t.Errorf("%s is neither a file nor a folder", name)
			case h.Mode&^0o777 != 0 || h.Mode&0o022 != 0 || len(h.PAXRecords) != 0:
				t.Errorf("%s has mode %o, attributes %v", name, h.Mode, h.PAXRecords)
			case h.Gid != h.Uid || !h.ModTime.Equal(b.source.created):
				t.Errorf("%s: group %d, time %v", name, h.Gid, h.ModTime)
			}
			got = append(got, fmt.Sprintf("%s %d %s\n", h.FileInfo().Mode(), h.Uid, strings.TrimSuffix(name, "/")))
		}
		want = slices.DeleteFunc(want, func(line string) bool { return line == "" })
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
		}
		for name, content := range contents {
			if headers[name].Typeflag == tar.TypeReg && len(content) == 0 {
				t.Errorf("%s is empty", name)
			}
		}
	})
}

func TestConfig(t *testing.T) {
	each(t, func(t *testing.T, b built, p platform) {
		config, err := p.image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		c := config.Config
		command := "serve --config /etc/graphveil/graphveil.yaml"
		ports := 0
		if b.name == envoyImage {
			command, ports = "run --config /etc/graphveil/graphveil.yaml", 1
		}
		if config.OS != "linux" || config.Architecture != p.arch || !config.Created.Equal(b.source.created) {
			t.Errorf("%s/%s of %v", config.OS, config.Architecture, config.Created)
		}
		if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/graphveil"}) || strings.Join(c.Cmd, " ") != command || c.Shell != nil || c.Volumes != nil {
			t.Errorf("%+v", c)
		}
		if _, ok := c.ExposedPorts["8443/tcp"]; len(c.ExposedPorts) != ports || ports == 1 && !ok {
			t.Errorf("ports %v", c.ExposedPorts)
		}
		if !slices.Equal(c.Env, []string{"PATH=/usr/bin", "TMPDIR=/run/graphveil"}) {
			t.Errorf("environment %q", c.Env)
		}
		for _, label := range []string{"title", "description", "version", "revision", "created", "licenses", "source", "documentation"} {
			if c.Labels["org.opencontainers.image."+label] == "" && (label != "revision" || b.source.revision != "") {
				t.Errorf("no label %s", label)
			}
		}
		if c.Labels["org.opencontainers.image.version"] != b.source.version || c.Labels["org.opencontainers.image.title"] != b.name {
			t.Errorf("labels %v", c.Labels)
		}
	})
}

// TestReproducible builds again what this machine can run, from a copy of the
// sources in another folder, under another home, time zone and umask, with settings of
// the Go tool that would change the binary.
func TestReproducible(t *testing.T) {
	first, err := images()
	if err != nil {
		t.Fatal(err)
	}
	const arch = "amd64"
	second, err := build(t.Context(), copySources(t), store(filepath.Join(sources, ".tools", "image")), []string{arch})
	if err != nil {
		t.Fatal(err)
	}
	for i := range second {
		a, b := first[i].platforms[0], second[i].platforms[0]
		if a.arch != arch || b.arch != arch {
			t.Fatal(a.arch, b.arch)
		}
		if x, y := digest(t, a.image), digest(t, b.image); x != y {
			t.Errorf("%s: %v, then %v", first[i].name, x, y)
		}
		if !bytes.Equal(a.sbom, b.sbom) {
			t.Errorf("%s: two bills of materials", first[i].name)
		}
	}
}

func digest(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	h, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// copySources are the sources as they are, changed or not, in another folder.
func copySources(t *testing.T) source {
	t.Helper()
	root := filepath.Join(t.TempDir(), "elsewhere")
	const script = `set -e
mkdir "$1"
if [ -e .git ]; then
	git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' f; do if [ -e "$f" ]; then printf '%s\n' "$f"; fi; done |
		tar cf - -T - | tar xf - -C "$1"
	echo "gitdir: $(git rev-parse --absolute-git-dir)" > "$1/.git"
else
	tar cf - --exclude ./.tools . | tar xf - -C "$1"
fi`
	c := exec.Command("bash", "-c", script, "copy", root)
	c.Dir = sources
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cache, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := strings.Fields(string(cache))
	t.Setenv("GOCACHE", folders[0])
	t.Setenv("GOMODCACHE", folders[1])
	own := filepath.Join(t.TempDir(), "go.env")
	if err := os.WriteFile(own, []byte("GOFLAGS=-gcflags=-N\nGOAMD64=v3\nGOEXPERIMENT=nogreenteagc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOENV", own) // as by `go env -w`
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOGC", "50")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("TZ", "Pacific/Chatham")
	t.Cleanup(func(mask int) func() { return func() { syscall.Umask(mask) } }(syscall.Umask(0o077)))
	src, err := findSource(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return src
}
