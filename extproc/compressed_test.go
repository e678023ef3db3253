package extproc_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/inflate"
)

var gzipHeader = http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}

// zipped compresses parts one after the other, and flushes after each.
func zipped(parts ...string) string {
	var b bytes.Buffer // never fails
	z := gzip.NewWriter(&b)
	for _, part := range parts {
		_, _ = io.WriteString(z, part)
		_ = z.Flush()
	}
	_ = z.Close()
	return b.String()
}

// bodyExchange is an exchange whose response has begun, with gzip.
func bodyExchange(t testing.TB, w *world, target string) *extproc.Exchange {
	t.Helper()
	x := w.gateway.NewExchange()
	if _, refusal := x.Request(t.Context(), extproc.RequestHead{Method: "GET", Target: target}); refusal != nil {
		t.Fatal(refusal)
	}
	head := extproc.ResponseHead{Status: 200, Headers: append([]extproc.Header{{Name: "content-encoding", Value: "gzip"}}, jsonHeaders...)}
	if _, refusal := x.Response(head); refusal != nil {
		t.Fatal(refusal)
	}
	return x
}

// TestCompressed sends one page in every manner in which it can arrive. What
// leaves is what leaves of the plain page, and says nothing of a coding.
func TestCompressed(t *testing.T) {
	for coding, body := range map[string]string{
		"gzip": zipped(oneThing), "GZip": zipped(oneThing[:20], oneThing[20:30], oneThing[30:]), "x-gzip": zipped(oneThing), " gzip\t": zipped(oneThing),
	} {
		for _, separate := range []bool{false, true} {
			for _, chunk := range []int{0, 1, 7, len(body) - 1} {
				for _, trailer := range []http.Header{nil, {"X-Checksum": {"CANARY"}}} {
					w := newWorld(t)
					w.SeparateEnd = separate
					w.upstream.header = http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {coding}, "Vary": {"Accept-Encoding"}, "Etag": {"CANARY"}}
					w.upstream.body, w.upstream.chunk, w.upstream.trailer = body, chunk, trailer
					r := w.get(t, "/v1.0/things")
					if r.Status != 200 || r.Cut || string(r.Body) != sanitized || len(r.Trailer) > 0 || len(r.Header) != 1 {
						t.Errorf("%q, %d, %v, %v: got %d, cut %v, header %v, trailer %v, %s", coding, chunk, separate, trailer != nil, r.Status, r.Cut, r.Header, r.Trailer, r.Body)
					}
					if record := w.log.records(t, 1)[0]; record["bytes_in"] != float64(len(body)) || record["bytes_out"] != float64(len(sanitized)) {
						t.Errorf("record %v", record)
					}
				}
			}
		}
	}
}

// TestCompressedError: an error of the upstream may be compressed, too, and text.
func TestCompressedError(t *testing.T) {
	w := newWorld(t)
	w.upstream.status, w.upstream.header = 404, gzipHeader
	w.upstream.body = zipped(`{"error":{"code":"ErrorItemNotFound","message":"CANARY"}}`)
	if r := w.get(t, "/v1.0/things"); r.Status != 404 || string(r.Body) != `{"error":{"code":"ErrorItemNotFound"}}` {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
	w = newWorld(t)
	w.upstream.header = http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}}
	w.upstream.body, w.upstream.chunk = zipped("\xef\xbb", "\xbf4", "2"), 1
	if r := w.get(t, "/v1.0/things/$count", extproc.Header{Name: "consistencylevel", Value: "eventual"}); r.Status != 200 || string(r.Body) != "42" {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
}

