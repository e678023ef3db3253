package check

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// texts calls f with each text in a message, and the key that it stands under: those
// in packed extensions too, known or not.
func texts(m proto.Message, f func(key, text string)) {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return // all of it was read from JSON
	}
	var tree any
	json.Unmarshal(raw, &tree)
	walk("", tree, f)
}

func walk(key string, v any, f func(key, text string)) {
	switch v := v.(type) {
	case map[string]any:
		for inner, value := range v {
			if inner == "name" && (key == "requestHeader" || key == "request_header") { // a tag
				inner = key
			}
			walk(inner, value, f)
		}
	case []any:
		for _, value := range v {
			walk(key, value, f)
		}
	case string:
		if rest, ok := strings.CutPrefix(v, closedPrefix); ok {
			_, closed, _ := strings.Cut(rest, "\n")
			var tree any
			if json.Unmarshal([]byte(closed), &tree) == nil {
				walk("", tree, f)
				return
			}
		}
		f(key, v)
	}
}

// What a text copies from a request when Envoy fills it in.
const (
	copiesNothing = iota
	copiesUnknown // an operator that is not known
	copiesPath    // in which the processor has revealed who is meant
	copiesSecret
)

// operator is what Envoy replaces in a text: a name, and perhaps what it is about, in
// which there may be a percent sign. Two of them are one that is written.
var operator = regexp.MustCompile(`%%|%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::[0-9]+)?%`)

// harmless are the operators that tell nothing of a request's target, and no header:
// those that begin so, and those that are so.
var (
	harmlessPrefix = []string{
		"ACCESS_LOG_", "BYTES_", "COMMON_DURATION", "CONNECTION_", "DOWNSTREAM_", "DURATION", "EMIT_TIME", "FILTER_CHAIN_", "GRPC_STATUS", "LISTENER_", "REQUEST_DURATION",
		"REQUEST_HEADERS_BYTES", "REQUEST_TX_DURATION", "RESPONSE_CODE", "RESPONSE_DURATION", "RESPONSE_FLAGS", "RESPONSE_HEADERS_BYTES", "RESPONSE_TRAILERS_BYTES", "RESPONSE_TX_DURATION", "ROUNDTRIP_", "START_TIME", "UPSTREAM_", "VIRTUAL_",
	}
	harmlessName = []string{
		"CLUSTER_METADATA", "CUSTOM_FLAGS", "FILTER_STATE", "HOSTNAME", "LOCAL_REPLY_BODY", "METADATA", "PROTOCOL", "REQUESTED_SERVER_NAME", "ROUTE_METADATA", "ROUTE_NAME", "SPAN_ID", "STREAM_ID", "TRACE_ID",
		"UNIQUE_ID",
	}
)

// copied says what a text copies, the worst of it, and by which operator.
func copied(text string) (what int, by string) {
	for _, found := range operator.FindAllStringSubmatch(text, -1) {
		if found[1] == "" {
			continue
		}
		if w := copiedBy(found[1], strings.ToLower(found[2])); w > what {
			what, by = w, found[1]
		}
	}
	return what, by
}

func copiedBy(name, about string) int {
	switch name {
	case "REQ", "REQ_WITHOUT_QUERY", "RESP", "TRAILER", "DYNAMIC_METADATA", "METADATA", "FILTER_STATE":
		return max(copiesNothing, named(about))
	case "PATH", "QUERY_PARAM", "QUERY_PARAMS":
		return copiesPath
	}
	if slices.Contains(harmlessName, name) || slices.ContainsFunc(harmlessPrefix, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
		return copiesNothing
	}
	return copiesUnknown
}

// named says what the headers are that are named in a text.
func named(text string) int {
	text = strings.ToLower(text)
	switch {
	case strings.Contains(text, "authorization") || strings.Contains(text, "cookie"):
		return copiesSecret
	case strings.Contains(text, "path") || strings.Contains(text, "location") || strings.Contains(text, "referer"):
		return copiesPath
	}
	return copiesNothing
}

// copies looks for what the texts of a message copy out of requests. Where path is
// false, a path may be copied: it goes to the API alone.
func (k *checker) copies(where string, path bool, m proto.Message) {
	texts(m, func(key, text string) {
		if key == "@type" && path && runsCode(text) {
			k.find("unknown_copied", where, text[strings.LastIndexByte(text, '/')+1:])
		}
		switch what, by := copied(text); {
		case what == copiesSecret:
			k.find("token_copied", where, by)
		case what == copiesPath && path:
			k.find("path_copied", where, by)
		case what == copiesUnknown && path:
			k.find("unknown_copied", where, by)
		}
	})
}

// runsCode says whether an extension is somebody's own program, or not Envoy's.
func runsCode(url string) bool {
	kind := url[strings.LastIndexByte(url, '/')+1:]
	known := slices.ContainsFunc([]string{"envoy.", "google.protobuf.", "xds."}, func(prefix string) bool { return strings.HasPrefix(kind, prefix) })
	return !known || strings.Contains(kind, "dynamic_modules") || strings.Contains(kind, "wasm") || strings.Contains(kind, "golang")
}
