package extproc

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/policy"
)

// repeating returns the tokens of an exchange with a table of its own size.
func repeating(t testing.TB, slots, size int) tokens {
	t.Helper()
	codec, err := repeatCodec()
	if err != nil {
		t.Fatal(err)
	}
	return tokens{&Exchange{keys: &keys{codec: codec}, repeats: newRepeats(slots, size)}}
}

var repeatCodec = sync.OnceValues(func() (*pseudonym.Codec, error) {
	return pseudonym.New(pseudonym.Config{Salt: "salt", Key: "secret"})
})

// repeatValues are values of all kinds, some in many spellings, some too long to keep.
func repeatValues(random *rand.Rand, n int) [][]byte {
	values := [][]byte{nil, []byte(" "), []byte("10.0.0.1"), []byte("::1"), []byte("a@b.co, c@d.co"), []byte("a@b.co,,"), bytes.Repeat([]byte("x"), repeatValue),
		bytes.Repeat([]byte("x"), repeatValue+1), bytes.Repeat([]byte{0}, repeatValue), bytes.Repeat([]byte("\x00\""), 2000)}
	for len(values) < n {
		switch i := len(values); random.IntN(4) {
		case 0:
			values = append(values, fmt.Appendf(nil, "person.%d@tenant.example", i))
		case 1:
			values = append(values, fmt.Appendf(nil, "Person.%d@tenant.example", i-1))
		case 2:
			values = append(values, fmt.Appendf(nil, "48d31887-5fad-4d73-a9f5-%012d", i))
		case 3:
			b := make([]byte, 1+random.IntN(2*repeatValue))
			for i := range b {
				b[i] = byte(' ' + random.IntN(90))
			}
			values = append(values, b)
		}
	}
	return values
}

// eachOperation calls f with all operations as the sanitizer knows them.
func eachOperation(t tokens, f func(what string, op operation, do func(dst, value []byte) ([]byte, bool))) {
	always := func(do func(dst, value []byte) []byte) func(dst, value []byte) ([]byte, bool) {
		return func(dst, value []byte) ([]byte, bool) { return do(dst, value), true }
	}
	f("pseudonym", opPseudonym, always(t.AppendPseudonym))
	f("reversible", opReversible, always(t.AppendReversible))
	f("hash", opHash, always(t.AppendHash))
	f("tokenized", opTokenized, always(t.AppendTokenized))
	for form := range operation(4) {
		f(fmt.Sprint("json", form), opJSON+form, always(func(dst, value []byte) []byte {
			return t.AppendJSON(dst, value, form&jsonOriginal != 0, form&jsonReversible != 0)
		}))
	}
	for i, yes := range []bool{false, true} {
		f(fmt.Sprint("header", yes), opEmailHeader+operation(i), func(dst, value []byte) ([]byte, bool) { return t.AppendEmailHeader(dst, value, yes) })
		f(fmt.Sprint("ip", yes), opIP+operation(i), func(dst, value []byte) ([]byte, bool) { return t.AppendIP(dst, value, yes) })
	}
}

// A token that is remembered is the one that is made, whatever the table has room for.
func TestRepeatsChangeNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	values := repeatValues(random, 300)
	for _, size := range []struct{ slots, bytes int }{{1, 1024}, {2, 1500}, {8, 2048}, {repeatSlots, repeatBytes}} {
		x := repeating(t, size.slots, size.bytes)
		codec := x.keys.codec
		found, tried := 0, 0
		for range 1000 {
			value := values[random.IntN(1+random.IntN(len(values)))]
			eachOperation(x, func(what string, op operation, do func(dst, value []byte) ([]byte, bool)) {
				var want []byte
				ok := true
				switch op {
				case opPseudonym:
					want = codec.AppendToken(nil, value)
				case opReversible:
					want = codec.AppendReversible(nil, value)
				case opHash:
					want = codec.AppendHash(nil, value)
				case opTokenized:
					want = codec.AppendTokenized(nil, value)
				case opEmailHeader, opEmailHeaderJSON:
					want, ok = codec.AppendEmailHeader(nil, value, op == opEmailHeaderJSON)
				case opIP, opIPEncrypted:
					want, ok = codec.AppendIP(nil, value, op == opIPEncrypted)
				default:
					want = codec.AppendJSON(nil, value, pseudonym.JSONForm{Original: what == "json1" || what == "json3", Reversible: what == "json2" || what == "json3"})
				}
				for range 1 + random.IntN(2) {
					if token, _ := x.repeats.find(op, value); token != nil {
						found++
					}
					tried++
					got, gotOK := do([]byte("head"), value)
					if gotOK != ok || string(got) != "head"+string(want) {
						t.Fatalf("%d slots, %s of %q: got %q, %v, want %q, %v", size.slots, what, value, got, gotOK, want, ok)
					}
				}
			})
		}
		if found < tried/20 || found == tried {
			t.Errorf("%d slots: %d of %d were remembered", size.slots, found, tried)
		}
	}
}

