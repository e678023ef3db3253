package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

var opNames = map[plan.Op]string{
	plan.Drop: "drop", plan.Keep: "keep", plan.Pseudonym: "pseudonym", plan.Reversible: "reversible", plan.JSONPseudonym: "json",
	plan.JSONPseudonymOriginal: "json+original", plan.MatchReplace: "match", plan.Link: "link", plan.Object: "{}", plan.Array: "[]",
	plan.Any: "any", plan.Run: "run", plan.Choose: "choose",
}

var stepNames = map[plan.StepOp]string{
	plan.StepRefuse: "refuse", plan.StepDrop: "drop", plan.StepPseudonym: "pseudonym", plan.StepReversible: "reversible", plan.StepJSONPseudonym: "json",
	plan.StepJSONOriginal: "json+original", plan.StepJSONReversible: "json+reversible", plan.StepJSONOriginalReversible: "json+original+reversible",
	plan.StepHash: "hash", plan.StepTokenize: "tokenize", plan.StepTokenizeMatch: "tokenize-match", plan.StepMatch: "match", plan.StepPhrases: "phrases",
	plan.StepRemove: "remove", plan.StepOnly: "only", plan.StepTokens: "tokens", plan.StepEmailHeader: "email-header", plan.StepEmailHeaderJSON: "email-header-json",
	plan.StepHashIP: "hash-ip", plan.StepEncryptIP: "encrypt-ip", plan.StepJSON: "json-text", plan.StepDigest: "digest", plan.StepString: "string",
	plan.StepInteger: "integer", plan.StepNumber: "number", plan.StepBoolean: "boolean", plan.StepNull: "null", plan.StepScalar: "scalar", plan.StepObject: "object", plan.StepArray: "array", plan.StepDropNull: "drop-null",
}

// graph writes a plan as one line for each node: pointer, operation, what else
// is set, and where it leads to. Nodes are numbered as they are met.
func graph(p *plan.Plan) []string {
	var lines []string
	numbers := map[*plan.Node]int{}
	var visit func(n *plan.Node) string
	visit = func(n *plan.Node) string {
		if n == nil {
			return "-"
		}
		if number, seen := numbers[n]; seen {
			return fmt.Sprint(number)
		}
		number := len(lines)
		numbers[n] = number
		lines = append(lines, "")
		line := fmt.Sprintf("%d %q %s", number, p.Pointers[n.Pointer], opNames[n.Op])
		if n.Match != nil {
			line += fmt.Sprintf(" prefix=%q regexp=%v then=%s", n.Match.Prefix, n.Match.Regexp, opNames[n.Match.Then])
		}
		for _, s := range n.Steps {
			line += " " + step(s)
		}
		if n.Digest != nil {
			line += " +digest"
			if n.Digest.Inner != nil {
				line += "(" + strings.Join(graph(n.Digest.Inner), "; ") + ")"
			}
		}
		if n.Compact {
			line += " compact"
		}
		if n.Mistyped != plan.FallDrop {
			line += map[plan.Fallback]string{plan.FallNull: " else-null", plan.FallRefuse: " else-refuse"}[n.Mistyped]
		}
		if c := n.Choice; c != nil {
			switch {
			case c.Member != "":
				line += " by " + c.Member
				for _, v := range slices.Sorted(maps.Keys(c.Cases)) {
					line += fmt.Sprintf(" %s:%s", v, visit(c.Cases[v]))
				}
			case c.All != nil:
				line += fmt.Sprintf(" if all %v then:%s", c.All, visit(c.Then))
			default:
				line += fmt.Sprintf(" if (%s) then:%s", strings.Join(graph(c.Probe), "; "), visit(c.Then))
			}
			line += " else:" + visit(c.Else)
		}
		for _, f := range n.Object.All() {
			line += fmt.Sprintf(" %s:%s", f.Name, visit(f.Node))
		}
		if n.Object != nil && n.Object.Rest != nil {
			line += " rest:" + visit(n.Object.Rest)
		}
		if n.Items != nil {
			line += " items:" + visit(n.Items)
		}
		lines[number] = line
		return fmt.Sprint(number)
	}
	visit(p.Root)
	return lines
}

func step(s plan.Step) string {
	text := stepNames[s.Do]
	if s.Match != nil {
		text += fmt.Sprintf("(%q %v %s)", s.Match.Prefix, s.Match.Regexp, opNames[s.Match.Then])
	}
	if s.Delimiter != nil {
		text += fmt.Sprintf("(by %v)", s.Delimiter)
	}
	if len(s.Patterns) > 0 {
		text += fmt.Sprint(s.Patterns)
	}
	if len(s.Phrases) > 0 {
		text += fmt.Sprintf("%q", s.Phrases)
	}
	if s.Inner != nil {
		text += "(" + strings.Join(graph(s.Inner), "; ") + ")"
	}
	return text
}

