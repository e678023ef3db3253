package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong with a policy.
type Error struct {
	// Code is stable, in snake case: parse_error, unresolved_reference, ...
	Code string
	// File and Line say where. Line is 0 where the whole file, or no file, is meant.
	File string
	Line int
	// Path leads from a rule to the place inside its value, as
	// endpoints["users"].response.value[0].mail. Empty where it does not apply.
	Path string
	// Message says what is wrong, in lower case.
	Message string
	// Hint says what to do about it. May be empty.
	Hint string
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	fmt.Fprintf(&b, "%s (%s)", e.Message, e.Code)
	if e.Hint != "" {
		b.WriteString("\n\thint: " + e.Hint)
	}
	return b.String()
}

// Errors are all things that are wrong with a policy, sorted by place.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find an *Error.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// problems collects errors.
type problems struct{ list Errors }

func (p *problems) add(e *Error) { p.list = append(p.list, e) }

// err returns what was collected, sorted and each once, or nil.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return slices.CompactFunc(p.list, func(a, b *Error) bool { return *a == *b })
}

// nearest returns the name that is closest to the given one, or "" if none is
// close enough to be what was meant.
func nearest(name string, names []string) string {
	best, bestDistance := "", len(name)/2+2
	for _, candidate := range slices.Sorted(slices.Values(names)) {
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// didYouMean is a hint, or "".
func didYouMean(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

// editDistance counts insertions, deletions and substitutions (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			above := row[j]
			substituted := diagonal
			if a[i-1] != b[j-1] {
				substituted++
			}
			row[j] = min(above+1, row[j-1]+1, substituted)
			diagonal = above
		}
	}
	return row[len(b)]
}
