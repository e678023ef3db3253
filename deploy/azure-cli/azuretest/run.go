package azuretest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Run runs one command and returns the exit status: 2 for what the parser refuses, 3 for what is not found, 1 for other errors.
func Run(args []string) int {
	fail := func(status int, format string, a ...any) int {
		fmt.Fprintf(os.Stderr, "ERROR: "+format+"\n", a...)
		return status
	}
	words := len(args)
	if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") }); i >= 0 {
		words = i
	}
	name := strings.Join(args[:words], " ")
	c, known := commands[name]
	if !known {
		return fail(2, "'%s' is misspelled or not recognized by the system.", name)
	}
	given := map[string]string{}
	for i := words; i < len(args); i++ {
		flag := args[i]
		takes := strings.Fields(strings.ReplaceAll(c.takes, "!", "") + " --output --only-show-errors")
		switch {
		case !slices.Contains(takes, flag):
			return fail(2, "unrecognized arguments: %s", flag)
		case slices.Contains([]string{"--all", "--show-mine", "--only-show-errors"}, flag):
			given[flag] = "true"
		case i+1 == len(args) || strings.HasPrefix(args[i+1], "--"):
			return fail(2, "argument %s: expected one argument", flag)
		default:
			i++
			given[flag] = args[i]
		}
	}
	for _, flag := range strings.Fields(c.takes) {
		if required, is := strings.CutSuffix(flag, "!"); is && given[required] == "" {
			return fail(2, "the following arguments are required: %s", required)
		}
	}
	if output := given["--output"]; !slices.Contains([]string{"", "json", "none", "tsv"}, output) {
		return fail(2, "argument --output/-o: invalid choice: '%s'", output)
	}
	t := &Tenant{}
	text, err := os.ReadFile(os.Getenv("AZ_TENANT"))
	if err != nil || json.Unmarshal(text, t) != nil || t.ID == "" {
		return fail(1, "Please run 'az login' to setup account.")
	}
	answer, err := c.run(t, given)
	if err == nil && c.changes {
		t.Changes = append(t.Changes, strings.Join(args, " "))
	}
	if text, e := json.Marshal(t); e != nil || os.WriteFile(os.Getenv("AZ_TENANT"), text, 0o600) != nil {
		return fail(1, "the tenant cannot be written")
	}
	if err != nil {
		status := 1
		if errors.As(err, new(missing)) {
			status = 3
		}
		return fail(status, "%v", err)
	}
	if answer != nil && given["--output"] != "none" {
		out, _ := json.MarshalIndent(answer, "", "  ")
		fmt.Println(string(out))
	}
	return 0
}
