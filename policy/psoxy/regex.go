package psoxy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// use says what is done with the matches of an expression, on which it depends
// whether RE2 can say the same.
type use uint8

const (
	// whole: the expression must match the whole text.
	whole use = iota
	// find: each match counts, from its first to its last character.
	find
	// group: of each match only group 1 counts.
	group
	// wholeGroup: the expression must match the whole text, and group 1 counts.
	wholeGroup
)

// translate writes a Java expression for RE2 so that it finds the same: Java's
// ideas of dot, $, white space and case are spelled out. Only with group and
// wholeGroup is there a capturing group in it, the first.
func translate(java string, u use) (string, error) {
	tree, err := parseRegex(java)
	if err != nil {
		return "", err
	}
	return tree.re2(u)
}

func (r *regex) re2(u use) (string, error) {
	w := regexWriter{use: u}
	w.write(r, true)
	if w.err != nil {
		return "", w.err
	}
	text := w.b.String()
	if _, err := regexp.Compile(text); err != nil {
		return "", errors.New("RE2 cannot do it: too large or too deep")
	}
	return text, nil
}

type regexWriter struct {
	b   strings.Builder
	use use
	err error
}

// write writes a tree. last says that nothing follows it to the end of the
// expression.
func (w *regexWriter) write(r *regex, last bool) {
	switch r.op {
	case opSet:
		w.b.WriteString(r.set.re2())
	case opConcat:
		for i, sub := range r.subs {
			if sub.op == opAlternate {
				sub = &regex{op: opGroup, subs: []*regex{sub}}
			}
			w.write(sub, last && i == len(r.subs)-1)
		}
	case opAlternate:
		for i, sub := range r.subs {
			if i > 0 {
				w.b.WriteByte('|')
			}
			w.write(sub, last)
		}
	case opGroup:
		capturing := (w.use == group || w.use == wholeGroup) && r.capture == 1
		w.b.WriteByte('(')
		if !capturing {
			w.b.WriteString("?:")
		}
		w.write(r.subs[0], last && !capturing)
		w.b.WriteByte(')')
	case opRepeat:
		w.write(r.subs[0], false)
		w.b.WriteString(r.quantifier())
	case opBegin:
		w.b.WriteByte('^')
	case opEnd:
		w.b.WriteString(`\z`)
	case opDollar:
		w.dollar(last)
	case opWord:
		w.b.WriteString(`\b`)
	case opNotWord:
		w.b.WriteString(`\B`)
	}
}

func (r *regex) quantifier() string {
	q := ""
	switch {
	case r.least == 0 && r.most == -1:
		q = "*"
	case r.least == 1 && r.most == -1:
		q = "+"
	case r.least == 0 && r.most == 1:
		q = "?"
	case r.most == -1:
		q = fmt.Sprintf("{%d,}", r.least)
	case r.least == r.most:
		q = fmt.Sprintf("{%d}", r.least)
	default:
		q = fmt.Sprintf("{%d,%d}", r.least, r.most)
	}
	if r.lazy {
		q += "?"
	}
	return q
}

// dollar writes $, which in Java is also true before a line break that ends the
// text. RE2 can only go over that line break, so it must not matter what the
// match as a whole is.
func (w *regexWriter) dollar(last bool) {
	switch {
	case !last:
		w.err = errors.New("a $ that is not at the end cannot be translated; write \\z")
	case w.use == whole || w.use == wholeGroup:
		w.b.WriteString(`\z`)
	case w.use == group:
		w.b.WriteString(`(?:\r\n|` + lineEnds.re2() + `)?\z`)
	default:
		w.err = errors.New("a $ that also stands before a last line break cannot be translated; write \\z")
	}
}
