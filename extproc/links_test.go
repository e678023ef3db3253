package extproc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
	"github.com/graphveil/graphveil/policy"
)

// page asks for target, to which the upstream answers with a link, and returns the
// link that the client gets, "" for none.
func (w *world) page(t *testing.T, target, link string) string {
	t.Helper()
	w.upstream.body = `{"value":[],"@odata.nextLink":` + quote(t, link) + `}`
	r := w.get(t, target)
	var page struct {
		Next string `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(r.Body, &page); err != nil || r.Status != 200 {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
	return page.Next
}

func quote(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLinks follows links of the upstream: to the endpoint itself, to others of the
// connector, to changes.
func TestLinks(t *testing.T) {
	w := newWorld(t)
	tokenized := string(w.codec.AppendTokenized(nil, []byte("19:a_b@thread.v2")))
	owner := string(w.codec.AppendReversible(nil, []byte("alice@acme.com")))
	for _, test := range []struct{ name, link, path, option string }{
		{"the same endpoint", "/v1.0/things?$skiptoken=CANARY", "/v1.0/things", "$skiptoken"},
		{"another spelling", "/V1.0/Things?%24skipToken=CANARY&$top=10", "/v1.0/things", "$skiptoken"},
		{"by number", "/v1.0/things?$top=10&$skip=20", "/v1.0/things", "$skiptoken"},
		{"another endpoint, ids of people", "/v1.0/things/19:a_b@thread.v2/parts/small?$skiptoken=CANARY", "/v1.0/things/" + tokenized + "/parts/small", "$skiptoken"},
		{"keys", "/v1.0/things('19%3Aa_b%40thread.v2')/parts('LARGE')?$skip=1", "/v1.0/things/" + tokenized + "/parts/LARGE", "$skiptoken"},
		{"a function with arguments", "/v1.0/things/between(owner='alice@acme.com',from=2024-01-31)?$skip=1000", "/v1.0/things/between(from=2024-01-31,owner='" + strings.ReplaceAll(owner, "@", "%40") + "')", "$skiptoken"},
		{"a function whose arguments it names otherwise", "/v1.0/things/between(start=2024-01-31,by='alice@acme.com')?$skip=1000", "/v1.0/things/between(from=2024-01-31,owner='" + strings.ReplaceAll(owner, "@", "%40") + "')", "$skiptoken"},
		{"a page of changes", "/v1.0/things/delta?$skiptoken=CANARY", "/v1.0/things/delta", "$skiptoken"},
		{"changes", "/v1.0/things/delta?$deltatoken=CANARY", "/v1.0/things/delta", "$deltatoken"},
		{"changes, qualified", "/v1.0/things/microsoft.graph.delta()?$deltaToken=CANARY&$select=id", "/v1.0/things/delta", "$deltatoken"},
		{"changes, option of another name", "/v1.0/things/delta?token=CANARY", "/v1.0/things/delta", "$deltatoken"},
		{"changes, in the call", "/v1.0/things/delta(token='CANARY%3D')", "/v1.0/things/delta", "$deltatoken"},
		{"changes, in the call, bare", "/v1.0/things/delta(token=CANARY==)", "/v1.0/things/delta", "$deltatoken"},
		{"what only the upstream encodes twice", "/v1.0/things?$skiptoken=CANARY%253d", "/v1.0/things", "$skiptoken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			next := w.page(t, "/v1.0/things", "https://"+upstream+test.link)
			want := origin + test.path + "?" + test.option + "=gv~"
			if !strings.HasPrefix(next, want) {
				t.Fatalf("link %s, want %s…", next, want)
			}
			w.upstream.body = `{"value":[]}`
			target := strings.TrimPrefix(next, origin)
			if r := w.get(t, target); r.Status != 200 || w.upstream.last.RequestURI != test.link {
				t.Errorf("following it: %d %s, upstream got %s", r.Status, r.Body, w.upstream.last.RequestURI)
			}
			// It leads back into the same pages from where it leads.
			if again := w.page(t, target, "https://"+upstream+test.link); again != next {
				t.Errorf("the page after it: %s, want %s", again, next)
			}

			// Nowhere else does it lead anywhere.
			w.upstream.last = nil
			u, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{
				"/v1.0/things", "/v1.0/things/delta", "/v1.0/things/" + tokenized + "/parts/small", "/v1.0/things/" + tokenized + "/parts/large",
				"/v1.0/things/" + string(w.codec.AppendTokenized(nil, []byte("19:c_d@thread.v2"))) + "/parts/small",
			} {
				if strings.EqualFold(path, u.EscapedPath()) {
					continue
				}
				if r := w.get(t, path+"?"+u.RawQuery); r.Status != 400 || code(t, r.Body) != "link_not_valid" {
					t.Errorf("at %s: %d %s", path, r.Status, r.Body)
				}
			}
			r, err := w.Do(t.Context(), extproctest.Request{Method: "GET", Target: target, SPIFFEID: "spiffe://example.org/other"})
			if err != nil || r.Status != 400 || code(t, r.Body) != "link_not_valid" {
				t.Errorf("for another caller: %v %+v", err, r)
			}
			if w.upstream.last != nil {
				t.Errorf("%s arrived upstream", w.upstream.last.RequestURI)
			}
		})
	}
}

// TestLinksOfSubjects: callers whose certificates have no SPIFFE id are told apart
// by their subjects.
func TestLinksOfSubjects(t *testing.T) {
	w := newWorld(t)
	ask := func(target string, caller policy.Caller) (*extproc.Exchange, *extproc.Refusal) {
		x := w.gateway.NewExchange()
		_, refusal := x.Request(t.Context(), extproc.RequestHead{Method: "GET", Target: target, Caller: caller})
		return x, refusal
	}
	x, refusal := ask("/v1.0/things", policy.Caller{Subject: "CN=a"})
	if refusal != nil {
		t.Fatal(refusal)
	}
	if _, refusal = x.Response(extproc.ResponseHead{Status: 200, Headers: []extproc.Header{{Name: "content-type", Value: "application/json"}}}); refusal != nil {
		t.Fatal(refusal)
	}
	body, refusal := x.Body(nil, []byte(`{"@odata.nextLink":"https://`+upstream+`/v1.0/things?$skiptoken=x"}`))
	if refusal == nil {
		body, refusal = x.End(body)
	}
	var page struct {
		Next string `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(body, &page); err != nil || refusal != nil {
		t.Fatalf("got %s, %v, %v", body, refusal, err)
	}
	target := strings.TrimPrefix(page.Next, origin)
	if _, refusal := ask(target, policy.Caller{Subject: "CN=a"}); refusal != nil {
		t.Errorf("for its own caller: %v", refusal)
	}
	for _, caller := range []policy.Caller{{}, {Subject: "CN=b"}, {Subject: "CN=a", SPIFFEID: "spiffe://example.org/b"}} {
		if _, refusal := ask(target, caller); refusal == nil || refusal.Code != "link_not_valid" {
			t.Errorf("for %+v: %v", caller, refusal)
		}
	}
}

// TestLinksElsewhere are dropped, and counted.
func TestLinksElsewhere(t *testing.T) {
	for name, link := range map[string]string{
		"another host":                 "https://elsewhere.example/v1.0/things?$skiptoken=CANARY",
		"the host as a part":           "https://" + upstream + ".elsewhere.example/v1.0/things",
		"credentials":                  "https://CANARY@" + upstream + "/v1.0/things",
		"another port":                 "https://" + upstream + ":444/v1.0/things",
		"http":                         "http://" + upstream + "/v1.0/things",
		"relative":                     "/v1.0/things?$skiptoken=CANARY",
		"no path":                      "https://" + upstream,
		"a path that is not served":    "https://" + upstream + "/v1.0/others?$skiptoken=CANARY",
		"another version":              "https://" + upstream + "/beta/things?$skiptoken=CANARY",
		"a path below":                 "https://" + upstream + "/v1.0/things/CANARY/secrets",
		"a value against its rule":     "https://" + upstream + "/v1.0/things/CANARY/parts/medium",
		"an argument against its rule": "https://" + upstream + "/v1.0/things/between(from=CANARY,owner='x')",
		"another argument":             "https://" + upstream + "/v1.0/things/delta(CANARY='x')",
		"a fragment, as docs print":    "https://" + upstream + "/v1.0/$metadata#things/delta?$skiptoken=CANARY",
		"metadata":                     "https://" + upstream + "/v1.0/$metadata%23things",
		"dot segments":                 "https://" + upstream + "/v1.0/x/../things",
		"an encoded slash":             "https://" + upstream + "/v1.0/things%2FCANARY",
		"an id that is no segment":     "https://" + upstream + "/v1.0/things('a(b')/parts/small",
		"a value where a media is":     "https://" + upstream + "/v1.0/things/CANARY/$value",
		"too long":                     "https://" + upstream + "/v1.0/things?$skiptoken=" + strings.Repeat("CANARY", 3000),
		"empty":                        "",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if got := w.page(t, "/v1.0/things", link); got != "" {
				t.Errorf("link %s", got)
			}
			if mistyped, _ := w.log.records(t, 1)[0]["mistyped"].(map[string]any); mistyped["/@odata.nextLink"] != 1.0 {
				t.Errorf("counted %v", w.log.records(t, 1)[0])
			}
		})
	}
}

