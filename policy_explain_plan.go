package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy/plan"
)

var operationNames = map[plan.Op]string{
	plan.Drop: "dropped", plan.Keep: "kept", plan.Pseudonym: "pseudonym", plan.Reversible: "reversible pseudonym",
	plan.JSONPseudonym: "pseudonym in JSON form", plan.JSONPseudonymOriginal: "pseudonym in JSON form, with the original",
	plan.MatchReplace: "pseudonyms in what matches", plan.Link: "sealed link", plan.Any: "kept, whatever it is",
}

var stepNames = map[plan.StepOp]string{
	plan.StepRefuse: "refused", plan.StepDrop: "dropped", plan.StepPseudonym: "pseudonym", plan.StepReversible: "reversible pseudonym",
	plan.StepJSONPseudonym: "pseudonym in JSON form", plan.StepJSONOriginal: "pseudonym in JSON form, with the original",
	plan.StepJSONReversible: "reversible pseudonym in JSON form", plan.StepJSONOriginalReversible: "reversible pseudonym in JSON form, with the original",
	plan.StepHash: "hash", plan.StepTokenize: "reversible token", plan.StepTokenizeMatch: "reversible token in what matches",
	plan.StepMatch: "pseudonyms in what matches", plan.StepPhrases: "listed phrases", plan.StepRemove: "without what matches", plan.StepOnly: "only what matches",
	plan.StepTokens: "parts that match", plan.StepEmailHeader: "pseudonyms of a list of addresses", plan.StepEmailHeaderJSON: "pseudonyms of a list of addresses in JSON form",
	plan.StepHashIP: "hash of an IP address", plan.StepEncryptIP: "reversible token of an IP address", plan.StepJSON: "JSON inside, by a shape of its own",
	plan.StepDigest: "digest", plan.StepString: "if a string", plan.StepInteger: "if an integer", plan.StepNumber: "if a number", plan.StepBoolean: "if true or false",
	plan.StepNull: "null", plan.StepScalar: "if a scalar", plan.StepObject: "if an object", plan.StepArray: "if an array", plan.StepDropNull: "dropped if null",
}

// writePlan lists the leaves of a plan, by JSON Pointer.
func writePlan(w io.Writer, p *plan.Plan) {
	planWriter{w, p, map[*plan.Node]bool{}}.node(p.Root, "  ")
}

type planWriter struct {
	w    io.Writer
	plan *plan.Plan
	// seen are the nodes that were written: nodes may form cycles.
	seen map[*plan.Node]bool
}

func (p planWriter) node(n *plan.Node, indent string) {
	if n == nil || p.seen[n] {
		return
	}
	p.seen[n] = true
	switch n.Op {
	case plan.Object, plan.Array:
	case plan.Choose:
		p.choice(n, indent)
		return
	default:
		p.line(indent, p.plan.Pointers[n.Pointer], describeNode(n))
	}
	for _, f := range n.Object.All() {
		p.node(f.Node, indent)
	}
	if n.Object != nil {
		p.node(n.Object.Rest, indent)
	}
	p.node(n.Items, indent)
}

func (p planWriter) choice(n *plan.Node, indent string) {
	c, pointer := n.Choice, p.plan.Pointers[n.Pointer]
	for _, value := range slices.Sorted(maps.Keys(c.Cases)) {
		p.line(indent, pointer, fmt.Sprintf("if %s is %q:", c.Member, value))
		p.node(c.Cases[value], indent+"  ")
	}
	switch {
	case c.Probe != nil:
		p.line(indent, pointer, "if a rule's condition holds:")
		p.node(c.Then, indent+"  ")
	case c.All != nil:
		p.line(indent, pointer, "if it has "+strings.Join(c.All, ", ")+":")
		p.node(c.Then, indent+"  ")
	}
	p.line(indent, pointer, "otherwise:")
	p.node(c.Else, indent+"  ")
}

func (p planWriter) line(indent, pointer, text string) {
	fmt.Fprintf(p.w, "%s%-60s %s\n", indent, pointer, text)
}

// describeNode says what becomes of a scalar.
func describeNode(n *plan.Node) string {
	text := operationNames[n.Op]
	if n.Op == plan.Run {
		var steps []string
		for _, s := range n.Steps {
			steps = append(steps, stepNames[s.Do])
		}
		text = strings.Join(steps, ", then ")
	}
	if n.Digest != nil {
		text += ", a digest beside it"
	}
	return text
}
