package main

import (
	"strings"
	"testing"
)

// with is an allowed request with further header fields, or with a body.
func with(target, sent string, fields ...[2]string) attempt {
	a := try(target, "200", sent)
	a.fields = fields
	return a
}

// TestDenyHeaders sends headers that claim, order or ask for something. None of
// them arrives upstream, but those that the endpoint lists, with listed values.
func TestDenyHeaders(t *testing.T) {
	b := newDenyBench(t)
	const users = "/v1.0/users"
	messages := b.sentPath(0)
	sent := users + "/" + b.Graph.UserID(0) + "/mailFolders/SentItems/messages"
	attempts := []attempt{
		with(users, users, [2]string{"authorization", clientToken}),
		with(users, users, [2]string{"authorization", clientToken}, [2]string{"authorization", "Bearer another"}),
		with(users, users, [2]string{"cookie", clientCookie}, [2]string{"cookie", "a=b"}),
		with(users, users, [2]string{"proxy-authorization", "Basic eDp5"}),
	}
	for name, value := range map[string]string{
		"accept":                         "application/json;odata.metadata=full",
		"accept-encoding":                "gzip, br",
		"accept-language":                "de",
		"user-agent":                     "client/1",
		"range":                          "bytes=0-1",
		"if-none-match":                  `"x"`,
		"if-modified-since":              "Mon, 23 Nov 2026 10:00:00 GMT",
		"x-http-method":                  "DELETE",
		"x-http-method-override":         "DELETE",
		"x-method-override":              "DELETE",
		"x-original-url":                 "/v1.0/me",
		"x-rewrite-url":                  "/v1.0/me",
		"x-forwarded-for":                "192.0.2.1",
		"x-forwarded-host":               "elsewhere.example",
		"x-forwarded-proto":              "http",
		"x-forwarded-client-cert":        "URI=spiffe://example.org/admin",
		"forwarded":                      "for=192.0.2.1",
		"x-real-ip":                      "192.0.2.1",
		"x-request-id":                   "d2719f5e-9d36-4b53-8b52-5b3f6c86ab0f",
		"client-request-id":              "d2719f5e-9d36-4b53-8b52-5b3f6c86ab0f",
		"traceparent":                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"x-envoy-original-path":          "/v1.0/me",
		"x-envoy-upstream-rq-timeout-ms": "1",
		"x-envoy-retry-on":               "5xx",
		"x-envoy-internal":               "true",
		"x-envoy-force-trace":            "true",
		"x-ms-client-principal":          "x",
		"x-anchormailbox":                "a@b.example",
		"sdkversion":                     "x",
		"origin":                         "https://elsewhere.example",
		"referer":                        "https://elsewhere.example",
		"prefer":                         "return=minimal", // the endpoint lists no Prefer
		"early-data":                     "1",
	} {
		attempts = append(attempts, with(users, users, [2]string{name, value}))
	}
	for _, value := range []string{
		`IdType="ImmutableId"`, `outlook.body-content-type="text"`, `outlook.timezone="UTC", odata.maxpagesize=5`,
	} {
		a := with(messages, sent, [2]string{"prefer", value})
		a.forwarded = map[string]string{"Prefer": value}
		attempts = append(attempts, a)
	}
	for _, value := range []string{"return=minimal", "respond-async", "include-unknown-enum-members", `IdType="x"`, `odata.maxpagesize=99999`, "x\x80y"} {
		a := with(messages, "", [2]string{"prefer", value})
		a.want = "403 header_value_not_allowed"
		attempts = append(attempts, a)
	}
	eventual := with(users, users, [2]string{"ConsistencyLevel", "eventual"})
	eventual.forwarded, eventual.only = map[string]string{"Consistencylevel": "eventual"}, "h1"
	eventual2 := with(users, users, [2]string{"consistencylevel", "eventual"})
	eventual2.forwarded, eventual2.only = eventual.forwarded, "h2"
	session := with(users, "", [2]string{"consistencylevel", "session"})
	session.want = "403 header_value_not_allowed"
	b.try(t, append(attempts, eventual, eventual2, session))
}

// TestDenyFraming: requests with a body, or with two readings of where one ends.
func TestDenyFraming(t *testing.T) {
	b := newDenyBench(t)
	const (
		users = "/v1.0/users"
		body  = "400 body_not_allowed"
	)
	post := func(protocol, want, body string, fields ...[2]string) attempt {
		return attempt{wireCall: wireCall{target: users, fields: fields, body: body}, want: want, only: protocol}
	}
	raw := func(want, sent string, lines ...string) attempt {
		return attempt{wireCall: wireCall{raw: strings.Join(lines, "\r\n")}, want: want, sent: sent, only: "h1"}
	}
	const get, host = "GET /v1.0/users HTTP/1.1", "host: localhost"
	b.try(t, []attempt{
		post("", body, `{"a":1}`, [2]string{"content-length", "7"}, [2]string{"content-type", "application/json"}),
		post("h2", body, `{"a":1}`),
		post("h1", body, "7\r\n{\"a\":1}\r\n0\r\n\r\n", [2]string{"transfer-encoding", "chunked"}),
		post("h1", body, "0\r\n\r\n", [2]string{"transfer-encoding", "chunked"}),
		post("h1", body, `{"a":1}`, [2]string{"content-length", "7"}, [2]string{"expect", "100-continue"}),
		with(users, users, [2]string{"content-length", "0"}),
		with(users, users, [2]string{"content-type", "application/json"}),
		with(users, users, [2]string{"content-encoding", "gzip"}),

		// Who reads the length and who the coding disagree.
		raw(closed, "", get, host, "content-length: 4", "transfer-encoding: chunked", "", "0\r\n\r\n"),
		raw(closed, "", get, host, "content-length: 0", "content-length: 5", "", "GET /"),
		raw(closed, "", get, host, "transfer-encoding: chunked, identity", "", "0\r\n\r\n"),
		raw(closed, "", get, host, "transfer-encoding: gzip", "", ""),
		raw(closed, "", get, host, " folded: x", "", ""),
		raw(closed, "", get, host, "name : x", "", ""),
		raw(closed, "", get, host, "na\x00me: x", "", ""),
		raw(closed, "", "GET /v1.0/users", "", ""),
		raw(closed, "", "GET /v1.0/users HTTP/9.9", host, "", ""),
		raw(closed, "", "PRI * HTTP/2.0", "", "SM", "", ""),
		raw(closed, "", get, host, "x_underscore: 1", "", ""),

		// Protocol switches and tunnels.
		raw("403 request_refused", "", get, host, "connection: upgrade", "upgrade: websocket", "", ""),
		raw("200", users, get, host, "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__", "", ""),
		raw("200", users, get, host, "connection: authorization", "", ""),
		raw("200", users, get, "host: graph.microsoft.com", "", ""),
		raw("200", users, get, "host: elsewhere.example", "", ""),
	})
}
