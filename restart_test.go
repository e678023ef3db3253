package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestRestartEnvoy kills the Envoy of a sidecar: another one serves under the
// same address, and the sidecar still ends as it should.
func TestRestartEnvoy(t *testing.T) {
	l := newLab(t, nil)
	c := l.launch("run")
	address := strings.TrimPrefix(c.find(t, "sidecar listening").URL, "https://")
	served := func(protocol string) {
		t.Helper()
		if answer := call(t, address, l.tls(), wireCall{protocol: protocol, target: "/v1.0/users?$top=2"}); answer.String() != "200" {
			t.Fatalf("%s: %s", protocol, &answer)
		}
	}
	served("h2")
	first := childOf(t, c.Process.Pid)
	l.check(syscall.Kill(first, syscall.SIGKILL))
	client := l.client("h2")
	wait(t, "another Envoy to serve", func() bool {
		response, err := client.Get("https://" + address + "/v1.0/users?$top=2")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == 200
	})
	if childOf(t, c.Process.Pid) == first {
		t.Error("the Envoy that was killed is still there")
	}
	for _, protocol := range protocols {
		served(protocol)
	}
	l.check(c.Process.Signal(syscall.SIGTERM))
	c.end(t, l)
}

// childOf is the one process that another one started.
func childOf(t *testing.T, parent int) int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil || len(files) == 0 {
		t.Skip("this system does not tell the children of a process")
	}
	var children []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil { // the thread may have ended
			children = append(children, strings.Fields(string(text))...)
		}
	}
	if len(children) != 1 {
		t.Fatalf("%d children, want one", len(children))
	}
	pid, err := strconv.Atoi(children[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
