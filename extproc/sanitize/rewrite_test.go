package sanitize

import (
	"regexp"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

// hash, back and so on are what fakeTokens makes of a value.
func hash(v string) string { return string(new(fakeTokens).AppendPseudonym(nil, []byte(v))) }
func back(v string) string { return string(new(fakeTokens).AppendReversible(nil, []byte(v))) }
func jsonForm(v string, original bool) string {
	return quote(string(new(fakeTokens).AppendJSON(nil, []byte(v), original, false)))
}
func link(v string) string {
	made, ok := new(fakeTokens).AppendLink(nil, []byte(v))
	if !ok {
		panic("no link")
	}
	return string(made)
}
func quote(s string) string { return `"` + string(appendEscaped(nil, []byte(s))) + `"` }

var smtp = plan.Match{Prefix: "smtp:", Then: plan.Pseudonym}

// opTests say what an operation makes of the value of a member "v", which stands
// between two kept ones, and of the element of an array. An empty want means
// that it is dropped.
var opTests = []struct {
	name string
	node *plan.Node
	in   string
	want string
	kept, dropped, pseudonymized, mistyped,
	unknown uint64
}{
	{name: "keep string", node: nKeep(), in: `"x"`, want: `"x"`, kept: 1},
	{name: "keep empty", node: nKeep(), in: `""`, want: `""`, kept: 1},
	{name: "keep spelling", node: nKeep(), in: `"\u0041\/\n\ud83d\uDE00 é日😀"`, want: `"\u0041\/\n\ud83d\uDE00 é日😀"`, kept: 1},
	{name: "keep lone high surrogate", node: nKeep(), in: `"a\ud83d"`, want: `"a\ud83d"`, kept: 1},
	{name: "keep lone low surrogate", node: nKeep(), in: `"\ude00b"`, want: `"\ude00b"`, kept: 1},
	{name: "keep number", node: nKeep(), in: `-0.10e+05`, want: `-0.10e+05`, kept: 1},
	{name: "keep big number", node: nKeep(), in: `123456789012345678901234567890`, want: `123456789012345678901234567890`, kept: 1},
	{name: "keep true", node: nKeep(), in: `true`, want: `true`, kept: 1},
	{name: "keep false", node: nKeep(), in: `false`, want: `false`, kept: 1},
	{name: "keep null", node: nKeep(), in: `null`, want: `null`, kept: 1},
	{name: "keep object", node: nKeep(), in: `{"a":[1,{"b":"x"}]}`, mistyped: 1},
	{name: "keep array", node: nKeep(), in: `["x",[],{}]`, mistyped: 1},

	{name: "drop string", node: nDrop(), in: `"x\"\\ \ud83d"`, dropped: 1},
	{name: "drop number", node: nDrop(), in: `-1.5E3`, dropped: 1},
	{name: "drop null", node: nDrop(), in: `null`, dropped: 1},
	{name: "drop object", node: nDrop(), in: `{"w":1,"v":{"v":[]}}`, dropped: 1},
	{name: "drop array", node: nDrop(), in: `[[[1],2],"x"]`, dropped: 1},
	{name: "zero node", node: &plan.Node{}, in: `"x"`, dropped: 1},
	{name: "nil node", node: nil, in: `"x"`},
	{name: "nil node, object", node: nil, in: `{"a":"x"}`},
	{name: "unknown operation", node: &plan.Node{Op: 200}, in: `"x"`, dropped: 1},
	{name: "unknown operation, null", node: &plan.Node{Op: 200}, in: `null`, dropped: 1},
	{name: "unknown operation, number", node: &plan.Node{Op: 200}, in: `1`, dropped: 1},
	{name: "unknown operation, object", node: &plan.Node{Op: 200}, in: `{}`, dropped: 1},

	{name: "pseudonym", node: nHash(), in: `"alice@acme.com"`, want: quote(hash("alice@acme.com")), pseudonymized: 1},
	{name: "pseudonym unescapes", node: nHash(), in: `"\u0061\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"`, want: quote(hash("aé😀\"\\/\b\f\n\r\t")), pseudonymized: 1},
	{name: "pseudonym of raw UTF-8", node: nHash(), in: `"日本"`, want: quote(hash("日本")), pseudonymized: 1},
	{name: "pseudonym of NUL", node: nHash(), in: `"\u0000"`, want: quote(hash("\x00")), pseudonymized: 1},
	{name: "pseudonym of lone high surrogate", node: nHash(), in: `"a\ud83d"`, want: quote(hash("a\ufffd")), pseudonymized: 1},
	{name: "pseudonym of lone low surrogate", node: nHash(), in: `"\ude00b"`, want: quote(hash("\ufffdb")), pseudonymized: 1},
	{name: "pseudonym of two high surrogates", node: nHash(), in: `"\ud83d\ud83d\ude00"`, want: quote(hash("\ufffd😀")), pseudonymized: 1},
	{name: "pseudonym of surrogate and text", node: nHash(), in: `"\ud83dA7FA\n"`, want: quote(hash("\ufffdA7FA\n")), pseudonymized: 1},
	{name: "pseudonym of integer", node: nHash(), in: `123`, want: quote(hash("123")), pseudonymized: 1},
	{name: "pseudonym of big integer", node: nHash(), in: `-9223372036854775809123`, want: quote(hash("-9223372036854775809123")), pseudonymized: 1},
	{name: "pseudonym of double", node: nHash(), in: `123.00`, want: quote(hash("123.0")), pseudonymized: 1},
	{name: "pseudonym of minus zero", node: nHash(), in: `-0`, want: quote(hash("0")), pseudonymized: 1},
	{name: "pseudonym of null", node: nHash(), in: `null`, want: `null`, kept: 1},
	{name: "pseudonym of empty", node: nHash(), in: `""`, want: `null`, kept: 1},
	{name: "pseudonym of blank", node: nHash(), in: `" \t\u3000\u2028"`, want: `null`, kept: 1},
	{name: "pseudonym of no-break space", node: nHash(), in: `"\u00a0"`, want: quote(hash("\u00a0")), pseudonymized: 1},
	{name: "pseudonym of bool", node: nHash(), in: `true`, mistyped: 1},
	{name: "pseudonym of object", node: nHash(), in: `{"v":"x"}`, mistyped: 1},
	{name: "pseudonym of array", node: nHash(), in: `["x"]`, mistyped: 1},

	{name: "reversible", node: nBack(), in: `"x"`, want: quote(back("x")), pseudonymized: 1},
	{name: "reversible number", node: nBack(), in: `1e2`, want: quote(back("100.0")), pseudonymized: 1},
	{name: "reversible null", node: nBack(), in: `null`, want: `null`, kept: 1},
	{name: "reversible blank", node: nBack(), in: `" "`, want: `null`, kept: 1},
	{name: "reversible false", node: nBack(), in: `false`, mistyped: 1},

	{name: "json", node: nJSON(), in: `"x"`, want: jsonForm("x", false), pseudonymized: 1},
	{name: "json number", node: nJSON(), in: `7`, want: jsonForm("7", false), pseudonymized: 1},
	{name: "json null", node: nJSON(), in: `null`, want: `"null"`, kept: 1},
	{name: "json blank", node: nJSON(), in: `" "`, want: `"null"`, kept: 1},
	{name: "json bool", node: nJSON(), in: `true`, mistyped: 1},
	{name: "json object", node: nJSON(), in: `{}`, mistyped: 1},
	{name: "json original", node: nOriginal(), in: `"a\"\n\u0001é"`, want: jsonForm("a\"\n\x01é", true), pseudonymized: 1},
	{name: "json original null", node: nOriginal(), in: `null`, want: `"null"`, kept: 1},
	{name: "json original array", node: nOriginal(), in: `["x"]`, mistyped: 1},

	{name: "match prefix", node: nMatch(smtp), in: `"SMTP:Alice@Acme.com"`, want: quote("SMTP:" + hash("Alice@Acme.com")), pseudonymized: 1},
	{name: "match escaped prefix", node: nMatch(smtp), in: `"\u0073mtp:x"`, want: quote("smtp:" + hash("x")), pseudonymized: 1},
	{name: "match prefix reversible", node: nMatch(plan.Match{Prefix: "smtp:", Then: plan.Reversible}), in: `"smtp:x"`, want: quote("smtp:" + back("x")), pseudonymized: 1},
	{name: "match other prefix", node: nMatch(smtp), in: `"x500:/o=acme"`, want: `null`, dropped: 1},
	{name: "match shorter", node: nMatch(smtp), in: `"smt"`, want: `null`, dropped: 1},
	{name: "match blank capture", node: nMatch(smtp), in: `"smtp: "`, want: `null`, dropped: 1},
	{name: "match only prefix", node: nMatch(smtp), in: `"smtp:"`, want: `null`, dropped: 1},
	{name: "match newline", node: nMatch(smtp), in: `"smtp:a@b\n"`, want: `null`, dropped: 1},
	{name: "match long s is not s", node: nMatch(smtp), in: `"ſmtp:a@b"`, want: `null`, dropped: 1},
	{name: "match empty string", node: nMatch(smtp), in: `""`, want: `null`, dropped: 1},
	{name: "match null", node: nMatch(smtp), in: `null`, want: `null`, kept: 1},
	{name: "match number", node: nMatch(smtp), in: `5`, mistyped: 1},
	{name: "match bool", node: nMatch(smtp), in: `true`, mistyped: 1},
	{name: "match array", node: nMatch(smtp), in: `["smtp:x"]`, mistyped: 1},
	{name: "match regexp group", node: nMatch(plan.Match{Regexp: regexp.MustCompile(`u=(\w*)`), Then: plan.Pseudonym}),
		in: `"a u=x b u= c \"u=y"`, want: quote("a u=" + hash("x") + " b u= c \"u=" + hash("y")), pseudonymized: 1},
	{name: "match regexp whole", node: nMatch(plan.Match{Regexp: regexp.MustCompile(`\d+`), Then: plan.Reversible}),
		in: `"1-é-22"`, want: quote(back("1") + "-é-" + back("22")), pseudonymized: 1},
	{name: "match regexp optional group", node: nMatch(plan.Match{Regexp: regexp.MustCompile(`a(b)?`), Then: plan.Pseudonym}),
		in: `"a ab"`, want: quote("a a" + hash("b")), pseudonymized: 1},
	{name: "match regexp none", node: nMatch(plan.Match{Regexp: regexp.MustCompile(`a(b)?`), Then: plan.Pseudonym}), in: `"a"`, want: `null`, dropped: 1},
	{name: "match without match", node: &plan.Node{Op: plan.MatchReplace}, in: `"x"`, want: `null`, dropped: 1},
	{name: "match zero match", node: nMatch(plan.Match{}), in: `"x"`, want: `null`, dropped: 1},
	{name: "match without expression", node: nMatch(plan.Match{Then: plan.Pseudonym}), in: `"x"`, want: `null`, dropped: 1},
	{name: "match then keep", node: nMatch(plan.Match{Prefix: "smtp:", Then: plan.Keep}), in: `"smtp:x"`, want: `null`, dropped: 1},

	{name: "link", node: nLink(), in: `"https:\/\/graph.example/v1?$skip=1"`, want: quote(link("https://graph.example/v1?$skip=1")), pseudonymized: 1},
	{name: "link elsewhere", node: nLink(), in: `"https://other.example/"`, mistyped: 1},
	{name: "link empty", node: nLink(), in: `""`, mistyped: 1},
	{name: "link null", node: nLink(), in: `null`, want: `null`, kept: 1},
	{name: "link number", node: nLink(), in: `5`, mistyped: 1},
	{name: "link object", node: nLink(), in: `{"v":"https://graph.example/"}`, mistyped: 1},

	{name: "object", node: nObject(fields{"a": nKeep(), "b": nDrop()}), in: `{"b":1,"a":2,"c":3}`, want: `{"a":2}`, kept: 1, unknown: 1},
	{name: "object empty", node: nObject(fields{"a": nKeep()}), in: `{}`, want: `{}`, kept: 1},
	{name: "object of unknown", node: nObject(nil), in: `{"x":{"a":1},"y":[2]}`, want: `{}`, kept: 1, unknown: 2},
	{name: "object without fields", node: &plan.Node{Op: plan.Object}, in: `{"x":1}`, want: `{}`, kept: 1, unknown: 1},
	{name: "object null", node: nObject(fields{"a": nKeep()}), in: `null`, want: `null`, kept: 1},
	{name: "object is string", node: nObject(fields{"a": nKeep()}), in: `"x"`, mistyped: 1},
	{name: "object is number", node: nObject(fields{"a": nKeep()}), in: `1`, mistyped: 1},
	{name: "object is true", node: nObject(fields{"a": nKeep()}), in: `true`, mistyped: 1},
	{name: "object is array", node: nObject(fields{"a": nKeep()}), in: `[{"a":1}]`, mistyped: 1},
	{name: "object deep", node: nObject(fields{"a": nObject(fields{"a": nObject(fields{"a": nKeep()})})}),
		in: `{"b":{"a":{"a":1}},"a":{"a":{"b":1,"a":"x"},"z":1}}`, want: `{"a":{"a":{"a":"x"}}}`, kept: 1, unknown: 1},
	{name: "object escaped name", node: nObject(fields{"mail": nKeep()}), in: `{"m\u0061il":1}`, want: `{"m\u0061il":1}`, kept: 1},
	{name: "object name with quotes", node: nObject(fields{`a"/~`: nKeep()}), in: `{"a\"\/~":1}`, want: `{"a\"\/~":1}`, kept: 1},
	{name: "object empty name", node: nObject(fields{"": nKeep()}), in: `{"":1}`, want: `{"":1}`, kept: 1},
	{name: "object names are exact", node: nObject(fields{"mail": nKeep()}), in: `{"Mail":1,"mail ":2,"mai":3}`, want: `{}`, kept: 1, unknown: 3},

	{name: "array", node: nArray(nKeep()), in: `[1,"x",null,[2],{"a":3},true]`, want: `[1,"x",null,true]`, kept: 1},
	{name: "array empty", node: nArray(nKeep()), in: `[]`, want: `[]`, kept: 1},
	{name: "array of drop", node: nArray(nDrop()), in: `[1,[2],{"a":3}]`, want: `[]`, kept: 1},
	{name: "array without items", node: &plan.Node{Op: plan.Array}, in: `[1,[2],{"a":3}]`, want: `[]`, kept: 1},
	{name: "array null", node: nArray(nKeep()), in: `null`, want: `null`, kept: 1},
	{name: "array is string", node: nArray(nKeep()), in: `"x"`, mistyped: 1},
	{name: "array is object", node: nArray(nKeep()), in: `{"0":1}`, mistyped: 1},
	{name: "array of arrays", node: nArray(nArray(nKeep())), in: `[[1],2,[],null,[[3],4]]`, want: `[[1],[],null,[4]]`, kept: 1},
	{name: "array of match", node: nArray(nMatch(smtp)), in: `["sip:x","smtp:y",3,null]`, want: `[null,` + quote("smtp:"+hash("y")) + `,null]`, kept: 1},
	{name: "array of link", node: nArray(nLink()), in: `["x","https://graph.example/a","y"]`, want: `[` + quote(link("https://graph.example/a")) + `]`, kept: 1},
	{name: "array of objects", node: nArray(nObject(fields{"a": nHash()})), in: `[{"a":"x"},{"b":"y"},5,{"b":1,"a":2}]`,
		want: `[{"a":` + quote(hash("x")) + `},{},{"a":` + quote(hash("2")) + `}]`, kept: 1},
}

func TestOperations(t *testing.T) {
	r := New(Limits{})
	for _, tt := range opTests {
		t.Run(tt.name, func(t *testing.T) {
			want := ""
			if tt.want != "" {
				want = `"v":` + tt.want + `,`
			}
			for _, shape := range []struct{ before, after, want string }{
				{`{"first":1,"v":`, `,"last":2}`, `{"first":1,` + want + `"last":2}`},
				{`{"v":`, `,"last":2}`, `{` + want + `"last":2}`},
				{`{"first":1,"v":`, `}`, `{"first":1` + strings.TrimSuffix(","+want, ",") + `}`},
				{`{"v":`, `}`, `{` + strings.TrimSuffix(want, ",") + `}`},
				{" {\r\n\t\"v\" :\t", " ,\n \"last\" : 2 }\n ", `{` + want + `"last":2}`},
			} {
				p := newPlan(nObject(fields{"first": nKeep(), "v": tt.node, "last": nKeep()}))
				body := shape.before + tt.in + shape.after
				d := deliver(t, r, p, []byte(body))
				if d.err != nil {
					t.Fatalf("%s: %v", body, d.err)
				}
				if d.out != shape.want {
					t.Fatalf("%s:\n got  %s\n want %s", body, d.out, shape.want)
				}
				got := d.counts["/v"]
				if want := (Count{tt.kept, tt.dropped, tt.pseudonymized, tt.mistyped, tt.unknown}); got != want {
					t.Fatalf("%s: counts %+v, want %+v", body, got, want)
				}
				checkSplits(t, r, p, []byte(body), d)
			}
		})
	}
}

// The same values as elements and as the root.
func TestOperationsElsewhere(t *testing.T) {
	r := New(Limits{})
	for _, tt := range opTests {
		t.Run(tt.name, func(t *testing.T) {
			for _, shape := range []struct{ before, after, sep string }{{"[", "]", ","}, {" [ ", " ] ", " , "}} {
				body := shape.before + tt.in + shape.sep + tt.in + shape.after
				want := "[]"
				if tt.want != "" {
					want = "[" + tt.want + "," + tt.want + "]"
				}
				p := newPlan(nArray(tt.node))
				d := deliver(t, r, p, []byte(body))
				if d.err != nil || d.out != want {
					t.Fatalf("%s:\n got  %s %v\n want %s", body, d.out, d.err, want)
				}
				checkSplits(t, r, p, []byte(body), d)
			}
			if tt.node == nil {
				return
			}
			for _, body := range []string{tt.in, "\t" + tt.in + "\r\n"} {
				p := newPlan(tt.node)
				d := deliver(t, r, p, []byte(body))
				if tt.want == "" {
					if d.err == nil || d.err.Code != CodeRootDropped || d.out != "" {
						t.Fatalf("root %q: got %q, %v, want %s", body, d.out, d.err, CodeRootDropped)
					}
				} else if d.err != nil || d.out != tt.want {
					t.Fatalf("root %q: got %q, %v, want %q", body, d.out, d.err, tt.want)
				}
				checkSplits(t, r, p, []byte(body), d)
			}
		})
	}
}

func TestNothingWithoutPlan(t *testing.T) {
	keep := newPlan(nKeep())
	for _, tt := range []struct {
		name string
		make func() *Rewriter
	}{
		{"zero value", func() *Rewriter { return new(Rewriter) }},
		{"not reset", func() *Rewriter { return New(Limits{}) }},
		{"nil plan", func() *Rewriter { r := New(Limits{}); r.Reset(nil, &fakeTokens{}); return r }},
		{"nil root", func() *Rewriter { r := New(Limits{}); r.Reset(&plan.Plan{}, &fakeTokens{}); return r }},
		{"nil tokens", func() *Rewriter { r := New(Limits{}); r.Reset(keep, nil); return r }},
		{"finished", func() *Rewriter {
			r := New(Limits{})
			r.Reset(keep, &fakeTokens{})
			if _, err := r.Append(nil, []byte("1")); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Finish(nil); err != nil {
				t.Fatal(err)
			}
			return r
		}},
	} {
		for _, chunk := range []string{"", " ", "1", "{"} {
			out, err := tt.make().Append(nil, []byte(chunk))
			if e, ok := err.(*Error); !ok || e.Code != CodeNoPlan || len(out) != 0 {
				t.Errorf("%s: Append(%q) = %q, %v, want %s", tt.name, chunk, out, err, CodeNoPlan)
			}
		}
		out, err := tt.make().Finish(nil)
		if e, ok := err.(*Error); !ok || e.Code != CodeNoPlan || len(out) != 0 {
			t.Errorf("%s: Finish = %q, %v, want %s", tt.name, out, err, CodeNoPlan)
		}
	}
}

// A Rewriter that failed anywhere works again after Reset.
func TestResetAfterError(t *testing.T) {
	r := New(Limits{})
	p := newPlan(nArray(nObject(fields{"a": nKeep(), "b": nHash()})))
	good := []byte(`[{"a":"x","b":"y","c":{"d":{"e":1}}},{"a":[]}]`)
	want := deliver(t, New(Limits{}), p, good)
	for i := range good {
		bad := append(good[:i:i], "\x01"...)
		if d := deliver(t, r, p, bad, i/2); d.err == nil {
			t.Fatalf("%q passed", bad)
		}
		if d := deliver(t, r, p, good, i); d.out != want.out || d.err != nil {
			t.Fatalf("after %q: got %s, %v, want %s", bad, d.out, d.err, want.out)
		}
	}
}

// What a chunk decides comes out with it, and nothing that is not decided.
func TestReleasedWhenDecided(t *testing.T) {
	long := strings.Repeat("x", holdKept)
	p := newPlan(nObject(fields{"k": nKeep(), "h": nHash(), "n": nKeep(), "l": nArray(nKeep()), "o": nObject(nil)}))
	steps := []struct{ in, out string }{
		{`{`, `{`},
		{`"k"`, ``},
		{`:`, ``},
		{`"ab`, ``},
		{`c"`, `"k":"abc"`},
		{`,"h":"al`, ``},
		{`ice"`, `,"h":` + quote(hash("alice"))},
		{`,"n":12`, ``},
		{`3`, ``},
		{` `, `,"n":123`},
		{`,"l"`, ``},
		{`:[`, `,"l":[`},
		{`tru`, ``},
		{`e,`, `true`},
		{`"` + long + `\u00`, `,"` + long},
		{`e9`, `\u00e9`},
		{"\xe2\x82", ``},
		{"\xac", "€"},
		{`"]`, `"]`},
		{`,"o":`, ``},
		{`{"k":"secret"`, `,"o":{`},
		{`}}`, `}}`},
	}
	r := New(Limits{})
	r.Reset(p, &fakeTokens{})
	for _, s := range steps {
		out, err := r.Append(nil, []byte(s.in))
		if err != nil {
			t.Fatal(err)
		}
		if string(out) != s.out {
			t.Fatalf("after %.20q: got %.80q, want %.80q", s.in, out, s.out)
		}
	}
	if out, err := r.Finish(nil); err != nil || len(out) != 0 {
		t.Fatalf("Finish = %q, %v", out, err)
	}
}
