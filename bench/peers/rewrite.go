// Package peers holds what Graphveil is measured beside and that no library has
// ready-made: [Rewrite], the plain jsonparser implementation of a plan; [Walk], a bare
// walk with jsonparser; and [Noop], an external processor that does nothing. The
// tests of the sanitizer hold it to Rewrite, too.
//
// Nothing here runs in the product.
package peers

import (
	"bytes"
	"fmt"

	"github.com/buger/jsonparser"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/graphveil/graphveil/policy/plan"
)

// Tokens makes what stands for a value, as those of the sanitizer do.
type Tokens interface {
	AppendPseudonym(dst, value []byte) []byte
	AppendReversible(dst, value []byte) []byte
	AppendTokenized(dst, value []byte) []byte
	AppendLink(dst, url []byte) ([]byte, bool)
}

// Rewrite appends what the plan makes of a body: what one would write with
// ObjectEach and ArrayEach. It wants the whole body, checks little of it, counts
// nothing, and knows those operations only that the benchmarks' pages need. On
// bodies that the sanitizer accepts it gives the same bytes.
func Rewrite(dst, body []byte, p *plan.Plan, tokens Tokens) ([]byte, error) {
	value, kind, _, err := jsonparser.Get(body)
	if err != nil {
		return nil, err
	}
	w := rewrite{tokens: tokens}
	dst, _, err = w.value(dst, p.Root, value, kind)
	return dst, err
}

type rewrite struct {
	tokens Tokens
	text   []byte
	made   []byte
}

// value appends what a node makes of a value, and reports whether it stays.
func (w *rewrite) value(dst []byte, n *plan.Node, value []byte, kind jsonparser.ValueType) ([]byte, bool, error) {
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
		if kind == jsonparser.Object {
			return w.object(dst, n, value)
		}
	case plan.Array:
		if kind == jsonparser.Array {
			return w.array(dst, n, value)
		}
	default:
		return w.token(dst, n, value, kind)
	}
	if kind == jsonparser.Null {
		return append(dst, "null"...), true, nil
	}
	return dst, false, nil
}

func (w *rewrite) object(dst []byte, n *plan.Node, value []byte) ([]byte, bool, error) {
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
		var err error
		if dst, err = jsontext.AppendQuote(dst, name); err != nil {
			return err
		}
		out, stays, err := w.value(append(dst, ':'), f.Node, value, kind)
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
}

func (w *rewrite) array(dst []byte, n *plan.Node, value []byte) ([]byte, bool, error) {
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

// token appends what stands for a string or an integer.
func (w *rewrite) token(dst []byte, n *plan.Node, value []byte, kind jsonparser.ValueType) ([]byte, bool, error) {
	switch {
	case n.Op == plan.Drop, kind == jsonparser.Boolean, kind == jsonparser.Object, kind == jsonparser.Array:
		return dst, false, nil
	case kind == jsonparser.Null:
		return append(dst, "null"...), true, nil
	case kind == jsonparser.String:
		var err error
		if value, err = jsonparser.Unescape(value, w.text[:0]); err != nil {
			return dst, false, err
		}
		if n.Op != plan.Link && len(bytes.TrimSpace(value)) == 0 {
			return append(dst, "null"...), true, nil
		}
	case bytes.ContainsAny(value, ".eE"):
		return dst, false, fmt.Errorf("the text of a number with a fraction is not written here")
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
	case plan.Run:
		if len(n.Steps) != 1 || kind != jsonparser.String {
			return dst, false, fmt.Errorf("several steps, or one on a number, are not written here")
		}
		switch step := &n.Steps[0]; step.Do {
		case plan.StepTokenize:
			w.made = w.tokens.AppendTokenized(w.made, value)
		case plan.StepPhrases:
			w.made = appendPhrases(w.made, value, step.Phrases)
		default:
			return dst, false, fmt.Errorf("step %d is not written here", step.Do)
		}
	default:
		return dst, false, fmt.Errorf("operation %d is not written here", n.Op)
	}
	dst, err := jsontext.AppendQuote(dst, w.made)
	return dst, true, err
}
