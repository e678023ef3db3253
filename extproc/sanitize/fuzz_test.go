package sanitize

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// randomNode makes a node that often fits a value.
func randomNode(rng *rand.Rand, t *tree) *plan.Node {
	if rng.IntN(8) > 0 {
		switch t.kind {
		case '{':
			f := fields{"not there": nKeep()}
			for _, m := range t.members {
				if rng.IntN(5) > 0 {
					f[m.name] = randomNode(rng, m.value)
				}
			}
			return nObject(f)
		case '[':
			if len(t.items) == 0 {
				return nArray(nKeep())
			}
			return nArray(randomNode(rng, t.items[rng.IntN(len(t.items))]))
		}
	}
	if rng.IntN(2) == 0 {
		return randomNew(rng, t)
	}
	return []func() *plan.Node{
		nKeep, nKeep, nKeep, nDrop, nHash, nHash, nBack, nJSON, nOriginal, nLink,
		func() *plan.Node { return nMatch(smtp) },
		func() *plan.Node { return nObject(nil) },
		func() *plan.Node { return nArray(nil) },
		func() *plan.Node { return nil },
	}[rng.IntN(14)]()
}

// randomLetter makes an expression of which a random text often holds a match.
func randomLetter(rng *rand.Rand, text string) string {
	if text == "" || rng.IntN(3) == 0 {
		return "[a-f]"
	}
	runes := []rune(text)
	return regexp.QuoteMeta(string(runes[rng.IntN(len(runes))]))
}

// randomWords makes phrases of which some are in a text.
func randomWords(rng *rand.Rand, text string) []string {
	words := []string{"a", "Prep", "focus time", "1"}
	runes := []rune(text)
	for range min(3, len(runes)) {
		from := rng.IntN(len(runes))
		word := string(runes[from : from+1+rng.IntN(min(6, len(runes)-from))])
		words = append(words, word, strings.ToUpper(word))
	}
	return words
}

// randomStep makes a step that often does something to a value.
func randomStep(rng *rand.Rand, t *tree) plan.Step {
	patterns := func() []*regexp.Regexp {
		return []*regexp.Regexp{regexp.MustCompile(randomLetter(rng, t.text)), regexp.MustCompile(randomLetter(rng, t.text) + "+")}
	}
	switch rng.IntN(14) {
	case 12, 13:
		if inner, ok := decodeTree([]byte(t.text)); ok && t.kind == '"' {
			for range 3 {
				if n := randomNode(rng, inner); n != nil {
					return plan.Step{Do: plan.StepJSON, Inner: newPlan(n)}
				}
			}
		}
		return plan.Step{Do: plan.StepJSON, Inner: newPlan(nAny())}
	case 0:
		return plan.Step{Do: plan.StepPhrases, Phrases: randomWords(rng, t.text)}
	case 1:
		return plan.Step{Do: plan.StepRemove, Patterns: patterns()}
	case 2:
		return plan.Step{Do: plan.StepOnly, Patterns: patterns()}
	case 3:
		s := plan.Step{Do: plan.StepTokens, Patterns: append(patterns(), regexp.MustCompile(".*"+randomLetter(rng, t.text)+".*"))}
		if rng.IntN(3) > 0 {
			s.Delimiter = regexp.MustCompile(randomLetter(rng, t.text) + "+")
		}
		return s
	case 4:
		group := regexp.MustCompile("(?s).*?(" + randomLetter(rng, t.text) + "+).*")
		return plan.Step{Do: plan.StepTokenizeMatch, Patterns: []*regexp.Regexp{group}}
	case 5:
		return plan.Step{Do: plan.StepMatch, Match: &smtp}
	case 6, 7:
		return plan.Step{Do: []plan.StepOp{plan.StepString, plan.StepInteger, plan.StepNumber, plan.StepBoolean, plan.StepNull, plan.StepScalar, plan.StepObject, plan.StepArray}[rng.IntN(8)]}
	}
	return plan.Step{Do: []plan.StepOp{plan.StepDrop, plan.StepPseudonym, plan.StepReversible, plan.StepJSONPseudonym, plan.StepJSONOriginal, plan.StepJSONReversible,
		plan.StepJSONOriginalReversible, plan.StepHash, plan.StepTokenize, plan.StepDigest, plan.StepDigest, plan.StepEmailHeader,
		plan.StepEmailHeaderJSON, plan.StepHashIP, plan.StepEncryptIP, plan.StepRefuse, plan.StepDropNull}[rng.IntN(17)]}
}

