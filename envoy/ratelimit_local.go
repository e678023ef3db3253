package envoy

import (
	"errors"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	localratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// LocalRateLimit bounds the requests that one Envoy sends to Graph, all connectors
// together, with nobody to ask. Where several sidecars share an application each
// is given its part of the quota. What is over it is answered 429 with
// Retry-After, and takes nothing from the quota that RateLimit shares.
type LocalRateLimit struct {
	// RequestsPerSecond is how many requests a second go to Graph in the long run.
	// Zero: as many as come.
	RequestsPerSecond int `yaml:"requests_per_second"`

	// Burst is how many go at once after a pause. Zero: RequestsPerSecond.
	Burst int `yaml:"burst"`
}

// filled returns l with the defaults in place of zeros.
func (l LocalRateLimit) filled() LocalRateLimit {
	fill(&l.Burst, l.RequestsPerSecond)
	return l
}

// validate gives each thing that is wrong to check, with its key.
func (l LocalRateLimit) validate(check func(key string, err error)) {
	if l == (LocalRateLimit{}) {
		return
	}
	check("local_rate_limit.requests_per_second", within(l.RequestsPerSecond, 1, 1<<20))
	check("local_rate_limit.burst", within(l.Burst, 1, 1<<20))
	if l.Burst < l.RequestsPerSecond {
		check("local_rate_limit.burst", errors.New("want at least requests_per_second, which is what comes in at once"))
	}
}

// localRateLimit stands behind the guard, so that what is denied costs nothing,
// and before the shared quota.
func (r *renderer) localRateLimit() *localratelimitv3.LocalRateLimit {
	l := r.config.LocalRateLimit
	always := &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}
	return &localratelimitv3.LocalRateLimit{
		StatPrefix: "graph",
		TokenBucket: &typev3.TokenBucket{
			MaxTokens:     uint32(l.Burst),
			TokensPerFill: wrapperspb.UInt32(uint32(l.RequestsPerSecond)),
			FillInterval:  lasting(time.Second),
		},
		FilterEnabled:          always, // by default at no time
		FilterEnforced:         always,
		EnableRetryAfterHeader: true,
	}
}
