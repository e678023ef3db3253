package main

import (
	"strings"
	"testing"
)

// The demo tries itself, also in a tenant that fits on one page.
func TestDemoChecksItself(t *testing.T) {
	for _, users := range []string{"3", "30"} {
		stdout, stderr, exit := command(t, "", "demo", "--check", "--users", users, "--messages", "60")
		if exit != 0 || !strings.Contains(stdout, "All checks passed.") || strings.Contains(stdout, "FAIL") {
			t.Errorf("%s users: exit %d\n%s%s", users, exit, stdout, stderr)
		}
	}
	if _, stderr, exit := command(t, "", "demo", "--check", "--users", "0"); exit != exitUsage || !strings.Contains(stderr, "--users") {
		t.Errorf("no users: exit %d, %s", exit, stderr)
	}
}
