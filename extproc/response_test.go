package extproc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
)

const (
	thingID   = "48d31887-5fad-4d73-a9f5-3c356e68a038"
	oneThing  = `{"value":[{"id":"` + thingID + `","owner":"CANARY@acme.com","size":1e2,"secret":"CANARY"}]}`
	sanitized = `{"value":[{"id":"p~SIoJOpeSgYF7YUPQ28IWZexVuHyN9A80SJXrbfawKpDRcddGnKI4QDKyjQI9KtjJZDb8FZ27UE_toS68FyWz7Y22fnQYLP91SHJGVwQiN3E","owner":"t~mzWZi5gYeF1K2Y7sYqsVx-y0wON8rtofNBarsRe19RI@acme.com","size":1e2}]}`
)

// code reads the code of an error in the API's shape.
func code(t *testing.T, body []byte) string {
	t.Helper()
	var e struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" {
		t.Errorf("not an error of the API: %s", body)
	}
	return e.Error.Code
}

// TestResponse sends one page in every manner in which it can arrive.
func TestResponse(t *testing.T) {
	for _, separate := range []bool{false, true} {
		for _, chunk := range []int{0, 1, 2, 7, len(oneThing) - 1} {
			for _, trailer := range []http.Header{nil, {"X-Checksum": {"CANARY"}}} {
				t.Run(fmt.Sprintf("%d %v %v", chunk, separate, trailer != nil), func(t *testing.T) {
					w := newWorld(t)
					w.SeparateEnd = separate
					w.upstream.body, w.upstream.chunk, w.upstream.trailer = oneThing, chunk, trailer
					r := w.get(t, "/v1.0/things")
					if r.Status != 200 || r.Cut || string(r.Body) != sanitized || len(r.Trailer) > 0 {
						t.Errorf("got %d, cut %v, trailer %v, %s", r.Status, r.Cut, r.Trailer, r.Body)
					}
				})
			}
		}
	}
}

// TestLargePage is larger than one chunk of a reply may be, and than the windows.
func TestLargePage(t *testing.T) {
	w := newWorld(t)
	one := `{"size":"` + strings.Repeat("x", 5000) + `","secret":"CANARY"}`
	w.upstream.body = `{"value":[` + strings.Repeat(one+",", 400) + one + `]}`
	r := w.get(t, "/v1.0/things")
	if want := strings.ReplaceAll(w.upstream.body, `,"secret":"CANARY"`, ""); r.Status != 200 || string(r.Body) != want {
		t.Errorf("got %d, %d bytes, want %d", r.Status, len(r.Body), len(want))
	}
}

