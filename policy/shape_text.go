package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// pattern is one RE2 pattern of a shape.
type pattern struct {
	text string
	at   position
}

// patterns reads the key "patterns": a list of at least one.
func (s *shapes) patterns(shape ast.Object, at position) []pattern {
	at = at.key("patterns")
	array, ok := shape.Get(ast.StringTerm("patterns")).Value.(*ast.Array)
	if !ok || array.Len() == 0 {
		s.add(at.error("shape_error", "patterns must be an array of at least one RE2 pattern", ""))
		return nil
	}
	var all []pattern
	for i := range array.Len() {
		text, ok := array.Elem(i).Value.(ast.String)
		if !ok {
			s.add(at.index(i).error("shape_error", "the pattern must be a string", ""))
			continue
		}
		all = append(all, pattern{string(text), at.index(i)})
	}
	return all
}

// compileAll compiles patterns as they are.
func (s *shapes) compileAll(patterns []pattern) []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, p := range patterns {
		if expression := s.compilePattern(p); expression != nil {
			all = append(all, expression)
		}
	}
	return all
}

// whole compiles patterns so that they match a whole text or nothing.
func (s *shapes) whole(patterns []pattern) []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, p := range patterns {
		if s.compilePattern(p) != nil {
			all = append(all, regexp.MustCompile(`\A(?:`+p.text+`)\z`))
		}
	}
	return all
}

func (s *shapes) compilePattern(p pattern) *regexp.Regexp {
	expression, err := regexp.Compile(p.text)
	if err != nil {
		s.add(p.at.error("shape_error", "the pattern does not compile: "+err.Error(), "patterns are RE2"))
		return nil
	}
	return expression
}

// groupPattern reads the key "pattern" of tokenize: the one group in it is what
// becomes a token.
func (s *shapes) groupPattern(shape ast.Object, at position) []pattern {
	at = at.key("pattern")
	text, ok := shape.Get(ast.StringTerm("pattern")).Value.(ast.String)
	if !ok {
		s.add(at.error("shape_error", "the pattern must be a string", ""))
		return nil
	}
	if expression, err := regexp.Compile(string(text)); err == nil && expression.NumSubexp() == 0 {
		s.add(at.error("shape_error", "the pattern has no group", "what becomes a token stands in (...), other groups are (?:...)"))
	}
	return []pattern{{string(text), at}}
}

// delimiter reads the key "delimiter" of tokens: a pattern, or null for no split.
func (s *shapes) delimiter(shape ast.Object, at position) *regexp.Regexp {
	at = at.key("delimiter")
	switch text := shape.Get(ast.StringTerm("delimiter")).Value.(type) {
	case ast.Null:
		return nil
	case ast.String:
		return s.compilePattern(pattern{string(text), at})
	}
	s.add(at.error("shape_error", "the delimiter must be an RE2 pattern", "null takes the string as one part"))
	return nil
}

// phrases reads the key "phrases": a list of at least one.
func (s *shapes) phrases(shape ast.Object, at position) []string {
	at = at.key("phrases")
	array, ok := shape.Get(ast.StringTerm("phrases")).Value.(*ast.Array)
	if !ok || array.Len() == 0 {
		s.add(at.error("shape_error", "phrases must be an array of at least one phrase", "shape.drop drops all of a text"))
		return nil
	}
	var all []string
	for i := range array.Len() {
		text, ok := array.Elem(i).Value.(ast.String)
		switch {
		case !ok || strings.TrimSpace(string(text)) == "":
			s.add(at.index(i).error("shape_error", "a phrase must be a string that is not blank", ""))
		case slices.Contains(all, string(text)):
			s.add(at.index(i).error("shape_error", fmt.Sprintf("the phrase %q is there twice", string(text)), ""))
		default:
			all = append(all, string(text))
		}
	}
	return all
}