// TestDeltaOptions: what a client may type itself, and what only a seal may bring.
func TestDeltaOptions(t *testing.T) {
	for target, want := range map[string]string{
		"/v1.0/things/delta?$deltatoken=latest":               "",
		"/v1.0/things/delta()":                                "",
		"/v1.0/things/delta?$deltatoken=CANARY":               "query_value_not_allowed",
		"/v1.0/things/delta?token=latest":                     "query_not_allowed",
		"/v1.0/things/delta?$skiptoken=CANARY":                "query_not_allowed",
		"/v1.0/things/delta(token='CANARY')":                  "path_not_allowed",
		"/v1.0/things/delta?$deltatoken=gv~x":                 "link_not_valid",
		"/v1.0/things/delta?$skiptoken=gv~x":                  "link_not_valid",
		"/v1.0/things/delta?token=gv~x":                       "query_not_allowed",
		"/v1.0/things/delta?$deltatoken=gv~x&$skiptoken=gv~y": "link_not_alone",
		"/v1.0/things/delta?$deltatoken=gv~x&$select=id":      "link_not_alone",
	} {
		w := newWorld(t)
		r := w.get(t, target)
		if want == "" && r.Status != 200 || want != "" && (r.Status == 200 || code(t, r.Body) != want) {
			t.Errorf("%s: %d %s, want %s", target, r.Status, r.Body, want)
		}
	}
}

