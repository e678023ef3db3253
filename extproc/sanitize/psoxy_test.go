package sanitize

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

func psoxyPlan(n *plan.Node) *plan.Plan {
	p := newPlan(n)
	p.Psoxy = true
	return p
}

func TestPsoxy(t *testing.T) {
	digests := nOpen(fields{"v": nDigest(nKeep()), "n": nDo(plan.StepNumber), "s": nDo(plan.StepString)}, nAny())
	digests.Object.Rest = digests
	digests.Op, digests.Items = plan.Any, digests
	for _, tt := range []struct {
		name, in, want string
		node           *plan.Node
	}{
		{"empty", ``, ``, digests},
		{"blank", " \r\n", ``, digests},
		{"several", `{"a":1}{"b":2} [3]` + "\n\n" + `"x""y"  4 5 true`, "{\"a\":1}\n{\"b\":2}\n[3]\n\"x\"\n\"y\"\n4\n5\ntrue", digests},
		{"number then object", "1 {}", "1\n{}", digests},
		{"null", "null\nnull", "null\nnull", digests},
		{"numbers", `[1.10,-0,-0.0,1e400,-1e400,1E2,12345678901234567890,0.0001,5e-324]`, `[1.1,0,-0.0,"Infinity","-Infinity",100.0,12345678901234567890,1.0E-4,4.9E-324]`, digests},
		{"root number", `1.50`, `1.5`, digests},
		{"number by steps", `{"n":1.50,"s":"\ud83d"}`, `{"n":1.5,"s":"?"}`, digests},
		{"unpaired", `["\ud83d","\ude00\ud83d","\ud83d\ude00","\ud83d\ud83d\ude00x","\\ud83d","\ud83d\\ude00","\uD83D\n","a\udFffb","\u00e9\ud7ff\ue000"]`,
			`["?","??","\ud83d\ude00","?\ud83d\ude00x","\\ud83d","?\\ude00","?\n","a?b","\u00e9\ud7ff\ue000"]`, digests},
		{"unpaired in names", `{"a\ud83d":1,"\u0062":{"\ude00c":[{"\ud83d\ude00\ud83d":"x"}]},"d":2}`, `{"a?":1,"\u0062":{"?c":[{"\ud83d\ude00?":"x"}]},"d":2}`, digests},
		{"unpaired in a token", `"a\ud83d"`, quote(hash("a?")), nHash()},
		{"unpaired in steps", `"\ud83db\ude00c"`, `"??"`, nPatterns(plan.StepRemove, "[bc]")},
		{"digests until a plus", `{"a":{"v":"x"},"+b":1,"c":{"v":"y"},"v":"z"}{"v":"x"}`,
			`{"a":{"v":"x","+v:textDigest":{"length":1,"word_count":1}},"+b":1,"c":{"v":"y"},"v":"z"}` + "\n" + `{"v":"x","+v:textDigest":{"length":1,"word_count":1}}`, digests},
		{"plus below what is dropped", `{"d":{"+":1},"v":"x"}`, `{"v":"x"}`, nObject(fields{"d": nDrop(), "v": nDigest(nKeep())})},
	} {
		r := New(Limits{})
		p := psoxyPlan(tt.node)
		d := deliver(t, r, p, []byte(tt.in))
		if d.err != nil || d.out != tt.want {
			t.Errorf("%s: %s became\n %s, %v, want\n %s", tt.name, tt.in, d.out, d.err, tt.want)
		}
		checkSplits(t, r, p, []byte(tt.in), d)
	}
	for in, want := range map[string]Error{
		`{}x`:       {CodeSyntax, "", 2},
		`1"a"`:      {CodeTrailing, "", 1},
		`truefalse`: {CodeTrailing, "", 4},
		`1{}`:       {CodeTrailing, "", 1},
		`{} {`:      {CodeTruncated, "", 4},
		`[] [1}`:    {CodeSyntax, "", 5},
		`{},{}`:     {CodeSyntax, "", 2},
		`<html>`:    {CodeSyntax, "", 0},
		`{"v":"` + strings.Repeat("x", 1001) + `"}`: {CodeLimit, "/v", 5},
	} {
		r := New(Limits{Hold: 1000})
		p := psoxyPlan(digests)
		d := deliver(t, r, p, []byte(in))
		if d.err == nil || *d.err != want {
			t.Errorf("%.40s: got %q, %v, want %v", in, d.out, d.err, &want)
		}
		checkSplits(t, r, p, []byte(in), d)
	}
	// A text that is null as a whole.
	for in, want := range map[string]*Error{
		`null`:       {CodeMistyped, "", 0},
		`{} null []`: {CodeMistyped, "", 3},
		`{"v":null}`: nil,
		`[null]`:     nil,
		`"null"`:     nil,
	} {
		r := New(Limits{})
		p := psoxyPlan(digests)
		p.RefuseNull = true
		d := deliver(t, r, p, []byte(in))
		if want == nil && (d.err != nil || d.out != in) || want != nil && (d.err == nil || *d.err != *want) {
			t.Errorf("%s: got %q, %v, want %v", in, d.out, d.err, want)
		}
		checkSplits(t, r, p, []byte(in), d)
	}
	// A text of several that the plan drops.
	r := New(Limits{})
	if d := deliver(t, r, psoxyPlan(nObject(nil)), []byte(`{} null []`)); d.err == nil || *d.err != (Error{CodeRootDropped, "", 10}) {
		t.Errorf("a dropped text gives %q, %v", d.out, d.err)
	}
	// All that is only so with Psoxy.
	for _, in := range []string{``, ` `, `{}{}`, `1 2`} {
		if d := deliver(t, r, newPlan(digests), []byte(in)); d.err == nil {
			t.Errorf("%q passed without Psoxy as %q", in, d.out)
		}
	}
	if d := deliver(t, r, newPlan(digests), []byte(`[1.10,"\ud83d"]`)); d.out != `[1.10,"\ud83d"]` {
		t.Errorf("without Psoxy spelling changed to %s", d.out)
	}
}

