package sanitize

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/graphveil/graphveil/policy/plan"
)

// seedBodies are the bodies that every fuzz target begins with.
func seedBodies(tb testing.TB) [][]byte {
	tb.Helper()
	files, err := filepath.Glob("../../testdata/fuzz/Rewriter/*")
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		tb.Fatal("no seeds in testdata/fuzz/Rewriter")
	}
	var all [][]byte
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, body)
	}
	for _, m := range readMalformed(tb) {
		all = append(all, m.body)
	}
	for _, body := range append(wellFormed, embedded...) {
		all = append(all, []byte(body))
	}
	return all
}

// embedded are bodies with JSON in their strings.
var embedded = []string{
	`{"a":"{\"text\":\"one two\",\"b\":[1,{\"text\":null}],\"c\":\"x\"}","b":"{text: unquoted value, c:'d'}","c":["[1,\"[2,[\\\"x\\\"]]\"]","\"x\"","{"]}`,
	`[{"a":"{\"a\":\"{\\\"a\\\":\\\"b\\\"}\"}","t":"x"},{"a":"{}"},{"a":" [ ] ","text":"a b"}]`,
	`{"value":[{"t":"a","v":{"t":"b","w":[{"x":1,"t":"c"}]}},{"v":{"w":[{"t":"c"}],"t":"b"},"t":"a"}]}`,
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) }

// wide are limits that a fuzzed body does not reach, but for the depth, which is
// that of encoding/json and jsontext.
var wide = Limits{Depth: 10_000, Name: 1 << 30, Names: 1 << 30, Members: 1 << 30, Number: 1 << 30, String: 1 << 30}

// randomCuts cuts n bytes into pieces, also empty ones.
func randomCuts(rng *rand.Rand, n int) []int {
	cuts := make([]int, rng.IntN(10))
	for i := range cuts {
		cuts[i] = rng.IntN(n + 1)
	}
	slices.Sort(cuts)
	return cuts
}

// Any split gives the same bytes, the same error, and the same counts.
func FuzzSplits(f *testing.F) {
	for i, body := range seedBodies(f) {
		f.Add(body, uint64(i))
		f.Add(body, uint64(i+1)<<20)
	}
	small := Limits{Depth: 4, Name: 6, Names: 60, Members: 5, Number: 5, String: 8, Body: 300}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		rng := newRand(seed)
		p := randomPlan(rng, body)
		r := New([]Limits{{}, wide, small}[rng.IntN(3)])
		whole := deliver(t, r, p, body)
		for _, cuts := range [][]int{every(len(body), 1), randomCuts(rng, len(body)), randomCuts(rng, len(body))} {
			got := deliver(t, r, p, body, cuts...)
			if (got.err == nil) != (whole.err == nil) || got.err != nil && *got.err != *whole.err {
				t.Fatalf("cut at %v: error %v, whole %v", cuts, got.err, whole.err)
			}
			if got.err == nil && got.out != whole.out {
				t.Fatalf("cut at %v:\n got   %q\n whole %q", cuts, got.out, whole.out)
			}
			for at, c := range whole.counts {
				if got.counts[at] != c {
					t.Fatalf("cut at %v: %s counted %+v, whole %+v", cuts, at, got.counts[at], c)
				}
			}
		}
	})
}

// A Rewriter does what the oracle does, and refuses what it refuses.
func FuzzOracle(f *testing.F) {
	for i, body := range seedBodies(f) {
		for round := range uint64(4) {
			f.Add(body, uint64(i)+round<<32)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		rng := newRand(seed)
		p := randomPlan(rng, body)
		d := deliver(t, New(wide), p, body, randomCuts(rng, len(body))...)
		checkOracle(t, p, body, d)
	})
}

// checkOracle holds a delivery against the oracle.
func checkOracle(t *testing.T, p *plan.Plan, body []byte, d delivery) {
	t.Helper()
	in, ok := decodeTree(body)
	if !ok {
		if d.err == nil || d.err.Code == CodeRootDropped && json.Valid(body) && utf8.Valid(body) {
			t.Fatalf("%q should be refused, got %q, %v", body, d.out, d.err)
		}
		return
	}
	want, refused := in.editRoot(p.Root)
	if refused {
		if d.err == nil || d.err.Code != CodeMistyped {
			t.Fatalf("%q should be refused, got %q, %v", body, d.out, d.err)
		}
		return
	}
	if want == nil {
		if d.err == nil || d.err.Code != CodeRootDropped {
			t.Fatalf("root of %q should be dropped, got %q, %v", body, d.out, d.err)
		}
		return
	}
	if d.err != nil {
		t.Fatalf("%q: %v", body, d.err)
	}
	got, ok := decodeTree([]byte(d.out))
	if !ok {
		t.Fatalf("%q became what is no strict JSON: %q", body, d.out)
	}
	if got.String() != want.String() {
		t.Fatalf("%q became\n %s, want\n %s", body, got, want)
	}
}

// A plan that keeps everything gives compact JSON back byte for byte.
func FuzzKeepAll(f *testing.F) {
	for i, body := range seedBodies(f) {
		f.Add(body, uint64(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		p, ok := keepAllPlan(body)
		if !ok {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, body); err != nil {
			t.Fatal(err)
		}
		rng := newRand(seed)
		r := New(wide)
		for _, in := range [][]byte{body, compact.Bytes()} {
			if d := deliver(t, r, p, in, randomCuts(rng, len(in))...); d.err != nil || d.out != compact.String() {
				t.Fatalf("%q became %q, %v", in, d.out, d.err)
			}
		}
	})
}

// What is accepted is what jsontext accepts in its strict mode, but that an
// unpaired surrogate escape is let through.
func FuzzAccept(f *testing.F) {
	for _, body := range seedBodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want := jsontext.Value(body).IsValid() ||
			utf8.Valid(body) && jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true))
		for _, p := range []*plan.Plan{malformedPlan(body), droppingPlan(body), newPlan(nDrop())} {
			d := deliver(t, New(wide), p, body)
			got := d.err == nil || d.err.Code == CodeRootDropped && jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true))
			if got != want {
				t.Fatalf("accepting %q: %v, jsontext says %v (%v)", body, got, want, d.err)
			}
		}
	})
}
