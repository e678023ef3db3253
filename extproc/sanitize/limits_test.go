package sanitize

import (
	"fmt"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

func TestLimits(t *testing.T) {
	small := Limits{Depth: 3, Name: 8, Names: 100, Members: 4, Number: 5, String: 6, Body: 400}
	hashed := newPlan(nObject(fields{"h": nHash(), "k": nKeep(), "l": nLink(), "m": nMatch(smtp), "d": nDrop(), "a": nArray(nKeep())}))
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name string
		in   string
		want *Error
	}{
		{"depth just right", `{"a":[[1]],"d":{"x":{}}}`, nil},
		{"depth of arrays", `{"a":[[[1]]]}`, &Error{CodeDepth, "/a/0/0", 7}},
		{"depth of dropped objects", `{"d":{"x":{"y":{}}}}`, &Error{CodeDepth, "/d/*/*", 15}},
		{"depth of unknown", `{"z":[0,[[]]]}`, &Error{CodeDepth, "/*/1/0", 9}},
		{"name just right", `{"12345678":1}`, nil},
		{"name too long", `{"123456789":1}`, &Error{CodeLimit, "", 1}},
		{"name too long as spelled", `{"\u006babc":1}`, &Error{CodeLimit, "", 1}},
		{"name too long and never ends", `{"123456789`, &Error{CodeLimit, "", 1}},
		{"name too long, then wrong", "{\"123456789\x00", &Error{CodeLimit, "", 1}},
		{"name wrong before too long", "{\"12345678\x00", &Error{CodeSyntax, "", 10}},
		{"members just right", `{"k":1,"h":2,"x":3,"y":4}`, nil},
		{"members too many", `{"k":1,"h":2,"x":3,"y":4,"z":5}`, &Error{CodeLimit, "/*", 25}},
		{"members too many below", `{"d":{"a":1,"b":1,"c":1,"d":1,"e":1}}`, &Error{CodeLimit, "/d/*", 30}},
		{"names just right", `{"w":{"1234567":{"1":1},"x":1},"y":2}`, nil},
		{"names too many", `{"12345678":{"12345671":1,"12345672":1,"12345673":1,"1":1}}`, &Error{CodeLimit, "/*/*", 52}},
		{"names of closed objects are forgotten", `{"d":[{"1234567":{"12345678":1}},{"1234567":{"12345678":1}},{"1234567":{"12345678":1}}]}`, &Error{CodeDepth, "/d/0/*", 17}},
		{"names of closed objects", `{"a":[{"1234567":1},{"1234567":1},{"1234567":1},{"1234567":1},{"1234567":1},{"1234567":1}]}`, nil},
		{"number just right", `{"k":12345}`, nil},
		{"number too long", `{"k":123456}`, &Error{CodeLimit, "/k", 5}},
		{"dropped number too long", `{"x":1.2e+3}`, &Error{CodeLimit, "/*", 5}},
		{"number too long, then wrong", `{"k":123456.}`, &Error{CodeLimit, "/k", 5}},
		{"number wrong before too long", `{"k":1234.}`, &Error{CodeSyntax, "/k", 10}},
		{"hashed just right", `{"h":"123456"}`, nil},
		{"hashed too long", `{"h":"1234567"}`, &Error{CodeLimit, "/h", 5}},
		{"hashed too long as spelled", `{"h":"a\u006b"}`, &Error{CodeLimit, "/h", 5}},
		{"hashed too long, never ends", `{"h":"1234567`, &Error{CodeLimit, "/h", 5}},
		{"hashed too long, then wrong", `{"h":"1234567\x`, &Error{CodeLimit, "/h", 5}},
		{"hashed wrong before too long", `{"h":"123456\x`, &Error{CodeSyntax, "/h", 12}},
		{"link too long", `{"l":"1234567"}`, &Error{CodeLimit, "/l", 5}},
		{"matched too long", `{"m":"1234567"}`, &Error{CodeLimit, "/m", 5}},
		{"kept has no limit", `{"k":"` + long + `"}`, nil},
		{"dropped has no limit", `{"d":"` + long + `","x":1}`, nil},
		{"body just right", `{"d":"` + long + `"}` + strings.Repeat(" ", 92), nil},
		{"body too long", `{"d":"` + long + `"}` + strings.Repeat(" ", 93), &Error{CodeLimit, "", 400}},
		{"body too long in a string", `{"d":"` + long + long + `"}`, &Error{CodeLimit, "/d", 400}},
		{"body too long in a string, then wrong", `{"d":"` + long + long + "\x00", &Error{CodeLimit, "/d", 400}},
		{"body wrong before too long", `{"d":"` + long + "\x00" + long, &Error{CodeSyntax, "/d", 306}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New(small)
			d := deliver(t, r, hashed, []byte(tt.in))
			switch {
			case tt.want == nil && d.err != nil:
				t.Fatalf("%s: %v", tt.in, d.err)
			case tt.want != nil && (d.err == nil || *d.err != *tt.want):
				t.Fatalf("%s: got %v, want %v", tt.in, d.err, tt.want)
			}
			checkSplits(t, r, hashed, []byte(tt.in), d)
			if d := deliver(t, New(Limits{}), hashed, []byte(tt.in)); d.err != nil && (d.err.Code == CodeLimit || d.err.Code == CodeDepth) {
				t.Fatalf("with default limits: %v", d.err)
			}
		})
	}
}

