package main

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// TestNotify starts the programs as systemd starts services of Type=notify: each says
// that it is ready when it is, and none before.
func TestNotify(t *testing.T) {
	l := newLab(t, nil)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: l.file("notify"), Net: "unixgram"})
	l.check(err)
	defer manager.Close()
	start := func(arguments ...string) *child {
		return l.launchCommand(arguments[0], func(c *child) {
			c.Args = append(c.Args, arguments[1:]...)
			c.Env = append(os.Environ(), c.Env...)
			c.Env = append(c.Env, "NOTIFY_SOCKET="+l.file("notify"))
		})
	}
	told := func(limit time.Duration) string {
		l.check(manager.SetReadDeadline(time.Now().Add(limit)))
		message := make([]byte, 100)
		n, err := manager.Read(message)
		if err != nil {
			return ""
		}
		return string(message[:n])
	}

	l.Entra.Break(entra.Fault{Status: http.StatusServiceUnavailable})
	processor := start("serve")
	processor.find(t, "acquiring graph token failed")
	if message := told(300 * time.Millisecond); message != "" {
		t.Errorf("without a token: %q", message)
	}
	l.check(processor.Process.Kill())
	_ = processor.Wait()
	l.Entra.Repair()

	for _, arguments := range [][]string{{"serve"}, {"serve", "--replace"}} {
		c := start(arguments...)
		if message := told(20 * time.Second); message != "READY=1" {
			t.Errorf("%s: %q", arguments, message)
		}
		if status, text := get(t, c.find(t, "processor listening").Admin+"/readyz"); status != http.StatusOK {
			t.Errorf("%s: %d %s", arguments, status, text)
		}
	}
	c := l.launchCommand("envoy", func(c *child) {
		c.Args = append([]string{c.Args[0], "envoy", "run"}, c.Args[2:]...)
		c.Env = append(os.Environ(), c.Env...)
		c.Env = append(c.Env, "NOTIFY_SOCKET="+l.file("notify"))
	})
	if message := told(20 * time.Second); message != "READY=1" {
		t.Errorf("envoy run: %q", message)
	}
	address := strings.TrimPrefix(c.find(t, "Envoy listening").URL, "https://")
	if answer := call(t, address, l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=2"}); answer.String() != "200" {
		t.Errorf("%s %.200s", &answer, answer.body)
	}
}
