package check

import (
	"regexp"
	"strings"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// What a format, or a list of headers to log, has in it if it writes a credential of a
// request, or its path, in which the processor has revealed who is meant.
var (
	secretFormat = regexp.MustCompile(`(?i)%(REQ|REQ_WITHOUT_QUERY|DYNAMIC_METADATA)\([^)]*(authorization|cookie)[^)]*\)`)
	secretHeader = regexp.MustCompile(`(?i)"(authorization|proxy-authorization|cookie)"`)
	pathFormat   = regexp.MustCompile(`(?i)%(REQ|REQ_WITHOUT_QUERY)\([^)]*path[^)]*\)|%(PATH|REQUEST_HEADERS)`)
)

// manager judges what all routes of a connection manager share.
func (k *checker) manager(where string, hcm *hcmv3.HttpConnectionManager) {
	for _, log := range hcm.GetAccessLog() {
		k.accessLog(where+", access log "+log.GetName(), log)
	}
	k.texts(where, "token_copied", secretFormat, hcm.GetLocalReplyConfig())
	if hcm.GetTracing() != nil {
		if secretHeader.MatchString(jsonOf(hcm.GetTracing())) {
			k.find("token_copied", where+", tracing", "")
		}
		// The shortest that Envoy takes is 1: the slash that all paths begin with.
		if n := hcm.GetTracing().GetMaxPathTagLength(); n == nil || n.GetValue() > 1 {
			k.find("tracing_path", where+", tracing", "max_path_tag_length")
		}
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
	if hcm.GetLocalReplyConfig() == nil {
		k.find("local_replies", where, "")
	}
}

func (k *checker) accessLog(where string, log *accesslogv3.AccessLog) {
	all := jsonOf(log)
	if secretFormat.MatchString(all) || secretHeader.MatchString(all) {
		k.find("access_log_secret", where, "")
	}
	kind := typeOf(log.GetTypedConfig())
	unformatted := false
	if f := open[filelogv3.FileAccessLog](log.GetTypedConfig()); f != nil {
		unformatted = f.GetAccessLogFormat() == nil
	}
	if f := open[streamlogv3.StdoutAccessLog](log.GetTypedConfig()); f != nil {
		unformatted = f.GetAccessLogFormat() == nil
	}
	if f := open[streamlogv3.StderrAccessLog](log.GetTypedConfig()); f != nil {
		unformatted = f.GetAccessLogFormat() == nil
	}
	if unformatted || strings.Contains(kind, ".access_loggers.grpc.") || pathFormat.MatchString(all) {
		k.find("access_log_path", where, "")
	}
}

// texts looks for a format in messages.
func (k *checker) texts(where, code string, format *regexp.Regexp, messages ...proto.Message) {
	for _, m := range messages {
		if found := format.FindString(jsonOf(m)); found != "" {
			k.find(code, where, "")
		}
	}
}

// jsonOf is a message with all that is packed into it, as text to search.
func jsonOf(m proto.Message) string {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return "" // all of it was read from JSON
	}
	return string(raw)
}

// upstreamFilters looks for filters between the router and the API.
func (k *checker) upstreamFilters(where string, c *clusterv3.Cluster) {
	options := open[upstreamhttpv3.HttpProtocolOptions](c.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"])
	for _, f := range options.GetHttpFilters() {
		if kind := typeOf(f.GetTypedConfig()); !strings.HasSuffix(kind, ".UpstreamCodec") && !quiet[kind] {
			k.find("filter_after", where+", filter "+f.GetName(), kind)
		}
	}
}
