package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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

// releaseTag is a tag that names a release.
var releaseTag = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

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
	// With the suffix v1.2.0-rc1 comes before v1.2.0, not after it.
	tags, err := s.git(ctx, "-c", "versionsort.suffix=-", "tag", "--points-at", "HEAD", "--sort=-version:refname")
	if err != nil {
		return source{}, err
	}
	for tag := range strings.FieldsSeq(tags) {
		if releaseTag.MatchString(tag) {
			s.version = tag
			break
		}
	}
	// What a person's git leaves out of a status may be compiled all the same.
	changed, err := s.git(ctx, "-c", "core.excludesFile=", "status", "--porcelain", "--untracked-files=all")
	if changed != "" {
		s.version += "+dirty"
	}
	return s, err
}

// unchanged is an error if the sources are others than when they were looked at: what was
// built of them since would have a version that is not its own.
func (s source) unchanged(ctx context.Context) error {
	now, err := findSource(ctx, s.root)
	if err != nil {
		return err
	}
	if now != s {
		return fmt.Errorf("the sources changed from %s to %s while they were built\nhint: build again", s.version, now.version)
	}
	return nil
}

func (s source) git(ctx context.Context, arguments ...string) (string, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", s.root}, arguments...)...)
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_DIR=") || strings.HasPrefix(v, "GIT_WORK_TREE=") })
	c.Env = append(c.Env, "GIT_OPTIONAL_LOCKS=0") // only read
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("asking git for the commit of %s, which names the image: %w", s.root, withStderr(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// compile builds the static binary for an architecture into a file.
func (s source) compile(ctx context.Context, arch, file string) error {
	_, err := s.goTool(ctx, arch, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.release="+s.version, "-o", file, ".")
	if err != nil {
		return fmt.Errorf("compiling for %s: %w", arch, err)
	}
	return nil
}

// goTool runs the Go tool in the sources, for an architecture. What decides about the
// binary is set; of what this machine sets, by `go env -w` too, the rest is where
// things are. GOFLAGS is not empty, for that would mean what `go env -w` says.
func (s source) goTool(ctx context.Context, arch string, arguments ...string) (string, error) {
	places := []string{"GOAUTH", "GOCACHE", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN", "GOVCS"}
	lookup := exec.CommandContext(ctx, "go", append([]string{"env"}, places...)...)
	lookup.Dir = s.root
	values, err := lookup.Output()
	if err != nil {
		return "", withStderr(err)
	}
	c := exec.CommandContext(ctx, "go", arguments...)
	c.Dir = s.root
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOENV=off", "GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
	for i, value := range strings.Split(strings.TrimSuffix(string(values), "\n"), "\n") {
		c.Env = append(c.Env, places[i]+"="+value)
	}
	out, err := c.Output()
	return string(out), withStderr(err)
}

// withStderr adds what the program said to the error of running it.
func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
