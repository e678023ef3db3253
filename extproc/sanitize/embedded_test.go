package sanitize

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

func nInJSON(inner *plan.Node) *plan.Node {
	return nRun(plan.Step{Do: plan.StepJSON, Inner: newPlan(inner)})
}

// nInner makes a node that keeps a string and digests what inner digests of the
// JSON in it.
func nInner(inner *plan.Node) *plan.Node {
	p := newPlan(inner)
	p.Psoxy = true
	return &plan.Node{Op: plan.Keep, Digest: &plan.Digest{Inner: p}}
}

func digestText() *plan.Node {
	n := &plan.Node{Op: plan.Any}
	n.Items = n
	n.Object = plan.NewFields(fields{"text": nDo(plan.StepDigest)})
	n.Object.Rest = n
	return n
}

func TestStepJSON(t *testing.T) {
	person := nObject(fields{"id": nHash(), "k": nKeep(), "refused": nFall(plan.FallRefuse, nHash()), "list": nArray(nKeep())})
	deep := person
	for range maxLevels {
		deep = nInJSON(deep)
	}
	tooDeep := nInJSON(deep)
	nested := func(levels int) string {
		s := `{"k":1}`
		for range levels {
			s = quote(s)
		}
		return s
	}
	for _, tt := range []struct {
		name     string
		node     *plan.Node
		in, want string
	}{
		{"object", nInJSON(person), `"{ \"id\":\"x\", \"k\":1.50,\"other\":2}"`, quote(`{"id":` + quote(hash("x")) + `,"k":1.50}`)},
		{"escaped", nInJSON(person), `"\u007b\"k\" :\"a\\\"b\\u0001\"}"`, `"{\"k\":\"a\\\"b\\u0001\"}"`},
		{"unchanged", nInJSON(person), `"{\"k\":\"\\u0061\"}"`, `"{\"k\":\"\\u0061\"}"`},
		{"null", nInJSON(person), `null`, `null`},
		{"number", nInJSON(person), `1`, `null`},
		{"object itself", nInJSON(person), `{"k":1}`, `null`},
		{"array itself", nInJSON(person), `[{"k":1}]`, `null`},
		{"empty", nInJSON(person), `""`, `null`},
		{"blank", nInJSON(person), `" "`, `null`},
		{"no JSON", nInJSON(person), `"plain"`, `null`},
		{"lenient", nInJSON(person), `"{k:1}"`, `null`},
		{"truncated", nInJSON(person), `"{\"k\":1"`, `null`},
		{"trailing", nInJSON(person), `"{\"k\":1} x"`, `null`},
		{"duplicate", nInJSON(person), `"{\"k\":1,\"k\":2}"`, `null`},
		{"dropped root", nInJSON(person), `"[1]"`, `null`},
		{"refused inside", nInJSON(person), `"{\"refused\":true}"`, isRefused},
		{"no plan", nDo(plan.StepJSON), `"{\"k\":1}"`, isRefused},
		{"then hidden", nRun(plan.Step{Do: plan.StepJSON, Inner: newPlan(person)}, plan.Step{Do: plan.StepTokenize}), `"{\"k\":1 }"`, quote(tokenized(`{"k":1}`))},
		{"deep", deep, nested(maxLevels), nested(maxLevels)},
		{"too deep", tooDeep, nested(maxLevels + 1), isRefused},
		{"null in it", nInJSON(nInJSON(person)), `"\"x\""`, `"null"`},
	} {
		checkStep(t, tt.name, tt.node, tt.in, tt.want)
	}
}

