package envoy_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// dropUnknown is what a processor does: all but the content type goes.
func dropUnknown(headers map[string]string) *extprocv3.ProcessingResponse {
	var pairs []string
	for name := range headers {
		if !strings.HasPrefix(name, ":") && name != "content-type" {
			pairs = append(pairs, name, "-")
		}
	}
	return responseHeaders(mutate(pairs...))
}

// Over HTTP/1.1 an upstream sends headers about the connection, which the
// processor may not remove and so must not see.
func TestProcessorRemovesResponseHeaders(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("upstream http2=%v", http2), func(t *testing.T) {
			a := envoytest.NewAuthority(t)
			u := newUpstream(t, a, http2, func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"Request-Id", "Server", "Etag", "X-Envoy-Upstream-Service-Time", "X-Envoy-Anything",
					"X-Ms-Ags-Diagnostic", "Set-Cookie", "Location", "Date", "Via", "Alt-Svc"} {
					w.Header().Set(name, "canary")
				}
				if !http2 {
					for _, name := range []string{"Keep-Alive", "Proxy-Connection", "Upgrade"} {
						w.Header().Set(name, "canary")
					}
					w.Header().Set("Connection", "close")
				}
				if r.URL.Path == "/chunked" {
					w.Header().Set("Trailer", "X-Trailer")
					hello(w, r)
					w.(http.Flusher).Flush()
					w.Header().Set("X-Trailer", "canary")
					return
				}
				hello(w, r)
			})
			s := &stub{response: dropUnknown}
			r := envoytest.Start(t, a, envoy.Config{
				Processor: s.serve(t),
				Upstream:  envoy.Upstream{Host: upstreamName, Address: u.address},
			})
			for name, http2 := range protocols {
				for _, path := range []string{"/length", "/chunked"} {
					got := send(t, r.Client(t, http2), "GET", r.URL+path)
					if got.status != 200 || got.body != `{"VALUE":"HELLO"}` {
						t.Fatalf("%s %s: got %d %q", name, path, got.status, got.body)
					}
					for header, values := range got.header {
						switch header {
						case "Content-Type", "Vary":
						case "Date":
							if values[0] == "canary" {
								t.Errorf("%s %s: the caller saw the upstream's date", name, path)
							}
						default:
							t.Errorf("%s %s: the caller saw %s", name, path, header)
						}
					}
				}
			}
		})
	}
}

func TestProcessorMayNotChangeResponse(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, hello)
	for _, name := range []string{":status", ":method", "transfer-encoding", "connection", "upgrade", "x-envoy-a"} {
		for _, value := range []string{"201", "-"} {
			t.Run(name+" "+value, func(t *testing.T) {
				s.onResponse(func(map[string]string) *extprocv3.ProcessingResponse { return responseHeaders(mutate(name, value)) })
				wantError(t, send(t, r.Client(t, true), "GET", r.URL+"/"), 502, "badGateway")
			})
		}
	}
}

// What the processor answers at once keeps its body, in either half, if its
// details say whose it is.
func TestImmediateResponse(t *testing.T) {
	t.Parallel()
	const own = `{"error":{"code":"own","message":"Own words, 100 %."}}`
	deny := func(details, body string, headers ...string) func(map[string]string) *extprocv3.ProcessingResponse {
		headers = append(headers, "content-type", "application/json")
		return func(map[string]string) *extprocv3.ProcessingResponse {
			return immediate(403, details, body, headers...)
		}
	}
	s := &stub{}
	r := newRig(t, s, hello)
	for name, http2 := range protocols {
		client := r.Client(t, http2)
		check := func(t *testing.T) {
			t.Helper()
			got := send(t, client, "GET", r.URL+"/")
			if got.status != 403 || got.body != own || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d %v %s", got.status, got.header, got.body)
			}
		}
		t.Run("request headers over "+name, func(t *testing.T) {
			s.onRequest(deny(envoy.DetailsPrefix+"code", own, "retry-after", "7", "www-authenticate", "Bearer"))
			before := len(r.upstream.seen())
			check(t)
			got := send(t, client, "GET", r.URL+"/")
			if got.header.Get("Retry-After") != "7" || got.header.Get("Www-Authenticate") != "Bearer" {
				t.Errorf("headers are missing from %v", got.header)
			}
			if n := len(r.upstream.seen()) - before; n != 0 {
				t.Errorf("upstream saw %d requests", n)
			}
		})
		t.Run("a header that may not be set over "+name, func(t *testing.T) {
			// The answer is made all the same, without any more headers.
			s.onRequest(deny(envoy.DetailsPrefix+"code", own, "content-type", "application/json", "connection", "close"))
			check(t)
		})
		t.Run("other details over "+name, func(t *testing.T) {
			s.onRequest(deny("other", own))
			wantError(t, send(t, client, "GET", r.URL+"/"), 403, "notAllowed")
		})
		t.Run("HEAD over "+name, func(t *testing.T) {
			s.onRequest(deny(envoy.DetailsPrefix+"code", own))
			if got := send(t, client, "HEAD", r.URL+"/"); got.status != 403 || got.body != "" {
				t.Errorf("got %d %q", got.status, got.body)
			}
		})
		t.Run("response headers over "+name, func(t *testing.T) {
			s.onRequest(nil)
			s.onResponse(deny(envoy.DetailsPrefix+"code", own))
			check(t)
			s.onResponse(nil)
		})
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stub{response: dropUnknown}, hello)
	for name, http2 := range protocols {
		got := send(t, r.Client(t, http2), "HEAD", r.URL+"/")
		if got.status != 200 || got.body != "" || got.header.Get("Content-Length") != "" {
			t.Errorf("%s: got %d %v %q", name, got.status, got.header, got.body)
		}
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("a page of mail ", 10000)
	r := newRig(t, &stub{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		io.WriteString(w, page)
	})
	for name, http2 := range protocols {
		for _, test := range []struct {
			accept, contentType, want string
		}{
			{"gzip", "application/json", "gzip"},
			{"br, gzip;q=0.5", "application/json;odata.metadata=minimal;charset=utf-8", "gzip"},
			{"gzip;q=0", "application/json", ""},
			{"br", "application/json", ""},
			{"", "application/json", ""},
			{"gzip", "text/plain", ""},
		} {
			t.Run(fmt.Sprintf("%s %s %s", name, test.accept, test.contentType), func(t *testing.T) {
				var headers []string
				if test.accept != "" {
					headers = []string{"Accept-Encoding", test.accept}
				}
				got := send(t, r.Client(t, http2), "GET", r.URL+"/?type="+strings.ReplaceAll(test.contentType, ";", "%3B"), headers...)
				if got.header.Get("Content-Encoding") != test.want {
					t.Fatalf("got encoding %q, want %q", got.header.Get("Content-Encoding"), test.want)
				}
				body := got.body
				if test.want == "gzip" {
					zr, err := gzip.NewReader(strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					var out bytes.Buffer
					if _, err := io.Copy(&out, zr); err != nil {
						t.Fatal(err)
					}
					body = out.String()
				}
				if body != strings.ToUpper(page) {
					t.Errorf("got %d bytes that are not the processed page", len(body))
				}
			})
		}
	}
}
