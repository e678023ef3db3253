package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/plan"
)

const goldenFolder = "testdata/golden"

// canary is in every value of an original that must not leave as it is.
const canary = "CANARY"

// TestGolden sanitizes, for each endpoint of the shipped policy, a response that
// has a value at every position that the shape names, and compares the result
// with the one in the repository. With -update both are written anew.
func TestGolden(t *testing.T) {
	s, err := policy.Load(t.Context(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	g := gatewayOf(t, s)
	var folders []string
	for _, e := range s.Endpoints() {
		folder := filepath.Join(goldenFolder, e.Connector, e.ID)
		folders = append(folders, folder)
		t.Run(e.Connector+"."+e.ID, func(t *testing.T) {
			made := newOriginal(e)
			compareWithFile(t, folder+"/request", goldenRequest(e)+"\n")
			compareWithFile(t, folder+"/original.json", indent(t, made.text))
			request, original := readGolden(t, folder+"/request"), strings.TrimSpace(readGolden(t, folder+"/original.json"))

			if n := strings.Count(original, canary); n < made.hidden || made.hidden == 0 && e.Plan.Root.Op == plan.Object {
				t.Errorf("%d canaries for %d positions that hide their value", n, made.hidden)
			}
			method, url, _ := strings.Cut(strings.TrimSpace(request), " ")
			out, result := sanitizeOne(t.Context(), g, offlineExchange{Method: method, URL: url, Status: 200, body: []byte(original)})
			if result.outcome != extproc.OutcomeSanitized {
				t.Fatalf("%s: %v", result.outcome, result.reasons)
			}
			if strings.Contains(strings.ToUpper(string(out)), canary) {
				t.Error("a value that must not leave did")
			}
			compareWithFile(t, folder+"/sanitized.json", indent(t, out))
		})
	}
	strays, err := filepath.Glob(goldenFolder + "/*/*")
	if err != nil || len(strays) == 0 {
		t.Fatalf("no golden folders, %v", err)
	}
	for _, folder := range strays {
		if !slices.Contains(folders, folder) {
			t.Errorf("%s stands for no endpoint", folder)
		}
	}
}

func readGolden(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func indent(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// goldenValues are what path parameters may look like.
var goldenValues = []string{
	"AAMkAGI2TG93AAA=", "02bd9fd6-8f93-4758-87c3-1fb73740a315", "2024-01-01", "2024-01-01T00:00:00Z",
	"19:4a95f7d8db4c4e7fae857bcebe0623e6@thread.tacv2", "b!t18F8ybsHUq1z3LTz8xvZqP8zaSWjkFNhsME-Fepo75dTf9vQKfeRblBZjoSQrd7", "01NKDM7HMOJTVYMDOSXFDK2QJDXCDI3WUK",
}

// goldenRequest fills the path's parameters: a token where the policy wants one,
// what its pattern allows elsewhere.
func goldenRequest(e policy.EndpointInfo) string {
	path := strings.ReplaceAll(e.Path, "()", "")
	for name, rule := range e.Params {
		value := goldenValues[0]
		switch pattern, ok := strings.CutPrefix(rule, "matches "); {
		case ok:
			i := slices.IndexFunc(goldenValues, regexp.MustCompile(pattern).MatchString)
			if i < 0 {
				panic(fmt.Sprintf("%s.%s: no value for {%s}, which %s", e.Connector, e.ID, name, rule))
			}
			value = goldenValues[i]
		case rule == "reversible":
			value = aliceToken
		case rule != "keep":
			value, _, _ = strings.Cut(rule, " | ")
		}
		path = strings.Replace(path, "{"+name+"}", value, 1)
	}
	return e.Methods[0] + " " + path
}

// original is a response with a value at every position of a plan.
type original struct {
	text   []byte
	path   string // of the request, for page links
	next   int
	hidden int // positions whose value must not leave as it is
}

func newOriginal(e policy.EndpointInfo) *original {
	o := &original{path: strings.TrimPrefix(strings.ReplaceAll(goldenRequest(e), aliceToken, alice), e.Methods[0]+" ")}
	if len(e.Media) > 0 { // a count, as text
		o.text = []byte("42")
		return o
	}
	o.value(e.Plan.Root, "", nil)
	return o
}

// chosen are members that must have a value to choose a shape.
type chosen map[string]string

func (o *original) value(n *plan.Node, name string, fixed chosen) {
	switch n.Op {
	case plan.Object:
		o.text = append(o.text, '{')
		written := 0
		member := func(name string) {
			if written++; written > 1 {
				o.text = append(o.text, ',')
			}
			o.text = append(strconv.AppendQuote(o.text, name), ':')
		}
		for _, name := range slices.Sorted(maps.Keys(fixed)) {
			member(name)
			o.text = strconv.AppendQuote(o.text, fixed[name])
		}
		for _, f := range n.Object.All() {
			if _, ok := fixed[f.Name]; !ok {
				member(f.Name)
				o.value(f.Node, f.Name, nil)
			}
		}
		o.text = append(o.text, '}')
	case plan.Array:
		o.text = append(o.text, '[')
		for i, kind := range alternatives(n.Items, nil) {
			if i > 0 {
				o.text = append(o.text, ',')
			}
			o.value(kind.node, name, kind.fixed)
		}
		o.text = append(o.text, ']')
	case plan.Choose:
		kind := alternatives(n, fixed)[0]
		o.value(kind.node, name, kind.fixed)
	default:
		o.next++
		if n.Op != plan.Keep {
			o.hidden++
		}
		o.text = append(o.text, o.scalar(n, name)...)
	}
}

// alternative is one of the shapes that an object may get.
type alternative struct {
	node  *plan.Node
	fixed chosen
}

// alternatives are the shapes between which a node chooses; itself if it does
// not.
func alternatives(n *plan.Node, fixed chosen) []alternative {
	if n.Op != plan.Choose {
		return []alternative{{n, fixed}}
	}
	var all []alternative
	for _, value := range slices.Sorted(maps.Keys(n.Choice.Cases)) {
		if node := n.Choice.Cases[value]; node != nil {
			with := chosen{n.Choice.Member: value}
			maps.Copy(with, fixed)
			all = append(all, alternatives(node, with)...)
		}
	}
	if n.Choice.Else != nil {
		all = append(all, alternatives(n.Choice.Else, fixed)...)
	}
	return all
}

// scalar is a value of the kind that the position has.
func (o *original) scalar(n *plan.Node, name string) string {
	switch n.Op {
	case plan.Drop:
		if o.next%5 == 0 && n.Digest == nil {
			return fmt.Sprintf(`{"%s":["%s-%d",null,1.50]}`, name, canary, o.next)
		}
		return fmt.Sprintf(`"%s-%d, \u00e9\ud83d\ude00 \"quoted\""`, canary, o.next)
	case plan.MatchReplace:
		return fmt.Sprintf(`"SMTP:%s-%d@contoso.example"`, canary, o.next)
	case plan.Link:
		return fmt.Sprintf(`"https://graph.microsoft.com%s?$skiptoken=%s%d"`, o.path, canary, o.next)
	case plan.JSONPseudonymOriginal: // the address of a group leaves beside its pseudonym
		o.hidden--
		return `"team@contoso.example"`
	case plan.Keep:
		return o.kept(name)
	case plan.Run:
		return o.step(n.Steps[0])
	}
	if strings.HasSuffix(name, "Id") || name == "id" {
		return fmt.Sprintf(`"%s-%08d-0000-4000-8000-000000000000"`, canary, o.next)
	}
	return fmt.Sprintf(`"%s.%d@contoso.example"`, canary, o.next)
}

// step is a value on which a step does something.
func (o *original) step(s plan.Step) string {
	switch s.Do {
	case plan.StepInteger, plan.StepNumber:
		o.hidden--
		return strconv.Itoa(o.next)
	case plan.StepBoolean:
		o.hidden--
		return "true"
	case plan.StepPhrases:
		return fmt.Sprintf(`"%s with %s-%d"`, s.Phrases[0], canary, o.next)
	case plan.StepTokenize:
		return fmt.Sprintf(`"19:%s-%d@unq.gbl.spaces"`, canary, o.next)
	}
	return fmt.Sprintf(`"%s-%d"`, canary, o.next)
}

func (o *original) kept(name string) string {
	switch {
	case strings.HasSuffix(name, "DateTime"), strings.HasSuffix(name, "Date"):
		return `"2026-03-01T09:30:00Z"`
	case strings.HasPrefix(name, "is"), strings.HasPrefix(name, "has"), strings.HasSuffix(name, "Enabled"):
		return "true"
	case strings.HasSuffix(name, "Count"), strings.HasSuffix(name, "count"):
		return strconv.Itoa(o.next)
	}
	return fmt.Sprintf(`"kept-%d"`, o.next)
}
