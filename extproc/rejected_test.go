package extproc_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
)

const challengeClaims = `{"access_token":{"nbf":{"essential":true,"value":"CANARY"}}}`

var challengeField = `Bearer realm="", authorization_uri="https://login.example/CANARY", error="insufficient_claims", claims="` +
	base64.StdEncoding.EncodeToString([]byte(challengeClaims)) + `"`

// TestTokenRejected: the source hears of a 401 to its token, and the client what came of it.
func TestTokenRejected(t *testing.T) {
	for name, test := range map[string]struct {
		field, claims string
		again         bool
		after         time.Duration
		graphs        string // the upstream's own Retry-After
		status        int
		code, retry   string
	}{
		"challenge":            {challengeField, challengeClaims, true, time.Second, "", 503, "upstream_token_rejected", "1"},
		"plain":                {`Bearer realm="CANARY"`, "", true, time.Second, "", 503, "upstream_token_rejected", "1"},
		"no field":             {"", "", true, time.Second, "", 503, "upstream_token_rejected", "1"},
		"malformed":            {challengeField + `"`, "", true, time.Second, "", 503, "upstream_token_rejected", "1"},
		"in vain":              {challengeField, challengeClaims, false, 75500 * time.Millisecond, "", 502, "upstream_unauthorized", "76"},
		"nobody knows":         {"", "", false, 0, "", 502, "upstream_unauthorized", ""},
		"the upstream says so": {"", "", true, time.Second, "30", 503, "upstream_token_rejected", "30"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			reports := 0
			w.tokens.rejected = func(connector, token, claims string) (bool, time.Duration) {
				reports++
				if connector != "things" || token != graphToken || claims != test.claims {
					t.Errorf("reported %s, %d bytes of token, claims %s", connector, len(token), claims)
				}
				return test.again, test.after
			}
			// The coding of an answer that is not passed on is of no interest.
			w.upstream.status, w.upstream.header = 401, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"x-unknown"}}
			w.upstream.body = `{"error":{"code":"InvalidAuthenticationToken","message":"CANARY"}}`
			if test.field != "" {
				w.upstream.header.Set("WWW-Authenticate", test.field)
			}
			if test.graphs != "" {
				w.upstream.header.Set("Retry-After", test.graphs)
			}
			r := w.get(t, "/v1.0/things")
			if r.Status != test.status || code(t, r.Body) != test.code || r.Header.Get("Retry-After") != test.retry || r.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("got %d %v %s", r.Status, r.Header, r.Body)
			}
			if reports != 1 {
				t.Errorf("%d reports", reports)
			}
			record := w.log.records(t, 1)[0]
			if record["outcome"] != "refused" || record["code"] != test.code || record["upstream_status"] != 401.0 || record["status"] != float64(test.status) {
				t.Errorf("record %v", record)
			}
		})
	}
}

// TestNoRejection: nothing but the upstream's own 401 is reported.
func TestNoRejection(t *testing.T) {
	w := newWorld(t)
	w.tokens.rejected = func(string, string, string) (bool, time.Duration) {
		t.Error("reported")
		return true, time.Second
	}
	w.upstream.header.Set("WWW-Authenticate", challengeField)
	if r := w.get(t, "/v1.0/things"); r.Status != 200 || r.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("got %d %v", r.Status, r.Header)
	}
	for _, status := range []int{403, 407, 500} {
		w.upstream.status = status
		w.get(t, "/v1.0/things")
	}
	// Envoy's own answer to a request that the processor has not seen, and a second head.
	head := extproctest.ResponseHeaders(401, []extproc.Header{{Name: "www-authenticate", Value: challengeField}}, true)
	if _, err := w.Play(t.Context(), configured(head)); err != nil {
		t.Fatal(err)
	}
	w.upstream.status = 200
	if _, err := w.Play(t.Context(), getThings(), ok(), head); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(w.log.String(), "panic") {
		t.Error("a panic")
	}
}
