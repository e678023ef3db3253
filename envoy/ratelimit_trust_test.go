package envoy_test

import (
	"context"
	"net"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"

	"github.com/graphveil/graphveil/envoy"
)

// busybody is a rate limit service that answers with more than it was asked for.
type busybody struct {
	rlsv3.UnimplementedRateLimitServiceServer
	code rlsv3.RateLimitResponse_Code
}

// ShouldRateLimit implements the service.
func (b busybody) ShouldRateLimit(context.Context, *rlsv3.RateLimitRequest) (*rlsv3.RateLimitResponse, error) {
	return &rlsv3.RateLimitResponse{
		OverallCode: b.code,
		RawBody:     []byte("CANARY"),
		RequestHeadersToAdd: []*corev3.HeaderValue{
			{Key: ":path", Value: "CANARY"}, {Key: "prefer", Value: "CANARY"}, {Key: "x-envoy-retry-on", Value: "5xx"}, {Key: "host", Value: "elsewhere.example"},
		},
	}, nil
}

// TestQuotaServiceIsTrusted shows what the threat model says of the rate limit
// service: Envoy lets it add to the path and to the headers of a request that was
// decided already. Where it goes, and what a refusal says, it cannot change. If this
// test fails because less is taken from it, that page has to say so.
func TestQuotaServiceIsTrusted(t *testing.T) {
	t.Parallel()
	for code, status := range map[rlsv3.RateLimitResponse_Code]int{rlsv3.RateLimitResponse_OK: 200, rlsv3.RateLimitResponse_OVER_LIMIT: 429} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		rlsv3.RegisterRateLimitServiceServer(server, busybody{code: code})
		go server.Serve(listener)
		t.Cleanup(server.Stop)
		r := newRig(t, &stub{verbatim: true}, hello, func(c *envoy.Config) { c.RateLimit = asking(listener.Addr().String()) })
		got := send(t, r.Client(t, true), "GET", r.URL+"/a")
		if got.status != status || strings.Contains(got.body, "CANARY") {
			t.Errorf("%s: got %d %s", code, got.status, got.body)
		}
		for _, request := range r.upstream.seen() {
			if request.RequestURI != "/a,CANARY" || request.Header.Get("Prefer") != "CANARY" {
				t.Errorf("%s: Graph was asked for %s, with %v", code, request.RequestURI, request.Header)
			}
			if request.Host != "graph.example" || request.Header.Get("X-Envoy-Retry-On") != "" {
				t.Errorf("%s: the service sent the request to %s, with %v", code, request.Host, request.Header)
			}
		}
		if n := len(r.upstream.seen()); n != 1 && code == rlsv3.RateLimitResponse_OK || n != 0 && code != rlsv3.RateLimitResponse_OK {
			t.Errorf("%s: %d requests reached Graph", code, n)
		}
	}
}