// TestEmptyPage has no items and still leads on.
func TestEmptyPage(t *testing.T) {
	w := newWorld(t)
	if next := w.page(t, "/v1.0/things", "https://"+upstream+"/v1.0/things?$skiptoken=CANARY"); !strings.HasPrefix(next, origin+"/v1.0/things?$skiptoken=gv~") {
		t.Errorf("link %q", next)
	}
	w.upstream.header = http.Header{"Content-Type": {"application/json"}}
	w.upstream.body = `{"@odata.nextLink":"https://` + upstream + `/v1.0/things?$skiptoken=CANARY"}`
	if r := w.get(t, "/v1.0/things"); r.Status != 200 || !strings.HasPrefix(string(r.Body), `{"@odata.nextLink":"`+origin) {
		t.Errorf("without a value: %d %s", r.Status, r.Body)
	}
}

// TestFilterByToken: a client asks for what it knows by its token only, and pages
// on in the answer.
func TestFilterByToken(t *testing.T) {
	w := newWorld(t)
	id := string(w.codec.AppendReversible(nil, []byte(thingID)))
	next := w.page(t, "/v1.0/things?$filter=id+eq+'"+id+"'", "https://"+upstream+"/v1.0/things?$filter=id%20eq%20'"+thingID+"'&$skiptoken=CANARY")
	if want := "/v1.0/things?$filter=id%20eq%20'" + thingID + "'"; w.upstream.last.RequestURI != want {
		t.Errorf("upstream got %s, want %s", w.upstream.last.RequestURI, want)
	}
	if r := w.get(t, strings.TrimPrefix(next, origin)); r.Status != 200 {
		t.Errorf("the next page: %d %s", r.Status, r.Body)
	}
	forged := id[:len(id)-4] + "AAAA"
	for value, want := range map[string]string{
		thingID: "id_not_pseudonymous", "CANARY@acme.com": "id_not_pseudonymous", forged: "id_not_revealed", "t~" + id[2:]: "id_not_pseudonymous",
	} {
		w.upstream.last = nil
		if r := w.get(t, "/v1.0/things?$filter=id+eq+'"+value+"'"); code(t, r.Body) != want || w.upstream.last != nil {
			t.Errorf("%s: %d %s, want %s", value, r.Status, r.Body, want)
		}
	}
}
