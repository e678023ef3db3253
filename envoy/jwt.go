package envoy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// JWT asks every caller for a token (RFC 7519) of its own, as `Authorization: Bearer`.
// Envoy verifies it, takes it away, and its claims reach the processor. Without a valid
// one a request is answered 401 and goes nowhere, not even to the processor.
//
// A token must have an expiry, and is verified with each request. Clocks may differ by a
// minute, so it is good for a minute longer. A single one cannot be revoked; all that a key
// has signed end when the key is no longer among the issuer's.
type JWT struct {
	// Issuer is what `iss` must be. Zero: callers are not asked for tokens.
	Issuer string `yaml:"issuer"`

	// Audiences are those of which `aud` must name one; https:// before a name and a slash
	// behind it make no difference to Envoy. Required with Issuer: a token that was made
	// for somebody else must not open this door.
	Audiences []string `yaml:"audiences"`

	// JWKSFile has the issuer's public keys (RFC 7517). Envoy reads it at its start
	// only, so a key that the issuer adds or drops takes a restart.
	// Either this or JWKSURI is required with Issuer.
	JWKSFile string `yaml:"jwks_file"`

	// JWKSURI is the https URL of the issuer's public keys. They are fetched at the
	// start and every ten minutes; until they were there, callers are answered 401. While
	// they cannot be fetched again, those that were there count. The fetch says not who
	// asks: an API server of Kubernetes refuses it unless anonymous requests may.
	JWKSURI string `yaml:"jwks_uri"`

	// CAFile is the PEM file of the authorities that the certificate of JWKSURI is
	// verified against. Zero: as Upstream.CAFile.
	CAFile string `yaml:"ca_file"`
}

// Of the dynamic metadata in which Envoy tells the processor the claims of a verified
// token. The namespace is fixed by the filter.
const (
	ClaimsNamespace = "envoy.filters.http.jwt_authn"
	ClaimsKey       = "payload"
)

const (
	jwksCluster  = "jwks"
	jwksLifetime = 10 * time.Minute
	// jwksTimeout bounds one fetch.
	jwksTimeout = 5 * time.Second
	issuer      = "issuer"
)

func (j JWT) validate(check func(key string, err error)) {
	if j.Issuer == "" {
		if len(j.Audiences) > 0 || j.JWKSFile != "" || j.JWKSURI != "" || j.CAFile != "" {
			check("jwt.issuer", errors.New("is missing, so callers would not be asked for tokens"))
		}
		return
	}
	if len(j.Audiences) == 0 || slices.Contains(j.Audiences, "") {
		check("jwt.audiences", errors.New("want the audience that callers' tokens are made for"))
	}
	switch {
	case (j.JWKSFile == "") == (j.JWKSURI == ""):
		check("jwt.jwks_file", errors.New("want either jwks_file or jwks_uri"))
	case j.JWKSURI != "":
		_, _, err := j.keysHost()
		check("jwt.jwks_uri", err)
	case j.CAFile != "":
		check("jwt.ca_file", errors.New("is for jwks_uri"))
	}
}

// CheckKeys refuses a JWKSFile that an Envoy would start with all the same: of one that is
// empty it says nothing and answers every caller 401, and keys that are no public ones make
// tokens for whoever reads the file.
func (j JWT) CheckKeys() error {
	if j.JWKSFile == "" {
		return nil
	}
	text, err := os.ReadFile(j.JWKSFile)
	if err != nil {
		return fmt.Errorf("reading envoy.jwt.jwks_file: %w", err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) == 0 {
		return fmt.Errorf("reading envoy.jwt.jwks_file: %s has no keys\nhint: put the JSON document there that the issuer publishes, {\"keys\": […]}", j.JWKSFile)
	}
	for _, key := range set.Keys {
		if key["kty"] == "oct" || key["d"] != nil {
			return fmt.Errorf("reading envoy.jwt.jwks_file: %s has a secret, a private key or a shared one (kty oct): whoever reads it can make tokens\nhint: put the issuer's public keys there", j.JWKSFile)
		}
	}
	return nil
}

// keysHost is where JWKSURI is served.
func (j JWT) keysHost() (host string, port uint16, err error) {
	u, err := url.Parse(j.JWKSURI)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" {
		return "", 0, errors.New("want an https URL")
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "", 0, errors.New("want a host name, not an address: the certificate is checked for it")
	}
	return splitHostPort(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), defaultPort)))
}

// jwtAuthn refuses who has no valid token. The filter stands before all that has to do
// with Graph.
func (r *renderer) jwtAuthn() *jwtv3.JwtAuthentication {
	j := r.config.JWT
	provider := &jwtv3.JwtProvider{
		Issuer:            j.Issuer,
		Audiences:         j.Audiences,
		RequireExpiration: true,
		Forward:           false,
		// Named, because by default a token in the URL would do as well.
		FromHeaders:       []*jwtv3.JwtHeader{{Name: "authorization", ValuePrefix: "Bearer "}},
		PayloadInMetadata: ClaimsKey,
		// No cache of tokens: what is in it outlives the key that it was signed with.
	}
	if j.JWKSFile != "" {
		provider.JwksSourceSpecifier = &jwtv3.JwtProvider_LocalJwks{LocalJwks: file(j.JWKSFile)}
	} else {
		provider.JwksSourceSpecifier = &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{
			HttpUri: &corev3.HttpUri{
				Uri:              j.JWKSURI,
				HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: jwksCluster},
				Timeout:          lasting(jwksTimeout),
			},
			CacheDuration: lasting(jwksLifetime),
			AsyncFetch:    &jwtv3.JwksAsyncFetch{},
		}}
	}
	always := &jwtv3.RequirementRule_Requires{Requires: &jwtv3.JwtRequirement{
		RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: issuer},
	}}
	return &jwtv3.JwtAuthentication{
		Providers: map[string]*jwtv3.JwtProvider{issuer: provider},
		// What no rule is about passes without a token, and CONNECT has no path.
		Rules: []*jwtv3.RequirementRule{
			{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}, RequirementType: always},
			{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}}, RequirementType: always},
		},
		// Envoy's own answer repeats the URL.
		StripFailureResponse: true,
	}
}

// jwks is the server of JWKSURI.
func (r *renderer) jwks() *clusterv3.Cluster {
	host, port, _ := r.config.JWT.keysHost() // validated
	caFile := cmp.Or(r.config.JWT.CAFile, r.config.Upstream.CAFile)
	cluster := &clusterv3.Cluster{
		Name:                          jwksCluster,
		ConnectTimeout:                lasting(r.config.Timeouts.Connect),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferBytes),
		LoadAssignment:                endpoint(jwksCluster, socket(host, port)),
		TransportSocket: &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.tls",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: r.pack(upstreamTLS(host, caFile))},
		},
	}
	r.discover(cluster, host)
	return cluster
}
