package micro

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/graphveil/graphveil/bench/peers"
	"github.com/graphveil/graphveil/bench/result"
)

func run(b *testing.B, name string) {
	r, err := newRig(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	i := slices.IndexFunc(groups, func(g group) bool { return g.name == name })
	subjects, err := groups[i].prepare(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range subjects {
		b.Run(s.situation+"/"+s.name, func(b *testing.B) {
			b.ReportAllocs()
			if err := s.run(b); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkSanitizer(b *testing.B)  { run(b, "sanitizer") }
func BenchmarkPseudonyms(b *testing.B) { run(b, "pseudonyms") }
func BenchmarkDecision(b *testing.B)   { run(b, "decision") }
func BenchmarkExchange(b *testing.B)   { run(b, "exchange") }

// The pages are of the sizes that the issue speaks of, whole, the last ones, and
// strict JSON.
func TestPages(t *testing.T) {
	r, err := newRig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pages, err := r.pages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		want := map[string]struct{ size, records int }{
			"mail": {425_000, 100}, "calendar": {420_000, 100}, "teams": {87_000, 50}, "users": {177_000, 500},
		}[p.name]
		if size := len(p.body); size < want.size*95/100 || size > want.size*105/100 {
			t.Errorf("%s has %d bytes", p.name, size)
		}
		var body struct{ Value []json.RawMessage }
		if err := json.Unmarshal(p.body, &body); err != nil || len(body.Value) != want.records {
			t.Errorf("%s: %d records, %v", p.name, len(body.Value), err)
		}
		if !jsontext.Value(p.body).IsValid() {
			t.Errorf("%s: not strict", p.name)
		}
		if bytes.Contains(p.body, []byte("nextLink")) {
			t.Errorf("%s: not the last page", p.name)
		}
	}
}

// On the benchmarks' pages and the shipped plans the plain implementation gives
// the same bytes.
func TestPlainImplementationDoesTheSame(t *testing.T) {
	r, err := newRig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pages, err := r.pages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		want, err := peers.Rewrite(nil, p.body, p.plan, plainTokens{r})
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		for _, chunks := range chunkings {
			x, err := r.open(t.Context(), p.target)
			if err != nil {
				t.Fatal(err)
			}
			got, err := body(nil, x, p.body, chunks.size)
			if err != nil {
				t.Fatalf("%s, %s: %v", p.name, chunks.name, err)
			}
			x.Close()
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %s: %d bytes, want %d", p.name, chunks.name, len(got), len(want))
			}
		}
	}
}

// Run measures everything that the targets name of micro, in rounds that pair.
func TestRun(t *testing.T) {
	figures, err := Run(context.Background(), Options{Rounds: 2, BenchTime: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	r := result.Results{Schema: result.Schema, Figures: figures}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	measured := 0
	for _, v := range result.Judge(r) {
		if !slices.ContainsFunc(groups, func(g group) bool { return g.name == v.Group }) {
			continue
		}
		measured++
		if !v.Measured {
			t.Errorf("%s: %s", v.ID, v.Why)
		}
	}
	if measured < 30 {
		t.Errorf("%d targets measured", measured)
	}
	for _, f := range figures {
		if len(f.Rounds) != 2 || f.Unit != "allocs/op" && f.Median() <= 0 {
			t.Errorf("%s: %v", f, f.Rounds)
		}
	}
}
