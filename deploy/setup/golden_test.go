package setup

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// TestGolden compares what is written for the shipped policy with the files in testdata. The revision is left out of them: it changes
// with every word of the policy.
func TestGolden(t *testing.T) {
	p := derive(t, load(t, policy.Config{}), example())
	p.Revision = "REVISION"
	for file, write := range map[string]func(*bytes.Buffer) error{
		"plan.json":     func(b *bytes.Buffer) error { return WriteJSON(b, p) },
		"checklist.txt": func(b *bytes.Buffer) error { return WriteChecklist(b, p, "") },
		"plan.md":       func(b *bytes.Buffer) error { return WriteMarkdown(b, p, "") },
		"consent.md":    func(b *bytes.Buffer) error { return WriteMarkdown(b, p, Consent) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		file = "testdata/" + file
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() == string(want) {
			continue
		}
		got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
		for i := range max(len(got), len(lines)) {
			if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
				t.Errorf("%s is not what is written now, from line %d on; make update rewrites it, and git diff shows how", file, i+1)
				break
			}
		}
	}
}

// TestDocumentsStandAlone wants each person to find who, what, why and the applications in one document, and nobody else's steps.
func TestDocumentsStandAlone(t *testing.T) {
	p := derive(t, load(t, policy.Config{}), example())
	for _, person := range People {
		var b bytes.Buffer
		if err := WriteMarkdown(&b, p, person); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, s := range p.Steps {
			if has := strings.Contains(text, ". "+s.Title+"\n"); has != (s.For == person) {
				t.Errorf("%s: has %q: %v", person, s.Title, has)
			}
			if s.For == person && (!strings.Contains(text, s.Who) || !strings.Contains(text, s.What)) {
				t.Errorf("%s: %q is cut", person, s.Title)
			}
		}
		if !strings.Contains(text, introductions[person]) || !strings.Contains(text, p.Tenant) {
			t.Errorf("%s: no introduction", person)
		}
		if mail := strings.Contains(text, "### Graphveil outlook_mail"); mail != (person != Meetings && person != Operate) {
			t.Errorf("%s: has the application of mail: %v", person, mail)
		}
	}
}

// What is not known is said to be so in every form, and every command is still of one line.
func TestNothingIsKnown(t *testing.T) {
	p := derive(t, load(t, policy.Config{}), Target{})
	var b bytes.Buffer
	for _, write := range []func() error{
		func() error { return WriteMarkdown(&b, p, "") },
		func() error { return WriteChecklist(&b, p, "") },
	} {
		b.Reset()
		if err := write(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"not said", "not known yet"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in\n%s", want, b.String())
			}
		}
	}
	for _, s := range p.Steps {
		for _, command := range s.Commands {
			if strings.Contains(command, "\n") || strings.Contains(command, "%!") {
				t.Errorf("%s: %q", s.ID, command)
			}
		}
	}
}

// A permission that nobody knows is asked for by a step that says how to look it up.
func TestUnknownPermission(t *testing.T) {
	folder := t.TempDir()
	text := `# METADATA
# title: Things
# description: Lists things.
package graphveil.connectors.things

import data.graphveil.shape

# METADATA
# title: permissions
# description: What it needs.
permissions := {"Things.Read.All", "TeamSettings.Read.Group"}

# METADATA
# title: things
# description: Lists things.
endpoints["things"] := {
	"methods": {"GET"},
	"path": "/v1.0/things",
	"response": {"value": [{"id": shape.keep}]},
}
`
	if err := os.WriteFile(folder+"/things.rego", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p := derive(t, load(t, policy.Config{Paths: []string{folder}}), example())
	a := p.application(t, "things")
	if len(a.Permissions) != 2 || a.Permissions[1].RoleID != "" || p.Steps[0].ID != "look-up-roles" {
		t.Fatalf("%+v, first %s", a.Permissions, p.Steps[0].ID)
	}
	if look := strings.Join(p.Steps[0].Commands, "\n"); !strings.Contains(look, "appRoles[?value=='Things.Read.All'].id") || strings.Contains(look, "TeamSettings") {
		t.Errorf("%s", look)
	}
	if !strings.Contains(strings.Join(a.Notes, " "), "TeamSettings.Read.Group is granted where a Teams app is installed") {
		t.Errorf("%v", a.Notes)
	}
	create := strings.Join(p.Steps[1].Commands, "\n")
	if !strings.Contains(create, "ROLE_ID_OF_Things.Read.All=Role") || strings.Contains(create, "TeamSettings") {
		t.Errorf("%s", create)
	}

	// What is no name of a permission comes into no command.
	for _, name := range []string{"x'].id\\\"; touch pwned; \\\"", "$(id)", "Things Read", ""} {
		injected := strings.ReplaceAll(text, `"Things.Read.All"`, `"`+name+`"`)
		if err := os.WriteFile(folder+"/things.rego", []byte(injected), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Derive(load(t, policy.Config{Paths: []string{folder}}), example()); err == nil || !strings.Contains(err.Error(), "which is no name of one") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
