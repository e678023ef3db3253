package psoxy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Errors are all the reasons why a document is refused, by line.
type Errors []*Error

// Error is one reason.
type Error struct {
	File string
	// Line is where in the document, from 1; 0 if it is about the whole.
	Line   int
	Reason string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Reason
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

func (c *importer) refuse(line int, format string, args ...any) {
	e := &Error{File: c.file, Line: line, Reason: fmt.Sprintf(format, args...)}
	if !slices.ContainsFunc(c.problems, func(o *Error) bool { return *o == *e }) {
		c.problems = append(c.problems, e)
	}
}

// warn adds a warning, or a line to one that says the same.
func (c *importer) warn(line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	i := slices.IndexFunc(c.warnings, func(w Warning) bool { return w.Text == text })
	if i < 0 {
		c.warnings = append(c.warnings, Warning{c.file, []int{line}, text})
		return
	}
	if w := &c.warnings[i]; !slices.Contains(w.Lines, line) {
		w.Lines = append(w.Lines, line)
		slices.Sort(w.Lines)
	}
}

// errors returns the problems so far as an error, or nil.
func (c *importer) errors() error {
	if len(c.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(c.problems, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	return c.problems
}