// The num-*, str-* and root-* vectors show how Psoxy spells what it keeps.
func TestSpellingVectors(t *testing.T) {
	mail := nOpen(fields{"mail": nDo(plan.StepPseudonym)}, nAny())
	mail.Op = plan.Any
	tested := 0
	eachLine(t, sharedFile(t, "vectors.jsonl"), func(line []byte) {
		var v struct {
			ID, Input, Output string
			Rules             struct {
				Endpoints []struct {
					Transforms []struct{ JSONPaths []string }
				}
			}
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(v.ID, "num-") && !strings.HasPrefix(v.ID, "str-") && !strings.HasPrefix(v.ID, "root-") || v.ID == "root-ndjson" || v.ID == "root-html" {
			return
		}
		for _, tr := range v.Rules.Endpoints[0].Transforms {
			for _, path := range tr.JSONPaths {
				if path == "$.v" {
					return // pseudonymized
				}
			}
		}
		tested++
		d := deliver(t, New(Limits{}), psoxyPlan(mail), []byte(v.Input))
		var got, want any
		if v.Input != "" {
			if err := json.Unmarshal([]byte(v.Output), &want); err != nil {
				t.Fatal(err)
			}
			_ = json.Unmarshal([]byte(d.out), &got)
		}
		if d.err != nil || !reflect.DeepEqual(got, want) || strings.HasPrefix(v.ID, "num-") && d.out != v.Output {
			t.Errorf("%s: %s became\n %s, %v, want\n %s", v.ID, v.Input, d.out, d.err, v.Output)
		}
	})
	if tested < 15 {
		t.Errorf("%d vectors tested", tested)
	}
}

// Half an escaped pair is a question mark wherever it stands.
func TestPsoxyPairsElsewhere(t *testing.T) {
	body := `[{"a":"x\ud800","b":"y"},{"a":"\udc00x","b":"y"},["\ud800"],"\ud83d\ude00"]`
	want := `[{"a":"x?","b":"y"},{"a":"?x","b":"y"},["?"],"\ud83d\ude00"]`
	for _, n := range []*plan.Node{nAny(), nArray(&plan.Node{Op: plan.Any, Object: plan.NewFields(fields{"a": nKeep(), "b": nKeep()}), Items: nKeep()})} {
		r := New(Limits{})
		whole := deliver(t, r, psoxyPlan(n), []byte(body))
		if whole.err != nil || whole.out != want {
			t.Errorf("became %s, %v, want %s", whole.out, whole.err, want)
		}
		checkSplits(t, r, psoxyPlan(n), []byte(body), whole)
	}
}
