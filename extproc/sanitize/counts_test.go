package sanitize

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

func TestCounts(t *testing.T) {
	p := newPlan(nObject(fields{
		"value": nArray(nObject(fields{"id": nHash(), "name": nDrop(), "size": nKeep(), "tags": nArray(nMatch(smtp))})),
		"next":  nLink(),
	}))
	body := `{"context":1,"value":[
		{"id":"a","name":"n","size":1,"tags":["smtp:x","y",null,7],"extra":{"id":1}},
		{"id":null,"name":{"id":"b"},"size":{"id":"c"},"tags":"t","extra":2,"Alice Smith":3},
		"not an object"],"next":"https://graph.example/n"}`
	d := deliver(t, New(Limits{}), p, []byte(body), 30, 31, 100)
	if d.err != nil {
		t.Fatal(d.err)
	}
	want := map[string]Count{
		"":                {Kept: 1, Unknown: 1},
		"/value":          {Kept: 1},
		"/value/*":        {Kept: 2, Mistyped: 1, Unknown: 3},
		"/value/*/id":     {Pseudonymized: 1, Kept: 1},
		"/value/*/name":   {Dropped: 2},
		"/value/*/size":   {Kept: 1, Mistyped: 1},
		"/value/*/tags":   {Kept: 1, Mistyped: 1},
		"/value/*/tags/*": {Pseudonymized: 1, Dropped: 1, Kept: 1, Mistyped: 1},
		"/next":           {Pseudonymized: 1},
	}
	if !reflect.DeepEqual(d.counts, want) {
		t.Errorf("counts are\n %v, want\n %v", d.counts, want)
	}
}

func TestUnknownNames(t *testing.T) {
	p := newPlan(nObject(fields{"o": nObject(nil), "d": nDrop()}))
	r := New(Limits{})
	names := func() map[string]uint64 {
		m := map[string]uint64{}
		for _, n := range r.Counts().UnknownNames() {
			m[p.Pointers[n.Pointer]+" "+n.Name] = n.Count
		}
		return m
	}
	deliver(t, r, p, []byte(`{"drift":1,"@odata.etag":2,"Alice":3,"bob smith":4,"alice@contoso.com":4,"d":{"below":5},"o":{"drift":6,"x\u0079":7,"":8}}`))
	want := map[string]uint64{" drift": 1, " @odata.etag": 1, " *": 3, "/o drift": 1, "/o xy": 1, "/o *": 1}
	if got := names(); !reflect.DeepEqual(got, want) {
		t.Errorf("names are %v, want %v", got, want)
	}
	deliver(t, r, p, []byte(`{}`))
	if got := names(); len(got) != 0 {
		t.Errorf("after Reset names are %v", got)
	}

	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `,"n%s":0`, strings.Repeat("a", i))
	}
	deliver(t, r, p, []byte("{"+b.String()[1:]+"}"))
	if got := len(r.Counts().UnknownNames()); got != maxUnknownNames {
		t.Errorf("%d distinct names, want %d", got, maxUnknownNames)
	}
	if got := r.Counts().Positions[0].Unknown; got != 40 {
		t.Errorf("%d unknown members, want 40", got)
	}
}

// A member that the plan does not name but decides is not unknown.
func TestRestIsNotUnknown(t *testing.T) {
	p := newPlan(nArray(nOpen(fields{"a": nKeep()}, nDrop())))
	r := New(Limits{})
	d := deliver(t, r, p, []byte(`[{"a":1,"b":2},{"b":3,"\u0063":4},{"b":5}]`))
	if d.err != nil || d.counts["/*"].Unknown != 0 || d.counts["/*/(rest)"].Dropped != 4 || len(r.Counts().UnknownNames()) != 0 {
		t.Errorf("counted %v, unknown %v, %v", d.counts, r.Counts().UnknownNames(), d.err)
	}
}

func TestReportable(t *testing.T) {
	contract := regexp.MustCompile(`^([a-z][A-Za-z]*|([a-z][A-Za-z]*)?@(odata|microsoft\.graph)\.[a-z][A-Za-z]*)$`)
	cases := []string{"", "@", "@@a", "a", "A", "@a", "@A", "aB.c@d",
		"alice@contoso.com", "alice@odata", "bob.smith", "@contoso.com", "@odata.", "@odata.a.b", "@odata.type", "aB@odata.nextLink", "a.b@odata.type", "aB@microsoft.graph.downloadUrl", "@odata.type@odata.type", "a1", "a b", "é", "a\xff", "a[", "a{", "a`", "a_", "*", "a\n",
		strings.Repeat("a", 64), strings.Repeat("a", 65), "@" + strings.Repeat("a", 64), "@" + strings.Repeat("a", 65)}
	for c := range 0x100 {
		cases = append(cases, string([]byte{byte(c)}), string([]byte{'a', byte(c)}))
	}
	for _, name := range cases {
		if got, want := reportable([]byte(name)), contract.MatchString(name) && len(name) <= maxReportedName; got != want {
			t.Errorf("reportable(%q) = %v, want %v", name, got, want)
		}
		if len(name) > maxReportedName && reportable([]byte(name)) {
			t.Errorf("%q does not fit", name)
		}
	}
}

// A node whose Pointer is no position of the plan is carried out all the same.
func TestNodeWithoutPosition(t *testing.T) {
	for _, pointer := range []int{-1, 7} {
		keep := &plan.Node{Op: plan.Keep, Pointer: pointer}
		p := &plan.Plan{Root: &plan.Node{Op: plan.Object, Pointer: pointer, Object: plan.NewFields(fields{"a": keep})}, Pointers: []string{""}}
		d := deliver(t, New(Limits{}), p, []byte(`{"a":1,"b":2}`))
		if d.err != nil || d.out != `{"a":1}` || len(d.counts) != 0 {
			t.Errorf("pointer %d: %s, %v, %v", pointer, d.out, d.err, d.counts)
		}
	}
}