// TestUnfitResponse is about responses of which nothing may leave.
func TestUnfitResponse(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		header http.Header
		body   string
		chunk  int
		want   int
		code   string
	}{
		"html":                       {200, http.Header{"Content-Type": {"text/html"}}, "<p>CANARY</p>", 0, 502, "response_not_json"},
		"no content type":            {200, http.Header{}, oneThing, 0, 502, "response_not_json"},
		"two content types":          {200, http.Header{"Content-Type": {"application/json", "text/plain"}}, oneThing, 0, 502, "response_not_json"},
		"content type twice":         {200, http.Header{"Content-Type": {"text/plain", "application/json"}}, oneThing, 0, 502, "response_not_json"},
		"other charset":              {200, http.Header{"Content-Type": {"application/json; charset=utf-16"}}, oneThing, 0, 502, "response_not_json"},
		"json sequence":              {200, http.Header{"Content-Type": {"application/json-seq"}}, oneThing, 0, 502, "response_not_json"},
		"unknown encoding":           {200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"x-rot13"}}, "PNANEL", 0, 502, "response_encoding_not_allowed"},
		"two encodings":              {200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity", "gzip"}}, "CANARY", 0, 502, "response_encoding_not_allowed"},
		"encoding of an error":       {404, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"br"}}, "CANARY", 0, 502, "response_encoding_not_allowed"},
		"redirect":                   {302, http.Header{"Location": {"https://elsewhere.example/CANARY"}}, "", 0, 502, "response_redirect"},
		"redirect with a body":       {307, http.Header{"Content-Type": {"application/json"}}, oneThing, 0, 502, "response_redirect"},
		"empty 200":                  {200, http.Header{"Content-Type": {"application/json"}}, "", 0, 502, "upstream_truncated"},
		"blank body":                 {200, http.Header{"Content-Type": {"application/json"}}, " \n", 0, 502, "response_malformed"},
		"truncated":                  {200, http.Header{"Content-Type": {"application/json"}}, oneThing[:len(oneThing)-1], 0, 502, "upstream_truncated"},
		"no json at the first byte":  {200, http.Header{"Content-Type": {"application/json"}}, "CANARY", 1, 502, "response_malformed"},
		"duplicate":                  {200, http.Header{"Content-Type": {"application/json"}}, `{"value":[],"value":["CANARY"]}`, 0, 502, "response_malformed"},
		"second document":            {200, http.Header{"Content-Type": {"application/json"}}, oneThing + oneThing, 0, 502, "response_malformed"},
		"array where an object goes": {200, http.Header{"Content-Type": {"application/json"}}, `["CANARY"]`, 0, 502, "response_malformed"},
		"too deep":                   {200, http.Header{"Content-Type": {"application/json"}}, `{"value":` + strings.Repeat("[", 1000), 0, 502, "response_limit"},
		"401":                        {401, http.Header{"Content-Type": {"application/json"}}, `{"error":{"code":"CANARY"}}`, 0, 502, "upstream_unauthorized"},
		"error page":                 {503, http.Header{"Content-Type": {"text/html"}}, "<p>CANARY</p>", 0, 503, "upstream_error"},
		"error without a body":       {504, http.Header{}, "", 0, 504, "upstream_error"},
		"truncated error":            {500, http.Header{"Content-Type": {"application/json"}}, `{"error":{"message":"CANARY`, 0, 502, "upstream_truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.upstream.status, w.upstream.header, w.upstream.body, w.upstream.chunk = test.status, test.header, test.body, test.chunk
			r := w.get(t, "/v1.0/things")
			if r.Status != test.want || code(t, r.Body) != test.code {
				t.Errorf("got %d %s, want %d %s", r.Status, r.Body, test.want, test.code)
			}
			if record := w.log.records(t, 1)[0]; record["outcome"] != "refused" || record["code"] != test.code || record["status"] != float64(test.want) {
				t.Errorf("record %v", record)
			}
		})
	}
}

// TestUpstreamErrors keep code and status and lose what they say.
func TestUpstreamErrors(t *testing.T) {
	w := newWorld(t)
	w.upstream.status = 429
	w.upstream.header = http.Header{"Content-Type": {"application/json"}, "Retry-After": {"7"}}
	w.upstream.body = `{"error":{"code":"TooManyRequests","message":"CANARY","innerError":{"date":"2026-01-02T03:04:05","x":"CANARY"}}}`
	r := w.get(t, "/v1.0/things")
	if want := `{"error":{"code":"TooManyRequests","innerError":{"date":"2026-01-02T03:04:05"}}}`; r.Status != 429 || string(r.Body) != want {
		t.Errorf("got %d %s, want %s", r.Status, r.Body, want)
	}
	if got := r.Header.Get("Retry-After"); got != "7" {
		t.Errorf("Retry-After is %q", got)
	}
}

// TestRetryAfter survives where the upstream's answer does not.
func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]string{
		"7": "7", " 8 ": "8", "0": "", "-1": "", "soon": "", "999999999": "86400",
		"Fri, 31 Dec 1999 23:59:59 GMT": "", "CANARY": "",
	} {
		w := newWorld(t)
		w.upstream.status = 503
		w.upstream.header = http.Header{"Retry-After": {value}, "Content-Type": {"text/plain"}}
		r := w.get(t, "/v1.0/things")
		if got := r.Header.Get("Retry-After"); got != want || r.Status != 503 {
			t.Errorf("%q became %q with status %d, want %q", value, got, r.Status, want)
		}
	}
}

// TestNoContent has no body either way.
func TestNoContent(t *testing.T) {
	for _, status := range []int{204, 304} {
		w := newWorld(t)
		w.upstream.status, w.upstream.body, w.upstream.header = status, "", http.Header{"Etag": {"CANARY"}}
		if r := w.get(t, "/v1.0/things"); r.Status != status || len(r.Body) > 0 || len(r.Header) > 0 {
			t.Errorf("got %d %v %s", r.Status, r.Header, r.Body)
		}
	}
}

