package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/extproc/sanitize"
	"github.com/graphveil/graphveil/policy/plan"
)

// This file holds the plans of rules, as the sanitizer carries them out, against
// rules carried out the plain way: find all values of a path in a decoded body,
// then change them, rule by rule.

// carryOut changes what the paths of a rule find. It returns false if the body is
// refused for a value that cannot be changed; if lenient, that value becomes null.
func carryOut(v *tree, do string, paths []jsonPath, lenient bool) bool {
	for _, path := range paths {
		var places []place
		findAll(v, place{}, path, func(p place) { places = append(places, p) })
		visits := map[place]int{}
		gone := map[*tree][]int{}
		for _, p := range places {
			visits[p]++
			switch {
			case do == "drop" && p.parent.members != nil:
				delete(p.parent.members, p.name)
			case do == "drop":
				gone[p.parent] = append(gone[p.parent], p.index)
			default:
				old := p.get()
				if old == nil {
					return false
				}
				changed, ok := changeValue(do, old)
				switch {
				case visits[p] > maxVisits:
					return false
				case !ok && lenient:
					changed = &tree{}
				case !ok:
					return false
				}
				if p.parent.members != nil {
					p.parent.members[p.name] = changed
				} else {
					p.parent.elements[p.index] = changed
				}
			}
		}
		for parent, indexes := range gone {
			slices.Sort(indexes)
			for _, i := range slices.Backward(slices.Compact(indexes)) {
				parent.elements = slices.Delete(parent.elements, i, i+1)
			}
		}
	}
	return true
}

func changeValue(do string, v *tree) (*tree, bool) {
	text, isString := v.scalar.(string)
	blank := isString && strings.TrimSpace(text) == ""
	switch do {
	case "pseudonym":
		switch {
		case v.members != nil || v.elements != nil:
			return nil, false
		case v.scalar == nil || blank:
			return &tree{}, true
		case isString:
			return &tree{scalar: "t(" + text + ")"}, true
		}
		number, isNumber := v.scalar.(float64)
		return &tree{scalar: fmt.Sprintf("t(%v)", number)}, isNumber
	case "tokenize":
		switch {
		case blank:
			return v, true
		case !isString:
			return &tree{}, true
		}
		return &tree{scalar: "p(" + text + ")"}, true
	case "text_digest":
		if isString {
			return &tree{scalar: fmt.Sprintf(`{"length":%d,"word_count":%d}`, len(text), len(strings.Fields(text)))}, true
		}
		return v, true
	case "without":
		switch {
		case blank:
			return v, true
		case !isString:
			return &tree{}, true
		}
		return &tree{scalar: strings.ReplaceAll(text, "x", "")}, true
	}
	panic(do)
}

// bracketTokens makes tokens that show what went in.
type bracketTokens struct{}

func (bracketTokens) append(dst []byte, kind string, value []byte) []byte {
	return append(append(append(append(append(dst, kind...), '('), value...), ')'), ""...)
}

func (b bracketTokens) AppendPseudonym(dst, value []byte) []byte  { return b.append(dst, "t", value) }
func (b bracketTokens) AppendReversible(dst, value []byte) []byte { return b.append(dst, "r", value) }
func (b bracketTokens) AppendHash(dst, value []byte) []byte       { return b.append(dst, "h", value) }
func (b bracketTokens) AppendTokenized(dst, value []byte) []byte  { return b.append(dst, "p", value) }
func (b bracketTokens) AppendLink(dst, _ []byte) ([]byte, bool)   { return dst, false }
func (b bracketTokens) AppendEmailHeader(dst, _ []byte, _ bool) ([]byte, bool) {
	return dst, false
}
func (b bracketTokens) AppendIP(dst, _ []byte, _ bool) ([]byte, bool) { return dst, false }
func (b bracketTokens) AppendJSON(dst, value []byte, _, _ bool) []byte {
	return b.append(dst, "j", value)
}

// filterBySchema is Psoxy's response schema, as the tests write it: an object
// shape, an array of one, or a type. It notes which object became which.
func filterBySchema(schema any, v *tree, became map[*tree]*tree) *tree {
	switch schema := schema.(type) {
	case map[string]any:
		if schema[opKey] != nil {
			if _, ok := v.scalar.(string); ok {
				return v
			}
			return &tree{}
		}
		if v.members == nil {
			return &tree{}
		}
		kept := &tree{members: map[string]*tree{}}
		became[v] = kept
		for name, inner := range schema {
			if m := v.members[name]; m != nil {
				kept.members[name] = filterBySchema(inner, m, became)
			}
		}
		return kept
	case []any:
		if v.elements == nil {
			return &tree{}
		}
		kept := &tree{elements: []*tree{}}
		for _, e := range v.elements {
			if e = filterBySchema(schema[0], e, became); e.members != nil || e.elements != nil || e.scalar != nil {
				kept.elements = append(kept.elements, e)
			}
		}
		return kept
	}
	panic(schema)
}

