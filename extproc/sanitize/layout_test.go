package sanitize

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/graphveil/graphveil/policy/plan"
)

// What was learned of the objects before must change nothing but the speed. So each
// object of an array must come out as it does alone, and count the same.
func checkElements(t *testing.T, r *Rewriter, p *plan.Plan, elements []string, cuts func(n int) []int) {
	t.Helper()
	page := "[" + strings.Join(elements, ",") + "]"
	got := deliver(t, r, p, []byte(page), cuts(len(page))...)
	names := unknownNames(r)
	want := "["
	counts, unknown := map[string]Count{}, map[string]uint64{}
	at := 1
	for i, e := range elements {
		alone := New(r.limits)
		d := deliver(t, alone, p, []byte("["+e+"]"))
		for name, n := range unknownNames(alone) {
			unknown[name] += n
		}
		for pointer, c := range d.counts {
			sum := counts[pointer]
			sum.Kept += c.Kept
			sum.Dropped += c.Dropped
			sum.Pseudonymized += c.Pseudonymized
			sum.Mistyped += c.Mistyped
			sum.Unknown += c.Unknown
			counts[pointer] = sum
		}
		if d.err != nil {
			first := Error{d.err.Code, strings.Replace(d.err.Pointer, "/0", fmt.Sprintf("/%d", i), 1), d.err.Offset + int64(at-1)}
			if got.err == nil || *got.err != first {
				t.Fatalf("%s: error %v, alone %v", page, got.err, &first)
			}
			counts[""] = Count{Kept: 1}
			if !maps.Equal(got.counts, counts) {
				t.Fatalf("%s: until the error counts are %v, alone %v", page, got.counts, counts)
			}
			return
		}
		if out := d.out[1 : len(d.out)-1]; out != "" {
			if len(want) > 1 {
				want += ","
			}
			want += out
		}
		at += len(e) + 1
	}
	want += "]"
	counts[""] = Count{Kept: 1}
	if got.err != nil || got.out != want {
		t.Fatalf("%s became\n %s, %v, want\n %s", page, got.out, got.err, want)
	}
	if !maps.Equal(got.counts, counts) {
		t.Fatalf("%s: counts are %v, alone %v", page, got.counts, counts)
	}
	if len(unknown) < maxUnknownNames && !reflect.DeepEqual(names, unknown) {
		t.Fatalf("%s: unknown names are %v, alone %v", page, names, unknown)
	}
}

func unknownNames(r *Rewriter) map[string]uint64 {
	all := map[string]uint64{}
	for _, n := range r.Counts().UnknownNames() {
		all[fmt.Sprint(n.Pointer, n.Name)] += n.Count
	}
	return all
}

