package setup

import (
	"fmt"
	"io"
	"strings"
)

// checklistWidth is that of a terminal that nobody has made wider.
const checklistWidth = 100

// WriteChecklist writes the plan for a terminal: what is needed, and the steps to tick off, without their commands. A person is as for
// [WriteMarkdown].
func WriteChecklist(w io.Writer, p *Plan, person string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Connecting tenant %s (%s) to Graphveil, policy %.12s\n", orWord(p.Tenant, "(not said)"), cloudOf(p.Cloud).title, p.Revision)
	for _, a := range p.Applications {
		fmt.Fprintf(&b, "\n%s  %s\n", a.DisplayName, orWord(a.ClientID, "(to be created)"))
		for _, permission := range a.Permissions {
			fmt.Fprintf(&b, "  %-34s %s  %s\n", permission.Value(), orWord(permission.RoleID, "(id to be looked up)               "), endpointsOf(permission))
		}
		if f := a.Credential.Federated; f != nil {
			for _, field := range [][2]string{{"issuer", f.Issuer}, {"subject", f.Subject}, {"audience", f.Audience}} {
				fmt.Fprintf(&b, "  %-10s %s\n", field[0], orWord(field[1], "(not known yet)"))
			}
		}
		for _, note := range a.Notes {
			wrap(&b, "  ! ", note)
		}
	}
	for i, s := range stepsFor(p, person) {
		optional := ""
		if s.Optional {
			optional = " (optional)"
		}
		fmt.Fprintf(&b, "\n[ ] %d. %s%s\n", i+1, s.Title, optional)
		who := s.Who
		if s.Until != "" {
			who += ", until " + s.Until
		}
		wrap(&b, "      ", who)
		for _, link := range s.Links {
			fmt.Fprintf(&b, "      %s\n", link)
		}
	}
	b.WriteString("\nCommands, reasons and known failures: graphveil setup --format markdown, and --for " + strings.Join(People, ", ") + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// endpointsOf counts what a permission is for.
func endpointsOf(p Permission) string {
	seen := map[string]bool{}
	for _, why := range p.Why {
		seen[why.Connector+"."+why.Endpoint] = true
	}
	if len(seen) == 1 {
		return "for " + p.Why[0].Connector + "." + p.Why[0].Endpoint
	}
	return fmt.Sprintf("for %d endpoints", len(seen))
}

// wrap breaks a text into lines, all indented as the first.
func wrap(b *strings.Builder, indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line)+len(word) > checklistWidth && strings.TrimSpace(line) != "" {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", len(indent))
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
