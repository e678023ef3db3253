package check

import (
	"slices"
	"strconv"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
)

// longTimeout is a message_timeout that no caller waits for.
const longTimeout = time.Minute

// ours says whether an ext_proc filter, with the overrides of a route, looks like the
// one in front of the processor.
func (k *checker) ours(p *extprocv3.ExternalProcessor, own ...*anypb.Any) bool {
	if p == nil {
		return false
	}
	p = proto.CloneOf(p)
	for _, a := range own {
		override(p, open[extprocv3.ExtProcPerRoute](a).GetOverrides())
	}
	return p.GetProcessingMode().GetResponseBodyMode() == extprocv3.ProcessingMode_FULL_DUPLEX_STREAMED ||
		slices.Contains(p.GetMetadataOptions().GetReceivingNamespaces().GetUntyped(), envoy.MetadataNamespace)
}

// extProc judges the filter with the overrides of a route.
func (k *checker) extProc(where string, f *hcmv3.HttpFilter, own []*anypb.Any) {
	p := open[extprocv3.ExternalProcessor](f.GetTypedConfig())
	if p == nil {
		k.find("ext_proc_unreadable", where, "")
		return
	}
	p = proto.CloneOf(p)
	for _, a := range own {
		route := open[extprocv3.ExtProcPerRoute](a)
		if route == nil {
			k.find("ext_proc_unreadable", where, "per route: "+typeOf(a))
			continue
		}
		override(p, route.GetOverrides())
	}
	if f.GetIsOptional() {
		k.find("ext_proc_optional", where, "is_optional true")
	}
	for _, s := range []struct {
		wrong        bool
		code, detail string
	}{
		{p.GetFailureModeAllow(), "failure_mode_allow", "failure_mode_allow true"},
		{p.GetObservabilityMode(), "observability_mode", "observability_mode true"},
		{p.GetDisableImmediateResponse(), "disable_immediate_response", "disable_immediate_response true"},
		{p.GetAllowModeOverride(), "allow_mode_override", "allow_mode_override true"},
		{p.GetAllowContentLengthHeader(), "allow_content_length_header", "allow_content_length_header true"},
		{p.GetForwardRules() != nil, "forward_rules", "forward_rules"},
		{p.GetHttpService() != nil, "processor_unsafe", "http_service"},
		{p.GetOnProcessingResponse() != nil, "ext_proc_hook", "on_processing_response"},
		{p.GetProcessingRequestModifier() != nil, "ext_proc_hook", "processing_request_modifier"},
		{p.GetRouteCacheAction() == extprocv3.ExternalProcessor_CLEAR, "route_cache", "route_cache_action CLEAR"},
	} {
		if s.wrong {
			k.find(s.code, where, s.detail)
		}
	}
	k.modes(where, p.GetProcessingMode())
	k.timeouts(where, p)
	switch rules := p.GetMutationRules(); {
	case rules == nil:
		k.find("mutation_rules", where, "mutation_rules unset")
	case rules.GetAllowAllRouting().GetValue():
		k.find("mutation_rules", where, "allow_all_routing true")
	case rules.GetAllowEnvoy().GetValue():
		k.find("mutation_rules", where, "allow_envoy true")
	}
	if !slices.Contains(p.GetMetadataOptions().GetReceivingNamespaces().GetUntyped(), envoy.MetadataNamespace) {
		k.find("metadata_not_received", where, "metadata_options.receiving_namespaces.untyped")
	}
	k.processor(where, p.GetGrpcService())
}

// override does what Envoy does with the overrides of a route.
func override(p *extprocv3.ExternalProcessor, o *extprocv3.ExtProcOverrides) {
	if o.GetProcessingMode() != nil {
		p.ProcessingMode = o.GetProcessingMode()
	}
	if o.GetGrpcService() != nil {
		p.GrpcService = o.GetGrpcService()
	}
	if o.GetMetadataOptions() != nil {
		p.MetadataOptions = o.GetMetadataOptions()
	}
	if o.GetFailureModeAllow() != nil {
		p.FailureModeAllow = o.GetFailureModeAllow().GetValue()
	}
	if o.GetProcessingRequestModifier() != nil {
		p.ProcessingRequestModifier = o.GetProcessingRequestModifier()
	}
}

func (k *checker) modes(where string, m *extprocv3.ProcessingMode) {
	if m.GetResponseBodyMode() != extprocv3.ProcessingMode_FULL_DUPLEX_STREAMED {
		k.find("response_body_mode", where, "response_body_mode "+m.GetResponseBodyMode().String())
	}
	if m.GetRequestBodyMode() != extprocv3.ProcessingMode_NONE {
		k.find("request_body_mode", where, "request_body_mode "+m.GetRequestBodyMode().String())
	}
	if m.GetRequestHeaderMode() == extprocv3.ProcessingMode_SKIP {
		k.find("header_mode", where, "request_header_mode SKIP")
	}
	if m.GetResponseHeaderMode() == extprocv3.ProcessingMode_SKIP {
		k.find("header_mode", where, "response_header_mode SKIP")
	}
	if m.GetResponseTrailerMode() != extprocv3.ProcessingMode_SEND {
		k.find("response_trailer_mode", where, "response_trailer_mode "+m.GetResponseTrailerMode().String())
	}
	if m.GetRequestTrailerMode() == extprocv3.ProcessingMode_SEND {
		k.find("request_trailer_mode", where, "request_trailer_mode SEND")
	}
}

func (k *checker) timeouts(where string, p *extprocv3.ExternalProcessor) {
	timeout := 200 * time.Millisecond
	if p.GetMessageTimeout() != nil {
		timeout = p.GetMessageTimeout().AsDuration()
	}
	switch {
	case timeout <= k.options.RequestTimeout:
		k.find("message_timeout_short", where, "message_timeout "+timeout.String())
	case timeout > longTimeout:
		k.find("message_timeout_long", where, "message_timeout "+timeout.String())
	}
}

// processor judges the way to the processor: access tokens go over it.
func (k *checker) processor(where string, s *corev3.GrpcService) {
	if s == nil {
		return
	}
	if s.GetGoogleGrpc() != nil {
		k.find("processor_unsafe", where, "google_grpc")
		return
	}
	name := s.GetEnvoyGrpc().GetClusterName()
	if len(k.config.clusters[name]) == 0 {
		k.find("incomplete", where, "cluster "+name)
	}
	for _, c := range k.config.clusters[name] {
		k.processorCluster(where, c)
	}
}

func (k *checker) processorCluster(where string, c *clusterv3.Cluster) {
	k.between(where+", cluster "+c.GetName(), c)
	switch endpoints := k.config.endpointsOf(c); {
	case len(endpoints) == 0:
		k.find("incomplete", where, "the endpoints of cluster "+c.GetName())
	case slices.ContainsFunc(endpoints, func(e *endpointv3.LbEndpoint) bool { return !local(e) && verified(socketOf(c, e)) != "" }):
		k.find("processor_unsafe", where, "cluster "+c.GetName())
	}
	least := uint32(1024) // Envoy's own
	for _, t := range c.GetCircuitBreakers().GetThresholds() {
		if t.GetPriority() == corev3.RoutingPriority_DEFAULT && t.GetMaxRequests() != nil {
			least = t.GetMaxRequests().GetValue()
		}
	}
	if least <= 1024 {
		k.find("processor_streams", where, "max_requests "+strconv.Itoa(int(least)))
	}
}