// compiledShape returns the graph of the plan of a shape, given as Rego.
func compiledShape(t testing.TB, shape string) []string {
	t.Helper()
	s := mustLoad(t, connector("endpoints[\"a\"] := {\"methods\": {\"GET\"}, \"path\": \"/a\", \"response\": "+shape+"}\n"))
	return graph(s.Endpoints()[0].Plan)
}

func TestOperations(t *testing.T) {
	for shape, want := range map[string]string{
		`shape.organisation`:  `keep`,
		`shape.opaque_id`:     `run tokenize`,
		`shape.tokenize`:      `run tokenize`,
		`shape.hash`:          `run hash`,
		`shape.hash_ip`:       `run hash-ip`,
		`shape.encrypt_ip`:    `run encrypt-ip`,
		`shape.text_digest`:   `run digest`,
		`shape.refuse`:        `run refuse`,
		`shape.email_header`:  `run email-header`,
		`shape.typed("null")`: `run null`,

		`shape.json_email_header`:                                  `run email-header-json`,
		`shape.json_reversible`:                                    `run json+reversible`,
		`shape.json_reversible_with_original`:                      `run json+original+reversible`,
		`shape.tokenize_match("^a(.*)$")`:                          `run tokenize-match[\A(?:^a(.*)$)\z]`,
		`shape.phrases(["b c", "a"])`:                              `run phrases["b c" "a"]`,
		`shape.without(["(?i)a", "b"])`:                            `run remove[(?i)a b]`,
		`shape.only(["a|b"])`:                                      `run only[a|b]`,
		`shape.tokens(" +", ["a|b"])`:                              `run tokens(by  +)[\A(?:a|b)\z]`,
		`shape.tokens(null, ["a"])`:                                `run tokens[\A(?:a)\z]`,
		`shape.json({"a": shape.keep})`:                            `run json-text(0 "" {} a:1; 1 "/a" keep)`,
		`shape.digest(shape.drop)`:                                 `drop +digest`,
		`shape.digest(shape.email)`:                                `pseudonym +digest`,
		`shape.digest(shape.match("b", shape.reversible))`:         `match prefix="" regexp=b then=reversible +digest`,
		`shape.digest_json(shape.drop, {"t": shape.text_digest})`:  `drop +digest(0 "" {} t:1; 1 "/t" run digest)`,
		`shape.steps([shape.without(["a"]), shape.tokenize])`:      `run remove[a] tokenize`,
		`shape.steps([shape.steps([shape.hash]), shape.tokenize])`: `run hash tokenize`,
		`shape.steps([shape.pseudonym, shape.reversible, shape.json_pseudonym, shape.json_pseudonym_with_original])`: `run pseudonym reversible json json+original`,
		`shape.steps([shape.match("(?i)^smtp:(.*)$", shape.email), shape.match("(b)", shape.reversible)])`:           `run match("smtp:" <nil> pseudonym) match("" (b) reversible)`,
	} {
		got := compiledShape(t, `{"x": `+shape+`}`)
		if len(got) != 2 || got[1] != `1 "/x" `+want {
			t.Errorf("%s:\ngot  %v\nwant %s", shape, got, want)
		}
	}
}