// testRule is a rule as JSON and as the plain way takes it.
type testRule struct {
	do    string
	paths []string
	when  string
}

func (r testRule) json() map[string]any {
	do := map[string]any{opKey: r.do}
	if r.do == "digest" {
		do["then"] = map[string]any{opKey: "keep"}
	}
	if r.do == "without" {
		do["patterns"] = []any{"x"}
	}
	rule := map[string]any{"at": r.paths, "do": do}
	if r.when != "" {
		rule["when"] = r.when
	}
	return rule
}

func mustPath(t *testing.T, text string) jsonPath {
	t.Helper()
	path, err := parseJSONPath(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return path
}

// plain carries rules out the plain way. Without a schema everything is kept.
func plain(t *testing.T, body string, schema any, rules []testRule, lenient bool) (string, bool) {
	t.Helper()
	v := decode(t, body)
	original := decode(t, body)
	digests := map[*tree]map[string]*tree{}
	for _, r := range rules {
		if r.do != "digest" || r.when != "" && !finds(t, original, r.when) {
			continue
		}
		for _, path := range r.paths {
			findAll(v, place{}, mustPath(t, path), func(p place) {
				if text, ok := p.get().scalar.(string); ok && p.parent.members != nil {
					if digests[p.parent] == nil {
						digests[p.parent] = map[string]*tree{}
					}
					digests[p.parent]["+"+p.name+":textDigest"] = &tree{members: map[string]*tree{
						"length": {scalar: float64(len(text))}, "word_count": {scalar: float64(len(strings.Fields(text)))}}}
				}
			})
		}
	}
	if v.members == nil && v.elements == nil && v.scalar == nil && len(rules) > 0 {
		return "", false
	}
	kept, became := v, map[*tree]*tree{}
	if schema != nil {
		kept = filterBySchema(schema, v, became)
		if kept.members == nil && kept.elements == nil {
			return "", false
		}
	}
	// A digest is there from the beginning; nothing in the tests names it, and a
	// schema lets it pass.
	for from, added := range digests {
		to := became[from]
		if schema == nil {
			to = from
		}
		if to != nil {
			maps.Copy(to.members, added)
		}
	}
	for _, r := range rules {
		if r.do == "digest" || r.when != "" && !finds(t, kept, r.when) {
			continue
		}
		var paths []jsonPath
		for _, path := range r.paths {
			paths = append(paths, mustPath(t, path))
		}
		if !carryOut(kept, r.do, paths, lenient) {
			return "", false
		}
	}
	dropNullDigests(kept)
	text, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), true
}

// dropNullDigests removes the digests that a rule for all members has changed:
// plans do not add those.
func dropNullDigests(v *tree) {
	for name, m := range v.members {
		if strings.HasPrefix(name, "+") && m.members == nil {
			delete(v.members, name)
		}
	}
	for _, c := range v.children() {
		dropNullDigests(c.get())
	}
}

func finds(t *testing.T, v *tree, path string) bool {
	found := false
	findAll(v, place{}, mustPath(t, path), func(place) { found = true })
	return found
}

// compileRules compiles rules to a plan. It returns no plan for what cannot be
// expressed.
func compileRules(t *testing.T, schema any, rules []testRule) *plan.Plan {
	t.Helper()
	base := map[string]any{opKey: "any"}
	if schema != nil {
		base = map[string]any{opKey: "schema", "shape": schema}
	}
	list := []any{}
	for _, r := range rules {
		list = append(list, r.json())
	}
	shape, err := ast.InterfaceToValue(map[string]any{opKey: "rules", "shape": base, "rules": list})
	if err != nil {
		t.Fatal(err)
	}
	var p problems
	made := p.compileShape(shape, position{c: &compiled{sources: &sources{}}, rule: []string{"test"}})
	for _, e := range p.list {
		if !strings.Contains(e.Message, "cannot be expressed") {
			t.Fatal(p.err())
		}
	}
	if len(p.list) > 0 {
		return nil
	}
	return made
}