// TestBrokenOff is about bodies that turn bad, or end, after output has left: the
// client must see that the response is not complete, and nothing undecided.
func TestBrokenOff(t *testing.T) {
	start := oneThing[:len(oneThing)-2] + ","
	for name, test := range map[string]struct {
		body, code string
		reset      bool
	}{
		"malformed":         {start + `{"id":"CANARY","id":"CANARY"}]}`, "response_malformed", false},
		"truncated":         {start + `{"id":"CANARY`, "upstream_truncated", false},
		"reset in a string": {start + `{"id":"CANARY`, "", true},
		"reset at the end":  {oneThing, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.upstream.body, w.upstream.chunk, w.upstream.reset = test.body, 1, test.reset
			r := w.get(t, "/v1.0/things")
			if r.Status != 200 || !r.Cut {
				t.Errorf("status %d, cut %v", r.Status, r.Cut)
			}
			if !strings.HasPrefix(string(r.Body), strings.TrimSuffix(sanitized, "]}")) {
				t.Errorf("released %s", r.Body)
			}
			if string(r.Body) == sanitized {
				t.Error("all of it left before its end")
			}
			record := w.log.records(t, 1)[0]
			if test.reset && record["outcome"] != "aborted" || !test.reset && (record["outcome"] != "refused" || record["code"] != test.code) {
				t.Errorf("record %v", record)
			}
		})
	}
}

// TestResponseHeaders keeps those that the policy lists.
func TestResponseHeaders(t *testing.T) {
	w := newWorld(t)
	w.upstream.header = http.Header{
		"Content-Type": {"application/json;odata.metadata=minimal; charset=utf-8"}, "Request-Id": {"1"}, "Odata-Version": {"4.0"},
		"Set-Cookie": {"CANARY=1", "CANARY=2"}, "Etag": {"CANARY"}, "Location": {"CANARY"}, "Link": {"CANARY"},
		"X-Ms-Throttle-Scope": {"CANARY"}, "X-New": {"CANARY"}, "Content-Length": {"12"}, "Last-Modified": {"CANARY"},
		"Content-Encoding": {"identity"}, "Keep-Alive": {"timeout=CANARY"}, "Www-Authenticate": {"CANARY"},
	}
	r := w.get(t, "/v1.0/things")
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"Content-Type", "Odata-Version", "Request-Id"}; r.Status != 200 || !slices.Equal(names, want) {
		t.Errorf("status %d, headers %v, want %v", r.Status, names, want)
	}
}

// TestRequestHeaders forwards what the policy names and sets what the upstream
// needs; everything else is gone, whatever its name.
func TestRequestHeaders(t *testing.T) {
	w := newWorld(t)
	r := w.get(t, "/v1.0/things",
		extproc.Header{Name: "prefer", Value: "small"},
		extproc.Header{Name: "authorization", Value: "Bearer CANARY"},
		extproc.Header{Name: "proxy-authorization", Value: "Basic CANARY"},
		extproc.Header{Name: "cookie", Value: "CANARY"}, extproc.Header{Name: "cookie", Value: "CANARY"},
		extproc.Header{Name: "user-agent", Value: "CANARY"}, extproc.Header{Name: "accept", Value: "CANARY"},
		extproc.Header{Name: "accept-encoding", Value: "gzip"}, extproc.Header{Name: "x-http-method-override", Value: "DELETE"},
		extproc.Header{Name: "content-length", Value: "0"}, extproc.Header{Name: "consistencylevel", Value: "CANARY"},
		extproc.Header{Name: "x-forwarded-for", Value: "CANARY"}, extproc.Header{Name: "x-envoy-original-path", Value: "CANARY"},
	)
	if r.Status != 200 {
		t.Fatalf("status %d %s", r.Status, r.Body)
	}
	got := w.upstream.last.Header
	want := http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Bearer " + graphToken},
		"Prefer": {"small"}, "User-Agent": {"graphveil/test"}, "Content-Length": {"0"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("upstream got %v\nwant %v", got, want)
	}
}

