package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// challengeOf is the field by which Graph asks for a token with claims.
func challengeOf(claims string) string {
	return `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000", ` +
		`error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`
}

// unauthorized is Graph's 401, with a claims challenge unless claims is empty.
func unauthorized(claims string) graph.Fault {
	f := graph.Fault{Status: http.StatusUnauthorized, Times: -1}
	if claims != "" {
		f.Header = http.Header{"Www-Authenticate": {challengeOf(claims)}}
	}
	return f
}

// TestRevokedWhilePaging: the application's tokens are revoked while a client
// reads a list. It is asked to come again once, does so, and reads on; Entra has
// one token request more. Envoy, which repeats what Graph asks to repeat, repeats
// neither Graph's 401 nor our 503.
func TestRevokedWhilePaging(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, nil)
			r := l.start()
			before := l.Entra.Stats()
			l.Graph.ForgetRequests()
			var ids []string
			requests, turnedAway := 0, 0
			for target := "/v1.0/users?$top=7"; target != ""; {
				response := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: target})
				requests++
				if response.status == http.StatusServiceUnavailable {
					if response.code() != "upstream_token_rejected" || response.header.Get("Retry-After") != "1" || response.header.Get("Www-Authenticate") != "" {
						t.Errorf("got %s %v", &response, response.header)
					}
					turnedAway++
					continue // sooner than asked for: the token is waited for
				}
				var page struct {
					Value []struct{ ID string }
					Next  string `json:"@odata.nextLink"`
				}
				if err := json.Unmarshal(response.body, &page); err != nil || response.status != http.StatusOK {
					t.Fatalf("got %s, %v", &response, err)
				}
				for _, user := range page.Value {
					ids = append(ids, user.ID)
				}
				_, target, _ = strings.Cut(page.Next, "https://localhost")
				if requests == 2 {
					l.Entra.Revoke(directoryClient)
				}
			}
			slices.Sort(ids)
			if n := len(slices.Compact(ids)); n != 30 || turnedAway != 1 {
				t.Errorf("%d of 30 users came, turned away %d times, want once", n, turnedAway)
			}
			if after := l.Entra.Stats(); after.TokenRequests != before.TokenRequests+1 || after.Issued != before.Issued+1 {
				t.Errorf("%d token requests for one revocation", after.TokenRequests-before.TokenRequests)
			}
			if n := len(l.Graph.Requests()); n != requests {
				t.Errorf("Graph saw %d requests, the client made %d", n, requests)
			}
			_, metrics := get(t, r.adminURL+"/metrics")
			for _, line := range []string{
				`graphveil_token_rejections_total{connector="entra_id",kind="challenge"} 1`,
				`graphveil_token_rejections_total{connector="entra_id",kind="plain"} 0`,
				`graphveil_token_rejections_total{connector="outlook_mail",kind="challenge"} 0`,
				`graphveil_token_refreshes_total{connector="entra_id"} 2`,
				`graphveil_token_backoff_seconds{connector="entra_id"} 0`,
			} {
				if !strings.Contains(metrics, line+"\n") {
					t.Errorf("not in the metrics: %s\n%s", line, linesWith(metrics, "graphveil_token_"))
				}
			}
			acquired := strings.Fields(linesWith(metrics, `graphveil_token_acquired_timestamp_seconds{connector="entra_id"}`))
			if at, err := strconv.ParseFloat(acquired[len(acquired)-1], 64); err != nil || time.Since(time.Unix(int64(at), 0)) > time.Minute {
				t.Errorf("acquired %v", acquired)
			}
		})
	}
}

// TestUnauthorizedForEver: a Graph that takes no token is no loop, neither at
// Entra, whose requests are few, nor at Graph, which gets one for each of the
// client's at most; and the client is told when to come again.
func TestUnauthorizedForEver(t *testing.T) {
	for name, claims := range map[string]string{"plain": "", "challenge": `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, nil)
			r := l.start()
			l.Graph.Inject(unauthorized(claims))
			l.Graph.ForgetRequests()
			before := l.Entra.Stats().TokenRequests
			const requests, rejected, unavailable = 200, "503 upstream_token_rejected, Retry-After", "503 token_unavailable, Retry-After"
			answers := map[string]int{}
			for i := range requests {
				response := call(t, r.address, l.tls(), wireCall{protocol: protocols[i%2], target: "/v1.0/users?$top=1"})
				answers[response.String()]++
				if after, err := strconv.Atoi(response.header.Get("Retry-After")); err != nil || after < 1 || after > 40 {
					t.Errorf("%s, Retry-After %q", &response, response.header.Get("Retry-After"))
				}
				time.Sleep(5 * time.Millisecond)
			}
			// The held token is replaced at once, that one after ten seconds, and the next after twenty; a slow machine gets that far.
			if asked := l.Entra.Stats().TokenRequests - before; asked < 1 || asked > 3 {
				t.Errorf("%d token requests for %d requests", asked, requests)
			}
			seen := len(l.Graph.Requests())
			want := map[string]bool{rejected: true, "502 upstream_unauthorized, Retry-After": true, unavailable: claims != ""}
			for answer := range answers {
				if !want[answer] {
					t.Errorf("answers %v", answers)
				}
			}
			if told := answers[rejected]; told < 1 || told > 20 {
				t.Errorf("answers %v: hope for too many, or none", answers)
			}
			if expected := requests - answers[unavailable]; seen != expected {
				t.Errorf("Graph saw %d requests, want %d", seen, expected)
			}
			if n := strings.Count(r.logs.String(), "graph rejected the token"); n < 2 || n > 4 {
				t.Errorf("%d lines about it in the log", n)
			}
			for line := range strings.Lines(r.access.String()) {
				var fields struct{ Attempts int }
				if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Attempts > 1 {
					t.Errorf("access log: %v %s", err, line)
				}
			}
			_, metrics := get(t, r.adminURL+"/metrics")
			backoff := strings.Fields(linesWith(metrics, `graphveil_token_backoff_seconds{connector="entra_id"}`))
			if left, err := strconv.ParseFloat(backoff[len(backoff)-1], 64); err != nil || left <= 0 || left > 40 {
				t.Errorf("backoff %v", backoff)
			}
		})
	}
}

// TestEnvoyRepeatsTheToken is why a request is not sent again with another token
// behind the client's back: where Graph says Retry-After, Envoy's router repeats a
// request by itself, and the token in it is the one of the first try. The processor
// sees the last answer alone.
func TestEnvoyRepeatsTheToken(t *testing.T) {
	l := newLab(t, nil)
	l.config.Envoy.Retry.Count = 2
	r := l.start()
	l.Graph.ForgetRequests()
	f := unauthorized(`{"access_token":{"nbf":{"essential":true,"value":"1"}}}`)
	f.RetryAfter = 1
	l.Graph.Inject(f)
	response := call(t, r.address, l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=1"})
	if response.String() != "503 upstream_token_rejected, Retry-After" {
		t.Errorf("got %s", &response)
	}
	seen := l.Graph.Requests()
	if len(seen) != 3 {
		t.Errorf("Graph saw %d requests", len(seen))
	}
	for _, request := range seen {
		if request.Header.Get("Authorization") != seen[0].Header.Get("Authorization") {
			t.Error("the token of a retry is another: this is better than the documentation of extproc says")
		}
	}
	if n := strings.Count(r.logs.String(), "graph rejected the token"); n != 1 {
		t.Errorf("%d lines about it in the log", n)
	}
}
