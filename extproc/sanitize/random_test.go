package sanitize

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy/plan"
)

// randomNode makes a node that often fits a value.
func randomNode(rng *rand.Rand, t *tree) *plan.Node {
	if rng.IntN(8) > 0 {
		switch t.kind {
		case '{':
			f := fields{"not there": nKeep()}
			for _, m := range t.members {
				if rng.IntN(5) > 0 {
					f[m.name] = randomNode(rng, m.value)
				}
			}
			return nObject(f)
		case '[':
			if len(t.items) == 0 {
				return nArray(nKeep())
			}
			return nArray(randomNode(rng, t.items[rng.IntN(len(t.items))]))
		}
	}
	if rng.IntN(2) == 0 {
		return randomNew(rng, t)
	}
	return []func() *plan.Node{
		nKeep, nKeep, nKeep, nDrop, nHash, nHash, nBack, nJSON, nOriginal, nLink,
		func() *plan.Node { return nMatch(smtp) },
		func() *plan.Node { return nObject(nil) },
		func() *plan.Node { return nArray(nil) },
		func() *plan.Node { return nil },
	}[rng.IntN(14)]()
}

// randomLetter makes an expression of which a random text often holds a match.
func randomLetter(rng *rand.Rand, text string) string {
	if text == "" || rng.IntN(3) == 0 {
		return "[a-f]"
	}
	runes := []rune(text)
	return regexp.QuoteMeta(string(runes[rng.IntN(len(runes))]))
}

// randomWords makes phrases of which some are in a text.
func randomWords(rng *rand.Rand, text string) []string {
	words := []string{"a", "Prep", "focus time", "1"}
	runes := []rune(text)
	for range min(3, len(runes)) {
		from := rng.IntN(len(runes))
		word := string(runes[from : from+1+rng.IntN(min(6, len(runes)-from))])
		words = append(words, word, strings.ToUpper(word))
	}
	return words
}

// randomStep makes a step that often does something to a value.
func randomStep(rng *rand.Rand, t *tree) plan.Step {
	patterns := func() []*regexp.Regexp {
		return []*regexp.Regexp{regexp.MustCompile(randomLetter(rng, t.text)), regexp.MustCompile(randomLetter(rng, t.text) + "+")}
	}
	switch rng.IntN(14) {
	case 12, 13:
		if inner, ok := decodeTree([]byte(t.text)); ok && t.kind == '"' {
			for range 3 {
				if n := randomNode(rng, inner); n != nil {
					return plan.Step{Do: plan.StepJSON, Inner: newPlan(n)}
				}
			}
		}
		return plan.Step{Do: plan.StepJSON, Inner: newPlan(nAny())}
	case 0:
		return plan.Step{Do: plan.StepPhrases, Phrases: randomWords(rng, t.text)}
	case 1:
		return plan.Step{Do: plan.StepRemove, Patterns: patterns()}
	case 2:
		return plan.Step{Do: plan.StepOnly, Patterns: patterns()}
	case 3:
		s := plan.Step{Do: plan.StepTokens, Patterns: append(patterns(), regexp.MustCompile(".*"+randomLetter(rng, t.text)+".*"))}
		if rng.IntN(3) > 0 {
			s.Delimiter = regexp.MustCompile(randomLetter(rng, t.text) + "+")
		}
		return s
	case 4:
		group := regexp.MustCompile("(?s).*?(" + randomLetter(rng, t.text) + "+).*")
		return plan.Step{Do: plan.StepTokenizeMatch, Patterns: []*regexp.Regexp{group}}
	case 5:
		return plan.Step{Do: plan.StepMatch, Match: &smtp}
	case 6, 7:
		return plan.Step{Do: []plan.StepOp{plan.StepString, plan.StepInteger, plan.StepNumber, plan.StepBoolean, plan.StepNull, plan.StepScalar, plan.StepObject, plan.StepArray}[rng.IntN(8)]}
	}
	return plan.Step{Do: []plan.StepOp{plan.StepDrop, plan.StepPseudonym, plan.StepReversible, plan.StepJSONPseudonym, plan.StepJSONOriginal, plan.StepJSONReversible,
		plan.StepJSONOriginalReversible, plan.StepHash, plan.StepTokenize, plan.StepDigest, plan.StepDigest, plan.StepEmailHeader,
		plan.StepEmailHeaderJSON, plan.StepHashIP, plan.StepEncryptIP, plan.StepRefuse, plan.StepDropNull}[rng.IntN(17)]}
}

