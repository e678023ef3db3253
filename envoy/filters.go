package envoy

import (
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	gzipv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/gzip/compressor/v3"
	compressorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/compressor/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What the processor and Envoy agree on. The processor sets the dynamic
// metadata in the answer to request headers, as strings under
// MetadataNamespace; all of it but the decision is only for the access log, and
// is made of ids from the policy.
const (
	MetadataNamespace = "graphveil"
	MetadataDecision  = "decision"  // DecisionAllow, or the request goes nowhere
	MetadataConnector = "connector" // id of the connector
	MetadataEndpoint  = "endpoint"  // id of the endpoint
	MetadataCode      = "code"      // stable code of the outcome

	// With RateLimit.Service only, and whose quota it is that a request takes from.
	MetadataTenant      = "tenant"      // as configured
	MetadataApplication = "application" // client id of the Entra application
	MetadataService     = "service"     // service that counts, if the policy says which

	DecisionAllow = "allow"

	// DetailsPrefix starts the details of every ImmediateResponse of the
	// processor. Local replies without it have their body replaced by an error
	// made here; see localReplies.
	DetailsPrefix = "graphveil_"
)

// requestIDNamespace is not MetadataNamespace, which is the processor's alone.
const requestIDNamespace = "graphveil_request"

// Header families that carry orders to Envoy, or claims about the caller.
const (
	envoyHeaders     = "x-envoy-"
	forwardedHeaders = "x-forwarded-"
)

// framingHeaders belong to the HTTP of one hop.
var framingHeaders = []string{"content-length", "transfer-encoding", "connection", "upgrade"}

// protectedHeaders matches the headers, in lower case, that the processor may
// neither set nor remove, in any phase; trying fails the exchange with 502. To
// it Envoy adds, by default, host, :authority, :scheme, :method and x-envoy-*.
// Together they are who is asked and how, the status that Graph gave, the
// framing of the message, and orders to Envoy's router. Of the pseudo headers
// only :path is left.
//
// Everything else may be set and removed. An allow list would be tighter, but
// the rules of ext_proc do not tell setting from removing, nor requests from
// responses from ImmediateResponse, and the processor has to remove headers
// whose names nobody knows before they come. So that it may remove whatever it
// does not know, entrance and exit take protected headers away before it sees
// them, pseudo headers apart.
//
// It is terse because an RE2 program has at most 100 steps in Envoy.
var protectedHeaders = `:[^p].*|:protocol|` + strings.Join(framingHeaders, "|")

// httpFilters lists the filters as requests meet them; responses go the other
// way, from the router to the compressor.
func (r *renderer) httpFilters() []*hcmv3.HttpFilter {
	filters := []*hcmv3.HttpFilter{
		filter("request_id", r.pack(requestID())),
		filter("entrance", r.pack(entrance())),
	}
	if r.config.JWT.Issuer != "" {
		filters = append(filters, filter(ClaimsNamespace, r.pack(r.jwtAuthn())))
	}
	filters = append(filters,
		filter("envoy.filters.http.compressor", r.pack(r.compressor())),
		filter("envoy.filters.http.ext_proc", r.pack(r.extProc())),
		filter("envoy.filters.http.rbac", r.pack(guard())),
	)
	if r.config.LocalRateLimit != (LocalRateLimit{}) {
		filters = append(filters, filter("envoy.filters.http.local_ratelimit", r.pack(r.localRateLimit())))
	}
	if r.config.RateLimit.Service != "" {
		filters = append(filters, r.rateLimits()...)
	}
	return append(filters,
		filter("exit", r.pack(r.exit())),
		filter("envoy.filters.http.router", r.pack(&routerv3.Router{SuppressEnvoyHeaders: true})),
	)
}

func filter(name string, config *anypb.Any) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}}
}

// compressor gzips what the processor released, for callers that accept it. On the
// way from Graph it is the processor that inflates: a decompressor beside ext_proc
// hangs (envoyproxy/envoy#21205).
func (r *renderer) compressor() *compressorv3.Compressor {
	return &compressorv3.Compressor{
		CompressorLibrary: &corev3.TypedExtensionConfig{
			Name:        "gzip",
			TypedConfig: r.pack(&gzipv3.Gzip{CompressionLevel: gzipv3.Gzip_COMPRESSION_LEVEL_1}),
		},
		ResponseDirectionConfig: &compressorv3.Compressor_ResponseDirectionConfig{
			CommonConfig: &compressorv3.Compressor_CommonDirectionConfig{
				MinContentLength: wrapperspb.UInt32(1024),
				ContentTypeMatcher: []*matcherv3.StringMatcher{{
					// With and without parameters such as odata.metadata.
					MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "application/json"},
				}},
			},
		},
	}
}

