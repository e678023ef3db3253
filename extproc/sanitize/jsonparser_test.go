package sanitize

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/buger/jsonparser"
	"github.com/graphveil/graphveil/policy/plan"
)

// The plain jsonparser implementation: what one would write with ObjectEach and
// ArrayEach. It wants the whole body and is not strict; on strict bodies it must
// give the same output.

// plainJSONParser appends what the plan makes of a body.
func plainJSONParser(dst, body []byte, p *plan.Plan, tokens Tokens) ([]byte, error) {
	value, kind, _, err := jsonparser.Get(body)
	if err != nil {
		return nil, err
	}
	w := plainWalk{tokens: tokens}
	dst, _, err = w.value(dst, p.Root, value, kind)
	return dst, err
}

type plainWalk struct {
	tokens Tokens
	text   []byte
	made   []byte
}

// value appends what a node makes of a value, and reports whether it stays.
func (w *plainWalk) value(dst []byte, n *plan.Node, value []byte, kind jsonparser.ValueType) ([]byte, bool, error) {
	if n == nil {
		return dst, false, nil
	}
	switch n.Op {
	case plan.Keep:
		switch kind {
		case jsonparser.Object, jsonparser.Array:
			return dst, false, nil
		case jsonparser.String:
			dst = append(dst, '"')
			dst = append(dst, value...)
			return append(dst, '"'), true, nil
		}
		return append(dst, value...), true, nil
	case plan.Object:
		if kind == jsonparser.Null {
			return append(dst, "null"...), true, nil
		}
		if kind != jsonparser.Object {
			return dst, false, nil
		}
		dst = append(dst, '{')
		first := true
		err := jsonparser.ObjectEach(value, func(name, value []byte, kind jsonparser.ValueType, _ int) error {
			f := n.Object.Lookup(name)
			if f == nil {
				return nil
			}
			was := len(dst)
			if !first {
				dst = append(dst, ',')
			}
			dst = append(dst, '"')
			dst = appendEscaped(dst, name)
			dst = append(dst, '"', ':')
			out, stays, err := w.value(dst, f.Node, value, kind)
			if err != nil {
				return err
			}
			if dst = out; !stays {
				dst = dst[:was]
				return nil
			}
			first = false
			return nil
		})
		return append(dst, '}'), true, err
	case plan.Array:
		if kind == jsonparser.Null {
			return append(dst, "null"...), true, nil
		}
		if kind != jsonparser.Array {
			return dst, false, nil
		}
		dst = append(dst, '[')
		first := true
		var failed error
		_, err := jsonparser.ArrayEach(value, func(value []byte, kind jsonparser.ValueType, _ int, err error) {
			if failed == nil {
				failed = err
			}
			if failed != nil {
				return
			}
			was := len(dst)
			if !first {
				dst = append(dst, ',')
			}
			out, stays, err := w.value(dst, n.Items, value, kind)
			if failed = err; failed != nil {
				return
			}
			if dst = out; !stays {
				dst = dst[:was]
				return
			}
			first = false
		})
		if failed != nil {
			err = failed
		}
		return append(dst, ']'), true, err
	}
	return w.token(dst, n, value, kind)
}

func (w *plainWalk) token(dst []byte, n *plan.Node, value []byte, kind jsonparser.ValueType) ([]byte, bool, error) {
	switch {
	case n.Op == plan.Drop, kind == jsonparser.Boolean, kind == jsonparser.Object, kind == jsonparser.Array:
		return dst, false, nil
	case kind == jsonparser.Null:
		return append(dst, "null"...), true, nil
	case kind == jsonparser.Number:
		w.text = appendNumberText(w.text[:0], value)
		value = w.text
	default:
		var err error
		if value, err = jsonparser.Unescape(value, w.text[:0]); err != nil {
			return dst, false, err
		}
		if n.Op != plan.Link && blank(value) {
			return append(dst, "null"...), true, nil
		}
	}
	w.made = w.made[:0]
	switch n.Op {
	case plan.Pseudonym:
		w.made = w.tokens.AppendPseudonym(w.made, value)
	case plan.Reversible:
		w.made = w.tokens.AppendReversible(w.made, value)
	case plan.Link:
		var ok bool
		if w.made, ok = w.tokens.AppendLink(w.made, value); !ok {
			return dst, false, nil
		}
	default:
		return dst, false, fmt.Errorf("operation %d is not written here", n.Op)
	}
	dst = append(dst, '"')
	dst = appendEscaped(dst, w.made)
	return append(dst, '"'), true, nil
}

func TestAgainstPlainJSONParser(t *testing.T) {
	for name, page := range pages() {
		tokens := &fakeTokens{}
		want, err := plainJSONParser(nil, page.body, page.plan, tokens)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d := deliver(t, New(Limits{}), page.plan, page.body, every(len(page.body), 1000)...)
		if d.err != nil {
			t.Fatalf("%s: %v", name, d.err)
		}
		// Both spell names as the body does, for these have no escapes.
		if !bytes.Equal(want, []byte(d.out)) {
			at := 0
			for at < min(len(want), len(d.out)) && want[at] == d.out[at] {
				at++
			}
			t.Errorf("%s: output differs at byte %d of %d and %d", name, at, len(d.out), len(want))
		}
	}
}

// jsonparserWalk visits every value of a body.
func jsonparserWalk(value []byte, kind jsonparser.ValueType, visit func([]byte)) error {
	switch kind {
	case jsonparser.Object:
		return jsonparser.ObjectEach(value, func(name, value []byte, kind jsonparser.ValueType, _ int) error {
			visit(name)
			return jsonparserWalk(value, kind, visit)
		})
	case jsonparser.Array:
		var failed error
		_, err := jsonparser.ArrayEach(value, func(value []byte, kind jsonparser.ValueType, _ int, err error) {
			if failed == nil {
				if failed = err; err == nil {
					failed = jsonparserWalk(value, kind, visit)
				}
			}
		})
		if failed != nil {
			return failed
		}
		return err
	}
	visit(value)
	return nil
}