// randomNew makes a node of the operations that go beyond one value at a time.
func randomNew(rng *rand.Rand, t *tree) *plan.Node {
	var n *plan.Node
	switch kind := rng.IntN(8); {
	case kind > 5:
		return randomChoice(rng, t)
	case kind == 0:
		n = nAny()
	case kind == 1 && t.kind == '{':
		n = nOpen(fields{"not there": nKeep()}, []func() *plan.Node{nAny, nKeep, nHash}[rng.IntN(3)]())
		if len(t.members) > 0 {
			m := t.members[rng.IntN(len(t.members))]
			n = nOpen(fields{m.name: randomNode(rng, m.value)}, n.Object.Rest)
		}
	case kind <= 2 && t.kind == '[' && len(t.items) > 0:
		n = nCompact(nArray(randomNode(rng, t.items[rng.IntN(len(t.items))])))
	case kind == 3:
		n = nKeep()
	default:
		n = nRun(randomStep(rng, t))
		for rng.IntN(2) == 0 {
			n.Steps = append(n.Steps, randomStep(rng, t))
		}
		if rng.IntN(2) == 0 {
			any := nAny()
			n.Object, n.Items = any.Object, any
		}
	}
	if rng.IntN(3) == 0 {
		nDigest(n)
		if rng.IntN(3) == 0 {
			n.Digest.Inner = newPlan(digestText())
		}
	}
	return nFall([]plan.Fallback{plan.FallDrop, plan.FallNull, plan.FallNull, plan.FallRefuse}[rng.IntN(4)], n)
}

// randomChoice makes a node that looks into an object before it decides.
func randomChoice(rng *rand.Rand, t *tree) *plan.Node {
	c := &plan.Choice{Else: randomNode(rng, t), Then: randomNode(rng, t)}
	var m member
	if len(t.members) > 0 {
		m = t.members[rng.IntN(len(t.members))]
	}
	switch rng.IntN(4) {
	case 0:
		c.All = []string{m.name}
		if len(t.members) > 0 && rng.IntN(4) > 0 {
			c.All = append(c.All, t.members[rng.IntN(len(t.members))].name)
		}
		if c.All = slices.Compact(c.All); rng.IntN(6) == 0 {
			c.All = append(c.All, "not there")
		}
	case 1:
		find := fields{m.name: nKeep()}
		if m.value != nil && rng.IntN(2) == 0 {
			find[m.name] = nSelect("a", cases{"b": nKeep()}, nObject(fields{"": nKeep(), "a": nArray(nKeep())}))
		}
		if rng.IntN(4) == 0 {
			find = fields{"not there": nKeep()}
		}
		c.Probe = newPlan(&plan.Node{Op: plan.Any, Object: plan.NewFields(find), Items: nObject(find)})
	default:
		c.Member, c.Cases = m.name, cases{"a": randomNode(rng, t)}
		if m.value != nil {
			c.Cases[m.value.text] = c.Then
		}
	}
	return &plan.Node{Op: plan.Choose, Choice: c}
}

// randomPlan makes a plan that often fits a body.
func randomPlan(rng *rand.Rand, body []byte) *plan.Plan {
	t, ok := decodeTree(body)
	if !ok {
		if rng.IntN(2) == 0 {
			return droppingPlan(body)
		}
		return malformedPlan(body)
	}
	for {
		if n := randomNode(rng, t); n != nil {
			return newPlan(n)
		}
	}
}
