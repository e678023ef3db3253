package sanitize

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

// fakeTokens makes tokens that tell the value apart but do not hold it. It does
// not allocate.
type fakeTokens struct{ buf [2 * sha256.Size]byte }

func (f *fakeTokens) append(dst []byte, kind string, value []byte) []byte {
	sum := sha256.Sum256(value)
	hex.Encode(f.buf[:], sum[:])
	dst = append(dst, kind...)
	return append(dst, f.buf[:12]...)
}

func (f *fakeTokens) AppendPseudonym(dst, value []byte) []byte { return f.append(dst, "t~", value) }

func (f *fakeTokens) AppendReversible(dst, value []byte) []byte { return f.append(dst, "p~", value) }

func (f *fakeTokens) AppendJSON(dst, value []byte, original, reversible bool) []byte {
	dst = f.append(append(dst, `{"hash":"`...), "", value)
	if original {
		dst = append(dst, `","original":"`...)
		dst = appendEscaped(dst, value)
	}
	if reversible {
		dst = f.append(append(dst, `","reversible":"`...), "p~", value)
	}
	return append(dst, `"}`...)
}

func (f *fakeTokens) AppendHash(dst, value []byte) []byte { return f.append(dst, "h~", value) }

func (f *fakeTokens) AppendTokenized(dst, value []byte) []byte { return f.append(dst, "r~", value) }

// A list is what has an @ in each part between commas.
func (f *fakeTokens) AppendEmailHeader(dst, value []byte, inJSON bool) ([]byte, bool) {
	for i, part := range bytes.Split(value, []byte(",")) {
		if !bytes.Contains(part, []byte("@")) {
			return append(dst, "half made"...), false
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		if inJSON {
			dst = f.AppendJSON(dst, part, false, false)
		} else {
			dst = f.AppendPseudonym(dst, part)
		}
	}
	return dst, true
}

// An address begins with a digit.
func (f *fakeTokens) AppendIP(dst, value []byte, encrypt bool) ([]byte, bool) {
	switch {
	case len(value) == 0 || value[0] < '0' || value[0] > '9':
		return append(dst, "half made"...), false
	case encrypt:
		return f.append(dst, "ip~", value), true
	}
	return f.append(dst, "ih~", value), true
}

var fakeUpstream = []byte("https://graph.example/")

func (f *fakeTokens) AppendLink(dst, url []byte) ([]byte, bool) {
	if !bytes.HasPrefix(url, fakeUpstream) {
		return append(dst, "half made"...), false
	}
	return f.append(dst, "https://sidecar.example/l~", url), true
}

// Short spellings of nodes.
var (
	nKeep     = func() *plan.Node { return &plan.Node{Op: plan.Keep} }
	nDrop     = func() *plan.Node { return &plan.Node{Op: plan.Drop} }
	nHash     = func() *plan.Node { return &plan.Node{Op: plan.Pseudonym} }
	nBack     = func() *plan.Node { return &plan.Node{Op: plan.Reversible} }
	nJSON     = func() *plan.Node { return &plan.Node{Op: plan.JSONPseudonym} }
	nOriginal = func() *plan.Node { return &plan.Node{Op: plan.JSONPseudonymOriginal} }
	nLink     = func() *plan.Node { return &plan.Node{Op: plan.Link} }
)

func nMatch(m plan.Match) *plan.Node { return &plan.Node{Op: plan.MatchReplace, Match: &m} }

func nArray(items *plan.Node) *plan.Node { return &plan.Node{Op: plan.Array, Items: items} }

type fields map[string]*plan.Node

func nObject(f fields) *plan.Node { return &plan.Node{Op: plan.Object, Object: plan.NewFields(f)} }

// nAny makes a node that keeps whatever there is.
func nAny() *plan.Node {
	n := &plan.Node{Op: plan.Any, Object: plan.NewFields(nil)}
	n.Items, n.Object.Rest = n, n
	return n
}

func nOpen(f fields, rest *plan.Node) *plan.Node {
	n := nObject(f)
	n.Object.Rest = rest
	return n
}

func nRun(steps ...plan.Step) *plan.Node { return &plan.Node{Op: plan.Run, Steps: steps} }

func nDo(do plan.StepOp) *plan.Node { return nRun(plan.Step{Do: do}) }

func nPhrases(list ...string) *plan.Node {
	return nRun(plan.Step{Do: plan.StepPhrases, Phrases: list})
}

func nPatterns(do plan.StepOp, patterns ...string) *plan.Node {
	s := plan.Step{Do: do}
	for _, p := range patterns {
		s.Patterns = append(s.Patterns, regexp.MustCompile(p))
	}
	return nRun(s)
}

// nTokens splits at a delimiter, or not if it is empty.
func nTokens(delimiter string, patterns ...string) *plan.Node {
	n := nPatterns(plan.StepTokens, patterns...)
	if delimiter != "" {
		n.Steps[0].Delimiter = regexp.MustCompile(delimiter)
	}
	return n
}

func nDigest(n *plan.Node) *plan.Node {
	n.Digest = &plan.Digest{}
	return n
}

func nFall(f plan.Fallback, n *plan.Node) *plan.Node {
	n.Mistyped = f
	return n
}

func nCompact(n *plan.Node) *plan.Node {
	n.Compact = true
	return n
}

type cases map[string]*plan.Node

func nSelect(member string, c cases, otherwise *plan.Node) *plan.Node {
	return &plan.Node{Op: plan.Choose, Choice: &plan.Choice{Member: member, Cases: c, Else: otherwise}}
}

func nIfAll(names []string, then, otherwise *plan.Node) *plan.Node {
	return &plan.Node{Op: plan.Choose, Choice: &plan.Choice{All: names, Then: then, Else: otherwise}}
}

func nIfFound(probe, then, otherwise *plan.Node) *plan.Node {
	return &plan.Node{Op: plan.Choose, Choice: &plan.Choice{Probe: newPlan(probe), Then: then, Else: otherwise}}
}

// newPlan numbers the positions of a graph of nodes. A node that leads back to
// itself is numbered once.
func newPlan(root *plan.Node) *plan.Plan {
	p := &plan.Plan{Root: root}
	seen := map[*plan.Node]bool{}
	var number func(n *plan.Node, pointer string)
	number = func(n *plan.Node, pointer string) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		n.Pointer = len(p.Pointers)
		p.Pointers = append(p.Pointers, pointer)
		number(n.Items, pointer+"/*")
		for _, f := range n.Object.All() {
			number(f.Node, pointer+"/"+f.Name)
		}
		if n.Object != nil {
			number(n.Object.Rest, pointer+"/(rest)")
		}
		if c := n.Choice; c != nil {
			for _, name := range slices.Sorted(maps.Keys(c.Cases)) {
				number(c.Cases[name], pointer+"("+name+")")
			}
			number(c.Then, pointer+"(then)")
			number(c.Else, pointer+"(else)")
		}
	}
	number(root, "")
	return p
}

