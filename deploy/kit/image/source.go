package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// source is what is built. Everything that differs between two builds of the same
// commit is decided here, so that nothing does.
type source struct {
	root     string
	version  string // as Go's: v1.2.3, or v0.0.0-<time>-<commit>, +dirty if changed
	revision string // the commit
	created  time.Time
}

// findSource asks git about the sources in root. SOURCE_DATE_EPOCH replaces the
// time of the commit; sources that are not in git need it.
func findSource(ctx context.Context, root string) (source, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return source{}, err
	}
	s := source{root: root}
	seconds := ""
	_, missing := os.Stat(filepath.Join(root, ".git"))
	if missing == nil {
		head, err := s.git(ctx, "show", "-s", "--format=%H %ct", "HEAD")
		if err != nil {
			return source{}, err
		}
		s.revision, seconds, _ = strings.Cut(head, " ")
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds = epoch
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("the time of %s is not known\nhint: it is no checkout of git, so set SOURCE_DATE_EPOCH to the time of the release, in seconds since 1970", root)
	}
	s.created = time.Unix(unix, 0).UTC()
	s.version = "v0.0.0-" + s.created.Format("20060102150405")
	if missing != nil {
		return s, nil
	}
	s.version += "-" + s.revision[:12]
	tag, err := s.git(ctx, "tag", "--points-at", "HEAD", "--list", "v*", "--sort=-version:refname")
	if err != nil {
		return source{}, err
	}
	if newest, _, _ := strings.Cut(tag, "\n"); newest != "" {
		s.version = newest
	}
	changed, err := s.git(ctx, "status", "--porcelain")
	if changed != "" {
		s.version += "+dirty"
	}
	return s, err
}

func (s source) git(ctx context.Context, arguments ...string) (string, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", s.root}, arguments...)...)
	c.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0") // only read
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("asking git for the commit of %s, which names the image: %w", s.root, withStderr(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// compile builds the static binary for an architecture into a file.
func (s source) compile(ctx context.Context, arch, file string) error {
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X main.release="+s.version, "-o", file, ".")
	c.Dir = s.root
	// Of the environment, what decides about the binary is set; the rest is where things are.
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling for %s: %w\n%s", arch, err, out)
	}
	return nil
}

// withStderr adds what the program said to the error of running it.
func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
