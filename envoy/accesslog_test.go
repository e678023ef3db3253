package envoy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/envoy"
)

// One canary in every place where a caller, the upstream or a token could leave
// a value; none of them may be in any log.
func TestLogsHoldNoValues(t *testing.T) {
	t.Parallel()
	s := &stub{}
	file := filepath.Join(t.TempDir(), "access.log")
	r := newRig(t, s, secret, func(c *envoy.Config) { c.AccessLog = file })
	for _, http2 := range protocols {
		client := r.Client(t, http2)
		ask := func() {
			send(t, client, "GET", r.URL+"/users/CANARY@example.com/p~CANARY?$filter=CANARY",
				"Authorization", "Bearer CANARY", "X-CANARY", "CANARY", "User-Agent", "CANARY", "Referer", "https://CANARY",
				"X-Request-Id", "CANARY", "Client-Request-Id", "CANARY", "X-Forwarded-For", "CANARY", "Cookie", "CANARY")
		}
		s.onRequest(func(map[string]string) *extprocv3.ProcessingResponse {
			return allow(mutate("authorization", "Bearer CANARY", ":path", "/CANARY"))
		})
		ask()
		s.onRequest(func(map[string]string) *extprocv3.ProcessingResponse {
			return immediate(403, envoy.DetailsPrefix+"denied", "CANARY", "x-a", "CANARY")
		})
		ask()
		s.onRequest(func(map[string]string) *extprocv3.ProcessingResponse { return pass(nil) })
		ask()
		s.onRequest(func(map[string]string) *extprocv3.ProcessingResponse {
			return allow(mutate("authorization", "Bearer\r\nCANARY"))
		})
		ask()
		send(t, client, "GET", r.URL+"/CANARY%2F")
	}
	r.Kill()
	access, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(access), "\n"); n != 10 {
		t.Errorf("%d lines in the access log, want 10:\n%s", n, access)
	}
	for where, log := range map[string]string{"access log": string(access), "log": r.Log()} {
		for line := range strings.Lines(log) {
			if strings.Contains(strings.ToUpper(line), "CANARY") || strings.Contains(line, "users") || strings.Contains(line, "127.0.0.1") {
				t.Errorf("%s: %s", where, line)
			}
		}
	}
}

func TestAccessLogFields(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, hello)
	send(t, r.Client(t, true), "GET", r.URL+"/")
	allowed := s.lastRequest()["x-request-id"]
	s.onRequest(func(map[string]string) *extprocv3.ProcessingResponse {
		return immediate(403, envoy.DetailsPrefix+"denied", "{}")
	})
	send(t, r.Client(t, false), "POST", r.URL+"/")
	denied := s.lastRequest()["x-request-id"]
	lines := r.AccessLog(t)
	if len(lines) != 2 {
		t.Fatalf("%d lines in the access log", len(lines))
	}
	for i, want := range []map[string]any{
		{"request_id": allowed, "protocol": "HTTP/2", "method": "GET", "decision": "allow", "connector": "a_connector",
			"endpoint": "an_endpoint", "status": 200.0, "details": "via_upstream", "flags": "-", "attempts": 1.0, "bytes": 17.0},
		{"request_id": denied, "protocol": "HTTP/1.1", "method": "POST", "decision": "deny", "code": "a_code",
			"status": 403.0, "details": "graphveil_denied", "flags": "-", "attempts": 0.0, "bytes": 2.0},
	} {
		for _, name := range []string{"time", "duration"} {
			if lines[i][name] == nil {
				t.Errorf("line %d: no %s", i, name)
			}
			delete(lines[i], name)
		}
		for name, value := range lines[i] {
			if want[name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, value, want[name])
			}
			delete(want, name)
		}
		if len(want) != 0 {
			t.Errorf("line %d: %v missing", i, want)
		}
	}
}
