package extproctest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/extproc"
)

// protected matches the names that the bootstrap's mutation rules, and Envoy's
// defaults beside them, keep from the processor. Trying fails the exchange.
var protected = regexp.MustCompile(`^(:[^p].*|:protocol|content-length|transfer-encoding|connection|upgrade|host|x-envoy-.*)$`)

// removedAtEntrance are prefixes of request headers that are gone before the
// processor sees the request.
var removedAtEntrance = []string{"x-envoy-", "x-forwarded-"}

// mutate applies a mutation to headers, as ext_proc does with the mutation rules
// of the bootstrap.
func mutate(headers []extproc.Header, m *extprocv3.HeaderMutation) ([]extproc.Header, error) {
	for _, name := range m.GetRemoveHeaders() {
		if err := allowed(name); err != nil {
			return nil, err
		}
		headers = without(headers, name)
	}
	for _, o := range m.GetSetHeaders() {
		name := o.GetHeader().GetKey()
		if err := allowed(name); err != nil {
			return nil, err
		}
		if o.GetHeader().GetValue() != "" {
			return nil, fmt.Errorf("header %q is set by value, which Envoy ignores: raw_value is wanted", name)
		}
		value := string(o.GetHeader().GetRawValue())
		if strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("the value of header %q has a character that Envoy refuses", name)
		}
		if o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			return nil, fmt.Errorf("header %q is appended, not set: what the client sent would stay", name)
		}
		headers = append(without(headers, name), extproc.Header{Name: name, Value: value})
	}
	return headers, nil
}

func allowed(name string) error {
	if name != strings.ToLower(name) {
		return fmt.Errorf("header name %q is not in lower case", name)
	}
	if protected.MatchString(name) {
		return fmt.Errorf("header %q must not be changed by the processor", name)
	}
	return nil
}

func without(headers []extproc.Header, name string) []extproc.Header {
	var rest []extproc.Header
	for _, h := range headers {
		if h.Name != name {
			rest = append(rest, h)
		}
	}
	return rest
}

// get returns the first value of a header, or "".
func get(headers []extproc.Header, name string) string {
	for _, h := range headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// httpHeader is headers without the pseudo-headers.
func httpHeader(headers []extproc.Header) http.Header {
	out := http.Header{}
	for _, h := range headers {
		if !strings.HasPrefix(h.Name, ":") {
			out.Add(h.Name, h.Value)
		}
	}
	return out
}

// lower lists an http.Header as HTTP/2 has it, in a stable order.
func lower(header http.Header) []extproc.Header {
	var out []extproc.Header
	for _, name := range sortedKeys(header) {
		for _, value := range header[name] {
			out = append(out, extproc.Header{Name: strings.ToLower(name), Value: value})
		}
	}
	return out
}
