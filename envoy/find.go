package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// ErrNotFound says that there is no suitable Envoy, and what to do.
var ErrNotFound = errors.New("no envoy " + minor + "x found: run `make envoy` or set ENVOY to the path of one")

const (
	// minor is what a found version starts with.
	minor = "1.40."

	// toolFolder is where install.py puts Envoy, below the folder of go.mod.
	toolFolder = ".tools/envoy-" + Version
)

// Find returns the path of an Envoy: what the environment variable ENVOY names,
// whatever its version; else the one that `make envoy` installed for the module
// that the working directory is in; else an `envoy` of the right minor version
// on PATH. Otherwise the error is [ErrNotFound], or says what is wrong with
// ENVOY.
func Find(ctx context.Context) (string, error) {
	if named := os.Getenv("ENVOY"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("finding envoy: ENVOY names no executable file: %q", named)
		}
		if _, err := version(ctx, path); err != nil {
			return "", fmt.Errorf("finding envoy: ENVOY names %q: %w", named, err)
		}
		return filepath.Abs(path)
	}
	candidates := []string{"envoy"}
	if root, ok := moduleRoot(); ok {
		candidates = []string{filepath.Join(root, toolFolder, "envoy"), "envoy"}
	}
	for _, candidate := range candidates {
		path, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		if v, err := version(ctx, path); err == nil && strings.HasPrefix(v, minor) {
			return filepath.Abs(path)
		}
	}
	return "", ErrNotFound
}

// moduleRoot is the nearest folder with a go.mod, from the working directory up.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// versionLine is what `envoy --version` prints: commit, version, build.
var versionLine = regexp.MustCompile(`version: [0-9a-f]+/([0-9]+\.[0-9]+\.[0-9]+)`)

func version(ctx context.Context, binary string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("asking for its version: %w", err)
	}
	found := versionLine.FindSubmatch(out)
	if found == nil {
		return "", errors.New("asking for its version: not an answer of envoy")
	}
	return string(found[1]), nil
}
