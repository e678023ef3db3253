package main

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/deploy/setup"
)

// TestDocumentedCommands parses each command line of ours in the pages.
func TestDocumentedCommands(t *testing.T) {
	commands := 0
	for _, page := range pages(t) {
		text := readText(t, page)
		var lines []string
		for _, block := range fenced(text) {
			if block.language == "sh" {
				lines = append(lines, strings.Split(strings.ReplaceAll(block.text, "\\\n", " "), "\n")...)
			}
		}
		text = unfenced(text)
		for line := range strings.Lines(text) {
			if command, indented := strings.CutPrefix(line, "    "); indented {
				lines = append(lines, strings.TrimRight(command, "\n"))
			}
		}
		for i, line := range append(lines, codeSpans(text)...) {
			if _, ours, found := strings.Cut(" "+line, " -- graphveil "); found { // kubectl exec
				line = "graphveil " + ours
			}
			line, ours := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "./"), "graphveil ")
			if !ours {
				continue
			}
			commands++
			arguments := shellWords(line)
			if err := parseCommand(arguments, i < len(lines)); err != nil {
				t.Errorf("%s: graphveil %s: %v", page, line, err)
			} else if arguments[0] == "setup" && slices.Contains(arguments, "--platform") && slices.Contains(arguments, "--format") && !strings.Contains(line, "…") {
				checkSetup(t, page, arguments)
			}
		}
	}
	if commands < 100 {
		t.Errorf("only %d commands", commands)
	}
}

// variables are those of documented command lines.
var variables = strings.NewReplacer("$ISSUER", "https://issuer.example", "$TENANT", "11111111-2222-3333-4444-555555555555", "$SUBJECT", "subject", "$PRINCIPAL_ID", "66666666-7777-8888-9999-000000000000")

// checkSetup wants a documented `graphveil setup` to say all that Entra wants to
// know of the sidecar.
func checkSetup(t *testing.T, page string, arguments []string) {
	t.Helper()
	line := strings.Join(arguments, " ")
	for i := range arguments {
		arguments[i] = variables.Replace(arguments[i])
	}
	arguments[slices.Index(arguments, "--format")+1] = "json"
	stdout, stderr, exit := command(t, "", arguments...)
	var plan setup.Plan
	if err := json.Unmarshal([]byte(stdout), &plan); exit != 0 || err != nil {
		t.Errorf("%s: graphveil %s: exit %d, %v\n%s", page, line, exit, err, stderr)
	}
	for _, application := range plan.Applications {
		if f := application.Credential.Federated; f != nil && len(f.Missing) > 0 {
			t.Errorf("%s: graphveil %s leaves open the %v of %s", page, line, f.Missing, application.Key)
		}
	}
	if len(plan.Applications) == 0 {
		t.Errorf("%s: graphveil %s: no applications", page, line)
	}
}

// parseCommand does what cobra does before it runs a command. Within a sentence a
// command may be named without its arguments.
func parseCommand(arguments []string, whole bool) error {
	arguments = slices.DeleteFunc(arguments, func(a string) bool { return a == "--help" || a == "--version" })
	if len(arguments) == 0 {
		return nil
	}
	command, rest, err := newRoot().Find(arguments)
	if err != nil {
		return err
	}
	if command.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return errors.New("no such command")
	}
	if err := command.ParseFlags(rest); err != nil {
		return err
	}
	if left := command.Flags().Args(); whole || len(left) > 0 {
		return command.ValidateArgs(left)
	}
	return nil
}

// shellWords splits a simple command line: quotes, and nothing behind a
// redirection, a pipe or in a comment.
func shellWords(line string) []string {
	var words []string
	for _, match := range regexp.MustCompile(`[<>|&#]|(?:[^\s<>|&'"]|'[^']*'|"[^"]*")+`).FindAllString(line, -1) {
		if strings.ContainsAny(match[:1], "<>|&#") {
			break
		}
		words = append(words, strings.Trim(match, `'"`))
	}
	return words
}
