package extproc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// An exchange keeps the keys that it began with, whatever changes meanwhile; the next
// one has the new ones, and knows the old ones as long as they are in the ring.
func TestKeysChangeBetweenExchanges(t *testing.T) {
	w := newWorld(t)
	keys := func(key string, previous ...string) {
		t.Helper()
		c, err := pseudonym.New(pseudonym.Config{Salt: salt, Key: key, PreviousKeys: previous})
		if err != nil {
			t.Fatal(err)
		}
		var ring [][]byte
		for _, k := range append([]string{key}, previous...) {
			ring = append(ring, pseudonym.DeriveLinkKey(salt, k))
		}
		links, err := pseudonym.NewLinks(ring...)
		if err != nil {
			t.Fatal(err)
		}
		w.gateway.UseKeys(c, links)
	}
	begin := func(target string) (*extproc.Exchange, string) {
		x := w.gateway.NewExchange()
		_, refusal := x.Request(t.Context(), extproc.RequestHead{Method: "GET", Target: target})
		if refusal != nil {
			return x, refusal.Code
		}
		return x, ""
	}
	finish := func(x *extproc.Exchange) (body, link string) {
		t.Helper()
		defer x.Close()
		if _, refusal := x.Response(extproc.ResponseHead{Status: 200, Headers: jsonHeaders}); refusal != nil {
			t.Fatal(refusal)
		}
		out, refusal := x.Body(nil, []byte(`{"@odata.nextLink":"https://`+upstream+`/v1.0/things?$skiptoken=x"}`))
		if refusal == nil {
			out, refusal = x.End(out)
		}
		var page struct {
			Next string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(out, &page); refusal != nil || err != nil || !strings.Contains(page.Next, "gv~") {
			t.Fatalf("got %s, %v, %v", out, refusal, err)
		}
		return string(out), strings.TrimPrefix(page.Next, origin)
	}
	opens := func(link string) string {
		x, code := begin(link)
		x.Close()
		return code
	}

	x, _ := begin("/v1.0/things")
	before, old := finish(x)
	inFlight, _ := begin("/v1.0/things")
	keys("the next key", key)
	if body, _ := finish(inFlight); body != before {
		t.Errorf("an exchange in flight changed its keys: %s, before %s", body, before)
	}
	x, _ = begin("/v1.0/things")
	after, fresh := finish(x)
	if after == before {
		t.Error("the next exchange has the old keys")
	}
	for _, link := range []string{old, fresh} {
		if code := opens(link); code != "" {
			t.Errorf("with both keys: %s", code)
		}
	}
	keys("the next key")
	if code := opens(old); code != "link_not_valid" {
		t.Errorf("a link of a key that is gone: %q", code)
	}
	if code := opens(fresh); code != "" {
		t.Errorf("a link of the key in use: %s", code)
	}
}
