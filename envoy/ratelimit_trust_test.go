package envoy_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"

	"github.com/graphveil/graphveil/envoy"
)

// busybody is a rate limit service that answers with more than it was asked for.
type busybody struct {
	rlsv3.UnimplementedRateLimitServiceServer
	answer atomic.Pointer[rlsv3.RateLimitResponse]
}

// ShouldRateLimit implements the service.
func (b *busybody) ShouldRateLimit(context.Context, *rlsv3.RateLimitRequest) (*rlsv3.RateLimitResponse, error) {
	return b.answer.Load(), nil
}

// TestQuotaServiceChangesNothing: what the policy decided goes to Graph as it is, or not
// at all, whatever the rate limit service adds to it. What a refusal says, it cannot
// change either.
func TestQuotaServiceChangesNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service, server := &busybody{}, grpc.NewServer()
	rlsv3.RegisterRateLimitServiceServer(server, service)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	r := newRig(t, &stub{verbatim: true}, hello, func(c *envoy.Config) {
		c.RateLimit = asking(listener.Addr().String())
		c.LocalRateLimit.RequestsPerSecond = 1000
		c.Tracing = envoy.Tracing{Endpoint: "127.0.0.1:1", Sampling: 1} // whose header must not count
	})
	ok, over := rlsv3.RateLimitResponse_OK, rlsv3.RateLimitResponse_OVER_LIMIT
	const target = "/a?b=c%20d"
	passed := 0
	for _, test := range []struct {
		code       rlsv3.RateLimitResponse_Code
		key, value string
		status     int
	}{
		{ok, "", "", 200},
		{ok, ":path", "C", 403}, // which Envoy would append, after a comma
		{ok, ":authority", "elsewhere.example", 403},
		{ok, "prefer", "CANARY", 403}, // the request has none
		{ok, "x", "", 403},
		{ok, "user-agent", "C", 403}, // it has one
		{over, "", "", 429},
		{over, ":path", "CANARY", 429},
	} {
		answer := &rlsv3.RateLimitResponse{OverallCode: test.code, RawBody: []byte("CANARY")}
		if test.key != "" {
			answer.RequestHeadersToAdd = []*corev3.HeaderValue{{Key: test.key, Value: test.value}}
		}
		service.answer.Store(answer)
		for _, h2 := range []bool{true, false} {
			got := send(t, r.Client(t, h2), "GET", r.URL+target)
			if got.status != test.status || strings.Contains(got.body, "CANARY") {
				t.Errorf("%s with %q: got %d %s", test.code, test.key, got.status, got.body)
			}
			if test.status == 200 {
				passed++
			}
		}
	}
	seen := r.upstream.seen()
	if len(seen) != passed {
		t.Errorf("%d requests reached Graph, want %d", len(seen), passed)
	}
	for _, request := range seen {
		if request.RequestURI != target || request.Host != "graph.example" {
			t.Errorf("Graph was asked for %s of %s", request.RequestURI, request.Host)
		}
	}
}
