package sanitize

import (
	"reflect"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

func byType() *plan.Node {
	return nSelect("@odata.type", cases{
		"user":  nObject(fields{"@odata.type": nKeep(), "id": nHash(), "name": nDrop()}),
		"group": nObject(fields{"id": nKeep(), "name": nKeep(), "list": nArray(nKeep())}),
		"gone":  nDrop(),
		"nil":   nil,
	}, nObject(fields{"id": nKeep()}))
}

var chooseTests = []struct {
	name     string
	node     *plan.Node
	in, want string
}{
	{"type first", byType(), `{"@odata.type":"user","id":"x","name":"n"}`, `{"@odata.type":"user","id":` + quote(hash("x")) + `}`},
	{"type last", byType(), `{"id":"x","name":"n","@odata.type":"user"}`, `{"id":` + quote(hash("x")) + `,"@odata.type":"user"}`},
	{"type between", byType(), `{"id":"x", "@odata.type" : "group" ,"name":"n","list":[1,[2],"\u0061"]}`, `{"id":"x","name":"n","list":[1,"\u0061"]}`},
	{"type escaped", byType(), `{"id":"x","@odata\u002etype":"gro\u0075p","name":"n"}`, `{"id":"x","name":"n"}`},
	{"no type", byType(), `{"id":"x","name":"n"}`, `{"id":"x"}`},
	{"empty", byType(), `{}`, `{}`},
	{"type is another", byType(), `{"id":"x","@odata.type":"User","name":"n"}`, `{"id":"x"}`},
	{"type is empty", byType(), `{"id":"x","@odata.type":"","name":"n"}`, `{"id":"x"}`},
	{"type is null", byType(), `{"id":"x","@odata.type":null,"name":"n"}`, `{"id":"x"}`},
	{"type is number", byType(), `{"id":"x","@odata.type":-1.5,"name":"n"}`, `{"id":"x"}`},
	{"type is object", byType(), `{"id":"x","@odata.type":{"@odata.type":"group"},"name":"n"}`, `{"id":"x"}`},
	{"type is array", byType(), `{"id":"x","@odata.type":["group"],"name":"n"}`, `{"id":"x"}`},
	{"type is null, another value is one", byType(), `{"id":"x","@odata.type":null,"name":"group"}`, `{"id":"x"}`},
	{"type is true, another value is one", byType(), `{"id":"x","@odata.type":true,"name":"group"}`, `{"id":"x"}`},
	{"type is false, another value is one", byType(), `{"id":"x","@odata.type":false,"name":"group"}`, `{"id":"x"}`},
	{"type is number, another value is one", byType(), `{"id":"x","@odata.type":12345,"name":"group"}`, `{"id":"x"}`},
	{"type of another object", byType(), `{"id":{"@odata.type":"group"},"name":"n","list":[{"@odata.type":"user"}]}`, `{}`},
	{"no object", byType(), `"x"`, ``},
	{"no object, array", byType(), `[{"@odata.type":"group"}]`, ``},
	{"null", byType(), `null`, `null`},
	{"dropped", byType(), `{"id":"x","@odata.type":"gone"}`, ``},
	{"nil", byType(), `{"id":"x","@odata.type":"nil"}`, ``},
	{"without choice", &plan.Node{Op: plan.Choose}, `{"id":"x"}`, ``},
	{"without choice, scalar", &plan.Node{Op: plan.Choose}, `"x"`, ``},
	{"otherwise scalar", nSelect("a", nil, nHash()), `"x"`, quote(hash("x"))},
	{"otherwise array", nSelect("a", nil, nArray(nKeep())), `["x"]`, `["x"]`},
	{"otherwise nil", nSelect("a", nil, nil), `"x"`, ``},
	{"chain", nSelect("a", cases{"b": nSelect("c", cases{"d": nSelect("a", cases{"b": nObject(fields{"x": nKeep()})}, nil)}, nil)}, nil),
		`{"x":1,"a":"b","y":2,"c":"d","z":3}`, `{"x":1}`},
	{"chain of scalars", nSelect("a", nil, nSelect("b", nil, nKeep())), `true`, `true`},
	{"nested", nSelect("t", cases{"o": nObject(fields{"v": nArray(byType()), "w": byType()})}, nil),
		`{"v":[{"id":1,"@odata.type":"group"},{"id":2,"name":"n"},{"name":"n","list":[3],"@odata.type":"group"},5],"t":"o","w":{"name":"n","@odata.type":"group"}}`,
		`{"v":[{"id":1},{"id":2},{"name":"n","list":[3]}],"w":{"name":"n"}}`},

	{"all of them", nIfAll([]string{"a", "b"}, nObject(fields{"v": nKeep()}), nAny()), `{"v":1,"b":{},"w":2,"a":null,"x":3}`, `{"v":1}`},
	{"one of them", nIfAll([]string{"a", "b"}, nObject(fields{"v": nKeep()}), nAny()), `{"v":1,"b":{"a":2}}`, `{"v":1,"b":{"a":2}}`},
	{"all, no object", nIfAll([]string{"a"}, nObject(nil), nAny()), `["a"]`, `["a"]`},

	{"found", nIfFound(nObject(fields{"a": nArray(nObject(fields{"b": nKeep()}))}), nObject(fields{"v": nKeep()}), nAny()),
		`{"v":1,"a":[{},{"b":{"x":1}}]}`, `{"v":1}`},
	{"found null", nIfFound(nObject(fields{"a": nKeep()}), nObject(fields{"v": nKeep()}), nAny()), `{"a":null,"v":1}`, `{"v":1}`},
	{"found string", nIfFound(nObject(fields{"a": nKeep()}), nObject(fields{"v": nKeep()}), nAny()), `{"a":"\u0061","v":1}`, `{"v":1}`},
	{"found number", nIfFound(nObject(fields{"a": nKeep()}), nObject(fields{"v": nKeep()}), nAny()), `{"a":-1,"v":1}`, `{"v":1}`},
	{"not found", nIfFound(nObject(fields{"a": nArray(nObject(fields{"b": nKeep()}))}), nObject(fields{"v": nKeep()}), nAny()),
		`{"v":1,"a":[{},{"c":1}]}`, `{"v":1,"a":[{},{"c":1}]}`},
	{"not found, root", nIfFound(nDrop(), nObject(fields{"v": nKeep()}), nAny()), `{"v":1,"a":2}`, `{"v":1,"a":2}`},
	{"found in array", nIfFound(nArray(nKeep()), nArray(nHash()), nAny()), `["x","y"]`, `[` + quote(hash("x")) + `,` + quote(hash("y")) + `]`},
	{"found in scalar", nIfFound(nKeep(), nHash(), nAny()), `"x"`, `"x"`},
	{"found by a choice", nIfFound(nSelect("t", cases{"u": nObject(fields{"a": nKeep()})}, nil), nObject(fields{"a": nKeep()}), nDrop()), `{"a":1,"t":"u"}`, `{"a":1}`},
}

func TestChoose(t *testing.T) {
	for _, tt := range chooseTests {
		checkStep(t, tt.name, tt.node, tt.in, tt.want)
	}
}

// Nothing is counted twice, and what is held before it is decided not at all.
func TestChooseCounts(t *testing.T) {
	p := newPlan(nArray(byType()))
	d := deliver(t, New(Limits{}), p, []byte(`[{"id":"x","name":"n","extra":1,"@odata.type":"user"},{"@odata.type":"gone"},{"@odata.type":"nil"},{"id":1,"z":2}]`), 5, 20, 21, 60)
	want := map[string]Count{
		"":                     {Kept: 1},
		"/*(user)":             {Kept: 1, Unknown: 1},
		"/*(user)/@odata.type": {Kept: 1},
		"/*(user)/id":          {Pseudonymized: 1},
		"/*(user)/name":        {Dropped: 1},
		"/*(gone)":             {Dropped: 1},
		"/*":                   {Dropped: 1},
		"/*(else)":             {Kept: 1, Unknown: 1},
		"/*(else)/id":          {Kept: 1},
	}
	if d.err != nil || !reflect.DeepEqual(d.counts, want) {
		t.Errorf("counts are\n %v, %v, want\n %v", d.counts, d.err, want)
	}
}

// What is decided comes out at once, and nothing is held beyond it.
func TestChooseReleases(t *testing.T) {
	p := newPlan(nArray(nSelect("t", cases{"k": nAny()}, nil)))
	r := New(Limits{})
	r.Reset(p, &fakeTokens{})
	for _, s := range []struct{ in, out string }{
		{`[{"t":"k`, `[`},
		{`"`, `{"t":"k"`},
		{`,"a":[1,`, `,"a":[1`},
		{`2]}`, `,2]}`},
		{`,{"a":{"b":"c`, ``},
		{`"}, "t"`, ``},
		{`:"k","u":`, `,{"a":{"b":"c"},"t":"k"`},
		{`true`, `,"u":true`},
		{`},{"t":"no"`, `}`},
		{`}`, ``},
		{`]`, `]`},
	} {
		out, err := r.Append(nil, []byte(s.in))
		if err != nil || string(out) != s.out {
			t.Fatalf("after %q: got %q, %v, want %q", s.in, out, err, s.out)
		}
	}
	if out, err := r.Finish(nil); err != nil || len(out) != 0 {
		t.Fatalf("Finish = %q, %v", out, err)
	}
}

// Errors in what is held, and in what is read again, are where they are.
func TestChooseErrors(t *testing.T) {
	n := nSelect("t", cases{"a": nObject(fields{"x": nFall(plan.FallRefuse, nHash()), "s": nHash(), "y": nKeep()})}, nil)
	p := newPlan(nObject(fields{"v": nArray(n)}))
	small := Limits{String: 8, Hold: 40}
	loop := &plan.Node{Op: plan.Choose, Choice: &plan.Choice{Member: "t"}}
	loop.Choice.Else = loop
	for _, tt := range []struct {
		name, in string
		plan     *plan.Plan
		want     Error
	}{
		{"syntax", `{"v":[{"x":1,"y":,"t":"a"}]}`, p, Error{CodeSyntax, "/v/0/*", 17}},
		{"duplicate", `{"v":[1,{"x":1,"x":2,"t":"a"}]}`, p, Error{CodeDuplicateKey, "/v/1/*", 15}},
		{"duplicate of what decides", `{"v":[{"t":"a","x":1,"t":"a"}]}`, p, Error{CodeDuplicateKey, "/v/0/*", 21}},
		{"truncated", `{"v":[{"x":1`, p, Error{CodeTruncated, "/v/0/*", 12}},
		{"read again", `{"v":[{"y":1,"x":true,"t":"a"}]}`, p, Error{CodeMistyped, "/v/0/x", 17}},
		{"string read again", `{"v":[{"s":"123456789","t":"a"}]}`, p, Error{CodeLimit, "/v/0/s", 11}},
		{"what decides is too long", `{"v":[{"t":"123456789"}]}`, p, Error{CodeLimit, "/v/0/*", 11}},
		{"too much to hold", `{"v":[{"y":"` + strings.Repeat("x", 50) + `","t":"a"}]}`, p, Error{CodeLimit, "/v/0/*", 46}},
		{"too much to hold, then bad", `{"v":[{"y":"` + strings.Repeat("x", 50) + "\x01", p, Error{CodeLimit, "/v/0/*", 46}},
		{"bad, then too much to hold", `{"v":[{"y":"` + "\x01" + strings.Repeat("x", 50), p, Error{CodeSyntax, "/v/0/*", 12}},
		{"loop of objects", `{"t":"a"}`, newPlan(loop), Error{CodeNoPlan, "", 0}},
		{"loop of scalars", `1`, newPlan(loop), Error{CodeRootDropped, "", 1}},
	} {
		r := New(small)
		d := deliver(t, r, tt.plan, []byte(tt.in))
		if d.err == nil || *d.err != tt.want {
			t.Errorf("%s: got %q, %v, want %v", tt.name, d.out, d.err, &tt.want)
			continue
		}
		checkSplits(t, r, tt.plan, []byte(tt.in), d)
	}
	// As much as may be held, to the byte.
	body := `{"v":[{"y":"` + strings.Repeat("x", 40-len(`{"y":"","t":"a"`)) + `","t":"a","s":"x"}]}`
	d := deliver(t, New(small), p, []byte(body))
	if d.err != nil {
		t.Errorf("%s: %v", body, d.err)
	}
	checkSplits(t, New(small), p, []byte(body), d)
}
