package sanitize

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/graphveil/graphveil/policy/plan"
)

// varied makes an object or value like t: with members missing, in another order,
// twice, escaped, or new, some names that are prefixes of others, and white space.
type varied struct {
	rng *rand.Rand
	buf []byte
	// loose: names may come twice.
	loose bool
}

func (v *varied) one(n int) bool { return v.rng.IntN(n) == 0 }

func (v *varied) space() {
	if v.one(60) {
		v.buf = append(v.buf, " \n\t\r "[v.rng.IntN(4):]...)
	}
}

func (v *varied) string(text string) {
	v.buf = append(v.buf, '"')
	escape := v.one(20)
	for _, c := range text {
		if escape && v.one(3) && c < 0x10000 {
			v.buf = fmt.Appendf(v.buf, `\u%04X`, c)
			continue
		}
		v.buf = appendEscaped(v.buf, utf8.AppendRune(nil, c))
	}
	v.buf = append(v.buf, '"')
}

func (v *varied) value(t *tree) {
	v.space()
	switch t.kind {
	case '{':
		all := slices.Clone(t.members)
		if len(all) > 1 && v.one(4) {
			v.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		if len(all) > 0 && v.one(8) {
			if more := all[v.rng.IntN(len(all))]; v.loose && v.one(3) {
				all = append(all, more)
			} else if name := more.name + "x"; !slices.ContainsFunc(all, func(m member) bool { return m.name == name }) {
				all = slices.Insert(all, v.rng.IntN(len(all)), member{name, more.value})
			}
		}
		if v.one(40) {
			for i := range 70 {
				all = append(all, member{fmt.Sprint("\x7fmore", i), treeNull})
			}
		}
		v.buf = append(v.buf, '{')
		first := true
		for _, m := range all {
			if v.one(8) {
				continue
			}
			if !first {
				v.buf = append(v.buf, ',')
			}
			first = false
			v.space()
			v.string(m.name)
			v.space()
			v.buf = append(v.buf, ':')
			v.value(m.value)
		}
		v.space()
		v.buf = append(v.buf, '}')
	case '[':
		v.buf = append(v.buf, '[')
		for i, item := range t.items {
			if i > 0 {
				v.buf = append(v.buf, ',')
			}
			v.value(item)
		}
		v.space()
		v.buf = append(v.buf, ']')
	case '"':
		v.string(t.text)
	case '0':
		v.buf = append(v.buf, t.text...)
	default:
		v.buf = append(v.buf, literalOf(t.kind)...)
	}
	v.space()
}

// Pages of objects that look like each other come out as the oracle says, count as
// if each were alone, and are accepted if jsontext accepts them, however they are
// cut.
func FuzzPages(f *testing.F) {
	for i, body := range seedBodies(f) {
		for round := range uint64(4) {
			f.Add(body, uint64(i)+round<<32)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		like, ok := decodeTree(body)
		if !ok {
			return
		}
		rng := newRand(seed)
		n := randomNode(rng, like)
		if n == nil {
			return
		}
		p := newPlan(nArray(n))
		v := varied{rng: rng, loose: rng.IntN(3) == 0}
		var elements []string
		for range 1 + rng.IntN(6) {
			v.buf = nil
			v.value(like)
			elements = append(elements, string(v.buf))
		}
		page := []byte("[" + strings.Join(elements, ",") + "]")
		r := New(wide)
		cuts := randomCuts(rng, len(page))
		checkOracle(t, p, page, deliver(t, r, p, page, cuts...))
		checkElements(t, r, p, elements, func(int) []int { return cuts })
		if rng.IntN(2) == 0 {
			// And broken anywhere.
			page = bytes.Clone(page)
			page[rng.IntN(len(page))] ^= byte(1 << rng.IntN(8))
		}
		whole := deliver(t, r, p, page)
		for _, cuts := range [][]int{every(len(page), 1), randomCuts(rng, len(page))} {
			got := deliver(t, r, p, page, cuts...)
			if !reflect.DeepEqual(got.err, whole.err) || got.err == nil && got.out != whole.out || !maps.Equal(got.counts, whole.counts) {
				t.Fatalf("%q cut at %v:\n got   %+v\n whole %+v", page, cuts, got, whole)
			}
		}
		strict := jsontext.Value(page).IsValid() || utf8.Valid(page) && jsontext.Value(page).IsValid(jsontext.AllowInvalidUTF8(true))
		for _, p := range []*plan.Plan{newPlan(nAny()), newPlan(nArray(nObject(nil))), newPlan(nArray(nil))} {
			d := deliver(t, r, p, page, cuts...)
			if accepted := d.err == nil || d.err.Code == CodeRootDropped && strict; accepted != strict {
				t.Fatalf("%q: %v, jsontext says %v", page, d.err, strict)
			}
		}
	})
}
