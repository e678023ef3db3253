package extproc_test

import (
	"fmt"
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
	"github.com/graphveil/graphveil/policy/odata"
)

type message = *extprocv3.ProcessingRequest

var jsonHeaders = []extproc.Header{{Name: "content-type", Value: "application/json"}}

func getThings() message {
	return extproctest.RequestHeaders([]extproc.Header{
		{Name: ":method", Value: "GET"}, {Name: ":path", Value: "/v1.0/things"},
		{Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "localhost"},
	}, true)
}

func ok() message   { return extproctest.ResponseHeaders(200, jsonHeaders, false) }
func page() message { return extproctest.ResponseBody([]byte(`{"value":[{"secret":"CANARY"}]}`), true) }

// configured makes a message the first of a stream.
func configured(m message) message {
	m.ProtocolConfig = getThings().ProtocolConfig
	return m
}

// TestOutOfOrder sends messages in orders in which Envoy never sends them. The
// stream must end with an error, or with an answer in our own words, and what
// was not decided must not be released.
func TestOutOfOrder(t *testing.T) {
	requestBody := &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte("CANARY"), EndOfStream: true},
	}}
	requestTrailers := &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{}}
	trailers := func() message { return extproctest.ResponseTrailers([]extproc.Header{{Name: "x", Value: "CANARY"}}) }
	sanitized := `{"value":[{}]}`
	for name, test := range map[string]struct {
		messages []message
		released string // what may leave before the fault
	}{
		"response headers first":             {messages: []message{configured(ok())}},
		"response body first":                {messages: []message{configured(page())}},
		"trailers first":                     {messages: []message{configured(trailers())}},
		"empty message":                      {messages: []message{configured(&extprocv3.ProcessingRequest{})}},
		"empty message later":                {messages: []message{getThings(), {}}},
		"request headers twice":              {messages: []message{getThings(), getThings()}},
		"request body":                       {messages: []message{getThings(), requestBody}},
		"request trailers":                   {messages: []message{getThings(), requestTrailers}},
		"body before response headers":       {messages: []message{getThings(), page()}},
		"trailers before response headers":   {messages: []message{getThings(), trailers()}},
		"response headers twice":             {messages: []message{getThings(), ok(), ok()}},
		"request headers in the response":    {messages: []message{getThings(), ok(), getThings(), page()}},
		"trailers without a body":            {messages: []message{getThings(), ok(), trailers()}},
		"body after the end":                 {messages: []message{getThings(), ok(), page(), page()}, released: sanitized},
		"trailers after the end":             {messages: []message{getThings(), ok(), page(), trailers()}, released: sanitized},
		"response headers after the end":     {messages: []message{getThings(), ok(), page(), ok()}, released: sanitized},
		"request headers after the end":      {messages: []message{getThings(), ok(), page(), getThings()}, released: sanitized},
		"body after a head that was the end": {messages: []message{getThings(), extproctest.ResponseHeaders(204, nil, true), page()}},
		"body of a 204":                      {messages: []message{getThings(), extproctest.ResponseHeaders(204, jsonHeaders, false), page()}},
		"body of a 304":                      {messages: []message{getThings(), extproctest.ResponseHeaders(304, jsonHeaders, false), page()}},
		"informational response":             {messages: []message{getThings(), extproctest.ResponseHeaders(103, jsonHeaders, false), page()}},
		"no status":                          {messages: []message{getThings(), extproctest.ResponseHeaders(0, jsonHeaders, false), page()}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			replies, err := w.Play(t.Context(), test.messages...)
			if err != nil {
				t.Fatal(err)
			}
			immediate := replies.Immediate()
			if replies.Err == nil && immediate == nil {
				t.Error("the stream ended cleanly, without a word")
			}
			if immediate != nil && test.released != "" {
				t.Error("an answer in our own words after the response has left")
			}
			if got := string(replies.Body()); got != test.released {
				t.Errorf("released %q, want %q", got, test.released)
			}
			if r := w.log.records(t, 1)[0]; r["code"] == nil && r["outcome"] != "aborted" {
				t.Errorf("record %v", r)
			}
		})
	}
}

