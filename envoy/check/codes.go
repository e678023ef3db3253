package check

import "github.com/graphveil/graphveil/envoy"

// Code is what a finding means.
type Code struct {
	// Error says that undecided bytes, a token or the caller's own credentials could
	// get out, or that nobody can tell. Others are warnings.
	Error bool
	// Says is what is wrong, Do what to do about it.
	Says, Do string
}

// Severity is "error" or "warning".
func (c Code) Severity() string {
	if c.Error {
		return "error"
	}
	return "warning"
}

// Codes is the one table of what can be found.
var Codes = map[string]Code{
	// Whether all of it is seen.
	"incomplete":          {true, "the configuration is not all there, so nobody can tell", "check what Envoy's admin interface answers to /config_dump?include_eds"},
	"no_route":            {true, "nothing leads to the API, so nothing was checked", "name its host with --host, or check another Envoy's configuration"},
	"cluster_chosen_late": {true, "the route chooses its cluster while it runs", "name the cluster in the route"},

	// Whether requests pass the processor.
	"ext_proc_missing":    {true, "requests reach the API past the processor", "put the ext_proc filter of `graphveil envoy config` into the filters of this listener"},
	"ext_proc_disabled":   {true, "the ext_proc filter is disabled here", "remove what disables it, or turn it on for this route"},
	"ext_proc_twice":      {true, "a second ext_proc filter may see, change or truncate what the first one released", "use one ext_proc filter on routes to the API"},
	"ext_proc_optional":   {true, "an Envoy that does not know the filter would go on without it", "set is_optional to false"},
	"ext_proc_unreadable": {true, "the filter's settings cannot be read", "write them as ExternalProcessor or ExtProcPerRoute of Envoy " + envoy.Version},
	"tcp_bypass":          {true, "bytes reach the API past all HTTP filters", "route the API's host by HTTP only"},
	"guard_missing":       {true, "no RBAC filter behind ext_proc asks for the processor's decision, so a request that it did not decide could go out", "put the RBAC filter of `graphveil envoy config` right behind ext_proc"},

	// How the filter is set.
	"failure_mode_allow":          {true, "without the processor, everything passes undecided", "set failure_mode_allow to false (Envoy Gateway: failOpen false)"},
	"observability_mode":          {true, "the processor only watches", "remove observability_mode"},
	"disable_immediate_response":  {true, "refusals of the processor are ignored and what it refused passes", "remove disable_immediate_response"},
	"allow_mode_override":         {true, "the mode can be changed while a response is under way", "remove allow_mode_override"},
	"allow_content_length_header": {true, "the length of the original is kept for a body of another length", "remove allow_content_length_header"},
	"forward_rules":               {true, "the processor does not see all headers, so it cannot remove those that it does not know", "remove forward_rules"},
	"response_body_mode":          {true, "bytes of the response may pass that the processor did not send; the processor refuses all requests", "set response_body_mode to FULL_DUPLEX_STREAMED"},
	"request_body_mode":           {true, "the processor refuses all requests", "set request_body_mode to NONE"},
	"header_mode":                 {true, "the processor does not see what it has to decide", "set request_header_mode and response_header_mode to SEND, or leave them out"},
	"response_trailer_mode":       {true, "trailers pass undecided, and Envoy refuses the mode", "set response_trailer_mode to SEND"},
	"informational":               {true, "responses before the response (100 to 199) pass with all their headers, and no filter sees them", "set proxy_100_continue to false (Istio: ENABLE_100_CONTINUE_HEADERS=false for istiod)"},
	"request_trailer_mode":        {false, "the processor refuses requests with trailers", "set request_trailer_mode to SKIP"},
	"ext_proc_hook":               {true, "an extension changes what the processor is asked or what it answered", "remove it"},
	"route_cache":                 {false, "the route is chosen again after the processor has rewritten the path", "set route_cache_action to RETAIN"},
	"mutation_rules":              {false, "more headers may be changed than the processor has to", "take mutation_rules from `graphveil envoy config`"},
	"metadata_frames":             {true, "HTTP/2 metadata frames pass all filters, between callers and the API", "remove allow_metadata"},
	"metadata_not_received":       {false, "the processor's decision is not received, so the guard refuses every request", "list graphveil in metadata_options.receiving_namespaces.untyped"},
	"message_timeout_short":       {false, "Envoy gives up before the processor's request_timeout, and callers get 504", "set message_timeout to 5s"},
	"message_timeout_long":        {false, "Envoy waits very long for a decision", "set message_timeout to 5s"},
	"processor_unsafe":            {true, "access tokens travel to the processor in clear or to an unverified peer", "use a Unix socket, loopback, or TLS with an authority and a name"},
	"processor_streams":           {false, "each request takes a stream, and Envoy's own limit is 1024 for all", "raise circuit_breakers.thresholds.max_requests of the processor's cluster"},

	// What stands around it.
	"filter_after":     {true, "a filter between the processor and the API sees the access token and raw responses, and is not known to leave them alone", "move it before ext_proc, or remove it"},
	"filter_before":    {true, "a filter before the processor is not known: it may write what the guard takes for a decision, and read the access token while the response passes", "remove it, or put it into an Envoy of its own in front of this one"},
	"guard_forged":     {true, "a filter writes what the guard takes for the processor's decision", "let it write another namespace than graphveil"},
	"claims_forged":    {true, "a filter writes what the policy takes for the claims of a verified token", "let it write another namespace than " + envoy.ClaimsNamespace},
	"request_changed":  {true, "the request is changed after the processor has decided it", "change it before ext_proc, or not at all"},
	"rate_limit_adds":  {false, "the rate limit service may add to the path and headers of requests that are decided", "ask it before ext_proc, or take the filters decided, limited and unchanged of `graphveil envoy config` with envoy.rate_limit.service"},
	"network_filter":   {true, "a network filter or transport socket is not known, so nobody can tell where bytes go", "remove it from this listener"},
	"filter_keeps":     {true, "a filter keeps responses, or hands them on", "remove it from routes to the API"},
	"entrance_missing": {false, "callers' x-envoy- headers reach Envoy's router and the API", "put the filter `entrance` of `graphveil envoy config` before ext_proc"},
	"upgrade_chain":    {true, "upgraded requests pass other filters", "remove the upgrade, or its filters"},
	"upgrade":          {false, "requests may be upgraded to another protocol; the processor refuses the answers", "remove upgrade_configs where the API is the only upstream"},

	// What the routes do.
	"token_elsewhere":       {true, "a route that leads to somebody else passes the processor, which would give them an access token", "lead all routes of this listener to the API, or turn the filter on for its routes only"},
	"internal_redirect":     {true, "Envoy follows redirects, with the access token, past the processor", "remove internal_redirect_policy"},
	"mirror":                {true, "requests to the API or to the processor, with access tokens or answers, are copied to another cluster", "remove request_mirror_policies"},
	"hedge":                 {false, "requests are sent more than once", "remove hedge_policy"},
	"retry_without_wait":    {false, "throttled requests are repeated without the wait that the API asks for", "take retry_policy from `graphveil envoy config`, or do not retry 429"},
	"upstream_not_verified": {true, "the API's certificate is not asked for, or not for its name", "use TLS with an authority, the SNI and a subject alternative name"},
	"upstream_other_name":   {true, "access tokens go to whoever proves another name than the API's", "name the API, exactly, as SNI and as subject alternative name; name a proxy of yours on the way with --host"},
	"upstream_chosen_late":  {true, "the cluster finds out while it runs whom it connects to, and whose certificate it accepts", "use a cluster with endpoints, or of DNS"},
	"host_of_caller":        {true, "the API is asked under the Host that callers write, with an access token", "set host_rewrite_literal, or give the virtual host the API's own names only"},
	"tls_keys_logged":       {true, "keys of TLS sessions are written down, so who records the traffic can read tokens", "remove key_log"},
	"admin_reachable":       {true, "Envoy's admin interface can be reached from other machines; its log at debug level has access tokens", "bind it to loopback or a Unix socket, or set allow_paths: exact paths or prefixes, /logging not among them"},
	"idle_timeout":          {false, "a response that stalls may stay for ever", "set stream_idle_timeout (and idle_timeout of the route) to 60s"},
	"path_not_normalized":   {false, "paths reach the route as callers write them; the processor refuses ambiguous ones all the same", "set normalize_path, and path_with_escaped_slashes_action to REJECT_REQUEST"},
	"caller_address":        {false, "callers may write the address that the policy sees as input.caller.address", "set use_remote_address, without xff_num_trusted_hops and original_ip_detection_extensions, or let no policy ask for it"},
	"local_replies":         {false, "Envoy's own errors are not in the API's shape", "take local_reply_config from `graphveil envoy config`"},

	// What is written down.
	"token_copied":      {true, "a credential is copied into a header, an answer or a trace", "remove the format that names it"},
	"access_log_secret": {true, "a credential is logged", "remove the header from the log"},
	"path_copied":       {true, "the path, in which the processor has revealed who is meant, is copied into an answer, a trace or to another service", "remove what names it"},
	"unknown_copied":    {true, "an operator, a logger or a tracer is not known: it may write down paths and credentials", "use those of `graphveil envoy config`"},
	"access_log_path":   {true, "the path is logged, in which the processor has revealed who is meant", "use the log's format of `graphveil envoy config`"},
	"tracing_path":      {true, "traces have the path, in which the processor has revealed who is meant", "set max_path_tag_length to 1"},
}
