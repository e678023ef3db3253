package sanitize

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/graphveil/graphveil/policy/plan"
)

// A name is the expected one only if each byte of it is.
func TestNamesOfOneByteElse(t *testing.T) {
	r := New(Limits{})
	for n := 1; n <= maxLearned; n++ {
		name := []byte(strings.Repeat("abcdefg", 10)[:n])
		p := newPlan(nArray(nObject(fields{string(name): nKeep(), "z": nHash()})))
		for i := range name {
			other := bytes.Clone(name)
			other[i] = 'A'
			checkElements(t, r, p, []string{members(string(name), "z"), members(string(other), "z"), members("z", string(other), string(name))}, func(int) []int { return nil })
		}
	}
}

// learned says what was learned of the objects at a place: their names in the order in
// which they are expected, and what is within them.
func learned(at place) string {
	var b strings.Builder
	for l := at.layouts; l != nil; l = l.next {
		b.WriteByte('{')
		for k := l.entries[0].next; k != 0; k = l.entries[k].next {
			e := &l.entries[k]
			b.WriteString(strings.TrimSuffix(string(e.spelled), `":`) + learned(e.place) + " ")
		}
		b.WriteByte('}')
	}
	return b.String()
}

// Each place learns what is new where it stands, also behind names that were expected.
func TestLearned(t *testing.T) {
	inner := nObject(fields{"x": nKeep(), "y": nKeep()})
	p := newPlan(nArray(nObject(fields{"a": inner, "b": inner, "c": nKeep()})))
	tests := []struct{ body, want string }{
		{`[{"a":{"x":1},"b":{"x":1}}]`, `{a{x } b{x } }`},
		{`[{"a":{"x":1},"b":{"x":1}},{"a":{"x":1,"y":1},"b":{"z":1,"x":1}}]`, `{a{x y } b{z x } }`},
		{`[{"a":1,"b":1},{"a":1,"u":1,"b":1},{"a":1,"u":1,"v":1}]`, `{a u v b }`},
		{`[{"a":1,"b":1},{"b":1,"c":1},{"c":1,"a":1,"u":{"v":1}}]`, `{a u{v } b c }`},
		{`[{"a":1},[{"b":1}],{"u":[{"x":1},[{"y":1}]]}]`, `{b }{u{y x } a }`},
		{`[{"a":1},{"a\n":1},{"a":1,"+":1,"c":1}]`, `{a }`},
		{`[{"a":{"x":1},"+":{"z":1},"b":{"y":1}}]`, `{a{x } }`},
		{`[{"a":1}],[{"b":1}]`, `{a }`},
		{`{"a":{"x":1},"u":[{"v":1}],"w":[{"x":1}]}`, `{x }`},
	}
	for _, test := range tests {
		r := New(Limits{})
		deliver(t, r, p, []byte(test.body))
		if got := learned(r.layouts.root); got != test.want {
			t.Errorf("learned of %s: %s, want %s", test.body, got, test.want)
		}
	}
}

// Whatever a body has, no more of it is learned than the bounds say.
func TestLearningIsBounded(t *testing.T) {
	// nested makes objects in many places, with names that begin with a prefix.
	nested := func(places, names int, prefix string) string {
		var b strings.Builder
		for i := range places {
			fmt.Fprintf(&b, `,{"p%d":{"q%d":%s}}`, i%9, i, members(numbered(prefix, 0, names)...))
		}
		return "[" + b.String()[1:] + "]"
	}
	for _, test := range []struct {
		body                   string
		layouts, entries, text int // at least
	}{
		{nested(2*maxLayouts, 1, "n"), maxLayouts, 0, 0},
		{nested(maxLayouts, 2*maxEntries, "n"), 0, maxLaidOut, 0},
		{nested(maxLayouts, maxEntries, strings.Repeat("n", maxLearned-3)), 0, 0, maxText - maxLearned},
	} {
		for _, n := range []*plan.Node{nAny(), nDrop()} {
			r := New(Limits{})
			if d := deliver(t, r, newPlan(nArray(n)), []byte(test.body)); d.err != nil {
				t.Fatal(d.err)
			}
			entries, text := 0, 0
			for _, at := range r.layouts.all {
				entries += len(at.entries) - 1
				for _, e := range at.entries {
					text += len(e.spelled)
				}
			}
			got := []int{len(r.layouts.all), entries, text}
			if got[0] < test.layouts || got[1] < test.entries || got[2] < test.text {
				t.Errorf("learned %v, want at least %v", got, []int{test.layouts, test.entries, test.text})
			}
			if got[0] > maxLayouts || got[1] > maxLaidOut || got[2] > maxText {
				t.Errorf("learned %v, which is too much", got)
			}
		}
	}
}

// Reset without a plan lets go of the one before, and of its tokens, wherever they got
// to: a Rewriter may wait long for its next body.
func TestResetLetsGo(t *testing.T) {
	page := `[{"a":"x","b":[{"c":{"d":"x"}}],"j":"[{\"text\":\"x\"}]","t":"[{\"text\":\"x\"}]","o":{"k":1}},{"a":"x","b":[{"c":{"d":"x"}}]}]`
	for _, body := range []string{page, page[:70], strings.Replace(page, "[", "[1,[[", 1), `{"a":"x"}`} {
		r := New(Limits{})
		gone := func() []func() bool {
			kept, digested := nKeep(), digestText()
			item := nObject(fields{"a": nHash(), "b": nAny(), "j": nInJSON(digested), "t": nInner(digested), "o": nIfFound(nOpen(nil, kept), nAny(), kept)})
			p, tokens := newPlan(nArray(item)), &fakeTokens{}
			r.Reset(p, tokens)
			if out, err := r.Append(nil, []byte(body)); err == nil {
				r.Finish(out)
			}
			node := func(n *plan.Node) func() bool {
				w := weak.Make(n)
				return func() bool { return w.Value() == nil }
			}
			w := weak.Make(tokens)
			return []func() bool{node(p.Root), node(item), node(kept), node(digested), func() bool { return w.Value() == nil }}
		}()
		r.Reset(nil, nil)
		if got := learned(r.layouts.root); got != "" {
			t.Errorf("%s: what was learned stays: %s", body, got)
		}
		runtime.GC()
		for i, gone := range gone {
			if !gone() {
				t.Errorf("%s: %d is held", body, i)
			}
		}
		runtime.KeepAlive(r)
	}
}
