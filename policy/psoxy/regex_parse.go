package psoxy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// regex is a regular expression of Java, as a tree.
type regex struct {
	op   regexOp
	set  runes    // of opSet
	subs []*regex // of opConcat, opAlternate, opGroup and opRepeat
	// least and most of opRepeat; most is -1 for no bound.
	least, most int
	lazy        bool
	// capture is the number of a capturing opGroup, from 1; name may name it.
	capture int
	name    string
}

type regexOp uint8

const (
	opSet regexOp = iota
	opConcat
	opAlternate
	opRepeat
	opGroup
	opBegin   // ^ \A
	opEnd     // \z
	opDollar  // $ \Z: the end, or before a last line break
	opWord    // \b
	opNotWord // \B
)

// parseRegex reads a Java regular expression with the flags that it sets itself.
// It refuses what RE2 cannot do, and what this package does not know to mean the
// same in both.
func parseRegex(text string) (*regex, error) {
	p := regexParser{text: text}
	r, err := p.alternate()
	if err == nil && p.i < len(p.text) {
		err = errors.New("a ) without (")
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

type regexParser struct {
	text     string
	i        int
	captures int
	// depth is how many groups and classes the parser is inside of.
	depth int
	// fold and dotAll are the flags i and s where the parser is.
	fold, dotAll bool
}

func (p *regexParser) take(literal string) bool {
	if !strings.HasPrefix(p.text[p.i:], literal) {
		return false
	}
	p.i += len(literal)
	return true
}

func (p *regexParser) rune() rune {
	c, n := utf8.DecodeRuneInString(p.text[p.i:])
	p.i += n
	return c
}

func (p *regexParser) alternate() (*regex, error) {
	fold, dotAll := p.fold, p.dotAll // flags end with their group
	defer func() { p.fold, p.dotAll = fold, dotAll }()
	r := &regex{op: opAlternate}
	for {
		c, err := p.concat()
		if err != nil {
			return nil, err
		}
		r.subs = append(r.subs, c)
		if !p.take("|") {
			break
		}
	}
	if len(r.subs) == 1 {
		return r.subs[0], nil
	}
	return r, nil
}

func (p *regexParser) concat() (*regex, error) {
	r := &regex{op: opConcat}
	for p.i < len(p.text) && p.text[p.i] != '|' && p.text[p.i] != ')' {
		if p.take(`\Q`) {
			literal, _, _ := strings.Cut(p.text[p.i:], `\E`)
			p.i = min(p.i+len(literal)+2, len(p.text))
			for _, c := range literal {
				r.subs = append(r.subs, p.set(only(c, c)))
			}
			continue
		}
		a, err := p.atom()
		if err != nil {
			return nil, err
		}
		if a == nil {
			continue
		}
		if a, err = p.repeat(a); err != nil {
			return nil, err
		}
		r.subs = append(r.subs, a)
	}
	return r, nil
}

func (p *regexParser) set(s runes) *regex {
	if p.fold {
		s = s.fold()
	}
	return &regex{op: opSet, set: s}
}

// atom reads what a quantifier may follow; nil for flags.
func (p *regexParser) atom() (*regex, error) {
	switch c := p.rune(); c {
	case '(':
		return p.group()
	case '[':
		s, err := p.class()
		return &regex{op: opSet, set: s}, err
	case '.':
		if p.dotAll {
			return &regex{op: opSet, set: anyRune}, nil
		}
		return &regex{op: opSet, set: lineEnds.complement()}, nil
	case '^':
		return &regex{op: opBegin}, nil
	case '$':
		return &regex{op: opDollar}, nil
	case '*', '+', '?':
		return nil, fmt.Errorf("nothing to repeat before %c", c)
	case '{':
		return nil, errors.New("a { that repeats nothing")
	case '\\':
		return p.escape()
	default:
		return p.set(only(c, c)), nil
	}
}

func (p *regexParser) group() (*regex, error) {
	g := &regex{op: opGroup}
	switch {
	case p.take("?:"):
	case p.take("?="), p.take("?!"), p.take("?<="), p.take("?<!"):
		return nil, errors.New("lookaround has no counterpart in RE2")
	case p.take("?>"):
		return nil, errors.New("atomic groups have no counterpart in RE2")
	case p.take("?<"):
		name, _, ok := strings.Cut(p.text[p.i:], ">")
		if !ok || name == "" {
			return nil, errors.New("a group name without >")
		}
		p.i += len(name) + 1
		p.captures++
		g.capture, g.name = p.captures, name
	case p.take("?"):
		return p.flags()
	default:
		p.captures++
		g.capture = p.captures
	}
	return p.inside(g)
}

// maxNesting bounds groups in groups and classes in classes, as RE2 does.
const maxNesting = 500

func (p *regexParser) inside(g *regex) (*regex, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, errors.New("it is nested too deeply")
	}
	sub, err := p.alternate()
	p.depth--
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, errors.New("a ( without )")
	}
	g.subs = []*regex{sub}
	return g, nil
}