func sanitized(t *testing.T, p *plan.Plan, body string) (string, bool) {
	t.Helper()
	r := sanitize.New(sanitize.Limits{})
	r.Reset(p, bracketTokens{})
	out, err := r.Append(nil, []byte(body))
	if err == nil {
		out, err = r.Finish(out)
	}
	return string(out), err == nil
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	first, err := json.Marshal(decode(t, a))
	if err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(decode(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return string(first) == string(second)
}

var pathForms = []string{
	`$.N`, `$..N`, `$..N.N`, `$..N[*]`, `$..N[*].N`, `$..['N']`, `$..['a','b']`, `$.['a','c']`, `$.N.N[*].N`, `$.N[*]`,
	`$..N[?(@.t == 'V')].N`, `$..N[*][?(@.t != "V")].N`, `$..N..[?(@.t != "V")].N`, `$..N..[?(@.t == "V")].N`, `$..[?(@.t == 'V')].N`,
}

func randomPath(rng *rand.Rand) string {
	text := pathForms[rng.IntN(len(pathForms))]
	for strings.Contains(text, "N") {
		text = strings.Replace(text, "N", string("abct"[rng.IntN(4)]), 1)
	}
	return strings.ReplaceAll(text, "V", string("xy"[rng.IntN(2)]))
}

func randomBody(rng *rand.Rand, depth int) string {
	kind := rng.IntN(10)
	if depth == 0 {
		kind = 5 + rng.IntN(5)
	}
	switch {
	case kind < 4:
		var members []string
		for _, name := range "abctd" {
			if rng.IntN(2) == 0 {
				members = append(members, fmt.Sprintf("%q:%s", string(name), randomBody(rng, depth-1)))
			}
		}
		rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		return "{" + strings.Join(members, ",") + "}"
	case kind < 5:
		var elements []string
		for range rng.IntN(4) {
			elements = append(elements, randomBody(rng, depth-1))
		}
		return "[" + strings.Join(elements, ",") + "]"
	}
	return []string{`"x"`, `"y"`, `"x y"`, `7`, `null`, `true`, `""`, `"x"`, `"y"`}[rng.IntN(9)]
}

func randomSchema(rng *rand.Rand, depth int) any {
	if kind := rng.IntN(4); depth > 0 && kind == 0 {
		return []any{randomSchema(rng, depth-1)}
	} else if depth == 0 || kind == 1 {
		return map[string]any{opKey: "typed", "type": "string"}
	}
	members := map[string]any{}
	for _, name := range "abctd" {
		if rng.IntN(3) > 0 {
			members[string(name)] = randomSchema(rng, depth-1)
		}
	}
	return members
}

// Plans of rules do what rules say.
func TestRulesAgainstThePlainWay(t *testing.T) {
	const seed = 20
	rng := rand.New(rand.NewPCG(seed, 1))
	compared, refused, inexpressible, changed, swallowed := 0, 0, 0, 0, 0
	for range 1000 {
		var rules []testRule
		for range 1 + rng.IntN(4) {
			r := testRule{do: []string{"drop", "drop", "tokenize", "tokenize", "pseudonym", "digest", "without", "text_digest"}[rng.IntN(8)]}
			if slices.ContainsFunc(rules, func(r testRule) bool { return r.do != "digest" }) && r.do == "digest" {
				r.do = "drop"
			}
			for range 1 + rng.IntN(2) {
				r.paths = append(r.paths, randomPath(rng))
			}
			if rng.IntN(6) == 0 {
				r.when = []string{`$..[?(@.t == 'x')]`, `$.a`, `$..b.c`, `$..a[*].b`}[rng.IntN(4)]
			}
			rules = append(rules, r)
		}
		var schema any
		if rng.IntN(3) == 0 {
			schema = map[string]any{"a": randomSchema(rng, 2), "b": randomSchema(rng, 2), "t": randomSchema(rng, 0)}
		}
		p := compileRules(t, schema, rules)
		if p == nil {
			inexpressible++
			continue
		}
		for range 10 {
			body := randomBody(rng, 4)
			if schema != nil && body[0] != '{' {
				continue
			}
			want, ok := plain(t, body, schema, rules, false)
			got, passed := sanitized(t, p, body)
			compared++
			if passed && !ok {
				// What cannot be changed is not seen where a later rule, or the schema,
				// takes the object around it away.
				want, ok = plain(t, body, schema, rules, true)
				swallowed++
			}
			switch {
			case ok != passed && passed:
				t.Fatalf("%s\nschema %v, rules %+v: got %s, want it refused", body, schema, rules, got)
			case ok != passed:
				t.Fatalf("%s\nschema %v, rules %+v: refused, want %s", body, schema, rules, want)
			case !ok:
				refused++
			case !sameJSON(t, got, want):
				t.Fatalf("%s\nschema %v, rules %+v:\ngot  %s\nwant %s", body, schema, rules, got, want)
			case !sameJSON(t, got, body):
				changed++
			}
		}
	}
	t.Logf("%d compared, %d of them refused, %d changed, %d without what could not be changed; %d lists cannot be expressed", compared, refused, changed, swallowed, inexpressible)
	if compared < 5000 || refused < 100 || changed < 1500 || inexpressible < 10 || swallowed > compared/50 {
		t.Error("the test compares too little")
	}
}
