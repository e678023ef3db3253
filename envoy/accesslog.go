package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// accessLogFields is one exchange as a JSON line. Which endpoint it was about is
// told by the ids that the processor gave it; the path holds ids of people and
// is left out, with the query, all header values and addresses. The request id
// is Envoy's own and the one that the processor sees as x-request-id.
var accessLogFields = map[string]string{
	"time":       "%START_TIME%",
	"request_id": "%DYNAMIC_METADATA(graphveil_request:id)%",
	"protocol":   "%PROTOCOL%",
	"method":     "%REQ(:METHOD):16%", // HTTP/2 callers can write anything there
	"decision":   "%DYNAMIC_METADATA(graphveil:decision)%",
	"connector":  "%DYNAMIC_METADATA(graphveil:connector)%",
	"endpoint":   "%DYNAMIC_METADATA(graphveil:endpoint)%",
	"code":       "%DYNAMIC_METADATA(graphveil:code)%",
	"status":     "%RESPONSE_CODE%",
	"details":    "%RESPONSE_CODE_DETAILS%",
	"flags":      "%RESPONSE_FLAGS%",
	"attempts":   "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
	"bytes":      "%BYTES_SENT%",
	"duration":   "%DURATION%", // milliseconds
}

func (r *renderer) accessLog() []*accesslogv3.AccessLog {
	fields := map[string]*structpb.Value{}
	for name, value := range accessLogFields {
		fields[name] = structpb.NewStringValue(value)
	}
	format := &corev3.SubstitutionFormatString{
		Format:          &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: fields}},
		OmitEmptyValues: true,
	}
	var name string
	var config *anypb.Any
	if path := r.config.AccessLog; path != "" {
		name = "envoy.access_loggers.file"
		config = r.pack(&filelogv3.FileAccessLog{
			Path:            path,
			AccessLogFormat: &filelogv3.FileAccessLog_LogFormat{LogFormat: format},
		})
	} else {
		// Works where /dev/stdout cannot be opened, as under systemd.
		name = "envoy.access_loggers.stdout"
		config = r.pack(&streamlogv3.StdoutAccessLog{
			AccessLogFormat: &streamlogv3.StdoutAccessLog_LogFormat{LogFormat: format},
		})
	}
	return []*accesslogv3.AccessLog{{
		Name:       name,
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: config},
	}}
}