// flags reads (?i), (?is-s:...) and (?), which sets none.
func (p *regexParser) flags() (*regex, error) {
	fold, dotAll, on := p.fold, p.dotAll, true
	for p.i < len(p.text) {
		switch c := p.rune(); c {
		case '-':
			on = false
		case 'i':
			p.fold = on
		case 's':
			p.dotAll = on
		case ')':
			return nil, nil
		case ':':
			g, err := p.inside(&regex{op: opGroup})
			p.fold, p.dotAll = fold, dotAll
			return g, err
		default:
			return nil, fmt.Errorf("the flag %c means something else in RE2", c)
		}
	}
	return nil, errors.New("a ( without )")
}

// repeat reads quantifiers behind an atom.
func (p *regexParser) repeat(a *regex) (*regex, error) {
	r := &regex{op: opRepeat, subs: []*regex{a}, most: -1}
	switch {
	case p.take("*"):
	case p.take("+"):
		r.least = 1
	case p.take("?"):
		r.most = 1
	case p.i < len(p.text) && p.text[p.i] == '{':
		bounds, _, ok := strings.Cut(p.text[p.i+1:], "}")
		low, high, ranged := strings.Cut(bounds, ",")
		least, err := strconv.Atoi(low)
		most := least
		if ranged {
			most = -1
			if high != "" {
				var e error
				most, e = strconv.Atoi(high)
				err = errors.Join(err, e)
			}
		}
		if !ok || err != nil || least > 1000 || most > 1000 || most >= 0 && most < least {
			return nil, fmt.Errorf("{%s} is no repetition that RE2 can do", bounds)
		}
		p.i += len(bounds) + 2
		r.least, r.most = least, most
	default:
		return a, nil
	}
	switch a.op {
	case opSet, opGroup:
	default:
		return nil, errors.New("an anchor is repeated")
	}
	switch {
	case p.take("+"):
		return nil, errors.New("possessive quantifiers have no counterpart in RE2")
	case p.take("?"):
		r.lazy = true
	}
	if p.i < len(p.text) && strings.IndexByte("*+?{", p.text[p.i]) >= 0 {
		return nil, errors.New("a quantifier is repeated")
	}
	return r, nil
}

// escape reads what follows a backslash outside of a class.
func (p *regexParser) escape() (*regex, error) {
	if p.i == len(p.text) {
		return nil, errors.New("a backslash at the end")
	}
	switch c := p.text[p.i]; c {
	case 'A':
		p.i++
		return &regex{op: opBegin}, nil
	case 'z':
		p.i++
		return &regex{op: opEnd}, nil
	case 'Z':
		p.i++
		return &regex{op: opDollar}, nil
	case 'b':
		p.i++
		return &regex{op: opWord}, nil
	case 'B':
		p.i++
		return &regex{op: opNotWord}, nil
	case 'k', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return nil, errors.New("backreferences have no counterpart in RE2")
	}
	s, literal, err := p.escapedSet()
	if err != nil {
		return nil, err
	}
	if literal {
		return p.set(s), nil
	}
	return &regex{op: opSet, set: s}, nil
}

// groups tells whether there is a capturing group.
func (r *regex) groups() bool {
	return r.capture > 0 || slices.ContainsFunc(r.subs, (*regex).groups)
}