// extProc hands the request headers and the whole response to the processor.
//
// FULL_DUPLEX_STREAMED is the one body mode in which bytes leave only because
// the processor sent them; it demands response trailers. Request bodies are not
// sent: the processor sees in end_of_stream that there is one.
func (r *renderer) extProc() *extprocv3.ExternalProcessor {
	attributes := []string{"source.address"}
	if r.config.TLS.ClientCAFile != "" {
		attributes = append(attributes, "connection.uri_san_peer_certificate", "connection.subject_peer_certificate")
	}
	metadata := &extprocv3.MetadataOptions{
		ReceivingNamespaces: &extprocv3.MetadataOptions_MetadataNamespaces{Untyped: []string{MetadataNamespace}},
	}
	if r.config.JWT.Issuer != "" {
		metadata.ForwardingNamespaces = &extprocv3.MetadataOptions_MetadataNamespaces{Untyped: []string{ClaimsNamespace}}
	}
	return &extprocv3.ExternalProcessor{
		GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: processorCluster}},
			// A stream lives as long as its exchange.
			Timeout: lasting(0),
		},
		FailureModeAllow: false,
		StatusOnError:    &typev3.HttpStatus{Code: typev3.StatusCode_BadGateway},
		ProcessingMode: &extprocv3.ProcessingMode{
			RequestHeaderMode:   extprocv3.ProcessingMode_SEND,
			RequestBodyMode:     extprocv3.ProcessingMode_NONE,
			RequestTrailerMode:  extprocv3.ProcessingMode_SKIP,
			ResponseHeaderMode:  extprocv3.ProcessingMode_SEND,
			ResponseBodyMode:    extprocv3.ProcessingMode_FULL_DUPLEX_STREAMED,
			ResponseTrailerMode: extprocv3.ProcessingMode_SEND,
		},
		MessageTimeout:    lasting(r.config.Timeouts.Processor),
		RouteCacheAction:  extprocv3.ExternalProcessor_RETAIN,
		RequestAttributes: attributes,
		MutationRules: &mutationv3.HeaderMutationRules{
			DisallowExpression: &matcherv3.RegexMatcher{Regex: protectedHeaders},
			DisallowIsError:    wrapperspb.Bool(true),
		},
		MetadataOptions: metadata,
	}
}

// guard lets a request pass only if the processor said so in as many words. It
// is there for a processor that ends its stream without an answer, after which
// Envoy would go on with the request as the caller sent it.
func guard() *rbacv3.RBAC {
	allowed := &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_SourcedMetadata{
		SourcedMetadata: &rbacconfigv3.SourcedMetadata{
			MetadataSource: rbacconfigv3.MetadataSource_DYNAMIC,
			MetadataMatcher: &matcherv3.MetadataMatcher{
				Filter: MetadataNamespace,
				Path: []*matcherv3.MetadataMatcher_PathSegment{{
					Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: MetadataDecision},
				}},
				Value: &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{
					StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: DecisionAllow}},
				}},
			},
		},
	}}
	return &rbacv3.RBAC{Rules: &rbacconfigv3.RBAC{
		Action: rbacconfigv3.RBAC_ALLOW,
		Policies: map[string]*rbacconfigv3.Policy{"decided": {
			Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Any{Any: true}}},
			Principals:  []*rbacconfigv3.Principal{allowed},
		}},
	}}
}

// requestID keeps Envoy's request id for the access log, since the header is gone
// by the time that is written.
func requestID() *headertometadatav3.Config {
	return &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{
		Header: "x-request-id",
		OnHeaderPresent: &headertometadatav3.Config_KeyValuePair{
			MetadataNamespace: requestIDNamespace,
			Key:               "id",
			Type:              headertometadatav3.Config_STRING,
		},
	}}}
}

// entrance takes away what callers send to Envoy rather than to Graph, and what
// Envoy has added by now.
func entrance() *headersv3.HeaderMutation {
	return &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{
		RequestMutations: remove(framingHeaders, envoyHeaders, forwardedHeaders),
	}}
}

// exit is the last filter before Graph and the first after it. Graph learns
// nothing that Envoy added and is asked for bodies that the processor can read.
func (r *renderer) exit() *headersv3.HeaderMutation {
	request := remove([]string{"x-request-id"}, envoyHeaders, forwardedHeaders)
	request = append(request, &mutationv3.HeaderMutation{
		Action: &mutationv3.HeaderMutation_Append{Append: set("accept-encoding", r.config.Upstream.acceptEncoding())},
	})
	return &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{
		RequestMutations:  request,
		ResponseMutations: remove(framingHeaders, envoyHeaders),
	}}
}

// remove takes away the headers with the names, and those with the prefixes.
func remove(names []string, prefixes ...string) []*mutationv3.HeaderMutation {
	var out []*mutationv3.HeaderMutation
	for _, name := range names {
		out = append(out, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}})
	}
	for _, prefix := range prefixes {
		out = append(out, &mutationv3.HeaderMutation{
			Action: &mutationv3.HeaderMutation_RemoveOnMatch_{RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
				KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}},
			}},
		})
	}
	return out
}

// set gives a header a value, whatever it had.
func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
