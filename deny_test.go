package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// attempt is a request that a client tries, and what has to come of it.
type attempt struct {
	wireCall
	// want is the response, as wireResponse.String tells it.
	want string
	// sent is the path and query that arrive upstream; "" says that nothing does.
	sent string
	// forwarded are header fields that arrive upstream besides the usual ones.
	forwarded map[string]string
	// only names the protocol in which it can be tried; "" is both.
	only string
}

func (a attempt) name() string {
	text := strings.TrimSpace(a.method + " " + a.target)
	for _, f := range a.fields {
		text += fmt.Sprintf(" %s: %s", f[0], f[1])
	}
	if a.raw != "" {
		text = a.raw
	}
	return fmt.Sprintf("%.120q", text)
}

// Words that only a client says; nothing of them may arrive upstream.
const (
	clientToken  = "Bearer token-of-the-client"
	clientCookie = "session=cookie-of-the-client"
)

// closed is what a client sees whose request Envoy does not take for HTTP.
const closed = "no response: " + endCut

// denyBench tries requests through one sidecar.
type denyBench struct {
	*lab
	*running
	canaries []string
}

func newDenyBench(t *testing.T) *denyBench {
	l := newLab(t, nil)
	return &denyBench{l, l.start(), l.canaries()}
}

// try makes the attempts in both protocols, one after the other.
func (b *denyBench) try(t *testing.T, attempts []attempt) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var later []attempt
			for _, a := range attempts {
				a.protocol = protocol
				switch {
				case a.only != "" && a.only != protocol:
				case a.want == closed:
					later = append(later, a)
				default:
					t.Run(a.name(), func(t *testing.T) { b.attempt(t, a) })
				}
			}
			b.tryClosed(t, later)
		})
	}
}

// tryClosed makes attempts that Envoy answers by closing the connection. It takes
// a second for each, so they are made at once.
func (b *denyBench) tryClosed(t *testing.T, attempts []attempt) {
	b.Graph.ForgetRequests()
	var wg sync.WaitGroup
	for _, a := range attempts {
		wg.Go(func() {
			if response := call(t, b.address, b.lab.tls(), a.wireCall); response.String() != a.want {
				t.Errorf("%s: got %s, want %s", a.name(), &response, a.want)
			}
		})
	}
	wg.Wait()
	if n := len(b.Graph.Requests()); n != 0 {
		t.Errorf("%d requests arrived upstream", n)
	}
}

func (b *denyBench) attempt(t *testing.T, a attempt) {
	b.Graph.ForgetRequests()
	response := call(t, b.address, b.lab.tls(), a.wireCall)
	arrived := b.Graph.Requests()
	if response.String() != a.want {
		t.Errorf("got %s, want %s", &response, a.want)
	}
	if found := leaks(string(response.seen), b.canaries); found != nil {
		t.Errorf("leaked: %v", found)
	}
	if response.status >= 400 && a.sent == "" && a.method != http.MethodHead {
		checkRefusal(t, &response)
	}
	switch {
	case a.sent == "" && len(arrived) != 0:
		t.Errorf("arrived upstream: %s", arrived[0].Path+"?"+arrived[0].RawQuery)
	case a.sent != "" && len(arrived) != 1:
		t.Errorf("%d requests arrived upstream", len(arrived))
	case a.sent != "":
		b.checkArrived(t, a, arrived[0].Method, arrived[0].Host, arrived[0].Path, arrived[0].RawQuery, arrived[0].Header)
	}
}

// checkRefusal: every answer that is not a page is JSON in Graph's error shape,
// and says something.
func checkRefusal(t *testing.T, r *wireResponse) {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	var body struct {
		Error struct {
			Code, Message string
		}
	}
	if err := json.Unmarshal(r.body, &body); err != nil || body.Error.Code == "" || body.Error.Message == "" {
		t.Errorf("not an error of Graph's shape: %v, %.200q", err, r.body)
	}
}

