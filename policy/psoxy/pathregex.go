package psoxy

import (
	"errors"
	"fmt"
	"slices"
)

// maxPaths bounds what one pathRegex may mean.
const maxPaths = 64

// piece is a part of a path that a pathRegex matches: one character, or any
// number of characters of a set.
type piece struct {
	set runes
	// many says that there may be more or fewer characters than one.
	many  bool
	least int
	// tree is what the piece is, for a pattern; name that of its group.
	tree *regex
	name string
	// token says that the piece is a segment that must be a token p~….
	token bool
}

// char returns the character that a piece is.
func (p piece) char() (rune, bool) {
	if p.many || p.tree != nil && p.tree.op != opSet {
		return 0, false
	}
	return p.set.single()
}

// pathWriter makes templates of the forms of pathRegex that mean a few of them.
type pathWriter struct {
	templates []template
	// notes say what was left out.
	notes []string
}

func (w *pathWriter) note(text string) {
	if !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}

// Notes of imports that are tighter than the expression.
const (
	noteDot   = "an unescaped dot matches any character; imported as a dot"
	noteTail  = "what follows at the end (.*) matches anything below that path; imported without it; add the paths below that clients need by hand"
	noteRest  = "more characters may follow the last segment; imported without them"
	noteQuery = "the expression says something about the query; only the listed options count"
	noteKey   = "a segment may go on with anything, as a key does in users('…'); imported as a segment of its own, which stands for both"
	noteStray = "the stray slash before the token makes Psoxy accept plain ids too; imported for tokens only"
	noteEmpty = "a segment in the middle may be empty; imported as one that is not"
)

// parsePathRegex reads a pathRegex. The query is part of what Psoxy matches, so
// the end of the expression speaks of it.
func parsePathRegex(text string) (*pathWriter, error) {
	tree, err := parseRegex(text)
	if err != nil {
		return nil, err
	}
	w := &pathWriter{}
	paths, err := w.expand(tree)
	if err != nil {
		return nil, err
	}
	var skipped error
	for _, p := range paths {
		t, err := w.template(p)
		switch {
		case err != nil:
			return nil, err
		case t == nil:
			skipped = errors.New("no path of it ends where a segment ends")
		case !slices.ContainsFunc(w.templates, func(o template) bool { return o.key() == t.key() }):
			w.templates = append(w.templates, *t)
		}
	}
	if len(w.templates) == 0 {
		return nil, cmpError(skipped, errors.New("it matches no path"))
	}
	return w, nil
}

func cmpError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// expand writes out alternatives and optional parts.
func (w *pathWriter) expand(r *regex) ([][]piece, error) {
	switch r.op {
	case opSet:
		return smallSet(r), nil
	case opBegin, opEnd, opDollar:
		return [][]piece{{}}, nil
	case opConcat:
		return w.concat(r)
	case opAlternate:
		var all [][]piece
		for _, sub := range r.subs {
			paths, err := w.expand(sub)
			if err != nil {
				return nil, err
			}
			if all = append(all, paths...); len(all) > maxPaths {
				return nil, fmt.Errorf("it means more than %d paths", maxPaths)
			}
		}
		return all, nil
	case opGroup:
		if r.opaque() {
			return [][]piece{{{many: true, least: 1, set: anyRune, tree: r, name: r.name}}}, nil
		}
		paths, err := w.expand(r.subs[0])
		if len(paths) == 1 && len(paths[0]) == 1 {
			paths[0][0].name = r.name
		}
		return paths, err
	case opRepeat:
		return w.repeat(r)
	}
	return nil, errors.New(`\b and \B in a path are not supported`)
}

// smallSet writes out a set of a few characters, as in v[12].
func smallSet(r *regex) [][]piece {
	const few = 8
	if _, ok := r.set.single(); ok || r.set.count() > few || r.set.has('/') {
		return [][]piece{{{set: r.set, tree: r}}}
	}
	var all [][]piece
	for _, s := range r.set {
		for c := s.low; c <= s.high; c++ {
			all = append(all, []piece{{set: only(c, c), tree: &regex{set: only(c, c)}}})
		}
	}
	return all
}

