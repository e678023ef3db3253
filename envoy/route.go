package envoy

import (
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// routes sends everything to Graph: which requests get that far is not decided
// here. CONNECT matches no prefix and so has no route.
func (r *renderer) routes() *routev3.RouteConfiguration {
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: graphCluster},
		// Wins over whatever :authority the caller sent.
		HostRewriteSpecifier: &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: r.config.Upstream.authority()},
		// A long page may take long; Idle and Exchange bound it.
		Timeout: lasting(0),
	}
	if r.config.Retry.Count > 0 {
		action.RetryPolicy = r.retries()
	}
	return &routev3.RouteConfiguration{
		Name: "graph",
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    "graph",
			Domains: []string{"*"},
			Routes: []*routev3.Route{{
				Name:   "graph",
				Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_Route{Route: action},
			}},
		}},
	}
}

// retries repeats a request when the answer says in how many seconds, and when
// the request certainly did not reach Graph.
//
// The condition is the header and not the status because Envoy falls back to
// its ordinary back-off, some milliseconds, where Retry-After is missing or
// longer than max_interval, which is what a throttling server must not see. A
// retry on the header cannot come without a wait, and a wait too long for the
// caller goes to the caller.
//
// The processor sees the last answer only, and the token is as old as the first
// try.
func (r *renderer) retries() *routev3.RetryPolicy {
	seconds := int64(r.config.Retry.MaxWait / time.Second)
	return &routev3.RetryPolicy{
		RetryOn:    "retriable-headers,connect-failure,refused-stream,reset-before-request",
		NumRetries: wrapperspb.UInt32(uint32(r.config.Retry.Count)),
		RetriableHeaders: []*routev3.HeaderMatcher{{
			Name: "retry-after",
			HeaderMatchSpecifier: &routev3.HeaderMatcher_RangeMatch{
				RangeMatch: &typev3.Int64Range{Start: 1, End: seconds + 1},
			},
		}},
		RateLimitedRetryBackOff: &routev3.RetryPolicy_RateLimitedRetryBackOff{
			ResetHeaders: []*routev3.RetryPolicy_ResetHeader{{
				Name:   "retry-after",
				Format: routev3.RetryPolicy_SECONDS,
			}},
			MaxInterval: lasting(maxRetryAfter),
		},
	}
}
