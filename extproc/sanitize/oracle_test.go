package sanitize

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/graphveil/graphveil/policy/plan"
)

// The oracle does what a Rewriter does, slowly and by other means: decode the
// whole body with encoding/json, edit the tree, encode it.

// tree is a decoded JSON value.
type tree struct {
	// kind is one of { [ " 0 t f n.
	kind byte
	// text is that of a string, or the spelling of a number.
	text    string
	members []member
	items   []*tree
}

type member struct {
	name  string
	value *tree
}

// decodeTree decodes a body, and reports whether it is one strict JSON text
// without duplicate names.
func decodeTree(body []byte) (*tree, bool) {
	if !json.Valid(body) || !utf8.Valid(body) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return readTree(d)
}

func readTree(d *json.Decoder) (*tree, bool) {
	token, err := d.Token()
	if err != nil {
		return nil, false
	}
	switch token := token.(type) {
	case json.Delim:
		t := &tree{kind: byte(token)}
		for d.More() {
			if t.kind == '[' {
				item, ok := readTree(d)
				if !ok {
					return nil, false
				}
				t.items = append(t.items, item)
				continue
			}
			name, err := d.Token()
			if err != nil || slices.ContainsFunc(t.members, func(m member) bool { return m.name == name }) {
				return nil, false
			}
			value, ok := readTree(d)
			if !ok {
				return nil, false
			}
			t.members = append(t.members, member{name.(string), value})
		}
		_, err := d.Token()
		return t, err == nil
	case string:
		return &tree{kind: '"', text: token}, true
	case json.Number:
		return &tree{kind: '0', text: token.String()}, true
	case bool:
		return &tree{kind: strconv.FormatBool(token)[0]}, true
	default:
		return &tree{kind: 'n'}, true
	}
}

// String spells a tree in one way.
func (t *tree) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *tree) write(b *strings.Builder) {
	switch t.kind {
	case '{':
		b.WriteByte('{')
		for i, m := range t.members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(m.name) + ":")
			m.value.write(b)
		}
		b.WriteByte('}')
	case '[':
		b.WriteByte('[')
		for i, item := range t.items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.write(b)
		}
		b.WriteByte(']')
	case '"':
		b.WriteString(strconv.Quote(t.text))
	case '0':
		b.WriteString(t.text)
	default:
		b.WriteByte(t.kind)
	}
}

var treeNull = &tree{kind: 'n'}

// edit returns what a node makes of a value, nil if it drops it.
func (t *tree) edit(n *plan.Node) *tree {
	if n == nil || n.Op == plan.Drop {
		return nil
	}
	fake := new(fakeTokens)
	switch n.Op {
	case plan.Keep:
		if t.kind == '{' || t.kind == '[' {
			return wrong(n)
		}
		return t
	case plan.Any:
		switch {
		case t.kind == '{' && n.Object != nil:
			return t.editObject(n)
		case t.kind == '[' && n.Items != nil:
			return t.editArray(n)
		case t.kind == '{', t.kind == '[':
			return wrong(n)
		}
		return t
	case plan.Run:
		return t.editRun(n)
	case plan.Choose:
		return t.edit(t.chosen(n.Choice))
	case plan.Object:
		switch t.kind {
		case 'n':
			return t
		case '{':
			return t.editObject(n)
		}
		return wrong(n)
	case plan.Array:
		switch t.kind {
		case 'n':
			return t
		case '[':
			return t.editArray(n)
		}
		return wrong(n)
	case plan.Link:
		if t.kind == 'n' {
			return t
		}
		if made, ok := fake.AppendLink(nil, []byte(t.text)); ok && t.kind == '"' {
			return &tree{kind: '"', text: string(made)}
		}
		return wrong(n)
	case plan.MatchReplace:
		if t.kind == 'n' {
			return t
		}
		if t.kind != '"' {
			return wrong(n)
		}
		// The oracle knows prefixes and pseudonyms only.
		return t.matched(n.Match)
	}
	inJSON := n.Op == plan.JSONPseudonym || n.Op == plan.JSONPseudonymOriginal
	var text string
	switch {
	case t.kind == 'n' || t.kind == '"' && javaBlank(t.text):
		if inJSON {
			return &tree{kind: '"', text: "null"}
		}
		return treeNull
	case t.kind == '"':
		text = t.text
	case t.kind == '0':
		text = string(appendNumberText(nil, []byte(t.text)))
	default:
		return wrong(n)
	}
	var made []byte
	switch n.Op {
	case plan.Pseudonym:
		made = fake.AppendPseudonym(nil, []byte(text))
	case plan.Reversible:
		made = fake.AppendReversible(nil, []byte(text))
	default:
		made = fake.AppendJSON(nil, []byte(text), n.Op == plan.JSONPseudonymOriginal, false)
	}
	return &tree{kind: '"', text: string(made)}
}

func asciiEqualFold(a, b string) bool {
	lower := func(r rune) rune {
		if r < utf8.RuneSelf {
			return unicode.ToLower(r)
		}
		return r
	}
	return strings.Map(lower, a) == strings.Map(lower, b)
}

func javaBlank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		if unicode.In(r, unicode.Z) {
			return r == 0xa0 || r == 0x2007 || r == 0x202f
		}
		return !(r >= 9 && r <= 13 || r >= 0x1c && r <= 0x1f)
	}) < 0
}

// keepAllPlan makes a plan that names and keeps everything in a body. It fails
// if an array holds elements of several types, which no plan can keep.
func keepAllPlan(body []byte) (*plan.Plan, bool) {
	t, ok := decodeTree(body)
	if !ok {
		return nil, false
	}
	n, ok := keepAllNode([]*tree{t})
	if !ok {
		return nil, false
	}
	return newPlan(n), true
}

// keepAllNode makes a node that keeps each of several values.
func keepAllNode(values []*tree) (*plan.Node, bool) {
	var kind byte
	below := map[string][]*tree{}
	var items []*tree
	for _, v := range values {
		k := v.kind
		if k == 'n' {
			continue // every node keeps null
		}
		if k != '{' && k != '[' {
			k = '"'
		}
		if kind != 0 && kind != k {
			return nil, false
		}
		kind = k
		for _, m := range v.members {
			below[m.name] = append(below[m.name], m.value)
		}
		items = append(items, v.items...)
	}
	switch kind {
	case '[':
		if len(items) == 0 {
			return nArray(nil), true
		}
		n, ok := keepAllNode(items)
		return nArray(n), ok
	case '{':
		f := fields{}
		for name, values := range below {
			n, ok := keepAllNode(values)
			if !ok {
				return nil, false
			}
			f[name] = n
		}
		return nObject(f), true
	}
	return nKeep(), true
}
