package check

import (
	"strings"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
)

// manager judges what all routes of a connection manager share.
func (k *checker) manager(where string, hcm *hcmv3.HttpConnectionManager) {
	for _, log := range hcm.GetAccessLog() {
		k.accessLog(where+", access log "+log.GetName(), log)
	}
	if !hcm.GetUseRemoteAddress().GetValue() || hcm.GetXffNumTrustedHops() > 0 || len(hcm.GetOriginalIpDetectionExtensions()) > 0 {
		k.find("caller_address", where, "")
	}
	if replies := hcm.GetLocalReplyConfig(); replies == nil {
		k.find("local_replies", where, "")
	} else {
		k.localReplies(where+", local_reply_config", replies)
	}
	if t := hcm.GetTracing(); t != nil {
		at := where + ", tracing"
		k.tags(at, t.GetCustomTags())
		k.copies(at, true, t)
		// The shortest that is left of a path is the slash that all begin with.
		if n := t.GetMaxPathTagLength(); n == nil || n.GetValue() > 1 {
			k.find("tracing_path", at, "max_path_tag_length")
		}
		if kind := typeOf(t.GetProvider().GetTypedConfig()); kind != "" && !strings.HasPrefix(kind, "envoy.config.trace.v3.") {
			k.find("unknown_copied", at, kind)
		}
	}
	for _, e := range hcm.GetEarlyHeaderMutationExtensions() {
		if kind := typeOf(e.GetTypedConfig()); kind != "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation" {
			k.find("filter_before", where+", early_header_mutation_extensions "+e.GetName(), kind)
		}
	}
	if hcm.GetProxy_100Continue() {
		k.find("informational", where, "proxy_100_continue true")
	}
	if hcm.GetHttp2ProtocolOptions().GetAllowMetadata() || hcm.GetHttp3ProtocolOptions().GetAllowMetadata() {
		k.find("metadata_frames", where, "allow_metadata true")
	}
	for _, u := range hcm.GetUpgradeConfigs() {
		if len(u.GetFilters()) > 0 {
			k.find("upgrade_chain", where, "upgrade "+u.GetUpgradeType())
		} else if u.GetEnabled() == nil || u.GetEnabled().GetValue() {
			k.find("upgrade", where, "upgrade "+u.GetUpgradeType())
		}
	}
	if d := hcm.GetStreamIdleTimeout(); d != nil && d.AsDuration() == 0 {
		k.find("idle_timeout", where, "stream_idle_timeout 0s")
	} else if d.AsDuration() > 15*time.Minute {
		k.find("idle_timeout", where, "stream_idle_timeout "+d.AsDuration().String())
	}
	if !hcm.GetNormalizePath().GetValue() || hcm.GetPathWithEscapedSlashesAction() != hcmv3.HttpConnectionManager_REJECT_REQUEST {
		k.find("path_not_normalized", where, "")
	}
}

func (k *checker) localReplies(where string, replies *hcmv3.LocalReplyConfig) {
	k.copies(where, true, replies)
	formats := []*corev3.SubstitutionFormatString{replies.GetBodyFormat()}
	for _, m := range replies.GetMappers() {
		formats = append(formats, m.GetBodyFormatOverride())
	}
	for _, f := range formats {
		if f.GetTextFormatSource() != nil && !legible(f) {
			k.find("unknown_copied", where, "a format outside of this configuration")
		}
	}
}

// tags judges what spans are given from requests.
func (k *checker) tags(where string, tags []*tracingv3.CustomTag) {
	for _, tag := range tags {
		switch header := tag.GetRequestHeader().GetName(); named(header) {
		case copiesSecret:
			k.find("token_copied", where, "header "+header)
		case copiesPath:
			k.find("path_copied", where, "header "+header)
		}
	}
}

// loggers are the types of logs whose texts say all that they write, and whether they
// have a text of their own, with the path in it, where none is given.
var loggers = map[string]bool{
	"envoy.extensions.access_loggers.file.v3.FileAccessLog":                          true,
	"envoy.extensions.access_loggers.stream.v3.StdoutAccessLog":                      true,
	"envoy.extensions.access_loggers.stream.v3.StderrAccessLog":                      true,
	"envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig": false,
	"envoy.extensions.access_loggers.fluentd.v3.FluentdAccessLogConfig":              false,
}

func (k *checker) accessLog(where string, log *accesslogv3.AccessLog) {
	kind := typeOf(log.GetTypedConfig())
	formatted, known := loggers[kind]
	switch {
	case strings.Contains(kind, ".access_loggers.grpc."): // sends the path, and headers that it is told
		k.find("access_log_path", where, kind)
	case !known:
		k.find("unknown_copied", where, kind)
	case formatted && !hasFormat(log):
		k.find("access_log_path", where, "no format in this configuration")
	}
	texts(log, func(key, text string) {
		what, by := copied(text)
		if key == "@type" && runsCode(text) {
			what, by = copiesUnknown, text[strings.LastIndexByte(text, '/')+1:]
		}
		if strings.Contains(strings.ToLower(key), "header") { // lists of headers to log, and tags
			what, by = max(what, named(text)), text
		}
		switch what {
		case copiesSecret:
			k.find("access_log_secret", where, by)
		case copiesPath:
			k.find("access_log_path", where, by)
		case copiesUnknown:
			k.find("unknown_copied", where, by)
		}
	})
}

// hasFormat says whether a log to a file or a stream has a format that is not empty.
func hasFormat(log *accesslogv3.AccessLog) bool {
	a := log.GetTypedConfig()
	var format *corev3.SubstitutionFormatString
	if f := open[filelogv3.FileAccessLog](a); f != nil {
		//lint:ignore SA1019 an Envoy that is asked to obey it does
		if f.GetFormat() != "" || f.GetJsonFormat() != nil || f.GetTypedJsonFormat() != nil {
			return true
		}
		format = f.GetLogFormat()
	} else if f := open[streamlogv3.StdoutAccessLog](a); f != nil {
		format = f.GetLogFormat()
	} else if f := open[streamlogv3.StderrAccessLog](a); f != nil {
		format = f.GetLogFormat()
	}
	return legible(format)
}

// legible says whether a format is there, and in this configuration.
func legible(format *corev3.SubstitutionFormatString) bool {
	switch f := format.GetFormat().(type) {
	case nil:
		return false
	case *corev3.SubstitutionFormatString_TextFormat: // an empty one means Envoy's own
		//lint:ignore SA1019 an Envoy that is asked to obey it does
		return f.TextFormat != ""
	case *corev3.SubstitutionFormatString_TextFormatSource:
		return f.TextFormatSource.GetInlineString() != "" || len(f.TextFormatSource.GetInlineBytes()) > 0
	}
	return true
}
