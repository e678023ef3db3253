package sanitize

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/graphveil/graphveil/policy/plan"
)

// refusal is what the oracle panics with where a body must be refused.
type refusal struct{}

// editRoot edits a whole body. It reports whether the body must be refused.
func (t *tree) editRoot(n *plan.Node) (out *tree, refused bool) {
	defer func() {
		if p := recover(); p != nil {
			_ = p.(refusal)
			out, refused = nil, true
		}
	}()
	return t.edit(n), false
}

// wrong returns what becomes of a value of the wrong type.
func wrong(n *plan.Node) *tree {
	switch n.Mistyped {
	case plan.FallNull:
		return treeNull
	case plan.FallRefuse:
		panic(refusal{})
	}
	return nil
}

func (t *tree) editObject(n *plan.Node) *tree {
	out := &tree{kind: '{'}
	var digests []member
	for _, m := range t.members {
		var below *plan.Node
		if f := n.Object.Lookup([]byte(m.name)); f != nil {
			below = f.Node
		} else if n.Object != nil {
			below = n.Object.Rest
		}
		for below != nil && below.Op == plan.Choose {
			below = m.value.chosen(below.Choice)
		}
		if v := m.value.edit(below); v != nil {
			out.members = append(out.members, member{m.name, v})
		}
		if below != nil && below.Digest != nil && m.value.kind == '"' {
			length, words := textDigest(m.value.text)
			if p := below.Digest.Inner; p != nil && m.value.text != "" {
				// Here too the spelling is a Rewriter's.
				r := New(wide)
				r.Reset(p, new(fakeTokens))
				if r.readInner(p, []byte(m.value.text)) {
					digests = append(digests, member{"+" + m.name + ":textDigest", &tree{kind: '"', text: string(r.inner)}})
				}
				continue
			}
			digests = append(digests, member{"+" + m.name + ":textDigest", &tree{kind: '{', members: []member{
				{"length", &tree{kind: '0', text: length}}, {"word_count", &tree{kind: '0', text: words}}}}})
		}
	}
	if !slices.ContainsFunc(t.members, func(m member) bool {
		return strings.HasPrefix(m.name, "+") && (n.Object.Lookup([]byte(m.name)) != nil || n.Object != nil && n.Object.Rest != nil)
	}) {
		out.members = append(out.members, digests...)
	}
	return out
}

func (t *tree) editArray(n *plan.Node) *tree {
	out := &tree{kind: '['}
	for _, item := range t.items {
		if v := item.edit(n.Items); v != nil && (v.kind != 'n' || !n.Compact) {
			out.items = append(out.items, v)
		}
	}
	return out
}

var javaSpaces = regexp.MustCompile(`[ \t-\r]+`)

func textDigest(text string) (length, words string) {
	trimmed := strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	n := len(javaSpaces.Split(trimmed, -1))
	if text == "" {
		n = 0
	}
	return strconv.Itoa(len(utf16.Encode([]rune(text)))), strconv.Itoa(n)
}

// matched knows prefixes and pseudonyms only.
func (t *tree) matched(m *plan.Match) *tree {
	n := len(m.Prefix)
	if len(t.text) < n || !asciiEqualFold(t.text[:n], m.Prefix) || strings.Contains(t.text[n:], "\n") || javaBlank(t.text[n:]) {
		return treeNull
	}
	return &tree{kind: '"', text: t.text[:n] + hash(t.text[n:])}
}

func (t *tree) editRun(n *plan.Node) *tree {
	v := t
	for _, s := range n.Steps {
		if v = v.editStep(s); v == nil {
			return nil
		}
	}
	switch {
	case v.kind == '{' && n.Object != nil:
		return v.editObject(n)
	case v.kind == '[' && n.Items != nil:
		return v.editArray(n)
	case v.kind == '{', v.kind == '[':
		return wrong(n)
	}
	return v
}

