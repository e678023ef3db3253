package extproc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// counting counts the tokens that are asked for, and those of them that are remembered.
type counting struct {
	tokens
	tried, found *int
}

func (c counting) count(op operation, value []byte) {
	*c.tried++
	if token, _ := c.repeats.find(op, value); token != nil {
		*c.found++
	}
}

func (c counting) AppendPseudonym(dst, value []byte) []byte {
	c.count(opPseudonym, value)
	return c.tokens.AppendPseudonym(dst, value)
}

func (c counting) AppendReversible(dst, value []byte) []byte {
	c.count(opReversible, value)
	return c.tokens.AppendReversible(dst, value)
}

func (c counting) AppendTokenized(dst, value []byte) []byte {
	c.count(opTokenized, value)
	return c.tokens.AppendTokenized(dst, value)
}

// What pays for the table: on pages of the synthetic tenant, whose people write to
// anyone, it finds at least these shares of the tokens, in the median of seeds: with
// one seed of a hundred two values of every message have the same slot and take each
// other's place. Run with -v to see the shares.
func TestRepeatsOnPages(t *testing.T) {
	g := repeatGateway(t)
	s, err := graph.New(graph.Config{Seed: 5, Users: 2000, Messages: 400, BaseURL: "https://graph.example", Authorize: func(string) ([]string, error) {
		return []string{"User.Read.All", "Mail.Read", "Calendars.Read", "Chat.Read.All"}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	person := string(g.keys.Load().codec.AppendReversible(nil, []byte(s.UserID(0))))
	chat := string(g.keys.Load().codec.AppendTokenized(nil, []byte(s.ChatIDs(0)[0])))
	for _, page := range []struct {
		name, target string
		tokens       int
		share        float64
	}{
		{"mail", "/v1.0/users/" + person + "/mailFolders/SentItems/messages?$top=100", 500, 0.3},
		{"calendar", "/v1.0/users/" + person + "/events?$top=100", 400, 0.1},
		{"teams", "/v1.0/chats/" + url.PathEscape(chat) + "/messages?$top=50", 100, 0.7},
		{"users", "/v1.0/users?$top=500", 1500, 0.2},
	} {
		t.Run(page.name, func(t *testing.T) {
			shares := make([]float64, 9)
			for i := range shares {
				tried, found := countRepeats(t, g, s, page.target)
				if tried < page.tokens {
					t.Fatalf("%d tokens are asked for, want %d at least", tried, page.tokens)
				}
				shares[i] = float64(found) / float64(tried)
			}
			slices.Sort(shares)
			t.Logf("shares remembered: %.2f", shares)
			if median := shares[len(shares)/2]; median < page.share {
				t.Errorf("a share of %.2f of the tokens is remembered, want %.2f at least", median, page.share)
			}
		})
	}
}

// countRepeats counts the tokens that the answer to a request asks for, and those of
// them that a table with a seed of its own remembers.
func countRepeats(t *testing.T, g *Gateway, s http.Handler, target string) (tried, found int) {
	t.Helper()
	x := g.NewExchange()
	defer x.Close()
	forward, refusal := x.Request(t.Context(), RequestHead{Method: http.MethodGet, Target: target})
	if refusal != nil {
		t.Fatal(refusal.Code)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.example"+forward.Path, nil)
	request.Header.Set("Authorization", "Bearer test")
	response := httptest.NewRecorder()
	s.ServeHTTP(response, request)
	if _, refusal := x.Response(ResponseHead{Status: response.Code, Headers: []Header{{Name: "content-type", Value: "application/json"}}}); refusal != nil {
		t.Fatal(refusal.Code)
	}
	x.repeats = newRepeats(repeatSlots, repeatBytes)
	x.rewriter.Reset(x.plan, counting{tokens{x}, &tried, &found})
	if _, refusal := x.Body(nil, response.Body.Bytes()); refusal != nil {
		t.Fatal(refusal.Code)
	}
	if _, refusal := x.End(nil); refusal != nil {
		t.Fatal(refusal.Code)
	}
	return tried, found
}
