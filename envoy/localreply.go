package envoy

import (
	"fmt"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// localErrors is what a caller reads when Envoy answers by itself, by status.
// The status 0 is for all others, so it comes last.
var localErrors = []struct {
	status        int
	code, message string
}{
	{400, "badRequest", "The request is malformed or its target is ambiguous."},
	{403, "notAllowed", "The request was not allowed."},
	{404, "notFound", "There is nothing to be found under this target."},
	{408, "requestTimeout", "The request was not received in time."},
	{429, "tooManyRequests", "The limit that this service keeps for requests to Graph is reached. Try again when Retry-After says."},
	{431, "requestHeadersTooLarge", "The request has too many or too large headers."},
	{502, "badGateway", "The request could not be processed. Nothing was released."},
	{503, "serviceNotAvailable", "The service cannot be reached at the moment or is overloaded. Try again later."},
	{504, "gatewayTimeout", "The request was not processed in time."},
	{0, "generalException", "The request could not be processed."},
}

// localReplies gives Envoy's own errors the shape of Graph's, made of constants.
//
// An ImmediateResponse of the processor is a local reply too, and its body is
// already what the caller shall read: it is told apart by its details, which
// are the one thing that Envoy knows of it before the body is written.
//
// Replies to what is not HTTP at all are lost, the connection just closes: they
// pass ext_proc like all the others, and Envoy does not wait for them.
func (r *renderer) localReplies() *hcmv3.LocalReplyConfig {
	config := &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{
		// Mapped to itself; the first that matches is the only one.
		Filter: r.when(fmt.Sprintf("has(response.code_details) && response.code_details.startsWith('%s')", DetailsPrefix)),
	}}}
	for _, e := range localErrors {
		condition := "true"
		if e.status != 0 {
			condition = fmt.Sprintf("response.code == %d", e.status)
		}
		config.Mappers = append(config.Mappers, &hcmv3.ResponseMapper{
			Filter: r.when(condition),
			BodyFormatOverride: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineString{
						InlineString: fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, e.code, e.message),
					},
				}},
				ContentType: "application/json",
			},
		})
	}
	return config
}

// when is a condition in the Common Expression Language.
func (r *renderer) when(expression string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name: "envoy.access_loggers.extension_filters.cel",
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{
				TypedConfig: r.pack(&celv3.ExpressionFilter{Expression: expression}),
			},
		},
	}}
}