// delivery is what came of one body.
type delivery struct {
	out    string
	err    *Error
	counts map[string]Count
}

// deliver runs body through r, cut at the given indexes.
func deliver(t testing.TB, r *Rewriter, p *plan.Plan, body []byte, cuts ...int) delivery {
	t.Helper()
	r.Reset(p, &fakeTokens{})
	var d delivery
	out := []byte("before")
	var err error
	from := 0
	for _, to := range append(slices.Clone(cuts), len(body)) {
		// A copy that is overwritten afterwards shows whether a chunk was kept.
		chunk := bytes.Clone(body[from:to])
		was := len(out)
		out, err = r.Append(out, chunk)
		for i := range chunk {
			chunk[i] = '#'
		}
		if err != nil {
			if len(out) != was {
				t.Errorf("Append with an error appended %q", out[was:])
			}
			break
		}
		from = to
	}
	if err == nil {
		was := len(out)
		if out, err = r.Finish(out); err != nil && len(out) != was {
			t.Errorf("Finish with an error appended %q", out[was:])
		}
	}
	if err != nil {
		if !errors.As(err, &d.err) {
			t.Fatalf("error is %T, want *Error", err)
		}
		if again, err2 := r.Append(nil, []byte(`{}`)); err2 != err || len(again) != 0 {
			t.Errorf("Append after an error = %q, %v", again, err2)
		}
		if again, err2 := r.Finish(nil); err2 != err || len(again) != 0 {
			t.Errorf("Finish after an error = %q, %v", again, err2)
		}
	}
	if !bytes.HasPrefix(out, []byte("before")) {
		t.Fatalf("output lost what was before it")
	}
	d.out = string(out[len("before"):])
	d.counts = map[string]Count{}
	for i, c := range r.Counts().Positions {
		if c != (Count{}) {
			d.counts[p.Pointers[i]] = c
		}
	}
	return d
}

// every returns the cuts of a body of n bytes into pieces of the given size.
func every(n, size int) []int {
	var cuts []int
	for i := size; i < n; i += size {
		cuts = append(cuts, i)
	}
	return cuts
}

// checkSplits delivers a body in many ways and holds each against whole.
func checkSplits(t *testing.T, r *Rewriter, p *plan.Plan, body []byte, whole delivery) {
	t.Helper()
	check := func(cuts ...int) {
		t.Helper()
		got := deliver(t, r, p, body, cuts...)
		if (got.err == nil) != (whole.err == nil) || got.err != nil && *got.err != *whole.err {
			t.Fatalf("cut at %v of %q: error %v, whole %v", cuts, body, got.err, whole.err)
		}
		if got.err == nil && got.out != whole.out {
			t.Fatalf("cut at %v of %q:\n got   %s\n whole %s", cuts, body, got.out, whole.out)
		}
		if !maps.Equal(got.counts, whole.counts) {
			t.Fatalf("cut at %v of %q:\n counts %v\n whole  %v", cuts, body, got.counts, whole.counts)
		}
	}
	check(every(len(body), 1)...)
	check(every(len(body), 3)...)
	if len(body) < 2<<10 {
		for i := range len(body) + 1 {
			check(i)
			check(i, i)
		}
	}
}
