package policy_test

import (
	"slices"
	"strings"
	"testing"
)

// Rules multiply the base shape with how far their paths have come.
func TestRules(t *testing.T) {
	for shape, want := range map[string][]string{
		`shape.rules(shape.select("k", {"x": {"a": shape.keep}}, {"b": shape.match("(?i)^smtp:(.*)$", shape.email)}), [{"at": ["$..a", "$.b"], "do": shape.hash}])`: {
			`0 "" choose by k x:1 else:3`,
			`1 "" {} a:2`,
			`2 "/a" run hash`,
			`3 "" {} b:4`,
			`4 "/b" run match("smtp:" <nil> pseudonym) hash`,
		},
		`shape.rules({"a": shape.select("k", {"x": {}}, shape.drop), "b": shape.digest(shape.email), "c": [shape.keep], "d": shape.json_pseudonym}, [{"at": ["$.a", "$.c", "$.d"], "do": shape.hash}])`: {
			`0 "" {} a:1 b:2 c:3 d:4`,
			`1 "/a" run object hash`,
			`2 "/b" pseudonym +digest`,
			`3 "/c" run array hash`,
			`4 "/d" run json hash`,
		},
		`shape.rules(shape.any, [{"at": ["$..mail"], "do": shape.email}])`: {
			`0 "" any mail:1 rest:2 items:2`,
			`1 "/**/mail" run pseudonym`,
			`2 "/**" any mail:1 rest:2 items:2`,
		},
		`shape.rules(shape.any, [{"at": ["$..a.b"], "do": shape.drop}])`: {
			`0 "" any a:1 rest:3 items:3`,
			`1 "/**/a" any a:1 b:2 rest:3 items:3`,
			`2 "/**/a/b" drop`,
			`3 "/**" any a:1 rest:3 items:3`,
		},
		`shape.rules(shape.any, [{"at": ["$..a[*].b"], "do": shape.digest(shape.keep)}, {"at": ["$..a[*].b"], "do": shape.drop}])`: {
			`0 "" any a:1 rest:6 items:6`,
			`1 "/**/a" any a:2 rest:4 items:4`,
			`2 "/**/a/a" any a:2 b:3 rest:4 items:4`,
			`3 "/**/a/a/b" drop +digest`,
			`4 "/**/a/*" any a:1 b:5 rest:6 items:6`,
			`5 "/**/a/*/b" drop +digest`,
			`6 "/**" any a:1 rest:6 items:6`,
		},
		`shape.rules(shape.any, [{"at": ["$.['x','y']"], "do": shape.tokenize_match("^a(.*)$")}])`: {
			`0 "" any x:1 y:2 rest:3 items:3`,
			`1 "/x" run tokenize-match[\A(?:^a(.*)$)\z]`,
			`2 "/y" run tokenize-match[\A(?:^a(.*)$)\z]`,
			`3 "/**" any rest:3 items:3`,
		},
		`shape.rules(shape.any, [{"at": ["$..['x','y']"], "do": shape.drop}])`: {
			`0 "" choose if all [x y] then:1 else:7`,
			`1 "" any x:2 y:3 rest:4 items:4`,
			`2 "/**/x" drop`,
			`3 "/**/y" drop`,
			`4 "/**" choose if all [x y] then:5 else:6`,
			`5 "/**" any x:2 y:3 rest:4 items:4`,
			`6 "/**" any rest:4 items:4`,
			`7 "" any rest:4 items:4`,
		},
		`shape.rules(shape.any, [{"at": ["$..links[?(@.t == 'File')].u"], "do": shape.drop}])`: {
			`0 "" any links:1 rest:4 items:4`,
			`1 "/**/links" choose by t File:2 else:8`,
			`2 "/**/links" any links:1 u:3 rest:4 items:5`,
			`3 "/**/links/u" drop`,
			`4 "/**" any links:1 rest:4 items:4`,
			`5 "/**/links/*" choose by t File:6 else:7`,
			`6 "/**/links/*" any links:1 u:3 rest:4 items:4`,
			`7 "/**/links/*" any links:1 rest:4 items:4`,
			`8 "/**/links" any links:1 rest:4 items:5`,
		},
		`shape.rules(shape.any, [{"at": ["$..from..[?(@.t != \"bot\")].id"], "do": shape.email}])`: {
			`0 "" any from:1 rest:29 items:29`,
			`1 "/**/from" choose by t bot:2 else:28`,
			`2 "/**/from" any from:3 rest:24 items:24`,
			`3 "/**/from/**/from" choose by t bot:4 else:23`,
			`4 "/**/from/**/from" any from:5 rest:19 items:19`,
			`5 "/**/from/**/from/**/from" choose by t bot:6 else:18`,
			`6 "/**/from/**/from/**/from" any from:7 rest:14 items:14`,
			`7 "/**/from/**/from/**/from/**/from" choose by t bot:8 else:13`,
			`8 "/**/from/**/from/**/from/**/from" any rest:9 items:9`,
			`9 "/**/from/**/from/**/from/**/from/**" choose by t bot:10 else:11`,
			`10 "/**/from/**/from/**/from/**/from/**" any rest:9 items:9`,
			`11 "/**/from/**/from/**/from/**/from/**" any id:12 rest:9 items:9`,
			`12 "/**/from/**/from/**/from/**/from/**/id" run refuse`,
			`13 "/**/from/**/from/**/from/**/from" any id:12 rest:9 items:9`,
			`14 "/**/from/**/from/**/from/**" choose by t bot:15 else:16`,
			`15 "/**/from/**/from/**/from/**" any from:7 rest:14 items:14`,
			`16 "/**/from/**/from/**/from/**" any from:7 id:17 rest:14 items:14`,
			`17 "/**/from/**/from/**/from/**/id" run pseudonym pseudonym pseudonym`,
			`18 "/**/from/**/from/**/from" any from:7 id:17 rest:14 items:14`,
			`19 "/**/from/**/from/**" choose by t bot:20 else:21`,
			`20 "/**/from/**/from/**" any from:5 rest:19 items:19`,
			`21 "/**/from/**/from/**" any from:5 id:22 rest:19 items:19`,
			`22 "/**/from/**/from/**/id" run pseudonym pseudonym`,
			`23 "/**/from/**/from" any from:5 id:22 rest:19 items:19`,
			`24 "/**/from/**" choose by t bot:25 else:26`,
			`25 "/**/from/**" any from:3 rest:24 items:24`,
			`26 "/**/from/**" any from:3 id:27 rest:24 items:24`,
			`27 "/**/from/**/id" run pseudonym`,
			`28 "/**/from" any from:3 id:27 rest:24 items:24`,
			`29 "/**" any from:1 rest:29 items:29`,
		},
		`shape.rules(shape.schema({"a": {"c": shape.typed("string")}, "g": [{"k": shape.typed("null")}]}), [{"at": ["$..c", "$..d", "$..g[*].j"], "do": shape.digest(shape.keep)}, {"at": ["$..c"], "do": shape.drop}, {"at": ["$..g"], "do": shape.hash}])`: {
			`0 "" {} else-refuse a:1 c:4 d:5 g:6`,
			`1 "/a" {} else-null c:2 d:3`,
			`2 "/a/c" drop +digest`,
			`3 "/a/d" drop +digest`,
			`4 "/c" drop +digest`,
			`5 "/d" drop +digest`,
			`6 "/g" run array hash`,
		},
		`shape.rules(shape.schema({"a": [shape.typed("string")], "b": {"c": shape.typed("integer")}}), [{"at": ["$..a[*]", "$..c"], "do": shape.email}])`: {
			`0 "" {} else-refuse a:1 b:3`,
			`1 "/a" [] else-null items:2`,
			`2 "/a/*" run string drop-null pseudonym`,
			`3 "/b" {} else-null c:4`,
			`4 "/b/c" run integer pseudonym`,
		},
		`shape.rules(shape.any, [{"at": ["$..x"], "do": shape.drop, "when": "$..[?(@.t == 'b')]"}])`: {
			`0 "" choose if (0 "" choose by t b:1 else:2; 1 "" keep; 2 "" any rest:3 items:3; 3 "/**" choose by t b:4 else:5; 4 "/**" keep; 5 "/**" any rest:3 items:3) then:1 else:4`,
			`1 "" any x:2 rest:3 items:3`,
			`2 "/**/x" drop`,
			`3 "/**" any x:2 rest:3 items:3`,
			`4 "" any rest:5 items:5`,
			`5 "/**" any rest:5 items:5`,
		},
	} {
		if got := compiledShape(t, shape); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", shape, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