// members makes an object of names, in which the value of each tells it apart.
func members(names ...string) string {
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, `,"%s":"%d %s"`, name, i, strings.Trim(name, `\`))
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// numbered returns names made of a prefix and the numbers from..to-1.
func numbered(prefix string, from, to int) []string {
	var names []string
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprint(prefix, i))
	}
	return names
}

// alike are names with one key.
var alike = [2]string{"abcdefghijklmnop", "`bcdefghijklenop"}

func TestNamesElsewhere(t *testing.T) {
	long := strings.Repeat("n", maxLearned)
	if nameKey([]byte(alike[0])) != nameKey([]byte(alike[1])) {
		t.Fatal("the names that should have one key have two")
	}
	tests := map[string][]string{
		"the same order":           {members("a", "ab", "u", "b"), members("a", "ab", "u", "b")},
		"another order":            {members("a", "ab", "u", "b"), members("b", "u", "a", "ab"), members("u", "a", "b", "ab")},
		"missing":                  {members("a", "ab", "u", "b"), members("ab"), members("a", "b"), members(), members("u", "b"), members("a", "ab", "u", "b")},
		"more":                     {members("a"), members("ab", "a"), members("u", "ab", "v", "a", "b"), members("a", "ab", "u", "v", "b")},
		"twice":                    {members("a", "b"), members("a", "b", "a")},
		"twice in a row":           {members("a", "b"), members("a", "a")},
		"twice, unknown":           {members("a", "u", "v"), members("u", "v", "u")},
		"twice, new":               {members("a"), members("a", "u", "v", "u")},
		"twice, the first":         {members("a", "a")},
		"prefixes of others":       {members("a", "ab", "abc", "abcd"), members("abcd", "abc", "ab", "a"), members("abc", "a", "abcd"), members("ab", "abcde", "a")},
		"prefixes, twice":          {members("abc", "ab", "a"), members("a", "ab", "abc", "ab")},
		"longer by a colon":        {members("a"), members("a:", `a\"`, "a")},
		"no name":                  {members("", "a"), members("a", ""), members("", "a", "")},
		"escaped":                  {members("a", "u"), members(`\u0061`, `\u0075`), members("a", "u")},
		"escaped, then plain":      {members("a", "u"), members(`\u0061`, "a")},
		"plain, then escaped":      {members("a", "u"), members("u", `\u0075`)},
		"escaped first":            {members(`\u0075`, "u")},
		"escaped, then learnt":     {members(`\u0075`, "v"), members("u", "v", "u")},
		"escaped, then twice":      {members(`\u0075`, "v", "w", "v"), members("u")},
		"a quote, escaped and not": {`{"a\"":"x","u":1}`, `{"a\"":"x","u":1}`, `{"a"":"x","u":1}`},
		"a line, escaped and not":  {`{"a\n":"x","u":1}`, "{\"a\n\":\"x\",\"u\":1}"},
		"plus, in order":           {members("+a", "a", "u"), members("+a", "a", "u")},
		"alike":                    {members(alike[0], alike[1]), members(alike[1], alike[0])},
		"alike, new":               {members(alike[0], "a", alike[1])},
		"alike, twice":             {members(alike[0], alike[1]), members(alike[1], alike[0]), members(alike[1], alike[1])},
		"alike, learned before":    {members("a", alike[0], alike[1]), members(alike[0], "a"), members(alike[1], alike[0], "a")},
		"plus":                     {members("+a", "a", "+u"), members("a", "+u", "+a"), members("+u", "a", "+u")},
		"eight bytes":              {members("12345678", "12345679", "a2345678"), members("12345679", "12345678", "1234567", "a2345678"), members("12345679", "1234567", "12345679")},
		"not ASCII":                {members("é", "ü", "a"), members("ü", "é", "a"), members("é", "é")},
		"too long to be learnt":    {members(long, long+"m", "a"), members(long+"m", long, "a"), members(long+"m", "a", long, long+"m")},
		"more than a layout":       {members(numbered("n", 0, 100)...), members(numbered("n", 0, 100)...), members(slices.Concat(numbered("n", 50, 100), numbered("n", 0, 50))...)},
		"more, twice, learnt":      {members(numbered("n", 0, 100)...), members(append(numbered("n", 0, 100), "n3")...)},
		"more, twice, not":         {members(numbered("n", 0, 100)...), members(append(numbered("n", 0, 100), "n93")...)},
		"more, twice, just not":    {members(append(numbered("n", 0, 100), "n63")...), members("a")},
		"more, twice, first not":   {members(append(numbered("n", 0, 100), "n70")...)},
		"more, known after":        {members(append(numbered("n", 0, 100), "a", "b")...), members(append([]string{"b"}, numbered("n", 0, 100)...)...), members("a", "b", "n99", "a")},
		"all different":            {members(numbered("a", 0, 40)...), members(numbered("b", 0, 40)...), members(numbered("c", 0, 40)...), members(numbered("b", 0, 40)...)},
		"white space":              {members("a", "u"), `{"a" : "x" , "u":"y"}`, "{\n\"a\":\t\"x\",\"u\"\n:1}", members("a", "u")},
		"another type":             {`{"a":{"a":1,"u":2},"o":1}`, `{"a":[{"u":1,"a":1}],"o":{"x":1,"y":[{"x":1}]}}`, `{"o":{"y":[],"x":2},"a":{"u":1,"u":2}}`},
		"nested":                   {`{"o":{"x":{"p":1,"q":2},"y":2},"l":[{"x":1},{"y":2}]}`, `{"o":{"y":3,"x":{"q":1}},"l":[[{"y":1,"x":2}],{"y":1,"x":1,"y":1}]}`},
		"broken":                   {members("a", "u"), `{"a":"x","u"`, `{"a":"x""u":1}`},
		"cut short":                {members("a", "u"), `{"a":"x","u":`},
	}
	var nodes = map[string]*plan.Node{
		"known":   nObject(fields{"a": nKeep(), "ab": nHash(), "abc": nDrop(), "b": nKeep(), "n93": nBack(), "12345678": nKeep(), alike[0]: nKeep(), "é": nKeep(), "": nKeep(), "o": nObject(fields{"x": nHash(), "y": nKeep()}), "l": nArray(nObject(fields{"x": nKeep(), "y": nHash()}))}),
		"unknown": nObject(nil),
		"any":     nAny(),
		"dropped": nDrop(),
		"rest":    nOpen(fields{"a": nDrop()}, nHash()),
		"digests": nOpen(fields{"a": nDigest(nKeep()), "u": nDigest(nDrop())}, nAny()),
		"chosen":  nSelect("u", cases{"1 u": nObject(fields{"a": nKeep(), "u": nKeep()}), "2 u": nAny()}, nObject(fields{"u": nHash(), "ab": nKeep()})),
		"all":     nIfAll([]string{"a", "u"}, nAny(), nObject(fields{"b": nKeep()})),
	}
	for name, elements := range tests {
		for node, n := range nodes {
			t.Run(name+"/"+node, func(t *testing.T) {
				p := newPlan(nArray(n))
				r := New(Limits{})
				for range 2 {
					checkElements(t, r, p, elements, func(int) []int { return nil })
					checkElements(t, r, p, elements, func(n int) []int { return every(n, 1) })
					checkElements(t, r, p, elements, func(n int) []int { return every(n, 13) })
				}
				page := []byte("[" + strings.Join(elements, ",") + "]")
				if d := deliver(t, r, p, page); (d.err == nil) != jsontext.Value(page).IsValid() {
					t.Errorf("%s: %v, jsontext says %v", page, d.err, d.err != nil)
				}
			})
		}
	}
}

// The limits count names that are expected, learned, and neither.
func TestLimitsOfNamesElsewhere(t *testing.T) {
	elements := []string{members("a", "u1", "u2"), members("u2", "a", "u1"), members("u1", "a", "u2", "u3"), members("u3", `\u0075`, "u1", "u2"), members("u1", "u2", "u3", "u4", "u5")}
	chained := []string{members("a", "b"), members("b", "c"), members("c", "d"), members("a", "b", "c"), members("a", "b", "c", "d")}
	for names := 1; names < 120; names++ {
		for _, node := range []*plan.Node{nObject(fields{"a": nKeep()}), nDrop(), nAny()} {
			checkElements(t, New(Limits{Names: names}), newPlan(nArray(node)), elements, func(int) []int { return nil })
			checkElements(t, New(Limits{Members: names}), newPlan(nArray(node)), elements, func(int) []int { return nil })
			checkElements(t, New(Limits{Members: names}), newPlan(nArray(node)), chained, func(int) []int { return nil })
		}
	}
}

// Many places are learned until there is no more room, and again for the next array.
func TestMorePlacesThanLayouts(t *testing.T) {
	var b strings.Builder
	for i := range 2 * maxLayouts {
		fmt.Fprintf(&b, `,"o%d":{"x":{"y":%d,"z":"z"},"w":[{"v":1},{"v":2}]}`, i, i)
	}
	e := "{" + b.String()[1:] + "}"
	for _, n := range []*plan.Node{nAny(), nObject(nil), nObject(fields{"o1": nAny(), "o100": nAny(), "o120": nObject(fields{"x": nObject(fields{"z": nHash()})})})} {
		checkElements(t, New(Limits{}), newPlan(nArray(n)), []string{e, e, `{"o120":{"x":{"z":"z","z":"z"}}}`}, func(int) []int { return nil })
	}
	body := `{"a":[` + e + `,` + e + `],"b":[{"o1":{"w":1}},{"o1":{"w":1}}],"c":[` + e + `]}`
	if d := deliver(t, New(Limits{}), newPlan(nAny()), []byte(body)); d.err != nil || d.out != body {
		t.Errorf("kept as %s, %v", d.out, d.err)
	}
}
