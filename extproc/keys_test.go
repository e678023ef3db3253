package extproc_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

// TestNoResponseHasTwoKeys changes the keys all the time while responses are under way,
// in chunks: each is what one of the two makes of it, to the last byte, ids and links
// alike.
func TestNoResponseHasTwoKeys(t *testing.T) {
	w := newWorld(t)
	var sets [2]func()
	for i, key := range []string{"the first key", "the second key"} {
		c, err := pseudonym.New(pseudonym.Config{Salt: salt, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		links, err := pseudonym.NewLinks(pseudonym.DeriveLinkKey(salt, key))
		if err != nil {
			t.Fatal(err)
		}
		sets[i] = func() { w.gateway.UseKeys(c, links) }
	}
	var body strings.Builder
	body.WriteString(`{"value":[`)
	for i := range 40 {
		fmt.Fprintf(&body, `{"id":"id-%d","owner":"owner%d@example.com"},`, i%7, i%5)
	}
	body.WriteString(`{"id":"the last"}],"@odata.nextLink":"https://` + upstream + `/v1.0/things?$skiptoken=x"}`)
	// sanitized runs an exchange; between is called between its parts.
	sanitized := func(between func()) string {
		x := w.gateway.NewExchange()
		defer x.Close()
		_, refusal := x.Request(t.Context(), extproc.RequestHead{Method: "GET", Target: "/v1.0/things"})
		between()
		if refusal == nil {
			_, refusal = x.Response(extproc.ResponseHead{Status: 200, Headers: jsonHeaders})
		}
		var out []byte
		for rest := []byte(body.String()); refusal == nil && len(rest) > 0; {
			n := min(100, len(rest))
			between()
			out, refusal = x.Body(out, rest[:n])
			rest = rest[n:]
		}
		if refusal == nil {
			out, refusal = x.End(out)
		}
		if refusal != nil {
			t.Errorf("refused: %v", refusal)
		}
		return string(out)
	}
	var want [2]string
	for i, use := range sets {
		use()
		want[i] = sanitized(func() {})
	}
	if want[0] == want[1] || strings.Count(want[0], "p~") < 41 || !strings.Contains(want[0], "gv~") {
		t.Fatalf("got %s and %s", want[0], want[1])
	}
	var changing, reading sync.WaitGroup
	stop := make(chan struct{})
	changing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				sets[i%2]()
				runtime.Gosched()
			}
		}
	})
	var seen [2]atomic.Int32
	for range 4 {
		reading.Go(func() {
			for range 100 {
				switch sanitized(runtime.Gosched) {
				case want[0]:
					seen[0].Add(1)
				case want[1]:
					seen[1].Add(1)
				default:
					t.Error("a response has neither the one key's pseudonyms nor the other's")
				}
			}
		})
	}
	reading.Wait()
	close(stop)
	changing.Wait()
	if seen[0].Load() == 0 || seen[1].Load() == 0 {
		t.Errorf("%d and %d responses: the keys did not change meanwhile", seen[0].Load(), seen[1].Load())
	}
}
