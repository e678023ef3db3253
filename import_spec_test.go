package main

import (
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/psoxy"
)

// The statements of psoxy-compat section 2, one by one, through an import: rules,
// input, output. An empty output stands for a refusal.
func TestImportFollowsTheSpecification(t *testing.T) {
	const (
		alice = `UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk`
		ab    = `zxkOFi7XrGzz5M1iuxwI-QBBRZ10ZkbZ5LP8cNtfC6A` // a@b.co
	)
	redact := func(path string) string { return `transforms: [{method: redact, jsonPaths: ["` + path + `"]}]` }
	pseudonymize := func(path string) string {
		return `transforms: [{method: pseudonymize, jsonPaths: ["` + path + `"]}]`
	}
	schema := func(of string) string { return `responseSchema: {type: object, properties: {v: ` + of + `}}` }
	cases := []struct{ name, rules, input, output string }{
		// 2: sequences and serialisation.
		{"lines", redact("$..a"), "{\"a\":1,\"b\":1}\n{\"a\":2}\n", "{\"b\":1}\n{}"},
		{"white space", redact("$..a"), " \n ", " "},
		{"trailing text", redact("$..a"), `{"a":1} x`, ""},
		{"cut off", redact("$..a"), `{"a":1`, ""},
		{"spaces and escapes", redact("$..a"), `{ "b" : "\u00e9\/\u001f\u2028" }`, "{\"b\":\"é/\\u001F\u2028\"}"},
		{"lone surrogate", redact("$..a"), `{"b":"\ud800x"}`, `{"b":"?x"}`},
		{"numbers", redact("$..a"), `[1.10,1e2,0.0001,12345678.9,1e21,-0.0,-0,5e-324,1e400,123456789012345678901234567890]`, `[1.1,100.0,1.0E-4,1.23456789E7,1.0E21,-0.0,0,4.9E-324,"Infinity",123456789012345678901234567890]`},
		{"root null", redact("$..a"), `null`, ""},
		{"root null without transforms", `transforms: []`, `null`, `null`},
		{"root scalar", redact("$..a"), `"a"`, `"a"`},
		// 2.1: JSONPaths.
		{"member of an object only", redact("$..a.b"), `{"a":{"b":1},"x":[{"a":[{"b":2}]},{"a":"b"}]}`, `{"a":{},"x":[{"a":[{"b":2}]},{"a":"b"}]}`},
		{"all members", pseudonymize("$..a[*].b"), `{"a":{"x":{"b":"a@b.co"},"y":1}}`, `{"a":{"x":{"b":"t~` + ab + `@b.co"},"y":1}}`},
		{"all names or none", redact("$..['x','y']"), `{"x":1,"y":2,"z":{"x":1}}`, `{"z":{"x":1}}`},
		{"names of the root", redact("$.['x','y']"), `{"x":1,"z":{"y":1}}`, `{"z":{"y":1}}`},
		{"names of a root array", redact("$.['x','y']"), `[{"x":1}]`, `[{"x":1}]`},
		{"filter equal", redact("$..a[?(@.p == 'v')].b"), `{"a":[{"p":"v","b":1},{"b":2,"p":"w"},{"b":3}],"x":{"a":{"b":4,"p":"v"}}}`, `{"a":[{"p":"v"},{"b":2,"p":"w"},{"b":3}],"x":{"a":{"p":"v"}}}`},
		{"filter unequal", redact("$..a[*][?(@.p != 'v')].b"), `{"a":[{"b":1,"p":"v"},{"b":2},{"b":3,"p":null},[{"b":4}]]}`, `{"a":[{"b":1,"p":"v"},{},{"p":null},[{}]]}`},
		{"filter at any depth", pseudonymize("$..from..[?(@.t != 'bot')].id"), `{"from":{"id":"a@b.co","user":{"id":"a@b.co","t":"bot"}}}`, `{"from":{"id":"t~` + ab + `@b.co","user":{"id":"a@b.co","t":"bot"}}}`},
		{"elements are removed", redact("$..a[*]"), `{"a":[1,[2],{}],"b":{"a":{"x":1}}}`, `{"a":[],"b":{"a":{}}}`},
		// 2.2: transforms.
		{"JSON of null", `transforms: [{method: pseudonymize, encoding: JSON, jsonPaths: [$.v]}]`, `{"v":null}`, `{"v":"null"}`},
		{"big numbers", pseudonymize("$.v"), `{"v":123.0}`, `{"v":"t~tKpvXFocUGO4GCljg9hJmiAu2mx5YKiOOGzwmpwV8jg"}`},
		{"original and token", `transforms: [{method: pseudonymize, encoding: JSON, includeOriginal: true, jsonPaths: [$.v]}]`, `{"v":"alice@acme.com"}`, `{"v":"{\"domain\":\"acme.com\",\"hash\":\"` + alice + `\",\"original\":\"alice@acme.com\"}"}`},
		{"matches with another group", `transforms: [{method: pseudonymizeRegexMatches, regex: "(?i)(alice@acme.com)|(bob)", jsonPaths: [$.v]}]`, `{"v":"to ALICE@acme.com, bob"}`, `{"v":"to t~` + alice + `@acme.com, bob"}`},
		{"twice", `transforms: [{method: redactRegexMatches, redactions: [a, b+], jsonPaths: [$.v]}, {method: redactRegexMatches, redactions: [c], jsonPaths: [$.v]}]`, `{"v":"xabbac!"}`, `{"v":"x!"}`},
		{"token everywhere in the text", `transforms: [{method: tokenize, regex: "^https://h/users/([^/]+)/.*$", jsonPaths: [$.v]}]`, `{"v":"https://h/users/a/m?x=a"}`,
			strings.ReplaceAll(`{"v":"https://h/users/a/m?x=a"}`, "a", "p~GXgIBGPIlGjISutME1vktlp5YRU4l8-Q3aAl41NvHFbWAJoUkjBoByOb9VV7JISK")},
		{"no match stays", `transforms: [{method: tokenize, regex: "^x(.*)$", jsonPaths: [$.v]}]`, `{"v":"https://h"}`, `{"v":"https://h"}`},
		{"overlapping phrases", `transforms: [{method: redactExceptPhrases, allowedPhrases: [Focus Time, Focus, "1:1", Prep], jsonPaths: [$..v]}]`, `{"v":"focus time with Bob, 1:1","x":{"v":"Prepare éprep"}}`, `{"v":"focus time,focus,1:1","x":{"v":"prep"}}`},
		{"tokens by comma", `transforms: [{method: filterTokenByRegex, delimiter: ",", filters: ["a.*", "b"], jsonPaths: [$.v]}]`, `{"v":"ab,c,b,bb"}`, `{"v":"ab b"}`},
		{"one token", `transforms: [{method: filterTokenByRegex, delimiter: null, filters: ["a b"], jsonPaths: [$..v]}]`, `{"v":"a b","x":{"v":"a b c"}}`, `{"v":"a b","x":{"v":null}}`},
		{"substrings", `transforms: [{method: redactExceptSubstringsMatchingRegexes, exceptions: ["N-[0-9]+"], jsonPaths: [$.v]}]`, `{"v":5}`, `{"v":null}`},
		{"list of addresses", `transforms: [{method: pseudonymizeEmailHeader, jsonPaths: [$.v]}]`, `{"v":"A <alice@acme.com>, a@b.co"}`, `{"v":"t~` + alice + `@acme.com,t~` + ab + `@b.co"}`},
		{"digest and redact", "augments: [{method: textDigest, jsonPaths: [$..body.content]}]\n    " + redact("$..body.content"), `{"body":{"content":"a b","x":1}}`, `{"body":{"x":1,"+content:textDigest":{"length":3,"word_count":2}}}`},
		{"digest through a schema", "augments: [{method: textDigest, jsonPaths: [$.v]}]\n    responseSchema: {type: object, properties: {}}", `{"v":"a b","w":1}`, `{"+v:textDigest":{"length":3,"word_count":2}}`},
		{"only when", `transforms: [{method: redact, jsonPaths: [$..x], applyOnlyWhen: "$..[?(@.t == 'a')]"}]`, `{"x":1,"y":{"t":"a","x":2}}`, `{"y":{"t":"a"}}`},
		// 2.3: response schemas.
		{"null is no boolean", schema(`{type: boolean}`), `{"v":null}`, `{"v":false}`},
		{"integers", schema(`{type: array, items: {type: integer}}`), `{"v":[1.5,-1.9,1e3,"1",true,9223372036854775808,null]}`, `{"v":[1,-1,1000]}`},
		{"nothing about items", schema(`{type: array}`), `{"v":[1]}`, ""},
		{"no properties", schema(`{type: object}`), `{"v":{"a":1}}`, `{"v":{}}`},
		{"no type", schema(`{properties: {k: {}}}`), `{"v":"a","w":1}`, `{"v":"a"}`},
		{"the definitions themselves", schema(`{$ref: "#"}`), `{"v":{"a":1}}`, `{"v":null}`},
		{"format and title", schema(`{type: string, format: email, title: a}`), `{"v":"x"}`, `{"v":"x"}`},
		{"order of the input", `responseSchema: {type: object, properties: {a: {type: string}, b: {type: number}}}`, `{"b":1.50,"c":0,"a":"x"}`, `{"b":1.5,"a":"x"}`},
		{"schema, then transforms", schema(`{type: object, properties: {mail: {type: string}}}`) + "\n    " + pseudonymize("$..mail"), `{"v":{"mail":"a@b.co","x":1},"mail":"c"}`, `{"v":{"mail":"t~` + ab + `@b.co"}}`},
		// Ours, where Psoxy leaks.
		{"plus members", schema(`{type: object, properties: {}}`), `{"v":{"+a":1},"+b":2}`, `{"v":{}}`},
		{"sealed or dropped", `transforms: []`, `{"@odata.nextLink":"https://graph.microsoft.com/v1.0/users","x":1}`, `{"x":1}`},
		{"arrays below from", pseudonymize("$..from..[?(@.t != 'bot')].id"), `{"from":{"users":[{"id":"a@b.co"}]}}`, `{"from":{"users":[{"id":"t~` + ab + `@b.co"}]}}`},
	}
	rules := "endpoints:\n"
	for i, c := range cases {
		rules += "  - pathTemplate: /t" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "\n    " + c.rules + "\n"
	}
	connector, err := psoxy.Import(psoxy.Input{File: "spec.yaml", Text: []byte(rules)})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := writeImported(dir, connector, false); err != nil {
		t.Fatal(err)
	}
	snapshot, err := policy.Load(t.Context(), policy.Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	gateway := gatewayOf(t, snapshot)
	for i, c := range cases {
		url := "/t" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		out, result := sanitizeOne(t.Context(), gateway, offlineExchange{Method: "GET", URL: url, Status: 200, body: []byte(c.input)})
		switch {
		case result.outcome != extproc.OutcomeSanitized:
			if c.output != "" {
				t.Errorf("%s: refused: %v", c.name, result.reasons)
			}
		case c.output == "" || !sameJSON(string(out), c.output):
			t.Errorf("%s:\n got %s\nwant %s", c.name, out, c.output)
		}
	}
}
