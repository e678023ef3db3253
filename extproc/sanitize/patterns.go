package sanitize

import (
	"bytes"
	"cmp"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/graphveil/graphveil/policy/plan"
)

// The steps in this file search with regular expressions, which allocate for
// each match. A text in which nothing matches costs nothing.

// appendWithout appends a text without all matches of an expression.
func appendWithout(dst, text []byte, re *regexp.Regexp) []byte {
	if !re.Match(text) {
		return append(dst, text...)
	}
	done := 0
	for _, at := range re.FindAllIndex(text, -1) {
		dst = append(dst, text[done:at[0]]...)
		done = at[1]
	}
	return append(dst, text[done:]...)
}

// appendOnly appends the parts of a text that are in a match of any expression,
// in the order of the text.
func appendOnly(dst, text []byte, patterns []*regexp.Regexp) []byte {
	var all [][]int
	for _, re := range patterns {
		if re.Match(text) {
			all = append(all, re.FindAllIndex(text, -1)...)
		}
	}
	slices.SortFunc(all, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	done := 0
	for _, at := range all {
		if at[1] > done {
			dst = append(dst, text[max(at[0], done):at[1]]...)
			done = at[1]
		}
	}
	return dst
}

// stepTokens keeps the parts of a string that an expression matches as a whole.
func (r *Rewriter) stepTokens(s *plan.Step, v *small) {
	dst, found := r.room(v), false
	part := func(p []byte) {
		for _, re := range s.Patterns {
			if re = r.whole(re); re == nil || !re.Match(p) {
				continue
			}
			if found {
				dst = append(dst, ' ')
			}
			found = true
			dst = append(dst, p...)
			return
		}
	}
	splitJava(v.text, s.Delimiter, part)
	dst = trimJava(dst)
	if len(dst) == 0 {
		r.pipe[v.side] = dst
		v.null()
		return
	}
	r.become(v, dst)
}

// splitJava gives the parts of a text to f as Java's String.split does: no empty
// part before a match of nothing at the beginning, and no empty parts at the end,
// but the whole text if the delimiter is nowhere.
func splitJava(text []byte, delimiter *regexp.Regexp, f func(part []byte)) {
	from, empty := 0, 0
	part := func(p []byte) {
		if len(p) == 0 {
			empty++
			return
		}
		for ; empty > 0; empty-- {
			f(nil)
		}
		f(p)
	}
	if delimiter != nil && delimiter.Match(text) {
		for _, at := range delimiter.FindAllIndex(text, -1) {
			if at[1] == 0 {
				continue
			}
			part(text[from:at[0]])
			from = at[1]
		}
	}
	if from == 0 {
		f(text)
		return
	}
	part(text[from:])
}

// trimJava trims as Java's String.trim does: all up to the space.
func trimJava(text []byte) []byte {
	for len(text) > 0 && text[0] <= ' ' {
		text = text[1:]
	}
	for len(text) > 0 && text[len(text)-1] <= ' ' {
		text = text[:len(text)-1]
	}
	return text
}

// stepTokenizeMatch tokenizes the text of group 1, wherever in the string it
// occurs.
func (r *Rewriter) stepTokenizeMatch(s *plan.Step, v *small) outcome {
	if len(s.Patterns) != 1 {
		return refuse
	}
	re := r.whole(s.Patterns[0])
	if re == nil || re.NumSubexp() == 0 {
		return refuse
	}
	at := re.FindSubmatchIndex(v.text)
	if at == nil || at[2] < 0 || at[2] == at[3] {
		return goOn
	}
	part := v.text[at[2]:at[3]]
	r.made = r.tokens.AppendTokenized(r.made[:0], part)
	dst, rest := r.room(v), v.text
	for {
		i := bytes.Index(rest, part)
		if i < 0 {
			break
		}
		dst = append(dst, rest[:i]...)
		dst = append(dst, r.made...)
		rest = rest[i+len(part):]
		if len(dst) > r.limits.Hold {
			r.pipe[v.side] = dst
			return tooLong
		}
	}
	r.become(v, append(dst, rest...))
	v.hidden = true
	return goOn
}

// maxWholes is how many expressions a Rewriter remembers.
const maxWholes = 256

// whole returns an expression that matches what re matches if it must match all
// of a text, or nil if there is none. Its dot is Java's, which besides \n matches
// no \r, U+0085, U+2028 and U+2029. It is made once for each re and Rewriter.
func (r *Rewriter) whole(re *regexp.Regexp) *regexp.Regexp {
	if whole, ok := r.wholes[re]; ok {
		return whole
	}
	if r.wholes == nil || len(r.wholes) >= maxWholes {
		r.wholes = map[*regexp.Regexp]*regexp.Regexp{}
	}
	var whole *regexp.Regexp
	if tree, err := syntax.Parse(re.String(), syntax.Perl); err == nil {
		javaDot(tree)
		if whole, err = regexp.Compile(`\A(?:` + tree.String() + `)\z`); err != nil {
			whole = nil
		}
	}
	r.wholes[re] = whole
	return whole
}

// javaDot replaces the dots in an expression.
func javaDot(re *syntax.Regexp) {
	if re.Op == syntax.OpAnyCharNotNL {
		re.Op = syntax.OpCharClass
		re.Rune = []rune{0, '\n' - 1, '\n' + 1, '\r' - 1, '\r' + 1, 0x84, 0x86, 0x2027, 0x202a, 0x10ffff}
	}
	for _, sub := range re.Sub {
		javaDot(sub)
	}
}
