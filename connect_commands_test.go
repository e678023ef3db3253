package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/deploy/setup"
)

// TestDocumentedCommands parses each command line of ours in the pages about
// connecting a tenant and running the sidecar, and follows their links.
func TestDocumentedCommands(t *testing.T) {
	pages := []string{"README.md", "deploy/README.md", "docs/troubleshooting.md"}
	for page := range guides {
		pages = append(pages, "docs/connect/"+page)
	}
	commands, links := 0, 0
	for _, page := range pages {
		text := readText(t, page)
		var lines []string
		for _, block := range fenced(text) {
			if block.language == "sh" {
				lines = append(lines, strings.Split(strings.ReplaceAll(block.text, "\\\n", " "), "\n")...)
			}
		}
		for _, line := range append(lines, codeSpans(unfenced(text))...) {
			if _, ours, found := strings.Cut(" "+line, " -- graphveil "); found { // kubectl exec
				line = "graphveil " + ours
			}
			line, ours := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "./"), "graphveil ")
			if !ours {
				continue
			}
			commands++
			arguments := shellWords(line)
			if err := parseCommand(arguments); err != nil {
				t.Errorf("%s: graphveil %s: %v", page, line, err)
			} else if arguments[0] == "setup" && slices.Contains(arguments, "--platform") && slices.Contains(arguments, "--format") {
				checkSetup(t, page, arguments)
			}
		}
		for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(unfenced(text), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			links++
			target, anchor, _ := strings.Cut(match[1], "#")
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link to %s: %v", page, match[1], err)
			} else if anchor != "" && !slices.Contains(anchors(readText(t, file)), anchor) {
				t.Errorf("%s: %s has no heading for the link %s", page, file, match[1])
			}
		}
	}
	if commands < 20 || links < 40 {
		t.Errorf("only %d commands and %d links", commands, links)
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

// parseCommand does what cobra does before it runs a command.
func parseCommand(arguments []string) error {
	command, rest, err := newRoot().Find(arguments)
	if err != nil {
		return err
	}
	if !command.Runnable() {
		return errors.New("no such command")
	}
	if err := command.ParseFlags(rest); err != nil {
		return err
	}
	return command.ValidateArgs(command.Flags().Args())
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

// anchors are the headings as links name them.
func anchors(text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(unfenced(text), -1) {
		kept := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		found = append(found, strings.ReplaceAll(kept, " ", "-"))
	}
	return found
}