// TestZeroExchange calls an exchange that nobody made, and each method out of
// order: all refuse.
func TestZeroExchange(t *testing.T) {
	w := newWorld(t)
	for name, x := range map[string]*extproc.Exchange{"zero": {}, "new": w.gateway.NewExchange()} {
		if _, refusal := x.Response(extproc.ResponseHead{Status: 200, Headers: jsonHeaders}); refusal == nil {
			t.Errorf("%s: a response without a request", name)
		}
		if out, refusal := x.Body(nil, []byte(`{"value":[]}`)); refusal == nil || len(out) > 0 {
			t.Errorf("%s: a body without a response", name)
		}
		if out, refusal := x.End(nil); refusal == nil || len(out) > 0 {
			t.Errorf("%s: an end without a body", name)
		}
		// After a refusal nothing goes any more.
		if f, refusal := x.Request(t.Context(), extproc.RequestHead{Method: "GET", Target: "/v1.0/things"}); refusal == nil {
			t.Errorf("%s: a request after a refusal: %v", name, f)
		}
		if r := x.Close(); r.Outcome == extproc.OutcomeSanitized || r.Code != "internal" {
			t.Errorf("%s: record %+v", name, r)
		}
	}
	if f, refusal := new(extproc.Exchange).Request(t.Context(), extproc.RequestHead{Method: "GET", Target: "/v1.0/things"}); refusal == nil {
		t.Errorf("zero: a request without a policy: %v", f)
	}
}

// TestRevealedPath: a token of ours that hides what is no path segment leads
// nowhere, like a token that is not ours.
func TestRevealedPath(t *testing.T) {
	for value, want := range map[string]string{
		thingID: "/v1.0/things/" + thingID, "a b+c@d": "/v1.0/things/a%20b%2Bc@d",
		"a/b": "", "..": "", ".": "", `a\b`: "", "a\x00": "", "users('x')": "", "$count": "",
	} {
		w := newWorld(t)
		w.upstream.body = `{"size":1}`
		r := w.get(t, "/v1.0/things/"+string(odata.AppendSegment(nil, string(w.codec.AppendReversible(nil, []byte(value))))))
		if want != "" {
			if r.Status != 200 || w.upstream.last.RequestURI != want {
				t.Errorf("%q: status %d, upstream %v", value, r.Status, w.upstream.last)
			}
			continue
		}
		if r.Status != 404 || code(t, r.Body) != "id_not_revealed" || w.upstream.last != nil {
			t.Errorf("%q: status %d %s", value, r.Status, r.Body)
		}
	}
}

// TestReveal answers every token that is not ours alike.
func TestReveal(t *testing.T) {
	w := newWorld(t)
	token := string(w.codec.AppendReversible(nil, []byte(thingID)))
	hash := token[:45]
	answers := map[string]string{}
	for name, token := range map[string]string{
		"hash changed":       "p~A" + token[3:],
		"ciphertext changed": token[:len(token)-2] + "AA",
		"truncated":          token[:len(token)-3],
		"hash alone":         hash,
		"other ciphertext":   hash + strings.Repeat("A", 21),
		"made up":            "p~" + strings.Repeat("A", 107),
		"foreign domain":     token + "@acme.com",
	} {
		r := w.get(t, "/v1.0/things/"+token)
		if r.Status != 404 || w.upstream.last != nil {
			t.Errorf("%s: status %d", name, r.Status)
		}
		answers[fmt.Sprint(r.Status, r.Header, string(r.Body))] = name
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
	if r := w.get(t, "/v1.0/things/"+thingID); r.Status != 403 || code(t, r.Body) != "id_not_pseudonymous" {
		t.Errorf("a plain id: %d %s", r.Status, r.Body)
	}
}