// checkArrived: what Graph received is what was decided, and nothing else of
// the client's.
func (b *denyBench) checkArrived(t *testing.T, a attempt, method, host, path, query string, header http.Header) {
	t.Helper()
	if path += "?" + query; query == "" {
		path = strings.TrimSuffix(path, "?")
	}
	if method != http.MethodGet || host != "graph.microsoft.com" || path != a.sent {
		t.Errorf("arrived upstream: %s https://%s%s\nwant GET https://graph.microsoft.com%s", method, host, path, a.sent)
	}
	want := map[string]string{"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": userAgent()}
	maps.Copy(want, a.forwarded)
	bearer := header.Get("Authorization")
	if _, err := b.Entra.Verify(strings.TrimPrefix(bearer, "Bearer ")); err != nil {
		t.Errorf("the token that arrived upstream: %v", err)
	}
	for name, values := range header {
		if name == "Authorization" && len(values) == 1 {
			continue
		}
		if value, ok := want[name]; !ok || !slices.Equal(values, []string{value}) {
			t.Errorf("header that arrived upstream: %s: %q, want %q", name, values, value)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("header %s did not arrive upstream", name)
	}
}

func try(target, want, sent string) attempt {
	return attempt{wireCall: wireCall{target: target}, want: want, sent: sent}
}

// TestDenyMethods: reading with GET is all there is.
func TestDenyMethods(t *testing.T) {
	b := newDenyBench(t)
	attempts := []attempt{try("/v1.0/users", "200", "/v1.0/users")}
	for _, method := range []string{
		"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MERGE", "SEARCH",
	} {
		a := try("/v1.0/users", "403 method_not_allowed", "")
		a.method = method
		attempts = append(attempts, a)
	}
	// Envoy's parser of h1 knows the registered methods only.
	for _, method := range []string{"BREW", "get", "Get"} {
		for protocol, want := range map[string]string{"h1": closed, "h2": "403 method_not_allowed"} {
			a := try("/v1.0/users", want, "")
			a.method, a.only = method, protocol
			attempts = append(attempts, a)
		}
	}
	head := try("/v1.0/users", "403 ", "")
	head.method = "HEAD"
	connect := try("graph.microsoft.com:443", "400 body_not_allowed", "")
	connect.method, connect.only = "CONNECT", "h1"
	tunnel := attempt{wireCall: wireCall{method: "CONNECT", target: "/v1.0/users", fields: [][2]string{{":protocol", "websocket"}}}, want: closed, only: "h2"}
	override := try("/v1.0/users", "403 method_not_allowed", "")
	override.method, override.fields = "POST", [][2]string{{"x-http-method-override", "GET"}, {"content-length", "0"}}
	b.try(t, append(attempts, head, connect, tunnel, override))
}

// TestDenyPaths spells paths in every way that Graph, or somebody between,
// could read as another one.
func TestDenyPaths(t *testing.T) {
	b := newDenyBench(t)
	id := b.Graph.UserID(0)
	token := strings.TrimPrefix(b.userPath(0), "/v1.0/users/")
	user := "/v1.0/users/" + id
	group := "/v1.0/groups/" + b.Graph.GroupID(0)
	message := b.Graph.SentMessageID(0, 0)
	sent := user + "/mailFolders/SentItems/messages"
	const (
		path      = "403 path_not_allowed"
		ambiguous = "400 target_ambiguous"
		malformed = "400 target_malformed"
		refused   = "400 request_refused" // by Envoy
	)
	attempts := []attempt{
		// One request upstream, however it is spelled.
		try("/v1.0/users", "200", "/v1.0/users"),
		try("/V1.0/USERS", "200", "/v1.0/users"),
		try("/v1%2e0/user%73", "200", "/v1.0/users"),
		try("/v1.0/users/"+token, "200", user),
		try("/v1.0/Users('"+token+"')", "200", user),
		try("/v1.0/users/"+strings.ReplaceAll(token, "p~", "p%7E"), "200", user),
		try("/v1.0/users/"+token+"/mailfolders/sentitems/MESSAGES", "200", sent),
		try("/v1.0/users('"+token+"')/mailFolders('SentItems')/messages", "200", sent),
		try("/v1.0/users/"+token+"/messages/"+message, "200", user+"/messages/"+message),
		try("/v1.0/users/"+token+"/messages('"+message+"')", "200", user+"/messages/"+message),
		try("/v1.0/users/"+token+"/MailboxSettings", "200", user+"/mailboxSettings"),
		try(group+"/members/microsoft.graph.user", "200", group+"/members/microsoft.graph.user"),
		try(group+"/members/Microsoft.Graph.USER", "200", group+"/members/microsoft.graph.user"),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/delta", "200", sent+"/delta"),
		try("/v1.0/users/"+token+"/mailFolders/sentitems/messages/Microsoft.Graph.DELTA()", "200", sent+"/delta"),

		// Ids: only tokens that were made here, byte for byte.
		try("/v1.0/users/"+id, "403 id_not_pseudonymous", ""),
		try("/v1.0/users('"+id+"')", "403 id_not_pseudonymous", ""),
		try("/v1.0/users/"+b.Graph.UserPrincipalName(0), "403 id_not_pseudonymous", ""),
		try("/v1.0/users/"+strings.ReplaceAll(b.Graph.UserPrincipalName(0), "@", "%40"), "403 id_not_pseudonymous", ""),
		try("/v1.0/users/"+strings.ToUpper(token), "403 id_not_pseudonymous", ""),
		try("/v1.0/users/"+token[:len(token)-1], "404 id_not_revealed", ""),
		try("/v1.0/users/p~", "403 id_not_pseudonymous", ""),
		try("/v1.0/users/"+swapCase(token), "404 id_not_revealed", ""),
		try("/v1.0/users/ "+token, closed, ""),
		try("/v1.0/groups/CANARY", "403 id_not_allowed", ""),
		try("/v1.0/users/"+token+"/messages/delta", "403 id_not_allowed", ""),

		// Other ways to the same data, and to more of it.
		try("/v1.0/users(userPrincipalName='a@contoso.example')", path, ""),
		try("/v1.0/users("+id+")", path, ""),
		try("/v1.0/groups(uniqueName='x')", path, ""),
		try("/v1.0/users('"+token+"", ambiguous, ""),
		try("/v1.0/users(%27"+token+"%27)", ambiguous, ""),
		try("/v1.0/users%28'"+token+"')", ambiguous, ""),
		try("/v1.0/users('"+token+"')x", ambiguous, ""),
		try("/v1.0/users('x')('y')", ambiguous, ""),
		try("/v1.0/users/microsoft.graph.user", "403 id_not_pseudonymous", ""),
		try("/v1.0/users/"+token+"/microsoft.graph.user", path, ""),
		try(group+"/members/microsoft.graph.group", path, ""),
		try(group+"/transitiveMembers", path, ""),
		try(group+"/members/$ref", path, ""),
		try(group+"/members/"+token, path, ""),
		try("/v1.0/users/$count", "403 id_not_pseudonymous", ""),
		try("/v1.0/users/%24count", "403 id_not_pseudonymous", ""),
		try("/v1.0/users/delta", "403 id_not_pseudonymous", ""),
		try("/v1.0/users/delta()", path, ""),
		try("/v1.0/users/microsoft.graph.delta()", path, ""),
		try("/v1.0/users/delta(token='x')", path, ""),
		try("/v1.0/users/"+token+"/$value", path, ""),
		try("/v1.0/users/"+token+"/photo/$value", path, ""),
		try("/v1.0/users/"+token+"/manager/$ref", path, ""),
		try("/v1.0/users/"+token+"/messages", path, ""),
		try("/v1.0/users/"+token+"/messages/"+message+"/$value", path, ""),
		try("/v1.0/users/"+token+"/messages/"+message+"/attachments", path, ""),
		try("/v1.0/users/"+token+"/mailFolders/Inbox/messages", path, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/$count", path, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/delta(token='x')", path, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/delta(1)", path, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/example.delta()", path, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages()/delta", path, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/delta%28%29", ambiguous, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/delta()x", ambiguous, ""),
		try("/v1.0/users/"+token+"/mailFolders/SentItems/messages/delta(a=1,A=2)", ambiguous, ""),
		try("/v1.0/$batch", path, ""),
		try("/v1.0/%24batch", path, ""),
		try("/v1.0/$metadata", path, ""),
		try("/v1.0/$entity", path, ""),
		try("/v1.0/directoryObjects/"+id, path, ""),
		try("/v1.0/me", "403 me_not_served", ""),
		try("/v1.0/ME/messages", "403 me_not_served", ""),
		try("/v1.0/users/me-token-to-replace", "403 id_not_pseudonymous", ""),
		try("/beta/users", "403 beta_not_served", ""),
		try("/BETA/users", "403 beta_not_served", ""),
		try("/v2.0/users", path, ""),
		try("/users", path, ""),
		try("/v1.0/usersX", path, ""),
		{wireCall: wireCall{target: "/v1.0/user\u017f"}, want: closed, only: "h1"}, // folds to "users"
		{wireCall: wireCall{target: "/v1.0/user\u017f"}, want: path, only: "h2"},
		try("/v1.0/user%C5%BF", path, ""),
		try("/", ambiguous, ""),
		try("/metrics", path, ""),
		try("/v1.0", path, ""),

		// What a reader between may resolve. Dot segments and doubled slashes are
		// resolved by Envoy before anything is decided.
		try("/v1.0//users", "200", "/v1.0/users"),
		try("//v1.0/users", "200", "/v1.0/users"),
		try("/v1.0/./users", "200", "/v1.0/users"),
		try("/v1.0/me/../users", "200", "/v1.0/users"),
		try("/v1.0/me/%2e%2e/users", "200", "/v1.0/users"),
		try("/v1.0/users/../me", "403 me_not_served", ""),
		try("/v1.0/users/..", ambiguous, ""),
		try("/v1.0/users/%2E%2E/me", "403 me_not_served", ""),
		try("/../v1.0/users", "200", "/v1.0/users"),
		try("/v1.0/users/", ambiguous, ""),
		try("/v1.0/users/"+token+"/", ambiguous, ""),
		try("/v1.0/users/...", ambiguous, ""),
		try("/v1.0/users/.%20.", ambiguous, ""),
		try("/v1.0/users%2F"+token, refused, ""),
		try("/v1.0/users%2f"+token, refused, ""),
		try("/v1.0/me%2F..%2Fusers", refused, ""),
		try("/v1.0%5Cusers", refused, ""),
		try(`/v1.0\users`, "200", "/v1.0/users"),
		try("/v1.0/users;jsessionid=1", ambiguous, ""),
		try("/v1.0/users;/"+token, ambiguous, ""),
		try("/v1.0/users%3Bx", ambiguous, ""),
		try("/v1.0/users%253Fx", ambiguous, ""),
		try("/v1.0/%2575sers", ambiguous, ""),
		try("/v1.0/users%252F"+token, ambiguous, ""),
		try("/v1.0/users%00", refused, ""),
		try("/v1.0/users%0d%0aX-A:b", ambiguous, ""),
		try("/v1.0/users%20", path, ""),
		try("/v1.0/users%3Fx=y", path, ""),
		try("/v1.0/users%23", path, ""),
		try("/v1.0/users#/x", refused, ""),
		try("/v1.0/%c1%b5sers", ambiguous, ""), // overlong "u"
		try("/v1.0/users%c0%af"+token, ambiguous, ""),
		try("/v1.0/users%ed%a0%80", ambiguous, ""), // a surrogate
		try("/v1.0/users%ff", ambiguous, ""),
		{wireCall: wireCall{target: "/v1.0/users\xff"}, want: closed, only: "h1"},
		{wireCall: wireCall{target: "/v1.0/users\xff"}, want: ambiguous, only: "h2"},
		try("/v1.0/users%", ambiguous, ""),
		try("/v1.0/users%7", ambiguous, ""),
		try("/v1.0/users%zz", ambiguous, ""),
		try("/v1.0/users%u0073", ambiguous, ""),
		try("/v1.0/users/"+strings.Repeat("a", 17<<10), malformed, ""),
		try("/v1.0"+strings.Repeat("/a", 40), malformed, ""),
		try("/"+strings.Repeat("a", 100<<10), closed, ""),
		try("*", closed, ""),
		try("v1.0/users", closed, ""),

		// The absolute form names a host, which is not asked.
		{wireCall: wireCall{target: "https://localhost/v1.0/users"}, want: "200", sent: "/v1.0/users", only: "h1"},
		{wireCall: wireCall{target: "http://elsewhere.example/v1.0/me"}, want: "403 me_not_served", only: "h1"},
		{wireCall: wireCall{target: "https://localhost/v1.0/users"}, want: closed, only: "h2"},
	}
	b.try(t, attempts)
}

// swapCase changes one letter after the mark of a token.
func swapCase(token string) string {
	bytes := []byte(token)
	for i := 2; i < len(bytes); i++ {
		if c := bytes[i] | 0x20; 'a' <= c && c <= 'z' {
			bytes[i] ^= 0x20
			break
		}
	}
	return string(bytes)
}
