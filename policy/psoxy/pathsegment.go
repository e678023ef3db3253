package psoxy

import (
	"errors"
	"slices"
	"strings"
)

// template makes a path of its pieces. It returns nil for one that is only the
// shadow of another: an optional segment is absent, and what belongs to it sticks
// to the segment before.
func (w *pathWriter) template(pieces []piece) (*template, error) {
	pieces = w.withoutQuery(pieces)
	if len(pieces) == 0 {
		return nil, errors.New("it does not begin with a slash")
	}
	if c, ok := pieces[0].char(); !ok || c != '/' {
		return nil, errors.New("it does not begin with a slash")
	}
	t := &template{}
	start := 1
	for i := 1; i <= len(pieces); i++ {
		if i < len(pieces) {
			if c, ok := pieces[i].char(); !ok || c != '/' {
				continue
			}
		}
		ok, err := w.segment(t, pieces[start:i], i == len(pieces))
		if err != nil || !ok {
			return nil, err
		}
		start = i + 1
	}
	if len(t.segments) == 0 {
		return nil, errors.New("it matches no path")
	}
	return t, nil
}

// withoutQuery cuts off what stands for a query.
func (w *pathWriter) withoutQuery(pieces []piece) []piece {
	for i, p := range pieces {
		if c, ok := p.char(); !ok || c != '?' {
			continue
		}
		if rest := pieces[i+1:]; len(rest) != 1 || !rest[0].many || !rest[0].set.has('=') {
			w.note(noteQuery)
		}
		return pieces[:i]
	}
	return pieces
}

// segment adds what stands between two slashes. It reports false for a shadow.
func (w *pathWriter) segment(t *template, pieces []piece, last bool) (bool, error) {
	pieces, tail := w.tail(pieces, last)
	literal, rest := w.literal(pieces)
	switch {
	case len(pieces) == 0 && last && tail != nil && tail.has('/'): // /x/.*
		w.note(noteTail)
		t.segments = append(t.segments, segment{param: t.nameFor("")})
		return true, nil
	case len(pieces) == 0 && last && len(t.segments) > 0: // a slash at the end
		return true, nil
	case len(pieces) == 0:
		return false, errors.New("an empty segment")
	case len(rest) == 0:
		w.addLiteral(t, literal)
		return true, nil
	case len(pieces) == 1 && pieces[0].token:
		t.segments = append(t.segments, segment{param: t.nameFor(""), reversible: true})
		return true, nil
	}
	for _, p := range rest {
		if p.token {
			return false, errors.New("a token must fill a segment")
		}
		if p.many && p.set.has('/') && p.tree != nil && p.tree.has('/') {
			return false, errors.New(".* (or another part that goes over slashes) stands in the middle")
		}
	}
	anything := only('/', '/').complement()
	if len(rest) == 1 && rest[0].many && rest[0].set.equal(anything) {
		switch {
		case literal == "":
			if rest[0].least == 0 && !last {
				w.note(noteEmpty)
			}
			t.segments = append(t.segments, segment{param: t.nameFor(rest[0].name)})
			return true, nil
		case !last:
			w.note(noteKey)
			return false, nil
		}
	}
	if before, key := w.key(literal, rest); key {
		w.addLiteral(t, before)
		t.segments = append(t.segments, segment{param: t.nameFor("")})
		return true, nil
	}
	return true, w.addPattern(t, pieces)
}

// tail takes off the end of the last segment what is there for the query, or
// for anything: a repeated set with a question mark in it.
func (w *pathWriter) tail(pieces []piece, last bool) ([]piece, *piece) {
	n := len(pieces)
	if !last || n == 0 {
		return pieces, nil
	}
	p := pieces[n-1]
	whole := n == 1 && !p.set.has('/')
	_, one := p.char()
	switch {
	case p.token || whole || p.tree == nil:
		return pieces, nil
	case p.many && p.least == 0 && p.tree.op == opRepeat && p.set.has('?'):
		switch {
		case n > 1 && p.set.has('/'):
			w.note(noteTail)
		case n > 1 && p.set.has('\''):
			w.note(noteKey)
		}
		return pieces[:n-1], &p
	case !p.many && !one && n > 1 && p.set.has('/'): // one more character, perhaps a slash
		w.note(noteRest)
		return pieces[:n-1], &p
	}
	return pieces, nil
}

func (p *piece) has(c rune) bool { return p.set.has(c) }

// literal reads characters from the start of a segment, up to the first piece
// that is none.
func (w *pathWriter) literal(pieces []piece) (string, []piece) {
	var b strings.Builder
	for i, p := range pieces {
		c, ok := p.char()
		if !ok && !p.many && p.set.equal(lineEnds.complement()) {
			w.note(noteDot)
			c, ok = '.', true
		}
		if !ok {
			return b.String(), pieces[i:]
		}
		b.WriteRune(c)
	}
	return b.String(), nil
}

// key recognises users('…') with anything in the quotes.
func (w *pathWriter) key(literal string, rest []piece) (string, bool) {
	before, ok := strings.CutSuffix(literal, "('")
	if !ok || before == "" || len(rest) != 3 || !rest[0].many {
		return "", false
	}
	quote, _ := rest[1].char()
	paren, _ := rest[2].char()
	return before, quote == '\'' && paren == ')'
}

// addLiteral adds a literal segment, or two for mailFolders('SentItems').
func (w *pathWriter) addLiteral(t *template, literal string) {
	if before, after, ok := strings.Cut(literal, "('"); ok && strings.HasSuffix(after, "')") && before != "" {
		t.segments = append(t.segments, segment{literal: before}, segment{literal: strings.TrimSuffix(after, "')")})
		return
	}
	t.segments = append(t.segments, segment{literal: literal})
}

// addPattern adds a parameter that must match.
func (w *pathWriter) addPattern(t *template, pieces []piece) error {
	tree := &regex{op: opConcat}
	name := ""
	for _, p := range pieces {
		tree.subs = append(tree.subs, p.tree)
		if p.name != "" {
			name = p.name
		}
	}
	if slices.Contains(tree.subs, nil) {
		return errors.New("a segment is a mixture that is not supported")
	}
	pattern, err := tree.folded().re2(whole)
	if err != nil {
		return err
	}
	t.segments = append(t.segments, segment{param: t.nameFor(name), pattern: pattern})
	return nil
}

// folded is r without regard to the case of ASCII letters, as Psoxy reads paths,
// and without slashes, which no segment has.
func (r *regex) folded() *regex {
	out := *r
	if r.op == opSet {
		set := r.set.fold()
		if set.has('/') {
			set = set.intersect(only('/', '/').complement())
		}
		out.set = set
	}
	out.subs = nil
	for _, s := range r.subs {
		out.subs = append(out.subs, s.folded())
	}
	return &out
}
