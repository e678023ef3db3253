package sanitize

import (
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

// isRefused stands in the tables for a body that is refused.
const isRefused = "REFUSED"

// kinds are one value of each kind that the table of psoxy-compat section 2.2
// tells apart.
var kinds = []string{`null`, `""`, "\"\u3000 \\t\"", `7`, `-0`, `1.50`, `12345678901234567890`, `1e400`, `true`, `[1]`, `{"a":1}`}

func hashOnly(v string) string  { return string(new(fakeTokens).AppendHash(nil, []byte(v))) }
func tokenized(v string) string { return string(new(fakeTokens).AppendTokenized(nil, []byte(v))) }
func jsonBoth(v string, original bool) string {
	return quote(string(new(fakeTokens).AppendJSON(nil, []byte(v), original, true)))
}

// stepKinds say what becomes of kinds, in their order.
var stepKinds = []struct {
	name string
	node *plan.Node
	want []string
}{
	{"drop", nDo(plan.StepDrop), []string{``, ``, ``, ``, ``, ``, ``, ``, ``, ``, ``}},
	{"drop null", nRun(plan.Step{Do: plan.StepString}, plan.Step{Do: plan.StepDropNull}), []string{``, `""`, "\"\u3000 \\t\"", ``, ``, ``, ``, ``, ``, ``, ``}},
	{"object", nDo(plan.StepObject), []string{`null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, ``}},
	{"array, its null dropped", nRun(plan.Step{Do: plan.StepArray}, plan.Step{Do: plan.StepDropNull}, plan.Step{Do: plan.StepTokenize}), []string{``, ``, ``, ``, ``, ``, ``, ``, ``, `null`, ``}},
	{"refuse", nDo(plan.StepRefuse), strings.Fields(strings.Repeat(isRefused+" ", 11))},
	{"no steps", nRun(), strings.Fields(strings.Repeat(isRefused+" ", 11))},
	{"unknown step", nDo(200), strings.Fields(strings.Repeat(isRefused+" ", 11))},
	{"pseudonym", nDo(plan.StepPseudonym), []string{`null`, `null`, `null`, quote(hash("7")), quote(hash("0")), quote(hash("1.5")),
		quote(hash("12345678901234567890")), quote(hash("Infinity")), isRefused, isRefused, isRefused}},
	{"reversible", nDo(plan.StepReversible), []string{`null`, `null`, `null`, quote(back("7")), quote(back("0")), quote(back("1.5")),
		quote(back("12345678901234567890")), quote(back("Infinity")), isRefused, isRefused, isRefused}},
	{"json", nDo(plan.StepJSONPseudonym), []string{`"null"`, `"null"`, `"null"`, jsonForm("7", false), jsonForm("0", false), jsonForm("1.5", false),
		jsonForm("12345678901234567890", false), jsonForm("Infinity", false), isRefused, isRefused, isRefused}},
	{"json original", nDo(plan.StepJSONOriginal), []string{`"null"`, `"null"`, `"null"`, jsonForm("7", true), jsonForm("0", true), jsonForm("1.5", true),
		jsonForm("12345678901234567890", true), jsonForm("Infinity", true), isRefused, isRefused, isRefused}},
	{"json reversible", nDo(plan.StepJSONReversible), []string{`"null"`, `"null"`, `"null"`, jsonBoth("7", false), jsonBoth("0", false), jsonBoth("1.5", false),
		jsonBoth("12345678901234567890", false), jsonBoth("Infinity", false), isRefused, isRefused, isRefused}},
	{"json original reversible", nDo(plan.StepJSONOriginalReversible), []string{`"null"`, `"null"`, `"null"`, jsonBoth("7", true), jsonBoth("0", true), jsonBoth("1.5", true),
		jsonBoth("12345678901234567890", true), jsonBoth("Infinity", true), isRefused, isRefused, isRefused}},
	{"hash", nDo(plan.StepHash), []string{isRefused, isRefused, isRefused, quote(hashOnly("7")), quote(hashOnly("0")), quote(hashOnly("1.5")),
		quote(hashOnly("12345678901234567890")), quote(hashOnly("Infinity")), isRefused, isRefused, isRefused}},
	{"match", nRun(plan.Step{Do: plan.StepMatch, Match: &smtp}), []string{`null`, `null`, `null`, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused}},
	{"tokenize", nDo(plan.StepTokenize), unchangedOrNull},
	{"tokenize match", nPatterns(plan.StepTokenizeMatch, `(.*)`), unchangedOrNull},
	{"phrases", nPhrases("a"), unchangedOrNull},
	{"remove", nPatterns(plan.StepRemove, `.`), unchangedOrNull},
	{"only", nPatterns(plan.StepOnly, `a`), unchangedOrNull},
	{"tokens", nTokens(`\s+`, `.*`), unchangedOrNull},
	{"email header", nDo(plan.StepEmailHeader), []string{`null`, `""`, `""`, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused}},
	{"email header json", nDo(plan.StepEmailHeaderJSON), []string{`null`, `""`, `""`, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused, isRefused}},
	{"hash ip", nDo(plan.StepHashIP), []string{`null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`}},
	{"encrypt ip", nDo(plan.StepEncryptIP), []string{`null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`}},
	{"digest", nDo(plan.StepDigest), []string{`null`, `"{\"length\":0,\"word_count\":0}"`, `"{\"length\":3,\"word_count\":1}"`, `7`, `-0`, `1.50`,
		`12345678901234567890`, `1e400`, `true`, ``, ``}},
	{"string", nDo(plan.StepString), []string{`null`, `""`, "\"\u3000 \\t\"", `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`}},
	{"integer", nDo(plan.StepInteger), []string{`null`, `null`, `null`, `7`, `-0`, `1`, `null`, `null`, `null`, `null`, `null`}},
	{"number", nDo(plan.StepNumber), []string{`null`, `null`, `null`, `7`, `-0`, `1.50`, `12345678901234567890`, `null`, `null`, `null`, `null`}},
	{"boolean", nDo(plan.StepBoolean), []string{`false`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `true`, `null`, `null`}},
	{"null", nDo(plan.StepNull), []string{`null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`}},
	{"scalar", nDo(plan.StepScalar), []string{`null`, `""`, "\"\u3000 \\t\"", `7`, `-0`, `1.50`, isRefused, `1e400`, `true`, `null`, `null`}},
}

var unchangedOrNull = []string{`null`, `""`, "\"\u3000 \\t\"", `null`, `null`, `null`, `null`, `null`, `null`, `null`, `null`}

func TestStepKinds(t *testing.T) {
	for _, tt := range stepKinds {
		for i, in := range kinds {
			checkStep(t, tt.name, tt.node, in, tt.want[i])
		}
	}
}

// checkStep checks a value as a member among others, as elements and as the root.
func checkStep(t *testing.T, name string, n *plan.Node, in, want string) {
	t.Helper()
	r := New(Limits{})
	for _, shape := range []struct {
		plan       *plan.Plan
		body, want string
	}{
		{newPlan(nObject(fields{"a": nKeep(), "v": n, "z": nKeep()})), `{"a":1,"v":` + in + `,"z":2}`, `{"a":1,"v":` + want + `,"z":2}`},
		{newPlan(nArray(n)), `[` + in + ` , ` + in + `]`, `[` + want + `,` + want + `]`},
		{newPlan(nCompact(nArray(n))), `[` + in + `,` + in + `]`, strings.ReplaceAll(`[`+want+`,`+want+`]`, `[null,null]`, `[]`)},
		{newPlan(nAnyOf(n)), `{"v":[` + in + `]}`, `{"v":[` + want + `]}`},
		{newPlan(n), in, want},
	} {
		d := deliver(t, r, shape.plan, []byte(shape.body))
		want := shape.want
		switch {
		case strings.Contains(want, isRefused):
			if d.err == nil || d.err.Code != CodeMistyped {
				t.Errorf("%s: %s became %s, %v, should be refused", name, shape.body, d.out, d.err)
			}
		case want == "":
			if d.err == nil || d.err.Code != CodeRootDropped {
				t.Errorf("%s: %s became %s, %v, want the root dropped", name, shape.body, d.out, d.err)
			}
		default:
			want = strings.NewReplacer(`"v":,`, ``, `[,]`, `[]`).Replace(want)
			if d.err != nil || d.out != want {
				t.Errorf("%s: %s became\n %s, %v, want\n %s", name, shape.body, d.out, d.err, want)
			}
		}
		checkSplits(t, r, shape.plan, []byte(shape.body), d)
	}
}

// nAnyOf makes a node that keeps all but the elements of arrays, which get n.
func nAnyOf(n *plan.Node) *plan.Node {
	any := nAny()
	any.Items = n
	return any
}

var focus = nPhrases("Focus Time", "Focus", "prep", "no meeting: day", "(out)", "C++")

var stepTests = []struct {
	name     string
	node     *plan.Node
	in, want string
}{
	{"phrases", focus, `"Focus Time"`, `"Focus Time,Focus"`},
	{"phrases keep their case", focus, `"my fOCUS tIME, PREP"`, `"fOCUS tIME,fOCUS,PREP"`},
	{"phrases in their order", focus, `"prep for Focus"`, `"Focus,prep"`},
	{"phrases once", focus, `"prep Prep prep"`, `"prep"`},
	{"phrases second occurrence", focus, `"Prepare prep"`, `"prep"`},
	{"phrases are words", focus, `"Prepare, unfocus, prep_"`, `""`},
	{"phrases beside other than ASCII", focus, `"éprep"`, `"prep"`},
	{"phrases with spaces after", focus, `"no meeting: day : \t:x"`, `"no meeting: day"`},
	{"phrases that end in no word", focus, `"x(OUT)y C++"`, `"(OUT)"`},
	{"phrases that end in no word, before a word", focus, `"C++ : now"`, `"C++"`},
	{"phrases that end in no word, at the end", focus, `"C++ :"`, `""`},
	{"phrases long s is not s", nPhrases("s"), `"ſ"`, `""`},
	{"phrases kelvin sign is not k", nPhrases("k"), `"\u212a"`, `""`},
	{"phrases longer than text", focus, `"Foc"`, `""`},
	{"phrases escaped", focus, `"\u0070rep\n"`, `"prep"`},
	{"phrases nothing", nPhrases(), `"x"`, `""`},
	{"phrases unchanged", nPhrases("caf\u00e9 x"), `"caf\u00e9 x"`, `"caf\u00e9 x"`},

	{"tokenize", nDo(plan.StepTokenize), `"Alice <alice@acme.com>"`, quote(tokenized("Alice <alice@acme.com>"))},
	{"tokenize match", nPatterns(plan.StepTokenizeMatch, `^https://x/users/([a-z]+)/.*$`), `"https://x/users/me/messages?x=me"`,
		quote("https://x/users/" + tokenized("me") + "/" + tokenized("me") + "ssages?x=" + tokenized("me"))},
	{"tokenize match elsewhere", nPatterns(plan.StepTokenizeMatch, `https://x/users/([a-z]+)/`), `"https://x/users/me/messages"`, `"https://x/users/me/messages"`},
	{"tokenize match nothing", nPatterns(plan.StepTokenizeMatch, `x([a-z]*)`), `"x"`, `"x"`},
	{"tokenize match group not there", nPatterns(plan.StepTokenizeMatch, `x(y)?`), `"x"`, `"x"`},
	{"tokenize match whole, not first", nPatterns(plan.StepTokenizeMatch, `(a|ab)`), `"ab"`, quote(tokenized("ab"))},
	{"tokenize match without a group", nPatterns(plan.StepTokenizeMatch, `x`), `"x"`, isRefused},
	{"tokenize match without a pattern", nDo(plan.StepTokenizeMatch), `"x"`, isRefused},
	{"tokenize match line ends", nPatterns(plan.StepTokenizeMatch, `(a).*`), `"a\u2028"`, `"a\u2028"`},

	{"match", nRun(plan.Step{Do: plan.StepMatch, Match: &smtp}), `"SMTP:x"`, quote("SMTP:" + hash("x"))},
	{"match nothing", nRun(plan.Step{Do: plan.StepMatch, Match: &smtp}), `"sip:x"`, `null`},
	{"match without match", nDo(plan.StepMatch), `"sip:x"`, `null`},

	{"remove", nPatterns(plan.StepRemove, `(?i)pwd=[^&]*`, `&$`), `"https://x/j?PWD=a&b=1&pwd=c"`, `"https://x/j?&b=1"`},
	{"remove in turn", nPatterns(plan.StepRemove, `b`, `ac`), `"abc"`, `""`},
	{"remove nothing keeps the spelling", nPatterns(plan.StepRemove, `b`), `"\u0061\/"`, `"\u0061\/"`},
	{"remove nothing at all", nPatterns(plan.StepRemove), `"a"`, `"a"`},
	{"remove unpaired", nPatterns(plan.StepRemove, `b`), `"b\ud83d"`, "\"\ufffd\""},

	{"only", nPatterns(plan.StepOnly, `NAME-[0-9]+`, `[a-c]+`), `"x NAME-12, abd NAME-3"`, `"NAME-12abNAME-3"`},
	{"only overlapping", nPatterns(plan.StepOnly, `abc`, `b`, `cd`, `a`), `"xabcdx"`, `"abcd"`},
	{"only nothing", nPatterns(plan.StepOnly, `a`), `"x"`, `""`},
	{"only without patterns", nPatterns(plan.StepOnly), `"x"`, `""`},

	{"tokens", nTokens(`\s+`, `https://[^.]+\.zoom\.us/.*`), `"<a> https://acme.zoom.us/j/1<br> https://a.b.zoom.us/ \n https://b.zoom.us/\r\n"`,
		`"https://acme.zoom.us/j/1<br> https://b.zoom.us/"`},
	{"tokens no-break space", nTokens(`\s+`, `https://[^.]+\.zoom\.us/.*`), `"https://acme.zoom.us/\u00a0x"`, `"https://acme.zoom.us/\u00a0x"`},
	{"tokens next line", nTokens(`\s+`, `https://[^.]+\.zoom\.us/.*`), `"https://acme.zoom.us/\u0085x"`, `null`},
	{"tokens any of the patterns", nTokens(`,`, `a+`, `b`), `"aa,ab,b"`, `"aa b"`},
	{"tokens as a whole", nTokens(`,`, `a|ab`), `"ab,xab,abx"`, `"ab"`},
	{"tokens none", nTokens(`,`, `a`), `"b"`, `null`},
	{"tokens without patterns", nTokens(`,`), `"b"`, `null`},
	{"tokens without delimiter", nTokens(``, `a b.*`), `"a b\t"`, `"a b"`},
	{"tokens without delimiter line end", nTokens(``, `a.*`), `"a\rb"`, `null`},
	{"tokens empty in between", nTokens(`,`, `.*`), `",a,,b,,"`, `"a  b"`},
	{"tokens only delimiters", nTokens(`,`, `.*`), `",,"`, `null`},
	{"tokens delimiter of nothing", nTokens(`,*`, `.*`), `"ab,c"`, `"a b c"`},
	{"tokens trimmed", nTokens(`,`, `(?s).*`), `"\u0001 a,b\u0000"`, `"a b"`},

	{"email header", nDo(plan.StepEmailHeader), `"a@b,c@d"`, quote(hash("a@b") + "," + hash("c@d"))},
	{"email header, no list", nDo(plan.StepEmailHeader), `"a@b,c"`, `null`},
	{"email header json", nDo(plan.StepEmailHeaderJSON), `"a@b"`, jsonForm("a@b", false)},
	{"hash ip", nDo(plan.StepHashIP), `"10.0.0.1"`, quote("ih~" + hash("10.0.0.1")[2:])},
	{"encrypt ip", nDo(plan.StepEncryptIP), `"10.0.0.1"`, quote("ip~" + hash("10.0.0.1")[2:])},
	{"ip, no address", nDo(plan.StepEncryptIP), `"host"`, `null`},

	{"digest", nDo(plan.StepDigest), `"one two"`, `"{\"length\":7,\"word_count\":2}"`},
	{"integer cut", nDo(plan.StepInteger), `-1.9`, `-1`},
	{"integer exponent", nDo(plan.StepInteger), `1e3`, `1000`},
	{"integer zero", nDo(plan.StepInteger), `-0.5`, `0`},
	{"integer greatest", nDo(plan.StepInteger), `9223372036854775807`, `9223372036854775807`},
	{"integer too great", nDo(plan.StepInteger), `9223372036854775808`, `null`},
	{"integer least", nDo(plan.StepInteger), `-9223372036854775808`, `-9223372036854775808`},
	{"integer too small", nDo(plan.StepInteger), `-9223372036854775809`, `null`},
	{"integer greatest double", nDo(plan.StepInteger), `9223372036854775808.0`, `9223372036854775807`},
	{"integer double too great", nDo(plan.StepInteger), `9.3e18`, `null`},
	{"scalar greatest", nDo(plan.StepScalar), `9223372036854775807`, `9223372036854775807`},

	{"steps", nRun(plan.Step{Do: plan.StepTokenize}, plan.Step{Do: plan.StepPseudonym}), `"x"`, quote(hash(tokenized("x")))},
	{"steps with null", nRun(plan.Step{Do: plan.StepInteger}, plan.Step{Do: plan.StepJSONPseudonym}, plan.Step{Do: plan.StepPseudonym}), `"x"`, quote(hash("null"))},
	{"steps then drop", nRun(plan.Step{Do: plan.StepTokenize}, plan.Step{Do: plan.StepDrop}), `"x"`, ``},
	{"steps then refuse", nRun(plan.Step{Do: plan.StepTokenize}, plan.Step{Do: plan.StepRefuse}), `"x"`, isRefused},
	{"steps null to hash", nRun(plan.Step{Do: plan.StepMatch, Match: &smtp}, plan.Step{Do: plan.StepHash}), `"x"`, isRefused},
	{"steps on an object", nRun(plan.Step{Do: plan.StepTokenize}, plan.Step{Do: plan.StepBoolean}), `{"a":"x"}`, `false`},
	{"steps unchanged twice", nRun(plan.Step{Do: plan.StepString}, plan.Step{Do: plan.StepPhrases, Phrases: []string{"a b"}}), `"\u0061 b"`, `"\u0061 b"`},
	{"steps digest, object stays", nRun(plan.Step{Do: plan.StepDigest}), `{"a":["x"]}`, ``},
}

func TestSteps(t *testing.T) {
	for _, tt := range stepTests {
		checkStep(t, tt.name, tt.node, tt.in, tt.want)
	}
}

// What a step leaves of an object is decided by the node, as of Any.
func TestDigestStepDescends(t *testing.T) {
	n := nDo(plan.StepDigest)
	n.Object, n.Items = plan.NewFields(nil), n
	n.Object.Rest = n
	checkStep(t, "descends", n, `{"a":["one two",7,{"b":""}]}`,
		`{"a":["{\"length\":7,\"word_count\":2}",7,{"b":"{\"length\":0,\"word_count\":0}"}]}`)
}
