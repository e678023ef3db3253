package psoxy

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxDocument bounds the text of a document, also unpacked.
const maxDocument = 4 << 20

// node is a value of the document with its line.
type node struct {
	line int
	// tag is what stands in !<...>, or "".
	tag  string
	kind kind
	// text is a scalar as a string.
	text  string
	keys  []*node
	items []*node // of a sequence, or the values of a mapping
}

type kind uint8

const (
	null kind = iota
	text
	boolean
	number
	sequence
	mapping
)

var kindNames = [...]string{"nothing", "a text", "true or false", "a number", "a list", "a mapping"}

// parse reads the document as Psoxy's configuration value: plain, in base64, or
// in base64 of gzip. It returns nil if it has reported why there is no document.
func (c *importer) parse(document []byte) *node {
	document, err := unpack(document)
	if err != nil {
		c.refuse(0, "unpacking: %v", err)
		return nil
	}
	file, err := parser.ParseBytes(document, 0)
	if err != nil {
		c.refuse(syntaxLine(err), "no YAML: %s", syntaxMessage(err))
		return nil
	}
	var root ast.Node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil:
		case root != nil:
			c.refuse(d.Body.GetToken().Position.Line, "a second document: one file holds one")
		default:
			root = d.Body
		}
	}
	if root == nil {
		c.refuse(0, "the document is empty")
		return nil
	}
	return c.convert(root)
}

// unpack undoes base64 and gzip. A rules document as such has a colon, which no
// base64 has.
func unpack(document []byte) ([]byte, error) {
	if len(document) > maxDocument {
		return nil, errors.New("the document is too large")
	}
	document = bytes.TrimPrefix(document, []byte("\ufeff"))
	packed := strings.Join(strings.Fields(string(document)), "")
	raw, err := base64.StdEncoding.DecodeString(packed)
	if err != nil || len(raw) == 0 {
		return document, nil
	}
	if !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return raw, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	raw, err = io.ReadAll(io.LimitReader(z, maxDocument+1))
	if err == nil && len(raw) > maxDocument {
		err = errors.New("the document is too large")
	}
	return raw, err
}

func syntaxLine(err error) int {
	var syntax yaml.Error
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		return syntax.GetToken().Position.Line
	}
	return 0
}

func syntaxMessage(err error) string {
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		return syntax.GetMessage()
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

func (c *importer) convert(n ast.Node) *node {
	out := &node{}
	if t := n.GetToken(); t != nil {
		out.line = t.Position.Line
	}
	switch n := n.(type) {
	case *ast.TagNode:
		inner := c.convert(n.Value)
		inner.tag, inner.line = tagName(n.Start.Value), out.line
		return inner
	case *ast.MappingNode:
		out.kind = mapping
		for _, v := range n.Values {
			c.member(out, v)
		}
		if len(out.keys) > 0 {
			out.line = out.keys[0].line
		}
	case *ast.MappingValueNode:
		out.kind = mapping
		c.member(out, n)
		out.line = out.keys[0].line
	case *ast.SequenceNode:
		out.kind = sequence
		for _, v := range n.Values {
			out.items = append(out.items, c.convert(v))
		}
	case *ast.StringNode:
		out.kind, out.text = text, n.Value
	case *ast.LiteralNode:
		out.kind, out.text = text, n.Value.Value
	case *ast.BoolNode:
		out.kind, out.text = boolean, n.GetToken().Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = number, n.GetToken().Value
	case *ast.NullNode:
	default:
		c.refuse(out.line, "anchors, aliases and merge keys are not read: write the value out")
	}
	return out
}

func (c *importer) member(out *node, v *ast.MappingValueNode) {
	key := c.convert(v.Key)
	switch key.kind {
	case text, boolean, number:
	default:
		c.refuse(key.line, "a key must be a text")
	}
	for _, other := range out.keys {
		if other.text == key.text {
			c.refuse(key.line, "the key %q is there twice", key.text)
		}
	}
	out.keys = append(out.keys, key)
	out.items = append(out.items, c.convert(v.Value))
}

// tagName takes the name out of !<name>, !name or !!name.
func tagName(tag string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimLeft(tag, "!"), "<"), ">")
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k.text == key {
			return n.items[i]
		}
	}
	return nil
}
