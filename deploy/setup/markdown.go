package setup

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// People are the values of [Step].For, in the order in which they are needed.
var People = []string{Create, Consent, Meetings, Mailboxes, Operate}

// introductions open the document of one person, who may have heard of none of this.
var introductions = map[string]string{
	Create: "You are asked to create Entra applications. Through them Graphveil reads data of Microsoft 365 for a workload of your organization: it lets only chosen requests pass, " +
		"and from the answers only the fields that its policy names, people as pseudonyms where it says so. The applications get no secret and, until somebody else consents, no access to anything.",
	Consent: "You are asked to consent to application permissions. With them Graphveil reads data of Microsoft 365 for a workload of your organization: it lets only the requests listed here pass, " +
		"and from the answers only the fields that its policy names, people as pseudonyms where it says so. The workload never gets the access token. The permissions themselves cover the whole tenant, so they are the least ones that the requests need.",
	Meetings: "You are asked for a Teams application access policy. With it an Entra application may read online meetings and who attended them; Graphveil, which signs in as it, " +
		"lets only the requests listed here pass, and only the fields that its policy names, people as pseudonyms where it says so.",
	Mailboxes: "You are asked to limit Entra applications to chosen mailboxes. Graphveil signs in as them to read when and with whom people write and meet: only the fields that its policy names, people as pseudonyms where it says so.",
	Operate:   "This is what is left to do where Graphveil runs.",
}

// WriteMarkdown writes a document that stands alone: for everybody, or with one of [People] for that person.
func WriteMarkdown(w io.Writer, p *Plan, person string) error {
	d := markdown{p: p, steps: stepsFor(p, person)}
	d.head(person)
	if person != Operate {
		d.applications(person)
	}
	for i := range d.steps {
		d.step(i)
	}
	_, err := io.WriteString(w, d.b.String())
	return err
}

// stepsFor selects the steps of a person; empty: all.
func stepsFor(p *Plan, person string) []Step {
	var steps []Step
	for _, s := range p.Steps {
		if person == "" || s.For == person {
			steps = append(steps, s)
		}
	}
	return steps
}

type markdown struct {
	b     strings.Builder
	p     *Plan
	steps []Step
}

func (d *markdown) f(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

func (d *markdown) head(person string) {
	d.f("# Connecting a Microsoft 365 tenant to Graphveil\n\n")
	if person == "" {
		d.f("What has to be done in Entra, Teams and Exchange so that Graphveil can read the tenant: least first, each step with the least privileged role that can do it. " +
			"`graphveil setup` derived it from the policy; `--for` writes the part of one person.\n\n")
	} else {
		d.f("%s\n\n", introductions[person])
	}
	c := cloudOf(d.p.Cloud)
	d.f("Tenant: %s · %s · portal: %s · Graph: `%s` · policy `%.12s`\n\n", orWord(d.p.Tenant, "not said"), c.title, c.portal, d.p.Graph.Host, d.p.Revision)
	if len(d.steps) == 0 {
		d.f("Nothing is to be done.\n\n")
		return
	}
	if person != Create && slices.ContainsFunc(d.p.Applications, func(a Application) bool { return a.ClientID == "" }) {
		d.f("Words in capitals stand for what was not known when this was written: whoever created an application knows its application (client) id.\n\n")
	}
	d.f("| | step | who | the role can be given back when |\n|---|---|---|---|\n")
	for i, s := range d.steps {
		title := s.Title
		if s.Optional {
			title += " (optional)"
		}
		d.f("| %d | %s | %s | %s |\n", i+1, title, s.Who, s.Until)
	}
	d.f("\n")
}

func (d *markdown) applications(person string) {
	d.f("## Applications\n\n")
	for _, a := range d.p.Applications {
		if person == Meetings && !a.TeamsPolicy || person == Mailboxes && len(a.ExchangeRoles) == 0 {
			continue
		}
		d.application(a, person)
	}
}

func (d *markdown) application(a Application, person string) {
	d.f("### %s\n\n", a.DisplayName)
	if a.ClientID != "" {
		d.f("Application (client) id: `%s`", a.ClientID)
	} else {
		d.f("To be created")
	}
	d.f(" · serves %s\n\n", strings.Join(a.Connectors, ", "))
	for _, permission := range a.Permissions {
		if person == Mailboxes && ExchangeRoleOf(permission.Name) == "" {
			continue
		}
		d.f("**%s**", permission.Value())
		if permission.RoleID != "" {
			d.f(" (`%s`)", permission.RoleID)
		} else {
			d.f(" (id to be looked up)")
		}
		d.f(" is for:\n\n")
		for _, why := range permission.Why {
			d.f("- `%s %s`", why.Method, why.Path)
			if why.Description != "" {
				d.f(": %s", why.Description)
			}
			d.f("\n")
		}
		d.f("\n")
	}
	for _, note := range a.Notes {
		d.f("> %s\n\n", note)
	}
	if f := a.Credential.Federated; f != nil && (person == "" || person == Create) {
		d.f("It trusts %s, by the federated credential `%s`:\n\n| | exactly |\n|---|---|\n", orWord(platforms[a.Credential.Kind].title, "a token of the platform that Graphveil runs on"), f.Name)
		for _, field := range [][2]string{{"issuer", f.Issuer}, {"subject", f.Subject}, {"audience", f.Audience}} {
			value := "*not known yet*"
			if field[1] != "" {
				value = "`" + cell(field[1]) + "`"
			}
			d.f("| %s | %s |\n", field[0], value)
		}
		d.f("\n")
	}
}

func (d *markdown) step(i int) {
	s := d.steps[i]
	d.f("## %d. %s\n\n", i+1, s.Title)
	d.f("Who: %s.", s.Who)
	if s.Until != "" {
		d.f(" The role can be given back when %s.", s.Until)
	}
	d.f("\n\n%s\n\n", s.What)
	for _, link := range s.Links {
		d.f("- %s\n", link)
	}
	if len(s.Links) > 0 {
		d.f("\n")
	}
	if len(s.Commands) > 0 {
		d.f("```%s\n%s\n```\n\n", s.Shell, strings.Join(s.Commands, "\n"))
	}
	if len(s.Failures) > 0 {
		d.f("| if | then |\n|---|---|\n")
		for _, failure := range s.Failures {
			d.f("| %s | %s |\n", cell(failure.Sign), cell(failure.Do))
		}
		d.f("\n")
	}
}

// cell keeps a text within its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// IsPerson tells whether a document can be written for that person.
func IsPerson(person string) bool { return person == "" || slices.Contains(People, person) }
