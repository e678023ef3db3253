package psoxy

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
)

// importText imports a document and returns its Rego, or the reasons why not.
func importText(t *testing.T, text string) (rego string, warnings []string, problems []string) {
	t.Helper()
	c, err := Import(Input{File: "rules.yaml", Text: []byte(text)})
	var list Errors
	if errors.As(err, &list) {
		for _, e := range list {
			problems = append(problems, e.Error())
		}
		return "", nil, problems
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Warnings {
		warnings = append(warnings, w.String())
	}
	return string(c.Files["rules.rego"]), warnings, nil
}

const small = `endpoints:
  - pathTemplate: /v1.0/users
    allowedMethods: [GET]
    allowedQueryParams: []
    transforms:
      - !<redact>
        jsonPaths: ["$..a"]
`

// What a document is packed in, and how its transforms are named, changes nothing.
func TestSpellingsOfADocument(t *testing.T) {
	want, _, problems := importText(t, small)
	if problems != nil || !strings.Contains(want, `{"at": ["$..a"], "do": shape.drop}`) {
		t.Fatalf("%s%v", want, problems)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(small)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"method":    strings.ReplaceAll(small, "!<redact>\n        jsonPaths", "method: redact\n        jsonPaths"),
		"short tag": strings.ReplaceAll(small, "!<redact>", "!redact"),
		"serialised": `---
endpoints:
- pathTemplate: "/v1.0/users" # a comment
  allowedMethods:
  - "GET"
  allowedQueryParams: []
  transforms:
  - !<redact>
    # another
    jsonPaths:
    - "$..a"
`,
		"folded":         strings.ReplaceAll(small, "/v1.0/users", ">-\n      /v1.0/users"),
		"flow":           strings.ReplaceAll(small, "!<redact>\n        jsonPaths: [\"$..a\"]", "!<redact> {\n        jsonPaths: [\n          $..a,\n        ]\n      }"),
		"CRLF":           strings.ReplaceAll(small, "\n", "\r\n"),
		"mark":           "\ufeff" + small,
		"marker":         "---\n" + small,
		"base64":         base64.StdEncoding.EncodeToString([]byte(small)),
		"base64 lines":   strings.Join(slices.Collect(chunks(base64.StdEncoding.EncodeToString([]byte(small)), 40)), "\n") + "\n",
		"base64 of gzip": base64.StdEncoding.EncodeToString(packed.Bytes()),
		"JSON":           `{"endpoints": [{"pathTemplate": "\/v1.0\/users", "allowedMethods": ["get"], "allowedQueryParams": [], "transforms": [{"method": "redact", "jsonPaths": ["$..a"]}]}]}`,
		"nulls":          small + "    responseSchema: null\ndefinitions:\n",
		"ignored key":    small + "defaultScopeIdForSource: azure-ad\n",
	} {
		got, _, problems := importText(t, text)
		if withoutLines(got) != withoutLines(want) {
			t.Errorf("%s: %v\n%s", name, problems, got)
		}
	}
}

func chunks(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			k := min(n, len(s))
			if !yield(s[:k]) {
				return
			}
			s = s[k:]
		}
	}
}

