package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runAsGraphveil in the environment makes the test binary be the program
// itself, for tests that need it as a process of its own.
const runAsGraphveil = "GRAPHVEIL_TEST_RUN"

var update = flag.Bool("update", false, "rewrite the files that tests make")

func TestMain(m *testing.M) {
	if os.Getenv(runAsGraphveil) != "" {
		os.Unsetenv(runAsGraphveil)
		main() // does not return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// graphveil is a command line of the program, to be started by the caller.
func graphveil(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, args...)
	command.Env = append(os.Environ(), runAsGraphveil+"=1")
	return command
}

// compareWithFile compares text with a file of the repository that a test
// makes, or rewrites that file where the tests run with -update.
func compareWithFile(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v\nhint: go test -run %s -update .", err, t.Name())
	}
	if string(want) == text {
		return
	}
	wantLines, lines := strings.Split(string(want), "\n"), strings.Split(text, "\n")
	var diff strings.Builder
	for i := range max(len(wantLines), len(lines)) {
		was, is := "", ""
		if i < len(wantLines) {
			was = wantLines[i]
		}
		if i < len(lines) {
			is = lines[i]
		}
		if was != is {
			fmt.Fprintf(&diff, "line %d\n- %s\n+ %s\n", i+1, was, is)
		}
	}
	t.Errorf("%s is not what the test found; go test -run %s -update . rewrites it\n%s", path, t.Name(), diff.String())
}