func TestInnerDigest(t *testing.T) {
	const d11, d22, d14 = `"{\"length\":1,\"word_count\":1}"`, `"{\"length\":3,\"word_count\":2}"`, `"{\"length\":14,\"word_count\":2}"`
	for _, tt := range []struct{ name, in, want string }{
		{"strict", `{"text":"a b","n":1.50,"t":[{"text":"x"},{"text":null},{"text":7}],"o":{"text":{"text":"y"}}}`,
			`{"text":` + d22 + `,"n":1.5,"t":[{"text":` + d11 + `},{"text":null},{"text":7}],"o":{}}`},
		{"lenient", `{text: unquoted value}`, `{"text":` + d14 + `}`},
		{"lenient spelling", ` { text : 'a b' , "n" : -1.50 , o:[x, 'y\'"', true,null , 5 apples,{a b:1,"c":c d}]} `,
			`{"text":` + d22 + `,"n":-1.5,"o":["x","y'\"",true,null,"5 apples",{"a b":1,"c":"c d"}]}`},
		{"lenient control character", "{\"text\":\"a\tb\"}", `{"text":` + d22 + `}`},
		{"escapes", `{text:"a","u\u0072l":"http:\/\/x\u003cb\u003e\u00e9\ud83d\ude00\"\\\n\u001f\ud83d"}`,
			`{"text":` + d11 + `,"url":"http://x<b>é😀\"\\\n\u001F?"}`},
		{"lenient, digested null", `{text:null,a:{}}`, `{"text":null,"a":{}}`},
		{"no text", `{"a":1}`, ``},
		{"no JSON", `plain text`, ``},
		{"blank", ` `, ``},
		{"lenient truncated", `{bad json, text: hi`, ``},
		{"lenient truncated string", `{text:"hi}`, ``},
		{"lenient escape", `{text:"\q"}`, ``},
		{"lenient escape cut", `{text:"\`, ``},
		{"lenient no value", `{text:}`, ``},
		{"lenient no value in array", `[,{text:a}]`, ``},
		{"lenient no name", `{:a}`, ``},
		{"lenient duplicate", `{text:a,"text":b}`, ``},
		{"lenient trailing", `{text:a} x`, ``},
		{"lenient comma", `{text:a,}`, ``},
		{"lenient bracket", `{text:[a}`, ``},
		{"lenient depth", strings.Repeat(`[`, 200) + `{text:a}` + strings.Repeat(`]`, 200), ``},
	} {
		for _, n := range []*plan.Node{nInner(digestText()), {Op: plan.Drop, Digest: nInner(digestText()).Digest}} {
			v := quote(tt.in)
			p := newPlan(nObject(fields{"v": n, "z": nKeep()}))
			body := []byte(`{"v":` + v + `,"z":1}`)
			want := `{"v":` + v + `,"z":1`
			if n.Op == plan.Drop {
				want = `{"z":1`
			}
			if tt.want != "" {
				want += `,"+v:textDigest":` + quote(tt.want)
			}
			r := New(Limits{})
			d := deliver(t, r, p, body)
			if d.err != nil || d.out != want+`}` {
				t.Errorf("%s: %s became\n %s, %v, want\n %s}", tt.name, body, d.out, d.err, want)
			}
			checkSplits(t, r, p, body, d)
		}
	}
	p := newPlan(nObject(fields{"v": nInner(digestText()), "w": nArray(nInner(digestText()))}))
	for in, want := range map[string]string{
		`{"v":""}`:             `{"v":"","+v:textDigest":{"length":0,"word_count":0}}`,
		`{"v":null}`:           `{"v":null}`,
		`{"v":1.50}`:           `{"v":1.50}`,
		`{"w":["{text:a}",1]}`: `{"w":["{text:a}",1]}`,
		`{"v":{"text":"a"}}`:   `{}`,
	} {
		if d := deliver(t, New(Limits{}), p, []byte(in)); d.err != nil || d.out != want {
			t.Errorf("%s became %s, %v, want %s", in, d.out, d.err, want)
		}
	}
	// Its limit is that of what is held.
	long := `{"v":"{text:` + strings.Repeat("x ", 60_000) + `}"}`
	if d := deliver(t, New(Limits{}), p, []byte(long)); d.err != nil || !strings.Contains(d.out, `\"length\\\":119999,`) {
		t.Errorf("a long text gives %v, %q", d.err, d.out[max(0, len(d.out)-100):])
	}
	if d := deliver(t, New(Limits{Hold: 1000}), p, []byte(long), 500); d.err == nil || *d.err != (Error{CodeLimit, "/v", 5}) {
		t.Errorf("a text beyond the limit gives %v", d.err)
	}
}

// The aug-noredact-* vectors show the digests that Psoxy adds.
func TestDigestVectors(t *testing.T) {
	content := func(n *plan.Node) *plan.Node { return nOpen(fields{"content": n}, nAny()) }
	p := newPlan(nOpen(fields{
		"attachments": {Op: plan.Any, Object: plan.NewFields(nil), Items: content(nInner(digestText()))},
		"body":        content(&plan.Node{Op: plan.Any, Items: nAny(), Object: nAny().Object, Digest: &plan.Digest{}}),
	}, nAny()))
	p.Psoxy = true
	tested := 0
	eachLine(t, sharedFile(t, "vectors.jsonl"), func(line []byte) {
		var v struct{ ID, Input, Output string }
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(v.ID, "aug-noredact-") {
			return
		}
		tested++
		d := deliver(t, New(Limits{}), p, []byte(v.Input))
		got, ok := decodeTree([]byte(d.out))
		want, wanted := decodeTree([]byte(v.Output))
		if d.err != nil || !ok || !wanted || got.String() != want.String() {
			t.Errorf("%s: %s became\n %s, %v, want\n %s", v.ID, v.Input, d.out, d.err, v.Output)
		}
	})
	if tested < 15 {
		t.Errorf("%d vectors tested", tested)
	}
}

// What is JSON stays the same, but for unpaired surrogates; nothing makes the
// reader fail otherwise.
func FuzzLenient(f *testing.F) {
	for _, body := range seedBodies(f) {
		f.Add(body)
	}
	for _, text := range []string{`{a:b}`, `{'a' : b c, d:[e,f]}`, `[`, `{a`, `{a:`, `'`, `[\`, `["\u12`, `x`, `{"a":'b"'}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out, ok := appendStrict(nil, text, 10_000)
		if _, strict := decodeTree(text); !strict {
			return
		}
		want, strict := decodeTree(appendPaired(nil, text))
		if !strict {
			return // names became the same
		}
		if got, again := decodeTree(out); !ok || !again || got.String() != want.String() {
			t.Fatalf("%q became %q, %v", text, out, ok)
		}
	})
}