func TestContainers(t *testing.T) {
	for shape, want := range map[string][]string{
		`shape.any`:                                  {`0 "" any rest:1 items:1`, `1 "/**" any rest:1 items:1`},
		`shape.any_with({"a": shape.link})`:          {`0 "" any a:1 rest:2 items:2`, `1 "/a" link`, `2 "/**" any rest:2 items:2`},
		`{"x": shape.any}`:                           {`0 "" {} x:1`, `1 "/x" any rest:2 items:2`, `2 "/x/**" any rest:2 items:2`},
		`shape.open({"a/b": shape.hash}, shape.any)`: {`0 "" {} a/b:1 rest:2`, `1 "/a~1b" run hash`, `2 "/**" any rest:2 items:2`},
		`shape.open({}, shape.email)`:                {`0 "" {} rest:1`, `1 "/*" pseudonym`},
		`shape.open({}, shape.digest(shape.drop))`:   {`0 "" {} rest:1`, `1 "/*" drop +digest`},
		`[shape.select("k", {"a": {}}, {})]`:         {`0 "" [] items:1`, `1 "/*" choose by k a:2 else:3`, `2 "/*" {}`, `3 "/*" {}`},
		`shape.select("k", {"a": {"x": [shape.keep]}, "b": shape.drop, "": shape.open({}, shape.drop)}, shape.select("l", {"c": {"x": shape.hash}}, shape.any))`: {
			`0 "" choose by k :1 a:3 b:6 else:7`, `1 "" {} rest:2`, `2 "/*" drop`, `3 "" {} x:4`, `4 "/x" [] items:5`, `5 "/x/*" keep`, `6 "" drop`,
			`7 "" choose by l c:8 else:10`, `8 "" {} x:9`, `9 "/x" run hash`, `10 "" any rest:11 items:11`, `11 "/**" any rest:11 items:11`,
		},
		`shape.schema({"a": [shape.typed("string")], "b": {}, "c": [[{}]], "d": [shape.refuse]})`: {
			`0 "" {} else-refuse a:1 b:3 c:4 d:7`, `1 "/a" [] compact else-null items:2`, `2 "/a/*" run string`, `3 "/b" {} else-null`,
			`4 "/c" [] compact else-null items:5`, `5 "/c/*" [] compact else-null items:6`, `6 "/c/*/*" {} else-null`,
			`7 "/d" [] compact else-null items:8`, `8 "/d/*" run refuse`,
		},
		`{"s": shape.schema({"a": shape.typed("integer")}), "t": {"a": shape.typed("number"), "b": shape.typed("boolean"), "c": shape.typed("scalar")}}`: {
			`0 "" {} s:1 t:3`, `1 "/s" {} else-null a:2`, `2 "/s/a" run integer`,
			`3 "/t" {} a:4 b:5 c:6`, `4 "/t/a" run number`, `5 "/t/b" run boolean`, `6 "/t/c" run scalar`,
		},
	} {
		if got := compiledShape(t, shape); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", shape, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestSelectShares: nodes that stand for the same place share a pointer, so that
// they are counted together.
func TestSelectSharesPointers(t *testing.T) {
	s := mustLoad(t, connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": shape.select("k", {"a": {"x": shape.keep}}, {"x": shape.drop})}
`))
	if got := s.Endpoints()[0].Plan.Pointers; !slices.Equal(got, []string{"", "/x"}) {
		t.Errorf("pointers %q", got)
	}
}

// TestClear: a condition may use a property only if it stays in clear whatever
// an object gets.
func TestClear(t *testing.T) {
	const item = `shape.select("kind", {"a": {"kind": shape.keep, "x": shape.keep, "in": {"y": shape.keep, "z": shape.hash}}}, OTHERWISE)`
	for _, test := range []struct{ otherwise, property, message string }{
		{`{"kind": shape.keep, "x": shape.keep, "in": [{"y": shape.keep}]}`, "x", ""},
		{`{"kind": shape.keep, "x": shape.keep, "in": [{"y": shape.keep}]}`, "in/y", ""},
		{`{"kind": shape.keep, "x": shape.keep, "in": [{"y": shape.keep}]}`, "in/z", "does not keep in clear"},
		{`{"kind": shape.keep, "in": {"y": shape.drop}}`, "x", "does not keep in clear"},
		{`{"kind": shape.keep, "in": {"y": shape.drop}}`, "in/y", "does not keep in clear"},
		{`{"kind": shape.keep, "in": shape.keep}`, "in/y", "does not keep in clear"},
		{`shape.drop`, "kind", "does not keep in clear"},
		{`shape.any`, "kind", "does not keep in clear"},
		{`shape.open({"kind": shape.keep}, shape.drop)`, "kind", ""},
		{`shape.open({}, shape.keep)`, "kind", "does not keep in clear"},
		{`{"kind": shape.digest(shape.keep)}`, "kind", ""},
		{`{"kind": shape.steps([shape.typed("string")])}`, "kind", "does not keep in clear"},
		{`{"kind": shape.any}`, "kind", "does not keep in clear"},
		{`{"kind": shape.keep}`, "none", "has no property"},
	} {
		_, err := loadArchive(t, connector(fmt.Sprintf("endpoints[\"a\"] := {\"methods\": {\"GET\"}, \"path\": \"/a\", \"query\": {\"$filter\": {\"properties\": {%q}}}, \"response\": {\"value\": [%s]}}\n",
			test.property, strings.ReplaceAll(item, "OTHERWISE", test.otherwise))))
		switch {
		case test.message == "" && err != nil:
			t.Errorf("%s with %s: %v", test.property, test.otherwise, err)
		case test.message != "" && (err == nil || !strings.Contains(err.Error(), test.message)):
			t.Errorf("%s with %s: %v, want %s", test.property, test.otherwise, err, test.message)
		}
	}
}

// Shapes multiply when they are written out, and rules double them with each
// question; both have a bound.
func TestTooManyPositions(t *testing.T) {
	for _, shape := range []string{
		`{"value": [{sprintf("a%d", [i]): {sprintf("b%d", [j]): shape.keep | some j in numbers.range(1, 300)} | some i in numbers.range(1, 300)}]}`,
		`shape.rules(shape.any, [{"at": [sprintf("$..a[?(@.p%d == 'v')].b", [i])], "do": shape.drop} | some i in numbers.range(1, 16)])`,
	} {
		_, err := loadArchive(t, connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": `+shape+"}\n"))
		if list := errorsOf(t, err); len(list) != 1 || !strings.Contains(list[0].Message, "more than 65536 positions") {
			t.Errorf("%s: %v", shape, err)
		}
	}
}