// withoutLines leaves out the line numbers.
func withoutLines(rego string) string {
	var out []string
	for line := range strings.Lines(rego) {
		if !strings.Contains(line, "From line") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// Everything that is wrong is said at once, each with its line.
func TestRefusals(t *testing.T) {
	_, _, problems := importText(t, `allowAllEndpoints: true
extra: 1
endpoints:
  - pathRegex: ^/v1.0/(?=users).*
    requestBody: {required: true}
    transforms:
      - !<redact>
        jsonPaths: ["$..a[0]", "b"]
        more: 1
      - !<shred>
        jsonPaths: [$..a]
      - !<pseudonymize>
        jsonPaths: [$..a]
        includeOriginal: true
      - !<pseudonymize>
        jsonPaths: [$..a]
        encoding: BASE
      - !<redactRegexMatches>
        jsonPaths: [$..a]
        redactions: ['a(?!b)', 'a$']
      - !<tokenize>
        jsonPaths: [$..a]
        regex: abc
      - !<textDigest>
        jsonPaths: [$..a]
      - jsonPaths: [$..a]
      - !<redact>
        method: tokenize
        jsonPaths: [$..a]
      - !<redact>
        jsonPaths: [$..a]
        applyOnlyWhen: $.a
    augments:
      - !<sentenceMetadata>
        jsonPaths: [$..a]
      - !<textDigest>
        jsonPaths: [$..a]
        keywords: [x]
  - transforms: []
  - pathTemplate: /a/{id}
    allowedMethods: [POST]
    pathParameterSchemas:
      other: {type: string}
      id: {format: uuid}
    responseSchema:
      type: object
      properties:
        a: {type: text}
        b: {anyOf: []}
        c: {$ref: "#/definitions/Loop"}
        d: {minimum: 1}
  - pathTemplate: /a//b
  - pathTemplate: /c
    queryParamSchemas:
      q: {required: true}
definitions:
  Loop: {type: array, items: {$ref: "#/definitions/Loop"}}
`)
	want := []string{
		"rules.yaml:1: allowAllEndpoints",
		`rules.yaml:2: a rules document has no key "extra"; it has allowAllEndpoints`,
		"rules.yaml:4: the pathRegex \"^/v1.0/(?=users).*\" cannot be imported: lookaround",
		"rules.yaml:5: requestBody",
		`rules.yaml:8: the JSONPath "$..a[0]"`,
		`rules.yaml:8: the JSONPath "b"`,
		`rules.yaml:9: redact has no key "more"`,
		"rules.yaml:10: there is no transform shred",
		"rules.yaml:12: includeOriginal cannot",
		`rules.yaml:17: there is no encoding "BASE"`,
		`rules.yaml:20: the regular expression "a(?!b)": lookaround`,
		`rules.yaml:20: the regular expression "a$"`,
		"rules.yaml:23: the regex of tokenize needs a group",
		"rules.yaml:24: textDigest cannot be imported",
		"rules.yaml:26: a transform needs its name",
		"rules.yaml:28: the tag says redact, the key method tokenize",
		"rules.yaml:32: applyOnlyWhen",
		"rules.yaml:34: sentenceMetadata",
		"rules.yaml:38: keywords",
		"rules.yaml:39: an endpoint needs pathRegex or pathTemplate",
		"rules.yaml:41: allowedMethods has no GET",
		"rules.yaml:43: the path has no parameter {other}",
		`rules.yaml:44: there is no format "uuid"`,
		`rules.yaml:48: there is no type "text"`,
		"rules.yaml:49: anyOf",
		`rules.yaml:51: a response schema has no key "minimum"`,
		"rules.yaml:52: the pathTemplate \"/a//b\" cannot be imported: an empty segment",
		"rules.yaml:55: an option cannot be required",
		"rules.yaml:57: the definition Loop leads back to itself",
	}
	for i := range max(len(problems), len(want)) {
		switch {
		case i >= len(problems):
			t.Errorf("not said: %s", want[i])
		case i >= len(want):
			t.Errorf("also said: %s", problems[i])
		case !strings.HasPrefix(problems[i], want[i]):
			t.Errorf("got %s\nwant %s", problems[i], want[i])
		}
	}
}

func TestNoDocument(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "rules.yaml: the document is empty",
		"a: [":                              "rules.yaml:1: no YAML",
		"endpoints: []":                     "rules.yaml:1: there are no endpoints",
		"- a":                               "rules.yaml:1: a rules document must be a mapping, not a list",
		"endpoints: 1":                      "rules.yaml:1: endpoints must be a list, not a number",
		"endpoints:\n  - a":                 "rules.yaml:2: an endpoint must be a mapping, not a text",
		"a: &x 1\nb: *x":                    "rules.yaml:1: anchors, aliases",
		small + "---\n" + small:             "rules.yaml:9: a second document",
		"endpoints: []\nendpoints: []\n":    "rules.yaml:2:",
		"H4sIAAAA" + strings.Repeat("A", 8): "rules.yaml: unpacking",
	} {
		_, _, problems := importText(t, text)
		if len(problems) == 0 || !strings.HasPrefix(problems[0], want) {
			t.Errorf("%q: %q, want %s", text, problems, want)
		}
	}
}

func TestNames(t *testing.T) {
	for file, want := range map[string]string{
		"entra-id.yaml": "entra_id", "a/b/Outlook Mail.v2.yaml": "outlook_mail", "365.yml": "psoxy_365",
		"-.yaml": "psoxy", "default.yaml": "psoxy_default", `C:\rules\teams.json`: "teams",
	} {
		if got := nameOf(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
	for _, name := range []string{"", "1a", "a-b", "A", "import"} {
		if validName(name) {
			t.Errorf("%q is valid", name)
		}
	}
	_, err := Import(Input{File: "x.yaml", Text: []byte(small), Connector: "a-b"})
	if err == nil || !strings.Contains(err.Error(), "a-b") {
		t.Errorf("%v", err)
	}
}

// How a transform reads in Rego.
func TestTransforms(t *testing.T) {
	for yaml, want := range map[string]string{
		`!<redact> {}`:       `shape.drop`,
		`!<pseudonymize> {}`: `shape.pseudonym`,
		`!<pseudonymize> {includeReversible: true}`:                                        `shape.reversible`,
		`!<pseudonymize> {encoding: JSON}`:                                                 `shape.json_pseudonym`,
		`!<pseudonymize> {encoding: JSON, includeOriginal: true}`:                          `shape.json_pseudonym_with_original`,
		`!<pseudonymize> {encoding: JSON, includeReversible: true}`:                        `shape.json_reversible`,
		`!<pseudonymize> {encoding: JSON, includeOriginal: true, includeReversible: true}`: `shape.json_reversible_with_original`,
		`!<pseudonymize> {encoding: URL_SAFE_HASH_ONLY}`:                                   `shape.hash`,
		`!<pseudonymizeRegexMatches> {regex: "a(.)b"}`:                                     "shape.match(`a([^\\n\\r\\x{85}\\x{2028}\\x{2029}])b`, shape.pseudonym)",
		`!<pseudonymizeRegexMatches> {regex: ab, includeReversible: true}`:                 "shape.match(`ab`, shape.reversible)",
		`!<pseudonymizeEmailHeader> {}`:                                                    `shape.email_header`,
		`!<pseudonymizeEmailHeader> {encoding: JSON}`:                                      `shape.json_email_header`,
		`!<filterTokenByRegex> {filters: [a]}`:                                             "shape.tokens(`[\\t-\\r ]+`, [`a`])",
		`!<filterTokenByRegex> {filters: [a], delimiter: null}`:                            "shape.tokens(null, [`a`])",
		`!<filterTokenByRegex> {filters: [a, b], delimiter: ","}`:                          "shape.tokens(`,`, [`a`, `b`])",
		`!<tokenize> {}`:                                             `shape.tokenize`,
		`!<tokenize> {regex: "^a(b)c$"}`:                             "shape.tokenize_match(`^a(b)c\\z`)",
		`!<redactExceptPhrases> {allowedPhrases: ["1:1", OOO]}`:      `shape.phrases(["1:1", "OOO"])`,
		`!<redactRegexMatches> {redactions: [a, b]}`:                 "shape.without([`a`, `b`])",
		`!<redactExceptSubstringsMatchingRegexes> {exceptions: [a]}`: "shape.only([`a`])",
		`!<hashIp> {}`:    `shape.hash_ip`,
		`!<encryptIp> {}`: `shape.encrypt_ip`,
		"!<redactRegexMatches> {redactions: ['a`b']}": "shape.without([\"a`b\"])",
	} {
		text := strings.TrimSuffix(small, "- !<redact>\n        jsonPaths: [\"$..a\"]\n")
		name, keys, _ := strings.Cut(yaml, " {")
		keys = strings.TrimPrefix(", "+strings.TrimSuffix(keys, "}"), ", }")
		text += `- ` + name + ` {jsonPaths: ["$..a"]` + strings.TrimSuffix(keys, ", ") + "}\n"
		rego, _, problems := importText(t, text)
		if !strings.Contains(rego, `{"at": ["$..a"], "do": `+want+"},") {
			t.Errorf("%s: %v, want %s in\n%s", yaml, problems, want, rego)
		}
	}
}

// An error of loading the connector leads back into the document.
func TestWhere(t *testing.T) {
	c, err := Import(Input{File: "rules.yaml", Text: []byte(`endpoints:
  - pathTemplate: /users/{id?}
    transforms:
      - !<redact> {jsonPaths: []}
      - !<redact>
        jsonPaths:
          - $..a
          - $..b
`)})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		`endpoints["users"]`:                          "rules.yaml:2",
		`endpoints["user"].response.shape`:            "rules.yaml:2",
		`endpoints["user"].response.rules[0]`:         "rules.yaml:5",
		`endpoints["user"].response.rules[0].at[1]`:   "rules.yaml:8",
		`endpoints["user"].response.rules[9].at[0]`:   "rules.yaml:2",
		`endpoints["user"].response.rules[0].at[9].x`: "rules.yaml:5",
		`endpoints["groups"]`:                         "rules.yaml",
		"permissions":                                 "rules.yaml",
		"":                                            "rules.yaml",
	} {
		if got := c.Where(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// What is imported more narrowly, and what is unsafe, is said.
func TestWarnings(t *testing.T) {
	rego, warnings, problems := importText(t, `allowedRequestHeaders: [Prefer, Authorization, prefer]
endpoints:
  - pathTemplate: /v1.0/chats/{chat}/messages
    transforms:
      - !<tokenize>
        jsonPaths: ["$.['@odata.nextLink', 'other']"]
        regex: ^a(.*)$
      - !<pseudonymize>
        jsonPaths: ["$..from.user.userPrincipalName"]
        onlyIfRegex: x
      - !<redact>
        jsonPaths: ["$..eventDetail", "$..subject"]
      - !<redact>
        jsonPaths: ["$..['x', 'y']"]
  - pathTemplate: /v1.0/chats/{id}/messages
    allowedMethods: [get, POST]
    allowedQueryParams: [$top, $Filter, $apply, name, $deltatoken, $format]
`)
	if problems != nil {
		t.Fatal(problems)
	}
	for _, want := range []string{
		"rules.yaml:1: the header Authorization is not imported",
		"rules.yaml:3: any method",
		"rules.yaml:3: the query is open",
		"rules.yaml:3: no responseSchema",
		"rules.yaml:3: one value of an unexpected type",
		"rules.yaml:3: messages: left in clear are, where the API returns them: summary, from.application.displayName, reactions",
		"rules.yaml:5: tokenizing page links",
		"rules.yaml:5: tokenize with a regex",
		"rules.yaml:10: onlyIfRegex",
		"rules.yaml:13: what it does may be known at the end of a body only",
		"rules.yaml:15: the path /v1.0/chats/{id}/messages is also one of the endpoint in line 3",
		"rules.yaml:16: the method POST",
		"rules.yaml:17: the option $Filter is not imported",
		"rules.yaml:17: the option $apply is not imported",
		"rules.yaml:17: of $deltatoken only latest",
	} {
		if !slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, want) }) {
			t.Errorf("no warning %s in\n%s", want, strings.Join(warnings, "\n"))
		}
	}
	for _, want := range []string{
		`"headers": {"Prefer"}`,
		`shape.any_with({"@odata.deltaLink": shape.link, "@odata.nextLink": shape.link})`,
		`"at": ["$['other']"]`,
	} {
		if !strings.Contains(rego, want) {
			t.Errorf("no %s in\n%s", want, rego)
		}
	}
}

// A name with a line break stays in its comment.
func TestNamesWriteNoRego(t *testing.T) {
	rego, _, problems := importText(t, `{"definitions": {"D\nevil := 1 #": {"type": "string"}}, "endpoints": [{"pathTemplate": "/a",
		"responseSchema": {"type": "object", "properties": {"v": {"$ref": "#/definitions/D\nevil := 1 #"}}}}]}`)
	if problems != nil || !strings.Contains(rego, "\n# The definition D evil := 1 #.\n") || strings.Contains(rego, "\nevil") {
		t.Errorf("%v\n%s", problems, rego)
	}
}

// A page link that a transform finds stays sealed unless the transform hides it in
// every body.
func TestPageLinksStaySealed(t *testing.T) {
	for rule, sealed := range map[string]bool{
		`{method: tokenize, jsonPaths: ["$..q"]}`:                                                   true,
		`{method: tokenize, jsonPaths: ["$.['@odata.nextLink']"]}`:                                  false,
		`{method: tokenize, jsonPaths: ["$..['@odata.nextLink']"]}`:                                 false,
		`{method: tokenize, jsonPaths: ["$..['@odata.nextLink','q']"]}`:                             true,
		`{method: tokenize, jsonPaths: ["$.['@odata.nextLink']"], applyOnlyWhen: "$..q"}`:           true,
		`{method: tokenize, jsonPaths: ["$..q['@odata.nextLink']"]}`:                                true,
		`{method: redact, jsonPaths: ["$.['@odata.nextLink']"]}`:                                    true,
		`{method: redactRegexMatches, redactions: [x], jsonPaths: ["$.['@odata.nextLink']"]}`:       true,
		`{method: tokenize, regex: x(.*), jsonPaths: ["$.['@odata.nextLink','@odata.deltaLink']"]}`: true,
	} {
		rego, _, problems := importText(t, "endpoints:\n- pathTemplate: /a\n  transforms:\n  - "+rule+"\n")
		if problems != nil || strings.Contains(rego, `"@odata.nextLink": shape.link`) != sealed {
			t.Errorf("%s: want sealed %v: %v\n%s", rule, sealed, problems, rego)
		}
	}
	rego, _, problems := importText(t, "endpoints:\n- pathTemplate: /a\n  augments:\n  - {method: textDigest, jsonPaths: [\"$.['@odata.nextLink']\"]}\n")
	if problems != nil || !strings.Contains(rego, `"@odata.nextLink": shape.link`) {
		t.Errorf("a digest leaves the link as it is: %v\n%s", problems, rego)
	}
}

func TestParameters(t *testing.T) {
	for schema, want := range map[string]string{
		`{type: string}`:                              `shape.keep`,
		`{type: integer}`:                             "{\"pattern\": `\\s*[0-9]+\\s*`}",
		`{format: reversible-pseudonym}`:              `shape.reversible`,
		`{type: string, format: pseudonym}`:           `shape.reversible`,
		`{enum: [a.b, c]}`:                            "{\"pattern\": `a\\.b|c`}",
		`{type: integer, enum: [a, "7"]}`:             "{\"pattern\": `7`}",
		`{pattern: '\d{4}'}`:                          "{\"pattern\": `[0-9]{4}`}",
		`{anyOf: [{pattern: a}, {enum: [b]}]}`:        "{\"pattern\": `(?:a)|(?:b)`}",
		`{anyOf: [{pattern: a}, {type: string}]}`:     `shape.keep`,
		`{anyOf: [{format: pseudonym}]}`:              `shape.reversible`,
		`{anyOf: [{format: pseudonym}, {enum: [b]}]}`: "",
		`{type: integer, pattern: a}`:                 "",
		`{type: integer, enum: [a]}`:                  "",
		`{format: pseudonym, pattern: a}`:             "",
		`{minimum: 1}`:                                "",
	} {
		rego, _, problems := importText(t, "endpoints:\n  - pathTemplate: /users/{id}\n    pathParameterSchemas:\n      id: "+schema+"\n")
		if want == "" && problems == nil || want != "" && !strings.Contains(rego, `"params": {"id": `+want+"}") {
			t.Errorf("%s: %v, want %s in\n%s", schema, problems, want, rego)
		}
	}
}

func TestOptions(t *testing.T) {
	for yaml, want := range map[string]string{
		`allowedQueryParams: []`:                                                         "",
		`allowedQueryParams: [$Top, top, $SKIP]`:                                         `"$skip": {} "$top": {}`,
		`allowedQueryParams: [orderby, $expand]`:                                         "",
		`allowedQueryParams: [startDateTime, endDate]`:                                   `"endDate": {} "startDateTime": {}`,
		`allowedQueryParams: [$format, $deltatoken]`:                                     `"$deltatoken": {"values": {"latest"}} "$format": {"values": {"json", "application/json"}}`,
		`{allowedQueryParams: [a], queryParamSchemas: {a: {enum: [x]}, b: {enum: [y]}}}`: "\"a\": {\"pattern\": `x`}",
		`{allowedQueryParams: [$top], queryParamSchemas: {$top: {type: integer}}}`:       `"$top": {}`,
	} {
		e := strings.TrimSuffix(strings.TrimPrefix(yaml, "{"), "}")
		rego, _, problems := importText(t, "endpoints: [{pathTemplate: /a, "+e+"}]")
		got := ""
		if _, query, ok := strings.Cut(rego, "\"query\": {"); ok {
			query, _, _ = strings.Cut(query, "\t\"response\"")
			query = strings.TrimSuffix(strings.TrimSpace(query), "},")
			got = strings.TrimSuffix(strings.Join(strings.Fields(strings.ReplaceAll(query, ",\n", "\n")), " "), ",")
		}
		if got != want || problems != nil {
			t.Errorf("%s: got %s, %v, want %s", yaml, got, problems, want)
		}
	}
}

// The decision would refuse every $select on a delta of open rules.
func TestDeltaHasNoSelect(t *testing.T) {
	rego, warnings, problems := importText(t, "endpoints:\n  - pathTemplate: /a/delta\n    allowedQueryParams: [$select, $top]\n  - pathTemplate: /a\n    allowedQueryParams: [$select]\n")
	if problems != nil {
		t.Fatal(problems)
	}
	if delta, list, _ := strings.Cut(rego, `"path": "/a",`); strings.Contains(delta, "$select") || !strings.Contains(list, `"$select": {}`) {
		t.Errorf("$select on delta or not on the list:\n%s", rego)
	}
	if !slices.ContainsFunc(warnings, func(w string) bool {
		return strings.HasPrefix(w, "rules.yaml:2: the option $select is not imported on delta()")
	}) {
		t.Errorf("warnings:\n%s", strings.Join(warnings, "\n"))
	}
}

func TestLeaksAreReadable(t *testing.T) {
	for _, l := range readLeaks() {
		if len(l.Ends) == 0 || len(l.Fields) == 0 {
			t.Errorf("an entry of leaks.yaml has no ends or no fields: %v", l)
		}
		for _, end := range l.Ends {
			if end != strings.ToLower(end) {
				t.Errorf("%s: ends are compared in lower case", end)
			}
		}
	}
}