// TestCodings are those of which nothing may leave.
func TestCodings(t *testing.T) {
	whole := zipped(oneThing)
	twice := zipped(whole)
	flipped := []byte(whole)
	flipped[len(flipped)-8] ^= 1
	for name, test := range map[string]struct {
		codings []string
		body    string
		code    string
	}{
		"gzip twice":              {[]string{"gzip, gzip"}, twice, "response_encoding_not_allowed"},
		"gzip in two fields":      {[]string{"gzip", "gzip"}, twice, "response_encoding_not_allowed"},
		"gzip and identity":       {[]string{"gzip, identity"}, whole, "response_encoding_not_allowed"},
		"identity and gzip":       {[]string{"identity", "gzip"}, whole, "response_encoding_not_allowed"},
		"identity in two fields":  {[]string{"identity", "identity"}, oneThing, "response_encoding_not_allowed"},
		"half a name in each":     {[]string{"gz", "ip"}, whole, "response_encoding_not_allowed"},
		"an empty member":         {[]string{"gzip,"}, whole, "response_encoding_not_allowed"},
		"an empty field":          {[]string{""}, oneThing, "response_encoding_not_allowed"},
		"a parameter":             {[]string{"gzip;q=1"}, whole, "response_encoding_not_allowed"},
		"a name with more to it":  {[]string{"gzip2"}, whole, "response_encoding_not_allowed"},
		"brotli":                  {[]string{"br"}, oneThing, "response_encoding_not_allowed"},
		"deflate":                 {[]string{"deflate"}, oneThing, "response_encoding_not_allowed"},
		"zstd":                    {[]string{"zstd"}, oneThing, "response_encoding_not_allowed"},
		"plain that says gzip":    {[]string{"gzip"}, oneThing, "response_encoding_malformed"},
		"gzip that says nothing":  {nil, whole, "response_malformed"},
		"gzip that says identity": {[]string{"identity"}, whole, "response_malformed"},
		"gzip in gzip":            {[]string{"gzip"}, twice, "response_malformed"},
		"wrong checksum":          {[]string{"gzip"}, string(flipped), "response_encoding_malformed"},
		"two members":             {[]string{"gzip"}, whole + zipped(" "), "response_encoding_malformed"},
		"something after it":      {[]string{"gzip"}, whole + "CANARY", "response_encoding_malformed"},
		"truncated gzip":          {[]string{"gzip"}, whole[:len(whole)-1], "upstream_truncated"},
		"truncated JSON":          {[]string{"gzip"}, zipped(oneThing[:len(oneThing)-1]), "upstream_truncated"},
		"gzip of nothing":         {[]string{"gzip"}, zipped(), "response_malformed"},
		"bad JSON":                {[]string{"gzip"}, zipped(oneThing + oneThing), "response_malformed"},
		"a bomb":                  {[]string{"gzip"}, zipped(`{"value":[{"secret":"` + strings.Repeat(" ", 66<<20)), "response_ratio"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, trailer := range []http.Header{nil, {"X-Checksum": {"CANARY"}}} {
				w := newWorld(t)
				w.upstream.header = http.Header{"Content-Type": {"application/json"}, "Content-Encoding": test.codings}
				w.upstream.body, w.upstream.trailer = test.body, trailer
				r := w.get(t, "/v1.0/things")
				if trailer != nil && r.Status == 200 && r.Cut { // the end was seen after the body
					continue
				}
				if r.Status != 502 || code(t, r.Body) != test.code {
					t.Errorf("got %d %.300s, want %s", r.Status, r.Body, test.code)
				}
				if record := w.log.records(t, 1)[0]; record["outcome"] != "refused" || record["code"] != test.code {
					t.Errorf("record %v", record)
				}
			}
		})
	}
}