func (w *pathWriter) concat(r *regex) ([][]piece, error) {
	all := [][]piece{{}}
	for i := 0; i < len(r.subs); i++ {
		paths, err := w.expand(r.subs[i])
		if err != nil {
			return nil, err
		}
		// (/p~...)?[^/]*
		if r.subs[i].isToken() && i+1 < len(r.subs) && r.subs[i+1].isSegment() {
			i++
			stray := i > 1 && r.subs[i-2].op == opSet && r.subs[i-2].set.equal(only('/', '/'))
			token := piece{many: true, least: 1, token: true}
			if stray {
				w.note(noteStray)
				paths = [][]piece{{token}}
			} else {
				rest := piece{many: true, set: r.subs[i].subs[0].set, tree: r.subs[i]}
				paths = [][]piece{{rest}, {{set: only('/', '/')}, token}}
			}
		}
		var next [][]piece
		for _, head := range all {
			for _, tail := range paths {
				next = append(next, append(slices.Clone(head), tail...))
			}
		}
		if all = next; len(all) > maxPaths {
			return nil, fmt.Errorf("it means more than %d paths", maxPaths)
		}
	}
	return all, nil
}

func (w *pathWriter) repeat(r *regex) ([][]piece, error) {
	sub := r.subs[0]
	for sub.op == opGroup {
		sub = sub.subs[0]
	}
	switch {
	case r.least == 0 && r.most == 1:
		paths, err := w.expand(r.subs[0])
		return append([][]piece{{}}, paths...), err
	case sub.op == opSet:
		return [][]piece{{{many: true, least: r.least, set: sub.set, tree: r}}}, nil
	case !r.has('/'):
		return [][]piece{{{many: true, least: r.least, set: anyRune, tree: r}}}, nil
	}
	return nil, errors.New("it repeats something with a slash in it any number of times")
}

// opaque tells of a group that is best kept as a pattern: it never matches a
// slash, nor the question mark of a query, and means many texts.
func (r *regex) opaque() bool {
	return !r.has('/') && !r.has('?') && r.variants() > maxPaths
}

// has tells whether a text that r matches may have this character.
func (r *regex) has(c rune) bool {
	return r.op == opSet && r.set.has(c) || slices.ContainsFunc(r.subs, func(s *regex) bool { return s.has(c) })
}

// variants is how many texts r matches, at most some more than maxPaths.
func (r *regex) variants() int {
	const many = 4 * maxPaths
	n := 1
	switch r.op {
	case opSet:
		if _, ok := r.set.single(); !ok {
			n = r.set.count()
		}
	case opAlternate:
		n = 0
		for _, s := range r.subs {
			n += s.variants()
		}
	case opRepeat:
		switch n = r.subs[0].variants(); {
		case r.most == 1 && r.least == 0:
			n++
		case r.most != r.least || n > 1:
			n = many
		}
	default:
		for _, s := range r.subs {
			n = min(n*s.variants(), many)
		}
	}
	return min(n, many)
}

// isToken recognises (/p~[a-zA-Z0-9_-]+?)?.
func (r *regex) isToken() bool {
	if r.op != opRepeat || r.least != 0 || r.most != 1 || r.subs[0].op != opGroup || r.subs[0].subs[0].op != opConcat {
		return false
	}
	parts := r.subs[0].subs[0].subs
	if len(parts) < 4 {
		return false
	}
	for i, c := range "/p~" {
		if one, ok := parts[i].set.single(); parts[i].op != opSet || !ok || one != c {
			return false
		}
	}
	return len(parts) == 4 && parts[3].op == opRepeat && parts[3].subs[0].op == opSet && !parts[3].has('/')
}

// isSegment recognises [^/]* and [^/]+.
func (r *regex) isSegment() bool {
	return r.op == opRepeat && r.most == -1 && r.subs[0].op == opSet && r.subs[0].set.equal(only('/', '/').complement())
}
