package ratelimit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const root = "../../.."

// Paths of the programs.
var graphveil, limiter string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gv-limits-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		graphveil, limiter = filepath.Join(dir, "graphveil"), filepath.Join(dir, "ratelimit")
		for program, folder := range map[string]string{graphveil: root, limiter: "service"} {
			build := exec.Command("go", "build", "-trimpath", "-o", program, ".")
			build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "building %s: %v\n%s", program, err, out)
				return 1
			}
		}
		return m.Run()
	}())
}
