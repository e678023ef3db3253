package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteJSON writes the report for programs.
func WriteJSON(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people.
func WriteTable(w io.Writer, r *Report) error {
	var b strings.Builder
	for _, c := range r.Connectors {
		fmt.Fprintf(&b, "%s  application %s\n", c.Name, c.ClientID)
		for _, row := range c.rows() {
			fmt.Fprintf(&b, "  %s\n", strings.TrimRight(fmt.Sprintf("%-22s  %-20s  %s", row.what, row.state, row.answer), " "))
			if row.hint != "" {
				fmt.Fprintf(&b, "      %s\n", row.hint)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString(verdicts[r.Outcome] + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

var verdicts = map[Outcome]string{
	OK:      "ok: everything that could be asked works, and nothing is granted in vain",
	Excess:  "excess: everything works, but more is granted than is needed; revoke it",
	Missing: "missing: something is not granted yet; graphveil setup --format markdown says who grants it",
	Failed:  "failed: something does not work, or could not be found out",
}

// row is a line of the table, and one below it that may be empty.
type row struct{ what, state, answer, hint string }

func (c *Connector) rows() []row {
	if !c.Token.OK {
		cause := c.Token.Detail
		if c.Token.AADSTS != 0 {
			cause = fmt.Sprintf("AADSTS%d", c.Token.AADSTS)
		}
		return []row{{"token", string(c.Token.Code), cause, c.Token.Hint}}
	}
	rows := []row{{"token", "ok", fmt.Sprintf("tenant %s, application %s", c.Token.Tenant, c.Token.Application), ""}}
	rows = append(rows, c.Roles.rows()...)
	for _, e := range c.Endpoints {
		rows = append(rows, row{e.ID, strings.ReplaceAll(string(e.Status), "_", " "), e.answer(), e.Hint})
	}
	return rows
}

func (r Roles) rows() []row {
	if !r.Readable {
		return []row{{"roles", "unknown", "", "the token is in a form that roles cannot be read from; the endpoints tell"}}
	}
	granted := row{"roles", fmt.Sprintf("%d of %d granted", len(r.Needed)-len(r.Missing)-len(r.Covered), len(r.Needed)), "", ""}
	if len(r.Granted) == 0 {
		granted.hint = "the token has no roles at all: nobody consented yet, or it is a token from before"
	}
	rows := []row{granted}
	for _, list := range []struct {
		state string
		roles []string
		hint  string
	}{
		{"missing", r.Missing, ""},
		{"not in the token", r.Covered, "what needs them works: Exchange grants them for this mailbox"},
		{"excess", r.Excess, ""},
	} {
		if len(list.roles) > 0 {
			rows = append(rows, row{"roles", list.state, strings.Join(list.roles, ", "), list.hint})
		}
	}
	return rows
}

// answer is what Graph said, in numbers and codes.
func (e *Endpoint) answer() string {
	var parts []string
	if e.HTTP != 0 {
		parts = append(parts, fmt.Sprint(e.HTTP))
	}
	if e.Code != "" {
		parts = append(parts, e.Code)
	}
	if e.RetryAfter > 0 {
		parts = append(parts, fmt.Sprintf("retry after %d s", e.RetryAfter))
	}
	return strings.Join(parts, " ")
}
