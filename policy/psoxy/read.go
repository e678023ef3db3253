package psoxy

import (
	"slices"
	"strings"
)

// keys checks that n is a mapping with no other keys than these.
func (c *importer) keys(n *node, what string, known ...string) bool {
	if n.kind != mapping {
		c.refuse(n.line, "%s must be a mapping, not %s", what, kindNames[n.kind])
		return false
	}
	for _, k := range n.keys {
		if !slices.Contains(known, k.text) {
			slices.Sort(known)
			c.refuse(k.line, "%s has no key %q; it has %s", what, k.text, strings.Join(known, ", "))
		}
	}
	return true
}

// value returns the value of a key, or nil if there is none or it is null.
func (n *node) value(key string) *node {
	if v := n.get(key); v != nil && v.kind != null {
		return v
	}
	return nil
}

// textOf reads a text; a number or boolean is taken as written.
func (c *importer) textOf(n *node, what string) (string, bool) {
	if n.kind != text && n.kind != number && n.kind != boolean {
		c.refuse(n.line, "%s must be a text, not %s", what, kindNames[n.kind])
		return "", false
	}
	return n.text, true
}

// flag reads a key that is true, false or not there.
func (c *importer) flag(n *node, key string) bool {
	v := n.value(key)
	if v == nil {
		return false
	}
	switch strings.ToLower(v.text) {
	case "true":
		return true
	case "false":
		return false
	}
	c.refuse(v.line, "%s must be true or false", key)
	return false
}

// list reads the items of a key that is a list or not there. Nulls are refused.
func (c *importer) list(n *node, key string) []*node {
	v := n.value(key)
	if v == nil {
		return nil
	}
	if v.kind != sequence {
		c.refuse(v.line, "%s must be a list, not %s", key, kindNames[v.kind])
		return nil
	}
	return v.items
}

// words is a list of texts with their lines.
type words []word

type word struct {
	text string
	line int
}

func (c *importer) words(n *node, key string) words {
	var out words
	for _, item := range c.list(n, key) {
		if s, ok := c.textOf(item, "each of "+key); ok {
			out = append(out, word{s, item.line})
		}
	}
	return out
}

func (w words) texts() []string {
	var out []string
	for _, one := range w {
		out = append(out, one.text)
	}
	return out
}