// randomNew makes a node of the operations that go beyond one value at a time.
func randomNew(rng *rand.Rand, t *tree) *plan.Node {
	var n *plan.Node
	switch kind := rng.IntN(8); {
	case kind > 5:
		return randomChoice(rng, t)
	case kind == 0:
		n = nAny()
	case kind == 1 && t.kind == '{':
		n = nOpen(fields{"not there": nKeep()}, []func() *plan.Node{nAny, nKeep, nHash}[rng.IntN(3)]())
		if len(t.members) > 0 {
			m := t.members[rng.IntN(len(t.members))]
			n = nOpen(fields{m.name: randomNode(rng, m.value)}, n.Object.Rest)
		}
	case kind <= 2 && t.kind == '[' && len(t.items) > 0:
		n = nCompact(nArray(randomNode(rng, t.items[rng.IntN(len(t.items))])))
	case kind == 3:
		n = nKeep()
	default:
		n = nRun(randomStep(rng, t))
		for rng.IntN(2) == 0 {
			n.Steps = append(n.Steps, randomStep(rng, t))
		}
		if rng.IntN(2) == 0 {
			any := nAny()
			n.Object, n.Items = any.Object, any
		}
	}
	if rng.IntN(3) == 0 {
		nDigest(n)
		if rng.IntN(3) == 0 {
			n.Digest.Inner = newPlan(digestText())
		}
	}
	return nFall([]plan.Fallback{plan.FallDrop, plan.FallNull, plan.FallNull, plan.FallRefuse}[rng.IntN(4)], n)
}

// randomChoice makes a node that looks into an object before it decides.
func randomChoice(rng *rand.Rand, t *tree) *plan.Node {
	c := &plan.Choice{Else: randomNode(rng, t), Then: randomNode(rng, t)}
	var m member
	if len(t.members) > 0 {
		m = t.members[rng.IntN(len(t.members))]
	}
	switch rng.IntN(4) {
	case 0:
		c.All = []string{m.name}
		if len(t.members) > 0 && rng.IntN(4) > 0 {
			c.All = append(c.All, t.members[rng.IntN(len(t.members))].name)
		}
		if c.All = slices.Compact(c.All); rng.IntN(6) == 0 {
			c.All = append(c.All, "not there")
		}
	case 1:
		find := fields{m.name: nKeep()}
		if m.value != nil && rng.IntN(2) == 0 {
			find[m.name] = nSelect("a", cases{"b": nKeep()}, nObject(fields{"": nKeep(), "a": nArray(nKeep())}))
		}
		if rng.IntN(4) == 0 {
			find = fields{"not there": nKeep()}
		}
		c.Probe = newPlan(&plan.Node{Op: plan.Any, Object: plan.NewFields(find), Items: nObject(find)})
	default:
		c.Member, c.Cases = m.name, cases{"a": randomNode(rng, t)}
		if m.value != nil {
			c.Cases[m.value.text] = c.Then
		}
	}
	return &plan.Node{Op: plan.Choose, Choice: c}
}

// randomPlan makes a plan that often fits a body.
func randomPlan(rng *rand.Rand, body []byte) *plan.Plan {
	t, ok := decodeTree(body)
	if !ok {
		if rng.IntN(2) == 0 {
			return droppingPlan(body)
		}
		return malformedPlan(body)
	}
	for {
		if n := randomNode(rng, t); n != nil {
			return newPlan(n)
		}
	}
}

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

// canaryBody makes a body and the plan for it, in which every value that must
// not survive holds "canary", spelled in all ways, and nothing else does.
type canaryBody struct {
	rng  *rand.Rand
	body strings.Builder
}

// letters writes text in which any letter may be escaped.
func (c *canaryBody) letters(text string) {
	for _, r := range text {
		switch c.rng.IntN(6) {
		case 0:
			c.body.WriteString(strings.ToLower(escapeUnit(r)))
		case 1:
			c.body.WriteString(`\u` + strings.ToUpper(escapeUnit(r)[2:]))
		default:
			c.body.WriteRune(r)
		}
	}
}

func escapeUnit(r rune) string {
	const hex = "0123456789abcdef"
	return `\u00` + string([]byte{hex[r>>4], hex[r&15]})
}

func (c *canaryBody) space() {
	c.body.WriteString([]string{"", "", "", " ", "\n", "\t \r"}[c.rng.IntN(6)])
}

