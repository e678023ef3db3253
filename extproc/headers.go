package extproc

import (
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// envoysOwn are header fields that belong to the connection or to the framing of
// a message. Envoy writes its own, and its mutation rules (package envoy) keep us
// from touching them: a removal would fail the exchange.
var envoysOwn = map[string]bool{"connection": true, "content-length": true, "transfer-encoding": true, "upgrade": true}

// coding is how the upstream encoded a body for transport.
type coding uint8

const (
	codingOther coding = iota // one that is not accepted
	codingNone
	codingGzip
)

// codingOf reads Content-Encoding (RFC 9110, section 8.4). Only a single coding is
// accepted, in a single field: codings that are stacked, an empty member of a list
// among them, are what nobody asked for.
func codingOf(headers []Header) coding {
	value, fields := "", 0
	for _, h := range headers {
		if h.Name == "content-encoding" {
			value = strings.ToLower(strings.Trim(h.Value, " \t"))
			fields++
		}
	}
	switch {
	case fields == 0, fields == 1 && value == "identity":
		return codingNone
	case fields == 1 && (value == "gzip" || value == "x-gzip"): // the same, RFC 9110, section 8.4.1.3
		return codingGzip
	}
	return codingOther
}

// isJSON says whether a content type is application/json, whatever its
// parameters: the upstream sends several (odata.metadata, streaming, charset).
func isJSON(contentType string) bool { return isMedia(contentType, "application/json") }

// isMedia says whether a content type is one of those media types, in UTF-8.
func isMedia(contentType string, types ...string) bool {
	t, params, err := mime.ParseMediaType(contentType)
	if err != nil || !slices.Contains(types, t) {
		return false
	}
	charset, ok := params["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

// retryAfterOf reads a Retry-After header given in seconds, capped at a day.
func retryAfterOf(headers []Header) time.Duration {
	for _, h := range headers {
		if h.Name != "retry-after" {
			continue
		}
		seconds, err := strconv.Atoi(strings.TrimSpace(h.Value))
		if err == nil && seconds > 0 {
			return min(time.Duration(seconds)*time.Second, 24*time.Hour)
		}
	}
	return 0
}

// headerMap joins repeated fields as RFC 9110, section 5.3 allows.
func headerMap(headers []Header) map[string]string {
	m := make(map[string]string, len(headers))
	for _, h := range headers {
		if strings.HasPrefix(h.Name, ":") {
			continue
		}
		if v, ok := m[h.Name]; ok {
			m[h.Name] = v + ", " + h.Value
			continue
		}
		m[h.Name] = h.Value
	}
	return m
}

// parseStatus reads the :status pseudo-header; 0 is no status, which is refused.
func parseStatus(value string) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < 100 || n > 999 {
		return 0
	}
	return n
}
