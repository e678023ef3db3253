package envoy_test

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/envoy"
)

// throttled answers with status and Retry-After until it was asked often enough.
func throttled(status, times int, retryAfter string) http.HandlerFunc {
	var asked atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if int(asked.Add(1)) > times {
			hello(w, r)
			return
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	inOneHour := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, test := range []struct {
		name       string
		handler    http.HandlerFunc
		count      int
		status     int
		retryAfter string
		attempts   int
		waits      time.Duration
	}{
		{"429 waits", throttled(429, 1, "1"), 0, 200, "", 2, time.Second},
		{"503 waits", throttled(503, 1, "1"), 0, 200, "", 2, time.Second},
		{"twice", throttled(429, 2, "1"), 0, 200, "", 3, 2 * time.Second},
		{"exhausted", throttled(429, 9, "1"), 1, 429, "1", 2, time.Second},
		{"too long a wait", throttled(429, 1, "21"), 0, 429, "21", 1, 0},
		{"far too long a wait", throttled(429, 1, "99999999999999999999"), 0, 429, "99999999999999999999", 1, 0},
		{"no wait", throttled(429, 1, "0"), 0, 429, "0", 1, 0},
		{"nothing said", throttled(429, 1, ""), 0, 429, "", 1, 0},
		{"a date", throttled(429, 1, inOneHour), 0, 429, inOneHour, 1, 0},
		{"nonsense", throttled(429, 1, "-1"), 0, 429, "-1", 1, 0},
		{"another error", throttled(500, 1, ""), 0, 500, "", 1, 0},
		{"turned off", throttled(429, 1, "1"), -1, 429, "1", 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &stub{request: func(map[string]string) *extprocv3.ProcessingResponse {
				return allow(mutate("authorization", "Bearer token"))
			}}
			r := newRig(t, s, test.handler, func(c *envoy.Config) { c.Retry.Count = test.count })
			got := send(t, r.Client(t, true), "GET", r.URL+"/a?b=c")
			if got.status != test.status || got.header.Get("Retry-After") != test.retryAfter {
				t.Errorf("got %d with Retry-After %q", got.status, got.header.Get("Retry-After"))
			}
			r.upstream.mu.Lock()
			defer r.upstream.mu.Unlock()
			if len(r.upstream.requests) != test.attempts {
				t.Fatalf("upstream saw %d requests, want %d", len(r.upstream.requests), test.attempts)
			}
			for _, request := range r.upstream.requests {
				if request.RequestURI != "/a?b=c" || request.Header.Get("Authorization") != "Bearer token" || len(request.Header) != 3 {
					t.Errorf("upstream saw %s with %d headers", request.RequestURI, len(request.Header))
				}
			}
			if waited := r.upstream.times[test.attempts-1].Sub(r.upstream.times[0]); waited < test.waits || waited > 2*test.waits+time.Second {
				t.Errorf("waited %v, want %v or up to half as long again", waited, test.waits)
			}
			if len(s.seen()) != 1 || len(s.responses) != 1 {
				t.Errorf("the processor saw %d requests and %d responses", len(s.seen()), len(s.responses))
			}
			if line := r.AccessLog(t)[0]; line["attempts"] != float64(test.attempts) || line["status"] != float64(test.status) {
				t.Errorf("access log: %s attempts, status %v", strconv.Quote(line["details"].(string)), line["status"])
			}
		})
	}
}