func (t *tree) editStep(s plan.Step) *tree {
	text := func(b []byte) *tree { return &tree{kind: '"', text: string(b)} }
	fake := new(fakeTokens)
	value := []byte(t.text)
	isBlank := t.kind == '"' && javaBlank(t.text)
	isDouble := strings.ContainsAny(t.text, ".eE")
	if t.kind == '0' {
		value = appendNumberText(nil, value)
	}
	switch s.Do {
	case plan.StepDrop:
		return nil
	case plan.StepDropNull:
		if t.kind == 'n' {
			return nil
		}
		return t
	case plan.StepPseudonym, plan.StepReversible, plan.StepJSONPseudonym, plan.StepJSONOriginal, plan.StepJSONReversible,
		plan.StepJSONOriginalReversible, plan.StepHash, plan.StepMatch:
		inJSON := s.Do >= plan.StepJSONPseudonym && s.Do <= plan.StepJSONOriginalReversible
		switch {
		case t.kind != 'n' && t.kind != '"' && (t.kind != '0' || s.Do == plan.StepMatch), s.Do == plan.StepHash && (t.kind == 'n' || isBlank):
			panic(refusal{})
		case (t.kind == 'n' || isBlank) && inJSON:
			return text([]byte("null"))
		case t.kind == 'n' || isBlank:
			return treeNull
		case s.Do == plan.StepMatch:
			return t.matched(s.Match)
		case s.Do == plan.StepPseudonym:
			return text(fake.AppendPseudonym(nil, value))
		case s.Do == plan.StepReversible:
			return text(fake.AppendReversible(nil, value))
		case s.Do == plan.StepHash:
			return text(fake.AppendHash(nil, value))
		}
		return text(fake.AppendJSON(nil, value, s.Do == plan.StepJSONOriginal || s.Do == plan.StepJSONOriginalReversible,
			s.Do == plan.StepJSONReversible || s.Do == plan.StepJSONOriginalReversible))
	case plan.StepTokenize, plan.StepTokenizeMatch, plan.StepPhrases, plan.StepRemove, plan.StepOnly, plan.StepTokens:
		if t.kind != '"' {
			return treeNull
		}
		if isBlank {
			return t
		}
		return t.editText(s)
	case plan.StepEmailHeader, plan.StepEmailHeaderJSON:
		switch {
		case t.kind == 'n':
			return t
		case t.kind != '"':
			panic(refusal{})
		case isBlank:
			return text(nil)
		}
		if made, ok := fake.AppendEmailHeader(nil, value, s.Do == plan.StepEmailHeaderJSON); ok {
			return text(made)
		}
		return treeNull
	case plan.StepHashIP, plan.StepEncryptIP:
		if made, ok := fake.AppendIP(nil, value, s.Do == plan.StepEncryptIP); ok && t.kind == '"' {
			return text(made)
		}
		return treeNull
	case plan.StepJSON:
		if t.kind != '"' {
			return treeNull
		}
		// What is inside keeps its spelling, which the oracle does not know, so it is
		// a Rewriter that reads it; the oracle says whether it must refuse.
		inner, ok := decodeTree([]byte(t.text))
		if !ok {
			return treeNull
		}
		want, refused := inner.editRoot(s.Inner.Root)
		if refused {
			panic(refusal{})
		}
		if want == nil {
			return treeNull
		}
		r := New(wide)
		r.Reset(s.Inner, fake)
		out, err := r.all(nil, []byte(t.text))
		if got, ok := decodeTree(out); err != nil || !ok || got.String() != want.String() {
			panic("the JSON in a string became " + string(out) + ", want " + want.String())
		}
		return text(out)
	case plan.StepDigest:
		if t.kind != '"' {
			return t
		}
		length, words := textDigest(t.text)
		return text([]byte(`{"length":` + length + `,"word_count":` + words + `}`))
	}
	fits := t.kind == 'n'
	switch s.Do {
	case plan.StepString:
		fits = fits || t.kind == '"'
	case plan.StepNull:
	case plan.StepBoolean:
		if t.kind == 'n' {
			return &tree{kind: 'f'}
		}
		fits = t.kind == 't' || t.kind == 'f'
	case plan.StepNumber, plan.StepInteger:
		if t.kind != '0' {
			break
		}
		whole, ok := new(big.Int).SetString(t.text, 10)
		if isDouble || !ok {
			x, err := strconv.ParseFloat(t.text, 64)
			if err != nil {
				break
			}
			whole, _ = big.NewFloat(x).Int(nil)
		}
		if s.Do == plan.StepNumber {
			return t
		}
		if x, _ := new(big.Float).SetInt(whole).Float64(); isDouble && x == 1<<63 {
			whole.Sub(whole, big.NewInt(1))
		}
		if fits = whole.IsInt64(); fits && isDouble {
			return &tree{kind: '0', text: whole.String()}
		}
	case plan.StepObject:
		fits = t.kind == '{'
	case plan.StepArray:
		fits = t.kind == '['
	case plan.StepScalar:
		if whole, ok := new(big.Int).SetString(t.text, 10); t.kind == '0' && ok && !whole.IsInt64() {
			panic(refusal{})
		}
		fits = t.kind != '{' && t.kind != '['
	default:
		panic(refusal{})
	}
	if fits {
		return t
	}
	return treeNull
}