func (c *canaryBody) string(text string) {
	c.body.WriteByte('"')
	if c.rng.IntN(3) == 0 {
		c.body.WriteString([]string{`\ud83d`, `\n`, "é", "😀", `\"`, strings.Repeat("-", c.rng.IntN(9000))}[c.rng.IntN(6)])
	}
	c.letters(text)
	c.body.WriteByte('"')
}

// secret writes any value, all of it canaries.
func (c *canaryBody) secret(depth int) {
	c.space()
	kind := c.rng.IntN(8)
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		c.body.WriteString([]string{"8675309", "-8675309.25", "8.675309e8"}[c.rng.IntN(3)])
	case 1:
		c.body.WriteString([]string{"true", "false"}[c.rng.IntN(2)])
	case 2, 3, 4:
		c.string("canary")
	case 5, 6:
		c.body.WriteByte('{')
		for i := range c.rng.IntN(4) {
			if i > 0 {
				c.body.WriteByte(',')
			}
			c.body.WriteByte('"')
			c.letters("canary" + string(rune('a'+i)))
			c.body.WriteString(`":`)
			c.secret(depth - 1)
		}
		c.body.WriteByte('}')
	default:
		c.body.WriteByte('[')
		for i := range c.rng.IntN(4) {
			if i > 0 {
				c.body.WriteByte(',')
			}
			c.secret(depth - 1)
		}
		c.body.WriteByte(']')
	}
	c.space()
}

// value writes a value and returns a node for it that lets no canary through.
func (c *canaryBody) value(depth int) *plan.Node {
	c.space()
	defer c.space()
	kind := c.rng.IntN(9)
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		c.string("kept")
		return nKeep()
	case 1:
		c.secret(depth)
		return []func() *plan.Node{nDrop, nLink, func() *plan.Node { return nil }}[c.rng.IntN(3)]()
	case 2, 3, 4:
		c.secret(depth)
		return []func() *plan.Node{nHash, nBack, nJSON, func() *plan.Node { return nMatch(plan.Match{Prefix: "c", Then: plan.Pseudonym}) }}[c.rng.IntN(4)]()
	case 5, 6, 7:
		f := fields{}
		c.body.WriteByte('{')
		for i := range c.rng.IntN(6) {
			if i > 0 {
				c.body.WriteByte(',')
			}
			c.space()
			c.body.WriteByte('"')
			name := "name" + string(rune('a'+i))
			if c.rng.IntN(4) == 0 {
				c.letters("canary" + name)
				c.body.WriteString(`":`)
				c.secret(depth - 1)
				continue
			}
			c.letters(name)
			c.body.WriteString(`":`)
			f[name] = c.value(depth - 1)
		}
		c.body.WriteByte('}')
		return nObject(f)
	default:
		var items *plan.Node
		c.body.WriteByte('[')
		for i := range c.rng.IntN(5) {
			if i > 0 {
				c.body.WriteByte(',')
			}
			if i == 0 {
				items = c.value(depth - 1)
				continue
			}
			if items != nil && items.Op == plan.Keep {
				// A secret scalar would be kept.
				c.string("kept")
				continue
			}
			c.secret(depth - 1)
		}
		c.body.WriteByte(']')
		return nArray(items)
	}
}

// No byte of a dropped or pseudonymized value, or of an unknown name, survives.
func FuzzCanary(f *testing.F) {
	for seed := range uint64(500) {
		f.Add(seed, []byte{})
		f.Add(seed, []byte{byte(seed), 0, byte(seed >> 4), 1, 200})
	}
	f.Fuzz(func(t *testing.T, seed uint64, sizes []byte) {
		c := &canaryBody{rng: newRand(seed)}
		c.body.WriteString(`{"root":`)
		root := c.value(5)
		c.body.WriteString(`}`)
		p := newPlan(nObject(fields{"root": root}))
		body := []byte(c.body.String())
		var cuts []int
		at := 0
		for _, size := range sizes {
			if at += int(size); at > len(body) {
				break
			}
			cuts = append(cuts, at)
		}
		d := deliver(t, New(Limits{}), p, body, cuts...)
		checkOracle(t, p, body, d)
		out, ok := decodeTree([]byte(d.out))
		if !ok {
			t.Fatalf("%q became %q", body, d.out)
		}
		for _, text := range []string{d.out, out.String()} {
			for _, canary := range []string{"canary", "anary", "8675309", "675309"} {
				if strings.Contains(text, canary) {
					t.Fatalf("%q leaks %q: %s", body, canary, text)
				}
			}
		}
	})
}