// TestCompressedBrokenOff: what left before the fault was decided, and the client
// sees that it is not all.
func TestCompressedBrokenOff(t *testing.T) {
	start := oneThing[:len(oneThing)-2] + ","
	broken := []byte(zipped(oneThing))
	broken[len(broken)-1] ^= 1
	decided := strings.TrimSuffix(sanitized, "]}")
	decided = decided[:len(decided)-1] // the last byte waits for the end
	for name, test := range map[string]struct {
		body, code string
		reset      bool
	}{
		"malformed JSON": {zipped(start, `{"id":"CANARY","id":"CANARY"}]}`), "response_malformed", false},
		"truncated JSON": {zipped(start, `{"id":"CANARY`), "upstream_truncated", false},
		"truncated gzip": {strings.TrimSuffix(zipped(start, `{"id":"CANARY`), "\x00"), "upstream_truncated", false},
		"wrong length":   {string(broken), "response_encoding_malformed", false},
		"more than all":  {zipped(oneThing) + "CANARY", "response_encoding_malformed", false},
		"reset":          {zipped(oneThing), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.upstream.header = gzipHeader
			w.upstream.body, w.upstream.chunk, w.upstream.reset = test.body, 1, test.reset
			r := w.get(t, "/v1.0/things")
			if r.Status != 200 || !r.Cut || !strings.HasPrefix(string(r.Body), decided) {
				t.Errorf("status %d, cut %v, released %s", r.Status, r.Cut, r.Body)
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

// TestCompressedPieces: however much a chunk inflates to, and though all of it is
// kept, it comes in small pieces; and nobody can go on before it has come.
func TestCompressedPieces(t *testing.T) {
	w := newWorld(t)
	text := `{"value":[{"size":"` + strings.Repeat("a", 40<<20) + `"}]}`
	chunk := []byte(zipped(text))
	x := bodyExchange(t, w, "/v1.0/things")
	calls, total := 0, 0
	var out []byte
	var refusal *extproc.Refusal
	for rest := chunk; rest != nil || x.Pending(); rest = nil {
		if out, refusal = x.Body(out[:0], rest); refusal != nil {
			t.Fatal(refusal)
		}
		if len(out) > 2*inflate.PieceSize+1000 {
			t.Fatalf("%d bytes at once", len(out))
		}
		calls, total = calls+1, total+len(out)
	}
	out, refusal = x.End(nil)
	if record := x.Close(); refusal != nil || total+len(out) != len(text) || record.BytesIn != int64(len(chunk)) || record.BytesOut != int64(len(text)) {
		t.Errorf("%d bytes in %d calls, then %d, %v; in %d, out %d", total, calls, len(out), refusal, record.BytesIn, record.BytesOut)
	}

	for name, next := range map[string]func(*extproc.Exchange) ([]byte, *extproc.Refusal){
		"a chunk": func(x *extproc.Exchange) ([]byte, *extproc.Refusal) { return x.Body(nil, chunk) },
		"the end": func(x *extproc.Exchange) ([]byte, *extproc.Refusal) { return x.End(nil) },
	} {
		x := bodyExchange(t, w, "/v1.0/things")
		if _, refusal := x.Body(nil, chunk); refusal != nil || !x.Pending() {
			t.Fatal(refusal)
		}
		if out, refusal := next(x); refusal == nil || refusal.Code != "internal" || len(out) > 0 {
			t.Errorf("%s while one is pending: %v, %d bytes", name, refusal, len(out))
		}
		x.Close()
	}
	x = bodyExchange(t, w, "/v1.0/things") // closed in the middle
	if _, refusal := x.Body(nil, chunk[:len(chunk)/2]); refusal != nil {
		t.Fatal(refusal)
	}
	x.Close()
	stacks := make([]byte, 1<<20)
	if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("inflate.(*Inflater)")) {
		t.Errorf("a coroutine is left:\n%s", stacks)
	}
}

// TestCompressedLarge goes through the whole stream, in messages that Envoy takes.
func TestCompressedLarge(t *testing.T) {
	w := newWorld(t)
	one := `{"size":"` + strings.Repeat("x", 5000) + `","secret":"CANARY"}`
	text := `{"value":[` + strings.Repeat(one+",", 400) + one + `]}`
	for _, chunk := range []int{0, 16384, 100} {
		w.upstream.header, w.upstream.body, w.upstream.chunk = gzipHeader, zipped(text), chunk
		r := w.get(t, "/v1.0/things")
		if want := strings.ReplaceAll(text, `,"secret":"CANARY"`, ""); r.Status != 200 || r.Cut || string(r.Body) != want {
			t.Errorf("got %d, %d bytes, want %d", r.Status, len(r.Body), len(want))
		}
	}
}

// FuzzCompressed: a compressed body, in any chunks, gives what the plain one
// gives, or is refused as that is.
func FuzzCompressed(f *testing.F) {
	w := newWorld(f)
	f.Add(oneThing, 3)
	f.Add(`{"value":[{"size":"`+strings.Repeat("a", 100_000)+`"}]}`, 50)
	f.Add(`{"value":[],"value":[]}`, 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size <= 0 {
			return
		}
		read := func(body string, headers ...extproc.Header) (string, string) {
			x := w.gateway.NewExchange()
			defer x.Close()
			x.Request(t.Context(), extproc.RequestHead{Method: "GET", Target: "/v1.0/things"})
			if _, refusal := x.Response(extproc.ResponseHead{Status: 200, Headers: append(headers, jsonHeaders...)}); refusal != nil {
				t.Fatal(refusal)
			}
			var out []byte
			var refusal *extproc.Refusal
			for chunk := range slices.Chunk([]byte(body), size) {
				out, refusal = x.Body(out, chunk)
				for refusal == nil && x.Pending() {
					out, refusal = x.Body(out, nil)
				}
				if refusal != nil {
					return "", refusal.Code
				}
			}
			if out, refusal = x.End(out); refusal != nil {
				return "", refusal.Code
			}
			return string(out), ""
		}
		want, wantCode := read(text)
		got, gotCode := read(zipped(text), extproc.Header{Name: "content-encoding", Value: "gzip"})
		if got != want || gotCode != wantCode {
			t.Errorf("got %s %q, want %s %q", gotCode, got, wantCode, want)
		}
	})
}

func BenchmarkCompressed(b *testing.B) {
	w := newWorld(b)
	one := `{"id":"` + thingID + `","owner":"someone@acme.com","size":1e2,"secret":"%d CANARY"},`
	var text strings.Builder
	text.WriteString(`{"value":[`)
	for i := range 400 {
		fmt.Fprintf(&text, one, i)
	}
	body := []byte(zipped(strings.TrimSuffix(text.String(), ",") + "]}"))
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		x := bodyExchange(b, w, "/v1.0/things")
		out, _ = x.Body(out[:0], body)
		for x.Pending() {
			out, _ = x.Body(out[:0], nil)
		}
		if _, refusal := x.End(out); refusal != nil {
			b.Fatal(refusal)
		}
		x.Close()
	}
}