func TestDefaultLimits(t *testing.T) {
	if got, want := (Limits{}).withDefaults(), (Limits{128, 1024, 256 << 10, 8192, 1000, 64 << 10, 4 << 20, 1 << 30}); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	if got, want := (Limits{-1, -1, -1, -1, -1, -1, -1, -1}).withDefaults(), (Limits{}).withDefaults(); got != want {
		t.Errorf("negative limits are %+v, want the defaults", got)
	}
	r := New(Limits{})
	p := newPlan(nArray(nObject(nil)))
	for depth, fails := range map[int]bool{DefaultDepth: false, DefaultDepth + 1: true} {
		body := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if d := deliver(t, r, p, []byte(body)); (d.err != nil) != fails {
			t.Errorf("depth %d: %v", depth, d.err)
		}
	}
	for members, fails := range map[int]bool{DefaultMembers: false, DefaultMembers + 1: true} {
		var b strings.Builder
		for i := range members {
			fmt.Fprintf(&b, `,"m%d":0`, i)
		}
		body := "[{" + b.String()[1:] + "}]"
		if d := deliver(t, r, p, []byte(body)); (d.err != nil) != fails {
			t.Errorf("%d members: %v", members, d.err)
		}
	}
}

// What a Rewriter holds on to is bounded by its limits, whatever the body is.
func TestMemoryIsBounded(t *testing.T) {
	r := New(Limits{})
	p := newPlan(nObject(fields{"value": nArray(nObject(fields{"k": nKeep(), "h": nHash(), "d": nDrop()}))}))
	r.Reset(p, &fakeTokens{})
	var out []byte
	feed := func(s string) {
		t.Helper()
		var err error
		if out, err = r.Append(out[:0], []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	piece := strings.Repeat("0123456789abcde\\n", 1<<10)
	feed(`{"value":[{}`)
	for range 20 {
		feed(`,{"k":"`)
		for range 40 {
			feed(piece)
		}
		feed(`","d":"`)
		for range 40 {
			feed(piece)
		}
		feed(`","h":"` + strings.Repeat("x", DefaultString) + `"}`)
	}
	feed(`]}`)
	if _, err := r.Finish(nil); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"held": cap(r.token.held), "text": cap(r.text), "made": cap(r.made), "name": cap(r.name)} {
		if n > 2*DefaultString {
			t.Errorf("%s holds %d bytes", name, n)
		}
	}
}

// So is what it holds for a choice, a step, or the end of an object.
func TestHoldIsBounded(t *testing.T) {
	limits := Limits{Hold: 1000}
	for _, tt := range []struct {
		name string
		node *plan.Node
		in   string
		want Error
	}{
		{"tokens in a string", nPatterns(plan.StepTokenizeMatch, `(a)a*`), `"` + strings.Repeat("a", 300) + `"`, Error{CodeLimit, "/v", 5}},
		{"tokens in JSON", nInJSON(nArray(nHash())), `"[` + strings.Repeat("1,", 100) + `1]"`, Error{CodeLimit, "/v", 5}},
		{"JSON", nInJSON(nAny()), `"` + strings.Repeat("1", 1001) + `"`, Error{CodeLimit, "/v", 5}},
		{"digests", nOpen(nil, nDigest(nDrop())), `{"` + strings.Repeat("n", 500) + `":"","` + strings.Repeat("m", 500) + `":""}`, Error{CodeLimit, "/v/*", 1015}},
	} {
		p := newPlan(nObject(fields{"v": tt.node}))
		body := []byte(`{"v":` + tt.in + `}`)
		r := New(limits)
		d := deliver(t, r, p, body)
		if d.err == nil || *d.err != tt.want {
			t.Errorf("%s: got %.100q, %v, want %v", tt.name, d.out, d.err, &tt.want)
			continue
		}
		checkSplits(t, r, p, body, d)
		if d := deliver(t, New(Limits{}), p, body); d.err != nil {
			t.Errorf("%s: with default limits: %v", tt.name, d.err)
		}
	}
	// What was held for one body is not held on to for the next.
	large := strings.Repeat(`\u0061`, DefaultHold/8)
	for _, tt := range []struct {
		plan     *plan.Plan
		in, want string
	}{
		{newPlan(nSelect("t", cases{"a": nAny()}, nil)), `{"x":"` + large + `","t":"a"}`, `{"x":"` + large + `","t":"a"}`},
		{psoxyPlan(nDo(plan.StepString)), `"` + large + `"`, `"` + large + `"`},
		{psoxyPlan(nRun(plan.Step{Do: plan.StepString}, plan.Step{Do: plan.StepJSON, Inner: newPlan(nInJSON(nAny()))})), quote(`"\"` + large + `\""`), quote(`"\"` + large + `\""`)},
	} {
		r := New(Limits{})
		if d := deliver(t, r, tt.plan, []byte(tt.in), every(len(tt.in), 16<<10)...); d.err != nil || d.out != tt.want {
			t.Fatalf("a large body: %v, %.100s", d.err, d.out)
		}
		r.Reset(tt.plan, &fakeTokens{})
		for ; r != nil; r = r.child {
			sum := cap(r.hold.buf) + cap(r.hold.spare) + cap(r.token.held) + cap(r.text) + cap(r.made) + cap(r.paired) + cap(r.pipe[0]) + cap(r.pipe[1])
			if sum > 8*keepBuffer || cap(r.hold.buf) > keepBuffer || cap(r.token.held) > keepBuffer || cap(r.text) > keepBuffer || cap(r.pipe[0]) > keepBuffer {
				t.Errorf("a Rewriter that is reset holds %d bytes", sum)
			}
		}
	}
}

// What is held at every level of a body is read again at every level, so levels
// are worth only so much of a large body.
func TestReadingAgainIsBounded(t *testing.T) {
	level := nAny()
	asks := nIfAll([]string{"x", "y"}, nDrop(), level)
	level.Object, level.Items = plan.NewFields(nil), asks
	level.Object.Rest = asks
	p := newPlan(asks)
	for depth, want := range map[int]*Error{20: nil, 120: {Code: CodeLimit}} {
		body := []byte(strings.Repeat(`{"a":`, depth) + `"` + strings.Repeat("b", 2<<20) + `"` + strings.Repeat("}", depth))
		for _, size := range []int{len(body), 16 << 10} {
			var cuts []int
			for at := size; at < len(body); at += size {
				cuts = append(cuts, at)
			}
			d := deliver(t, New(Limits{}), p, body, cuts...)
			if (d.err == nil) != (want == nil) || want != nil && d.err.Code != want.Code {
				t.Errorf("%d levels in chunks of %d: %v", depth, size, d.err)
			}
		}
	}
}