// TestCount is about responses of text: one whole number, or nothing.
func TestCount(t *testing.T) {
	text := []string{"text/plain; charset=utf-8"}
	for _, chunk := range []int{0, 1} {
		for name, test := range map[string]struct {
			contentType []string
			body        string
			want        int
			code        string
		}{
			"number":               {text, "42", 200, ""},
			"zero":                 {text, "0", 200, ""},
			"without charset":      {[]string{"Text/Plain"}, "42", 200, ""},
			"byte order mark":      {text, "\xef\xbb\xbf42", 200, ""},
			"mark alone":           {text, "\xef\xbb\xbf", 502, "response_malformed"},
			"half a mark":          {text, "\xef\xbb42", 502, "response_malformed"},
			"two marks":            {text, "\xef\xbb\xbf\xef\xbb\xbf42", 502, "response_malformed"},
			"mark behind":          {text, "4\xef\xbb\xbf2", 502, "response_malformed"},
			"text":                 {text, "CANARY", 502, "response_malformed"},
			"string":               {text, `"CANARY"`, 502, "response_malformed"},
			"object":               {text, `{"id":"CANARY"}`, 502, "response_malformed"},
			"two numbers":          {text, "4 2", 502, "response_malformed"},
			"negative":             {text, "-1", 502, "response_malformed"},
			"leading zero":         {text, "042", 502, "response_malformed"},
			"exponent":             {text, "1e9", 502, "response_malformed"},
			"empty":                {text, "", 502, "upstream_truncated"},
			"long":                 {text, strings.Repeat("1", 5000), 502, "response_limit"},
			"json":                 {[]string{"application/json"}, "42", 502, "response_media_not_allowed"},
			"other charset":        {[]string{"text/plain; charset=utf-16"}, "42", 502, "response_media_not_allowed"},
			"html":                 {[]string{"text/html"}, "42", 502, "response_media_not_allowed"},
			"no content type":      {nil, "42", 502, "response_media_not_allowed"},
			"two of content types": {[]string{"text/plain", "text/plain"}, "42", 502, "response_media_not_allowed"},
		} {
			t.Run(fmt.Sprintf("%s %d", name, chunk), func(t *testing.T) {
				w := newWorld(t)
				w.upstream.header, w.upstream.body, w.upstream.chunk = http.Header{"Content-Type": test.contentType}, test.body, chunk
				r := w.get(t, "/v1.0/things/$count", extproc.Header{Name: "consistencylevel", Value: "eventual"})
				switch {
				case test.code == "" && (r.Status != 200 || r.Cut || string(r.Body) != strings.TrimPrefix(test.body, "\xef\xbb\xbf")):
					t.Errorf("got %d, cut %v, %q", r.Status, r.Cut, r.Body)
				case test.code != "" && r.Status == 200:
					// A number leaves when it ends, so whatever left is part of one.
					if !r.Cut || strings.Trim(string(r.Body), "0123456789") != "" {
						t.Errorf("released %q, cut %v", r.Body, r.Cut)
					}
				case test.code != "" && (r.Status != test.want || code(t, r.Body) != test.code):
					t.Errorf("got %d %s, want %d %s", r.Status, r.Body, test.want, test.code)
				}
				if got := w.upstream.last.Header["Accept"]; !slices.Equal(got, []string{"text/plain"}) {
					t.Errorf("accepts %q", got)
				}
			})
		}
	}
	w := newWorld(t)
	w.upstream.status, w.upstream.header = 400, http.Header{"Content-Type": {"application/json"}}
	w.upstream.body = `{"error":{"code":"Request_UnsupportedQuery","message":"CANARY"}}`
	if r := w.get(t, "/v1.0/things/$count"); r.Status != 400 || string(r.Body) != `{"error":{"code":"Request_UnsupportedQuery"}}` {
		t.Errorf("an error: %d %s", r.Status, r.Body)
	}
	w = newWorld(t)
	w.upstream.header = http.Header{"Content-Type": {"text/plain"}}
	if r := w.get(t, "/v1.0/things"); r.Status != 502 || code(t, r.Body) != "response_not_json" {
		t.Errorf("text where JSON goes: %d %s", r.Status, r.Body)
	}
}

// TestNearEndpoints: who asks for what is not there learns what is, in the policy's
// words only.
func TestNearEndpoints(t *testing.T) {
	w := newWorld(t)
	r := w.get(t, "/v1.0/thing?x=CANARY")
	want := `{"error":{"code":"path_not_allowed","message":"No connector of the policy serves this path. ` + "`graphveil policy list`" + ` shows the paths that are served. ` +
		`Near it are: /v1.0/things, /v1.0/things/$count, /v1.0/things/between(from={from},owner={owner})."}}`
	if string(r.Body) != want {
		t.Errorf("got %s\nwant %s", r.Body, want)
	}
	w.get(t, "/v1.0/things/CANARY/CANARY")
	w.get(t, "/CANARY")
}
