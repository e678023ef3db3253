package envoy_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/envoy"
)

// reply is a response that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// send makes a request without a body; headers are names and values in turn.
func send(t *testing.T, client *http.Client, method, url string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

// sendText writes an HTTP/1.1 request as it stands, with \n for line ends.
func sendText(t *testing.T, r *rig, text string) reply {
	t.Helper()
	conn, err := tls.Dial("tcp", r.Address(), &tls.Config{RootCAs: r.authority.Pool(), NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

// wantError checks that r is an error in Graph's shape, from Envoy itself.
func wantError(t *testing.T, r reply, status int, code string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	decoder := json.NewDecoder(strings.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.body, err)
	}
	if r.status != status || body.Error.Code != code || body.Error.Message == "" {
		t.Errorf("got %d %s, want %d with code %s and a message", r.status, r.body, status, code)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

var protocols = map[string]bool{"h1": false, "h2": true}

func TestAllowedRequestReachesUpstream(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stub{}, hello)
	for name, http2 := range protocols {
		t.Run(name, func(t *testing.T) {
			before := len(r.upstream.seen())
			got := send(t, r.Client(t, http2), "GET", r.URL+"/a?b=c",
				"Accept-Encoding", "br", "X-Forwarded-For", "192.0.2.1", "X-Forwarded-Host", "evil.example", "X-Request-Id", "mine")
			if got.status != 200 || got.body != `{"VALUE":"HELLO"}` {
				t.Errorf("got %d %q", got.status, got.body)
			}
			seen := r.upstream.seen()[before:]
			if len(seen) != 1 {
				t.Fatalf("upstream saw %d requests", len(seen))
			}
			if seen[0].Host != upstreamName || seen[0].TLS.ServerName != upstreamName || seen[0].RequestURI != "/a?b=c" {
				t.Errorf("upstream saw host %q, server name %q, target %q", seen[0].Host, seen[0].TLS.ServerName, seen[0].RequestURI)
			}
			if got := seen[0].Header.Get("Accept-Encoding"); got != "gzip" {
				t.Errorf("upstream was asked for encoding %q", got)
			}
			for name := range seen[0].Header {
				switch name {
				case "Accept-Encoding", "User-Agent":
				default:
					t.Errorf("upstream saw %s", name)
				}
			}
			if id := r.stub.lastRequest()["x-request-id"]; id == "" || id == "mine" {
				t.Errorf("the processor saw request id %q, want one of Envoy's", id)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]*extprocv3.ProcessingResponse{
		"no metadata": pass(nil),
		"denied": func() *extprocv3.ProcessingResponse {
			a := pass(nil)
			a.DynamicMetadata = metadata(envoy.MetadataDecision, "deny")
			return a
		}(),
		"nearly allowed": func() *extprocv3.ProcessingResponse {
			a := pass(nil)
			a.DynamicMetadata = metadata(envoy.MetadataDecision, "allowed")
			return a
		}(),
		"other namespace": func() *extprocv3.ProcessingResponse {
			a := pass(nil)
			m := metadata(envoy.MetadataDecision, envoy.DecisionAllow)
			m.Fields["other"] = m.Fields[envoy.MetadataNamespace]
			delete(m.Fields, envoy.MetadataNamespace)
			a.DynamicMetadata = m
			return a
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			s := &stub{verbatim: true, request: func(map[string]string) *extprocv3.ProcessingResponse { return answer }}
			r := newRig(t, s, hello)
			for _, http2 := range protocols {
				wantError(t, send(t, r.Client(t, http2), "GET", r.URL+"/"), 403, "notAllowed")
			}
			if n := len(r.upstream.seen()); n != 0 {
				t.Errorf("upstream saw %d requests", n)
			}
		})
	}
}

// The processor ends its stream cleanly, without an answer: Envoy goes on
// without it, and the guard stops the request.
func TestGuardStopsWhatWasNeverDecided(t *testing.T) {
	t.Parallel()
	s := &stub{leave: true}
	r := newRig(t, s, hello)
	wantError(t, send(t, r.Client(t, true), "GET", r.URL+"/", "Authorization", "Bearer of-the-caller"), 403, "notAllowed")
	if n := len(r.upstream.seen()); n != 0 {
		t.Errorf("upstream saw %d requests", n)
	}
}

func TestProcessorMayChange(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, hello)
	for name, http2 := range protocols {
		t.Run(name, func(t *testing.T) {
			s.onRequest(func(headers map[string]string) *extprocv3.ProcessingResponse {
				// What a processor does: all that it does not know goes.
				var pairs []string
				for name := range headers {
					if !strings.HasPrefix(name, ":") {
						pairs = append(pairs, name, "-")
					}
				}
				return allow(mutate(append(pairs, ":path", "/new?x=y", "authorization", "Bearer token",
					"accept", "application/json", "user-agent", "graphveil", "prefer", "a", "content-type", "b/c",
					"absent", "-")...))
			})
			before := len(r.upstream.seen())
			got := send(t, r.Client(t, http2), "GET", r.URL+"/old",
				"Authorization", "Bearer caller", "Cookie", "a=b", "X-Anything", "1", "Te", "trailers", "X-Envoy-Foo", "1",
				"Forwarded", "for=192.0.2.1", "Via", "1.1 a", "Content-Length", "0", "Trailer", "x")
			if got.status != 200 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			seen := r.upstream.seen()[before]
			want := map[string]string{"Authorization": "Bearer token", "Accept": "application/json", "User-Agent": "graphveil",
				"Prefer": "a", "Content-Type": "b/c", "Accept-Encoding": "gzip"}
			for name, values := range seen.Header {
				if len(values) != 1 || want[name] != values[0] {
					t.Errorf("upstream saw %s: %q", name, values)
				}
				delete(want, name)
			}
			if len(want) != 0 || seen.RequestURI != "/new?x=y" {
				t.Errorf("upstream saw target %q, not %v", seen.RequestURI, want)
			}
		})
	}
}

func TestProcessorMayNotChange(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, hello)
	client := r.Client(t, true)
	for _, name := range []string{":method", ":scheme", ":authority", ":status", ":protocol", ":other", "host",
		"content-length", "transfer-encoding", "connection", "upgrade", "x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms"} {
		for _, value := range []string{"POST", "-"} {
			s.onRequest(func(map[string]string) *extprocv3.ProcessingResponse { return allow(mutate(name, value)) })
			t.Run(name+" "+value, func(t *testing.T) {
				wantError(t, send(t, client, "GET", r.URL+"/"), 502, "badGateway")
			})
		}
	}
	for name, mutation := range map[string]*extprocv3.HeaderMutation{
		"removing the path": mutate(":path", "-"),
		"a line break":      mutate("x-a", "b\r\nx-c: d"),
	} {
		s.onRequest(func(map[string]string) *extprocv3.ProcessingResponse { return allow(mutation) })
		t.Run(name, func(t *testing.T) {
			wantError(t, send(t, client, "GET", r.URL+"/"), 502, "badGateway")
		})
	}
	if n := len(r.upstream.seen()); n != 0 {
		t.Errorf("upstream saw %d requests", n)
	}
}

// Envoy obeys no order that a caller writes into headers, not even from
// 127.0.0.1, which it takes for internal by default.
func TestEnvoyHeadersOfCallersHaveNoEffect(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(150 * time.Millisecond) // longer than the timeout that the caller asks for
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(503)
	})
	for name, http2 := range protocols {
		t.Run(name, func(t *testing.T) {
			before := len(r.upstream.seen())
			got := send(t, r.Client(t, http2), "GET", r.URL+"/",
				"X-Envoy-Retry-On", "5xx", "X-Envoy-Max-Retries", "5", "X-Envoy-Upstream-Rq-Timeout-Ms", "20",
				"X-Envoy-Upstream-Rq-Timeout-Alt-Response", "1", "X-Envoy-Upstream-Alt-Stat-Name", "mine",
				"X-Envoy-Retriable-Status-Codes", "503", "X-Envoy-Internal", "true", "X-Envoy-Anything", "1",
				"X-Envoy-Original-Path", "/other", "X-Envoy-Force-Trace", "true", "X-Envoy-Expected-Rq-Timeout-Ms", "20",
				"X-Request-Id", "mine")
			if got.status != 503 || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d %v", got.status, got.header)
			}
			seen := r.upstream.seen()[before:]
			if len(seen) != 1 {
				t.Fatalf("upstream saw %d requests, want 1 without retries", len(seen))
			}
			for name := range seen[0].Header {
				if strings.HasPrefix(name, "X-Envoy") {
					t.Errorf("upstream saw %s", name)
				}
			}
			// Envoy keeps the id of an internal request.
			if id := s.lastRequest()["x-request-id"]; id == "" || id == "mine" {
				t.Errorf("the processor saw request id %q, want one of Envoy's", id)
			}
			for name := range s.lastRequest() {
				if strings.HasPrefix(name, "x-envoy") || strings.HasPrefix(name, "x-forwarded") {
					t.Errorf("the processor saw %s", name)
				}
			}
			for name := range got.header {
				if strings.HasPrefix(name, "X-Envoy") {
					t.Errorf("the caller saw %s", name)
				}
			}
		})
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	s := &stub{verbatim: true}
	r := newRig(t, s, hello)
	for _, target := range []string{"/a%2Fb", "/a%2fb", "/a%5Cb", "/a%5cb", "/a%00b", "/a#b", "/a?b#c"} {
		t.Run("refused "+target, func(t *testing.T) {
			before := len(s.seen())
			wantError(t, sendText(t, r, "GET "+target+" HTTP/1.1\nhost: a\nconnection: close\n\n"), 400, "badRequest")
			if len(s.seen()) != before {
				t.Error("the processor was asked about it")
			}
		})
	}
	for target, want := range map[string]string{
		"/a/../b":  "/b",
		"//a///b":  "/a/b",
		"/a/%2e/b": "/a/b",
		"/a%252fb": "/a%252fb", // the processor's to refuse
		"/a;b":     "/a;b",
		`/a\b`:     "/a/b",
		"/a?b=%2F": "/a?b=%2F",
	} {
		t.Run("resolved "+target, func(t *testing.T) {
			sendText(t, r, "GET "+target+" HTTP/1.1\nhost: a\nconnection: close\n\n")
			if got := s.lastRequest()[":path"]; got != want {
				t.Errorf("the processor saw %q, want %q", got, want)
			}
		})
	}
}

func TestNoWayAroundRequests(t *testing.T) {
	t.Parallel()
	s := &stub{verbatim: true}
	r := newRig(t, s, hello)
	t.Run("upgrade", func(t *testing.T) {
		got := sendText(t, r, "GET / HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: websocket\nsec-websocket-version: 13\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\n\n")
		wantError(t, got, 403, "notAllowed")
	})
	t.Run("connect", func(t *testing.T) {
		got := sendText(t, r, "CONNECT graph.example:443 HTTP/1.1\nhost: graph.example:443\n\n")
		wantError(t, got, 404, "notFound")
	})
	t.Run("connect over h2", func(t *testing.T) {
		wantError(t, send(t, r.Client(t, true), "CONNECT", r.URL+"/"), 404, "notFound")
	})
	t.Run("asterisk", func(t *testing.T) {
		wantError(t, sendText(t, r, "OPTIONS * HTTP/1.1\nhost: a\nconnection: close\n\n"), 404, "notFound")
	})
	if n := len(r.upstream.seen()); n != 0 {
		t.Errorf("upstream saw %d requests", n)
	}
	// A header with an underscore could pass for another one behind Envoy.
	for name, http2 := range protocols {
		t.Run("underscore over "+name, func(t *testing.T) {
			request, err := http.NewRequest("GET", r.URL+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header["X_Y"] = []string{"z"}
			before := len(s.seen())
			response, err := r.Client(t, http2).Do(request)
			if err == nil {
				response.Body.Close()
				if response.StatusCode != 400 {
					t.Errorf("got status %d", response.StatusCode)
				}
			}
			if len(s.seen()) != before {
				t.Error("the processor was asked about it")
			}
		})
	}
	t.Run("h2c upgrade", func(t *testing.T) {
		got := sendText(t, r, "GET / HTTP/1.1\nhost: a\nconnection: upgrade, http2-settings, close\nupgrade: h2c\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\n\n")
		if got.status != 200 || got.body != `{"value":"hello"}` {
			t.Errorf("got %d %q, want the answer to a plain request", got.status, got.body)
		}
	})
}

// The processor is not shown request bodies, but that there is one.
func TestProcessorLearnsOfBody(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, hello)
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\nhost: a\nconnection: close\n\n":                                    true,
		"GET / HTTP/1.1\nhost: a\nconnection: close\ncontent-length: 0\n\n":                 true,
		"GET / HTTP/1.1\nhost: a\nconnection: close\ncontent-length: 2\n\nab":               false,
		"GET / HTTP/1.1\nhost: a\nconnection: close\ntransfer-encoding: chunked\n\n0\n\n":   false,
		"PATCH / HTTP/1.1\nhost: a\nconnection: close\ntransfer-encoding: chunked\n\n0\n\n": false,
	} {
		sendText(t, r, text)
		if got := s.lastEndOfStream(); got != want {
			t.Errorf("%q: end of stream is %v at the headers, want %v", text, got, want)
		}
		for _, name := range []string{"content-length", "transfer-encoding", "connection"} {
			if _, there := s.lastRequest()[name]; there {
				t.Errorf("%q: the processor saw %s, which it may not remove", text, name)
			}
		}
	}
}
