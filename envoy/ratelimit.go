package envoy

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

const quotaCluster = "quota"

// RateLimit asks Envoy's global rate limit service (envoyproxy/ratelimit, or any
// other server of envoy.service.ratelimit.v3) before each request that the
// processor allowed goes to Graph, so that many sidecars keep one quota. Graph
// counts by tenant and application, so each descriptor that the service is sent
// begins with these: (tenant, application, service) where the policy names the
// service of Graph that counts, (tenant, application, connector) and (tenant,
// application, connector, endpoint). All of it is configuration and ids of the
// policy, never a value of a request.
type RateLimit struct {
	// Service is the host and port of the service, gRPC without TLS.
	// Zero: nobody is asked.
	Service string `yaml:"service"`

	// Domain names the configuration of the service to use. Zero: graphveil.
	Domain string `yaml:"domain"`

	// Timeout is how long Envoy waits for an answer. Zero: 50ms.
	Timeout time.Duration `yaml:"timeout"`

	// WhenUnavailable is `allow` or `deny`: what happens when the service does
	// not answer. A denied request is answered 503. No data depends on it, and
	// Graph throttles by itself, so zero is allow.
	WhenUnavailable string `yaml:"when_unavailable"`
}

const (
	quotaAllow = "allow"
	quotaDeny  = "deny"
)

// filled returns l with the defaults in place of zeros.
func (l RateLimit) filled() RateLimit {
	if l.Service == "" {
		return l
	}
	l.Domain = l.DomainOrDefault()
	fill(&l.Timeout, 50*time.Millisecond)
	fill(&l.WhenUnavailable, quotaAllow)
	return l
}

// DomainOrDefault is Domain, or what stands for an empty one.
func (l RateLimit) DomainOrDefault() string { return cmp.Or(l.Domain, "graphveil") }

// validate gives each thing that is wrong to check, with its key.
func (l RateLimit) validate(check func(key string, err error)) {
	if l.Service == "" {
		if l != (RateLimit{}) {
			check("rate_limit.service", errors.New("is required where another key of rate_limit is set"))
		}
		return
	}
	_, _, err := splitHostPort(l.Service)
	check("rate_limit.service", err)
	check("rate_limit.timeout", duration(l.Timeout))
	if l.WhenUnavailable != quotaAllow && l.WhenUnavailable != quotaDeny {
		check("rate_limit.when_unavailable", fmt.Errorf("want %q or %q", quotaAllow, quotaDeny))
	}
}

// rateLimit stands behind the guard: what is not allowed costs no quota. A
// request over the limit is answered 429 with Retry-After, as Graph does it.
func (r *renderer) rateLimit() *ratelimitv3.RateLimit {
	l := r.config.RateLimit
	tenant, application := describe(MetadataTenant), describe(MetadataApplication)
	connector := describe(MetadataConnector)
	return &ratelimitv3.RateLimit{
		Domain:          l.Domain,
		Timeout:         lasting(l.Timeout),
		FailureModeDeny: l.WhenUnavailable == quotaDeny,
		StatusOnError:   &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		RateLimitService: &rlsv3.RateLimitServiceConfig{
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcService: &corev3.GrpcService{
				TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: quotaCluster}},
			},
		},
		RateLimits: []*routev3.RateLimit{
			{Actions: []*routev3.RateLimit_Action{tenant, application, describe(MetadataService)}},
			{Actions: []*routev3.RateLimit_Action{tenant, application, connector}},
			{Actions: []*routev3.RateLimit_Action{tenant, application, connector, describe(MetadataEndpoint)}},
		},
		EnableRetryAfterHeader:         true,
		DisableXEnvoyRatelimitedHeader: true,
	}
}

// describe takes an entry of a descriptor from what the processor said. Where it
// said nothing the whole descriptor is left out.
func describe(key string) *routev3.RateLimit_Action {
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_Metadata{Metadata: &routev3.RateLimit_Action_MetaData{
		DescriptorKey: key,
		Source:        routev3.RateLimit_Action_MetaData_DYNAMIC,
		MetadataKey:   metadataKey(key),
	}}}
}

// quota is the rate limit service.
func (r *renderer) quota() *clusterv3.Cluster {
	return r.grpcCluster(quotaCluster, r.config.RateLimit.Service)
}