// editText does the steps that search in a string.
func (t *tree) editText(s plan.Step) *tree {
	fake := new(fakeTokens)
	out := ""
	switch s.Do {
	case plan.StepTokenize:
		out = string(fake.AppendTokenized(nil, []byte(t.text)))
	case plan.StepTokenizeMatch:
		m := regexp.MustCompile(`^(?:` + s.Patterns[0].String() + `)$`).FindStringSubmatch(t.text)
		if m == nil || m[1] == "" {
			return t
		}
		out = strings.ReplaceAll(t.text, m[1], string(fake.AppendTokenized(nil, []byte(m[1]))))
	case plan.StepPhrases:
		var found []string
		for _, p := range s.Phrases {
			pattern := ""
			for _, r := range p {
				c := regexp.QuoteMeta(string(r))
				if r < 128 && strings.ToUpper(c) != strings.ToLower(c) {
					c = "[" + strings.ToUpper(c) + strings.ToLower(c) + "]"
				}
				pattern += c
			}
			if m := regexp.MustCompile(`\b(` + pattern + `)[ \t-\r:]*\b`).FindStringSubmatch(t.text); m != nil {
				found = append(found, m[1])
			}
		}
		out = strings.Join(found, ",")
	case plan.StepRemove:
		out = t.text
		for _, re := range s.Patterns {
			out = re.ReplaceAllString(out, "")
		}
	case plan.StepOnly:
		in := make([]bool, len(t.text))
		for _, re := range s.Patterns {
			for _, at := range re.FindAllStringIndex(t.text, -1) {
				for i := at[0]; i < at[1]; i++ {
					in[i] = true
				}
			}
		}
		for i := range in {
			if in[i] {
				out += t.text[i : i+1]
			}
		}
	case plan.StepTokens:
		parts := []string{t.text}
		if s.Delimiter != nil {
			parts = s.Delimiter.Split(t.text, -1)
			for len(parts) > 1 && parts[len(parts)-1] == "" {
				parts = parts[:len(parts)-1]
			}
		}
		var kept []string
		for _, p := range parts {
			if slices.ContainsFunc(s.Patterns, func(re *regexp.Regexp) bool {
				dot := strings.ReplaceAll(re.String(), ".*", `[^\n\r\x{85}\x{2028}\x{2029}]*`)
				return regexp.MustCompile(`^(?:` + dot + `)$`).MatchString(p)
			}) {
				kept = append(kept, p)
			}
		}
		if out = strings.TrimFunc(strings.Join(kept, " "), func(r rune) bool { return r <= ' ' }); out == "" {
			return treeNull
		}
	}
	return &tree{kind: '"', text: out}
}

// chosen returns the node that a value gets.
func (t *tree) chosen(c *plan.Choice) *plan.Node {
	member := func(name string) *tree {
		for _, m := range t.members {
			if m.name == name {
				return m.value
			}
		}
		return nil
	}
	switch {
	case c.Probe != nil:
		if (t.kind == '{' || t.kind == '[') && t.reaches(c.Probe.Root) {
			return c.Then
		}
	case c.All != nil:
		if t.kind == '{' && !slices.ContainsFunc(c.All, func(name string) bool { return member(name) == nil }) {
			return c.Then
		}
	default:
		if v := member(c.Member); v != nil && v.kind == '"' {
			if n, ok := c.Cases[v.text]; ok {
				return n
			}
		}
	}
	return c.Else
}

// reaches reports whether a node keeps something of a value. It knows objects,
// arrays and Any.
func (t *tree) reaches(n *plan.Node) bool {
	if n == nil {
		return false
	}
	if n.Op == plan.Choose {
		return t.reaches(t.chosen(n.Choice))
	}
	for _, m := range t.members {
		if n.Object == nil {
			break
		}
		below := n.Object.Rest
		if f := n.Object.Lookup([]byte(m.name)); f != nil {
			below = f.Node
		}
		if m.value.reaches(below) {
			return true
		}
	}
	for _, item := range t.items {
		if item.reaches(n.Items) {
			return true
		}
	}
	return n.Op == plan.Keep
}
