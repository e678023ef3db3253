package sanitize

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

// canaryBody makes a body and the plan for it, in which every value that must
// not survive holds "canary", spelled in all ways, and nothing else does.
type canaryBody struct {
	rng  *rand.Rand
	body strings.Builder
}

// letters writes text in which any letter may be escaped.
func (c *canaryBody) letters(text string) {
	for _, r := range text {
		switch c.rng.IntN(6) {
		case 0:
			c.body.WriteString(strings.ToLower(escapeUnit(r)))
		case 1:
			c.body.WriteString(`\u` + strings.ToUpper(escapeUnit(r)[2:]))
		default:
			c.body.WriteRune(r)
		}
	}
}

func escapeUnit(r rune) string {
	const hex = "0123456789abcdef"
	return `\u00` + string([]byte{hex[r>>4], hex[r&15]})
}

func (c *canaryBody) space() {
	c.body.WriteString([]string{"", "", "", " ", "\n", "\t \r"}[c.rng.IntN(6)])
}

func (c *canaryBody) string(text string) {
	c.body.WriteByte('"')
	if c.rng.IntN(3) == 0 {
		c.body.WriteString([]string{`\ud83d`, `\n`, "é", "😀", `\"`, strings.Repeat("-", c.rng.IntN(9000))}[c.rng.IntN(6)])
	}
	c.letters(text)
	c.body.WriteByte('"')
}

// secret writes any value, all of it canaries.
func (c *canaryBody) secret(depth int) {
	c.space()
	kind := c.rng.IntN(8)
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		c.body.WriteString([]string{"8675309", "-8675309.25", "8.675309e8"}[c.rng.IntN(3)])
	case 1:
		c.body.WriteString([]string{"true", "false"}[c.rng.IntN(2)])
	case 2, 3, 4:
		c.string("canary")
	case 5, 6:
		c.body.WriteByte('{')
		for i := range c.rng.IntN(4) {
			if i > 0 {
				c.body.WriteByte(',')
			}
			c.body.WriteByte('"')
			c.letters("canary" + string(rune('a'+i)))
			c.body.WriteString(`":`)
			c.secret(depth - 1)
		}
		c.body.WriteByte('}')
	default:
		c.body.WriteByte('[')
		for i := range c.rng.IntN(4) {
			if i > 0 {
				c.body.WriteByte(',')
			}
			c.secret(depth - 1)
		}
		c.body.WriteByte(']')
	}
	c.space()
}

// value writes a value and returns a node for it that lets no canary through.
func (c *canaryBody) value(depth int) *plan.Node {
	c.space()
	defer c.space()
	kind := c.rng.IntN(9)
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		c.string("kept")
		return nKeep()
	case 1:
		c.secret(depth)
		return []func() *plan.Node{nDrop, nLink, func() *plan.Node { return nil },
			func() *plan.Node { return nDigest(nDrop()) },
			func() *plan.Node { return nFall(plan.FallNull, nLink()) },
			func() *plan.Node { return nSelect("a", cases{"k": nAny()}, nil) },
			func() *plan.Node { return nIfAll([]string{"canary"}, nAny(), nDrop()) },
			func() *plan.Node { return nIfFound(nObject(fields{"canary": nKeep()}), nAny(), nHash()) },
		}[c.rng.IntN(8)]()
	case 2, 3, 4:
		c.secret(depth)
		return []func() *plan.Node{nHash, nBack, nJSON, func() *plan.Node { return nMatch(plan.Match{Prefix: "c", Then: plan.Pseudonym}) },
			func() *plan.Node { return nDo(plan.StepTokenize) },
			func() *plan.Node { return nDigest(nDo(plan.StepTokenize)) },
			func() *plan.Node { return nPhrases("can", "nary", "kept", "-") },
			func() *plan.Node { return nPatterns(plan.StepRemove, "(?s)c.*") },
			func() *plan.Node { return nPatterns(plan.StepOnly, "[a-b]") },
			func() *plan.Node { return nTokens("n", "[^y]*") },
			func() *plan.Node { return nRun(plan.Step{Do: plan.StepString}, plan.Step{Do: plan.StepDigest}) },
			func() *plan.Node { return nRun(plan.Step{Do: plan.StepNull}, plan.Step{Do: plan.StepBoolean}) },
			func() *plan.Node { return nInJSON(nAny()) },
			func() *plan.Node { return nDo(plan.StepEncryptIP) },
		}[c.rng.IntN(14)]()
	case 5, 6, 7:
		f := fields{}
		members := c.rng.IntN(6)
		typed := -1
		if c.rng.IntN(2) == 0 {
			typed = c.rng.IntN(members + 1)
		}
		c.body.WriteByte('{')
		for i := range members + 1 {
			if i == members && i != typed {
				break
			}
			if i > 0 {
				c.body.WriteByte(',')
			}
			c.space()
			if i == typed {
				c.body.WriteString(`"type":"k"`)
				continue
			}
			c.body.WriteByte('"')
			name := "name" + string(rune('a'+i))
			if c.rng.IntN(4) == 0 {
				c.letters("canary" + name)
				c.body.WriteString(`":`)
				c.secret(depth - 1)
				continue
			}
			c.letters(name)
			c.body.WriteString(`":`)
			f[name] = c.value(depth - 1)
		}
		c.body.WriteByte('}')
		if typed >= 0 {
			return nSelect("type", cases{"k": nObject(f), "other": nAny()}, nil)
		}
		return nObject(f)
	default:
		var items *plan.Node
		c.body.WriteByte('[')
		for i := range c.rng.IntN(5) {
			if i > 0 {
				c.body.WriteByte(',')
			}
			if i == 0 {
				items = c.value(depth - 1)
				continue
			}
			if items != nil && items.Op == plan.Keep {
				// A secret scalar would be kept.
				c.string("kept")
				continue
			}
			c.secret(depth - 1)
		}
		c.body.WriteByte(']')
		return nArray(items)
	}
}

// No byte of a dropped or pseudonymized value, or of an unknown name, survives.
func FuzzCanary(f *testing.F) {
	for seed := range uint64(500) {
		f.Add(seed, []byte{})
		f.Add(seed, []byte{byte(seed), 0, byte(seed >> 4), 1, 200})
	}
	f.Fuzz(func(t *testing.T, seed uint64, sizes []byte) {
		c := &canaryBody{rng: newRand(seed)}
		c.body.WriteString(`{"root":`)
		root := c.value(5)
		c.body.WriteString(`}`)
		p := newPlan(nObject(fields{"root": root}))
		body := []byte(c.body.String())
		var cuts []int
		at := 0
		for _, size := range sizes {
			if at += int(size); at > len(body) {
				break
			}
			cuts = append(cuts, at)
		}
		d := deliver(t, New(Limits{}), p, body, cuts...)
		checkOracle(t, p, body, d)
		out, ok := decodeTree([]byte(d.out))
		if !ok {
			t.Fatalf("%q became %q", body, d.out)
		}
		for _, text := range []string{d.out, out.String()} {
			for _, canary := range []string{"canary", "anary", "8675309", "675309"} {
				if strings.Contains(text, canary) {
					t.Fatalf("%q leaks %q: %s", body, canary, text)
				}
			}
		}
	})
}
