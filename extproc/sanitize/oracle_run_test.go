package sanitize

import (
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
