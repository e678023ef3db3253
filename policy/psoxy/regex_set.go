package psoxy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapedSet reads what follows a backslash and stands for a character (literal)
// or a set of them.
func (p *regexParser) escapedSet() (set runes, literal bool, err error) {
	if p.i == len(p.text) {
		return nil, false, errors.New("a backslash at the end")
	}
	c := p.rune()
	if s, ok := classes[unicode.ToLower(c)]; ok && c < utf8.RuneSelf {
		if unicode.IsUpper(c) {
			s = s.complement()
		}
		return s, false, nil
	}
	switch {
	case c == 'p' || c == 'P':
		s, err := p.property()
		if c == 'P' {
			s = s.complement()
		}
		return s, false, err
	case c == 'x':
		return p.hexadecimal(2, true)
	case c == 'u':
		return p.hexadecimal(4, false)
	case strings.ContainsRune("tnrfae", c):
		to := map[rune]rune{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f', 'a': 7, 'e': 0x1b}[c]
		return only(to, to), true, nil
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
		return nil, false, fmt.Errorf(`\%c is not supported`, c)
	}
	return only(c, c), true, nil
}

func (p *regexParser) hexadecimal(digits int, braces bool) (runes, bool, error) {
	text := p.text[p.i:]
	if braces && strings.HasPrefix(text, "{") {
		text, _, _ = strings.Cut(text[1:], "}")
		p.i += len(text) + 2
	} else {
		text = text[:min(digits, len(text))]
		p.i += digits
	}
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil || n > unicode.MaxRune || p.i > len(p.text) || len(text) < digits && !braces {
		return nil, false, errors.New("a malformed character number")
	}
	return only(rune(n), rune(n)), true, nil
}

// property reads the name behind \p.
func (p *regexParser) property() (runes, error) {
	name := ""
	if p.take("{") {
		var ok bool
		if name, _, ok = strings.Cut(p.text[p.i:], "}"); !ok {
			return nil, errors.New(`\p{ without }`)
		}
		p.i += len(name) + 1
	} else if p.i < len(p.text) {
		name = string(p.rune())
	}
	if s, ok := posix[name]; ok {
		return s, nil
	}
	table, ok := unicode.Categories[strings.TrimPrefix(name, "Is")]
	if !ok || len(strings.TrimPrefix(name, "Is")) > 2 {
		return nil, fmt.Errorf(`\p{%s} is not supported`, name)
	}
	var out runes
	for _, t := range table.R16 {
		for c := rune(t.Lo); c <= rune(t.Hi); c += rune(t.Stride) {
			out = append(out, span{c, c})
		}
	}
	for _, t := range table.R32 {
		for c := rune(t.Lo); c <= rune(t.Hi); c += rune(t.Stride) {
			out = append(out, span{c, c})
		}
	}
	return union(out), nil
}

// class reads a class, also with others inside (which Java adds to it), up to
// and with its bracket.
func (p *regexParser) class() (runes, error) {
	negated := p.take("^")
	var set runes
	for first := true; ; first = false {
		switch {
		case p.i == len(p.text):
			return nil, errors.New("a [ without ]")
		case p.text[p.i] == ']' && !first:
			p.i++
			if p.fold {
				set = set.fold()
			}
			if negated {
				set = set.complement()
			}
			return set, nil
		case strings.HasPrefix(p.text[p.i:], "&&"):
			return nil, errors.New("&& in a class is not supported")
		case p.take("["):
			if p.depth++; p.depth > maxNesting {
				return nil, errors.New("it is nested too deeply")
			}
			inner, err := p.class()
			p.depth--
			if err != nil {
				return nil, err
			}
			set = union(set, inner)
			continue
		}
		low, literal, err := p.classRune()
		if err != nil {
			return nil, err
		}
		rest := p.text[p.i:]
		if literal && len(rest) > 1 && rest[0] == '-' && rest[1] != ']' && rest[1] != '[' {
			p.i++
			high, ok, err := p.classRune()
			if err != nil {
				return nil, err
			}
			if !ok || high[0].low < low[0].low {
				return nil, errors.New("a malformed range in a class")
			}
			low = only(low[0].low, high[0].low)
		}
		set = union(set, low)
	}
}

func (p *regexParser) classRune() (runes, bool, error) {
	c := p.rune()
	if c == '\\' {
		if p.take("Q") {
			return nil, false, errors.New(`\Q in a class is not supported`)
		}
		return p.escapedSet()
	}
	return only(c, c), true, nil
}
