package main

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestRestartEnvoy kills the Envoy of a sidecar: another one serves under the
// same address, and the sidecar still ends as it should.
func TestRestartEnvoy(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the Envoy of a sidecar is found on Linux only")
	}
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
	first := envoyOf(t, c.Process.Pid)
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
	if envoyOf(t, c.Process.Pid) == first {
		t.Error("the Envoy that was killed is still there")
	}
	for _, protocol := range protocols {
		served(protocol)
	}
	l.check(c.Process.Signal(syscall.SIGTERM))
	c.end(t, l)
}