// Neither what is found nor what is not allocates.
func TestRepeatsAllocateNothing(t *testing.T) {
	x := repeating(t, 8, 2048)
	values := repeatValues(rand.New(rand.NewPCG(7, 8)), 40)[10:]
	dst := make([]byte, 0, 64<<10)
	n := testing.AllocsPerRun(10, func() {
		for _, v := range values {
			x.AppendPseudonym(dst, v)
			x.AppendReversible(dst, v)
			x.AppendReversible(dst, v)
			x.AppendJSON(dst, v, true, true)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// repeatGateway is a gateway with the shipped policy.
func repeatGateway(t *testing.T) *Gateway {
	t.Helper()
	snapshot, err := policy.Load(t.Context(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	codec, err := repeatCodec()
	if err != nil {
		t.Fatal(err)
	}
	links, err := pseudonym.NewLinks(make([]byte, pseudonym.LinkKeySize))
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGateway(GatewayConfig{Policy: func() *policy.Snapshot { return snapshot }, Codec: codec, Links: links, Upstream: "graph.example", UserAgent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// usersExchange is an exchange that waits for the body of a page of users.
func usersExchange(t *testing.T, g *Gateway) *Exchange {
	t.Helper()
	x := g.NewExchange()
	if _, refusal := x.Request(t.Context(), RequestHead{Method: "GET", Target: "/v1.0/users"}); refusal != nil {
		t.Fatal(refusal.Code)
	}
	if _, refusal := x.Response(ResponseHead{Status: 200, Headers: []Header{{Name: "content-type", Value: "application/json"}}}); refusal != nil {
		t.Fatal(refusal.Code)
	}
	return x
}

func usersBody(first, last int) []byte {
	b := []byte(`{"value":[`)
	for i := first; i < last; i++ {
		b = fmt.Appendf(b, `{"id":"id-canary-%d","mail":"canary.%d@tenant.example","userPrincipalName":"canary.%d@tenant.example"},`, i, i, i)
	}
	return append(b, `{"id":"last"}]}`...)
}

// However an exchange ends, its table goes back without one byte of it.
func TestClosedExchangeIsForgotten(t *testing.T) {
	g := repeatGateway(t)
	body := usersBody(0, 500)
	for name, end := range map[string]func(x *Exchange){
		"at its end": func(x *Exchange) {
			if _, refusal := x.Body(nil, body); refusal != nil {
				t.Fatal(refusal.Code)
			}
			if _, refusal := x.End(nil); refusal != nil {
				t.Fatal(refusal.Code)
			}
		},
		"early": func(x *Exchange) {
			if _, refusal := x.Body(nil, body[:len(body)/50]); refusal != nil {
				t.Fatal(refusal.Code)
			}
		},
		"refused": func(x *Exchange) {
			if _, refusal := x.Body(nil, append(body[:len(body)-1:len(body)-1], "]"...)); refusal == nil {
				t.Fatal("not refused")
			}
		},
	} {
		x := usersExchange(t, g)
		end(x)
		r := x.repeats
		if !bytes.Contains(r.bytes, []byte("canary")) {
			t.Fatalf("%s: nothing was kept", name)
		}
		x.Close()
		if x.repeats != nil || !bytes.Equal(r.bytes, make([]byte, repeatBytes)) || slices.ContainsFunc(r.slots, func(s slot) bool { return s != slot{} }) {
			t.Errorf("%s: something is left", name)
		}
		if token, _ := r.find(opPseudonym, []byte("canary.0@tenant.example")); token != nil {
			t.Errorf("%s: a token is found", name)
		}
	}
}

// Exchanges at a time share a gateway, not a table.
func TestRepeatsOfManyExchanges(t *testing.T) {
	g := repeatGateway(t)
	sanitized := func(body []byte, chunk int) []byte {
		x := usersExchange(t, g)
		defer x.Close()
		var out []byte
		var refusal *Refusal
		for c := range slices.Chunk(body, chunk) {
			if out, refusal = x.Body(out, c); refusal != nil {
				t.Error(refusal.Code)
			}
		}
		if out, refusal = x.End(out); refusal != nil {
			t.Error(refusal.Code)
		}
		return out
	}
	var bodies, wants [][]byte
	for i := range 8 {
		bodies = append(bodies, usersBody(100*i, 100*i+300))
		wants = append(wants, sanitized(bodies[i], 1000))
	}
	var group sync.WaitGroup
	for i := range bodies {
		group.Go(func() {
			for round := range 10 {
				if got := sanitized(bodies[i], 700+100*round); !bytes.Equal(got, wants[i]) {
					t.Errorf("body %d, round %d: another output", i, round)
				}
			}
		})
	}
	group.Wait()
}
