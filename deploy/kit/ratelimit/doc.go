// Package ratelimit runs the service that envoy.rate_limit asks: the reference rate
// limit service (github.com/envoyproxy/ratelimit) with a store that speaks Redis, the
// configuration that `graphveil envoy ratelimits` prints, and two sidecars with the
// shipped policy in front of a synthetic tenant. It has tests only.
package ratelimit
