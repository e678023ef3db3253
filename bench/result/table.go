package result

import (
	"slices"
	"strings"
)

// Table gathers the rounds of figures, in the order in which they first came. The
// zero Table has no command.
type Table struct {
	// Command measures all of the figures again.
	Command string
	Figures []Figure
}

// Add adds the value of one more round.
func (t *Table) Add(group, situation, subject, unit, better string, value float64) {
	i := slices.IndexFunc(t.Figures, func(f Figure) bool {
		return f.Group == group && f.Case == situation && f.Subject == subject && f.Unit == unit
	})
	if i < 0 {
		i = len(t.Figures)
		t.Figures = append(t.Figures, Figure{
			Group: group, Case: situation, Subject: subject, Unit: unit, Better: better, Command: t.Command,
		})
	}
	t.Figures[i].Rounds = append(t.Figures[i].Rounds, value)
}

// Wanted says whether group/case, such as ladder/h2/50KB/plain, is one of those
// asked for: it begins with one of only, whole parts of it. Empty asks for all.
func Wanted(only []string, name string) bool {
	return len(only) == 0 || slices.ContainsFunc(only, func(prefix string) bool {
		return strings.HasPrefix(name+"/", strings.Trim(prefix, "/")+"/")
	})
}
