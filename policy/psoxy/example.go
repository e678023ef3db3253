package psoxy

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// example is a value that a parameter takes, for the generated tests, or "" if
// none was found.
func (p parameter) example() string {
	if p.token {
		return "p~token"
	}
	if p.pattern == "" {
		return "a1"
	}
	tree, err := syntax.Parse(p.pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	text := exampleOf(tree)
	if text == "" || !regexp.MustCompile(`^(?:`+p.pattern+`)$`).MatchString(text) {
		return ""
	}
	return text
}

func exampleOf(r *syntax.Regexp) string {
	switch r.Op {
	case syntax.OpLiteral:
		return string(r.Rune)
	case syntax.OpCharClass:
		for _, c := range "a1-_ " {
			for i := 0; i < len(r.Rune); i += 2 {
				if r.Rune[i] <= c && c <= r.Rune[i+1] {
					return string(c)
				}
			}
		}
		return string(r.Rune[:1])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "a"
	case syntax.OpCapture, syntax.OpPlus:
		return exampleOf(r.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		return ""
	case syntax.OpRepeat:
		return strings.Repeat(exampleOf(r.Sub[0]), r.Min)
	case syntax.OpConcat:
		var b strings.Builder
		for _, s := range r.Sub {
			b.WriteString(exampleOf(s))
		}
		return b.String()
	case syntax.OpAlternate:
		i := max(0, slices.IndexFunc(r.Sub, func(s *syntax.Regexp) bool { return exampleOf(s) != "" }))
		return exampleOf(r.Sub[i])
	}
	return ""
}
